// Stepping through a kind: generated objects and changed ones, merged by key.
#include "store.hpp"

namespace stripe_sim {

Store::Walk::Walk(const Store &store, Kind kind, bool older)
    : store_{store}, kind_{kind}, older_{older}, generated_at_{older ? store.world().size(kind)
                                                                     : 0} {}

void Store::Walk::start_after(Key key) {
    changed_after_ = key;
    const World &world = store_.world();
    uint64_t size = world.size(kind_);
    if (key.sequence < size && world.created(kind_, key.sequence) == key.created) {
        generated_at_ = older_ ? key.sequence : key.sequence + 1;
        return;
    }
    // Objects of the same second were generated before any that came while running, except where
    // one was moved to another second; its sequence then decides.
    uint64_t before = world.count_before(kind_, key.created);
    while (before < size && Key{world.created(kind_, before), before} <= key)
        ++before;
    generated_at_ = before;
}

std::optional<Key> Store::Walk::generated() {
    const World &world = store_.world();
    const auto &gone = store_.overlay(kind_).gone;
    if (older_) {
        while (generated_at_ > 0 && gone.contains(generated_at_ - 1))
            --generated_at_;
        if (generated_at_ == 0)
            return std::nullopt;
        return Key{world.created(kind_, generated_at_ - 1), generated_at_ - 1};
    }
    while (generated_at_ < world.size(kind_) && gone.contains(generated_at_))
        ++generated_at_;
    if (generated_at_ >= world.size(kind_))
        return std::nullopt;
    return Key{world.created(kind_, generated_at_), generated_at_};
}

std::optional<Key> Store::Walk::changed() {
    const auto &objects = store_.overlay(kind_).objects;
    if (objects.empty())
        return std::nullopt;
    if (!older_) {
        auto at = changed_after_ ? objects.upper_bound(*changed_after_) : objects.begin();
        return at == objects.end() ? std::nullopt : std::optional{at->first};
    }
    auto at = changed_after_ ? objects.lower_bound(*changed_after_) : objects.end();
    return at == objects.begin() ? std::nullopt : std::optional{std::prev(at)->first};
}

std::optional<Key> Store::Walk::next() {
    std::optional<Key> from_generated = generated();
    std::optional<Key> from_changed = changed();
    if (!from_generated && !from_changed)
        return std::nullopt;
    bool take_generated =
        !from_changed || (from_generated && (older_ ? *from_generated > *from_changed
                                                    : *from_generated < *from_changed));
    if (take_generated) {
        generated_at_ = older_ ? from_generated->sequence : from_generated->sequence + 1;
        return from_generated;
    }
    changed_after_ = from_changed;
    return from_changed;
}

} // namespace stripe_sim

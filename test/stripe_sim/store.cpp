// See store.hpp.
#include "store.hpp"

#include <algorithm>
#include <ctime>

namespace stripe_sim {

Store::Store(const AccountConfig &config, CacheBudget &cache)
    : generator_{config}, cache_{cache}, account_text_{generator_.account_text()} {}

const Store::Changed *Store::find_changed(Kind kind, Key key) const {
    const auto &objects = overlay(kind).objects;
    if (objects.empty())
        return nullptr;
    auto found = objects.find(key);
    return found == objects.end() ? nullptr : &found->second;
}

std::optional<Key> Store::find(Kind kind, std::string_view id) const {
    const Overlay &over = overlay(kind);
    if (auto found = over.by_id.find(std::string{id}); found != over.by_id.end())
        return found->second;
    std::optional<uint64_t> index = world().ids().decode(kind, id);
    if (!index || *index >= world().size(kind) || over.gone.contains(*index))
        return std::nullopt;
    return Key{world().created(kind, *index), *index};
}

bool Store::was_deleted(Kind kind, const std::string &id) const {
    return overlay(kind).deleted.contains(id);
}

void Store::append_text(std::string &out, Kind kind, Key key) {
    if (const Changed *changed = find_changed(kind, key)) {
        out += changed->text;
        return;
    }
    auto &cache = overlay(kind).cache;
    uint64_t index = key.sequence;
    if (index < cache.size() && !cache[index].empty()) {
        out += cache[index];
        return;
    }
    size_t start = out.size();
    generator_.render(out, kind, index);
    size_t bytes = out.size() - start;
    if (bytes + sizeof(std::string) > cache_.left)
        return;
    if (cache.empty()) {
        size_t table = world().size(kind) * sizeof(std::string);
        if (table + bytes > cache_.left)
            return;
        cache.resize(world().size(kind));
        cache_.left -= table;
    }
    cache[index].assign(out, start, bytes);
    cache_.left -= bytes;
}

std::string Store::id_of(Kind kind, Key key) const {
    if (const Changed *changed = find_changed(kind, key))
        return changed->id;
    return world().ids().encode(kind, key.sequence);
}

void Store::put(Kind kind, const std::string &id, std::string text) {
    Json doc = parse_json(text);
    if (!json_is_object(doc.get()))
        throw JsonError{"an object must be a JSON object"};
    Overlay &over = overlay(kind);
    Key key{get_int(doc.get(), "created", std::time(nullptr)), 0};
    if (std::optional<Key> old = find(kind, id)) {
        key.sequence = old->sequence;
        if (!over.by_id.contains(id))
            over.gone.insert(old->sequence);
        over.objects.erase(*old);
    } else {
        key.sequence = next_sequence_++;
    }
    over.by_id[id] = key;
    over.deleted.erase(id);
    over.objects[key] = Changed{id, std::move(text), std::move(doc)};
}

bool Store::patch(Kind kind, const std::string &id, const json_t *merge) {
    std::optional<Key> key = find(kind, id);
    if (!key)
        return false;
    std::string text;
    append_text(text, kind, *key);
    Json doc = parse_json(text);
    merge_patch(doc.get(), merge);
    put(kind, id, pretty(doc.get()));
    return true;
}

bool Store::remove(Kind kind, const std::string &id) {
    std::optional<Key> key = find(kind, id);
    if (!key)
        return false;
    Overlay &over = overlay(kind);
    if (over.by_id.erase(id) > 0)
        over.objects.erase(*key);
    else
        over.gone.insert(key->sequence);
    over.deleted.insert(id);
    return true;
}

std::vector<Store::Child> Store::generated_children(Kind child, uint64_t parent) {
    bool items = child == Kind::subscription_item;
    uint64_t spacing = items ? max_items : max_lines;
    unsigned count = items ? world().subscription(parent).items : world().invoice(parent).lines;
    std::vector<Child> out(count);
    for (unsigned i = 0; i < count; ++i) {
        uint64_t number = parent * spacing + i;
        out[i].id = world().ids().encode(child, number);
        generator_.render(out[i].text, child, number);
    }
    return out;
}

std::optional<std::vector<Store::Child>> Store::children(Kind child, std::string_view parent_id) {
    bool items = child == Kind::subscription_item;
    Kind parent = items ? Kind::subscription : Kind::invoice;
    std::optional<Key> key = find(parent, parent_id);
    if (!key)
        return std::nullopt;
    const Changed *changed = find_changed(parent, *key);
    if (changed == nullptr)
        return generated_children(child, key->sequence);
    // A changed parent: what it embeds, then, when it says there is more, the generated rest.
    const json_t *list = json_object_get(changed->doc.get(), items ? "items" : "lines");
    std::vector<Child> out;
    size_t i;
    json_t *one;
    json_array_foreach(json_object_get(list, "data"), i, one)
        out.push_back({get_string(one, "id"), pretty(one)});
    if (json_is_true(json_object_get(list, "has_more")) && key->sequence < world().size(parent)) {
        for (Child &rest : generated_children(child, key->sequence)) {
            auto same = [&](const Child &have) { return have.id == rest.id; };
            if (std::none_of(out.begin(), out.end(), same))
                out.push_back(std::move(rest));
        }
    }
    return out;
}

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

// See store.hpp.
#include "store.hpp"

#include "rng.hpp"

namespace stripe_sim {

Store::Store(const AccountConfig &config, CacheBudget &cache, const SimClock &clock)
    : generator_{config}, cache_{cache}, clock_{clock}, account_text_{generator_.account_text()} {}

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
    if (world().size(kind) == 0)
        return std::nullopt;
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

// Invoice items call it "date".
static int64_t created_of(Kind kind, const json_t *doc, int64_t fallback) {
    return get_int(doc, kind == Kind::invoice_item ? "date" : "created", fallback);
}

void Store::keep(Kind kind, const std::string &id, std::string text, Json doc, bool as_put) {
    Overlay &over = overlay(kind);
    std::optional<Key> old = find(kind, id);
    Key key{created_of(kind, doc.get(), old ? old->created : clock_.now()), 0};
    if (old) {
        key.sequence = old->sequence;
        if (!over.by_id.contains(id))
            over.gone.insert(old->sequence);
        over.objects.erase(*old);
    } else {
        key.sequence = next_sequence_++;
        over.added.push_back(id);
    }
    over.by_id[id] = key;
    over.deleted.erase(id);
    if (kind == Kind::subscription)
        remember_items(id, doc.get());
    over.objects[key] = Changed{id, std::move(text), std::move(doc), as_put};
}

void Store::put(Kind kind, const std::string &id, std::string text) {
    Json doc = parse_json(text);
    if (!json_is_object(doc.get()))
        throw JsonError{"an object must be a JSON object"};
    Json as_served = served(kind, doc.get(), false);
    if (as_served.get() != doc.get())
        text = pretty(as_served.get());
    keep(kind, id, std::move(text), std::move(doc), true);
}

void Store::put_document(Kind kind, const std::string &id, Json doc) {
    std::string text = pretty(served(kind, doc.get()).get());
    keep(kind, id, std::move(text), std::move(doc), false);
}

bool Store::patch(Kind kind, const std::string &id, const json_t *merge) {
    std::optional<Key> key = find(kind, id);
    if (!key)
        return false;
    const Changed *changed = find_changed(kind, *key);
    bool as_put = changed != nullptr && changed->as_put;
    Json doc;
    if (changed != nullptr && kind != Kind::event) {
        doc.reset(json_deep_copy(changed->doc.get()));
    } else {
        std::string text;
        append_text(text, kind, *key);
        doc = parse_json(text);
    }
    merge_patch(doc.get(), merge);
    std::string text = pretty(served(kind, doc.get(), !as_put).get());
    keep(kind, id, std::move(text), std::move(doc), as_put);
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

void Store::add_event(const RecordedEvent &event, std::string text) {
    Overlay &over = overlay(Kind::event);
    over.by_id[event.id] = event.key;
    // Of an event only what lists filter by is looked up; its text is long and many.
    Json doc{json_object()};
    json_object_set_new(doc.get(), "type", json_string(event.type.c_str()));
    over.objects[event.key] = Changed{event.id, std::move(text), std::move(doc), false};
    recorded_.push_back(event);
}

bool Store::is_forgotten(Kind kind, Key key) const {
    static constexpr int64_t kept = int64_t{30} * 86400;
    return kind == Kind::event && key.sequence >= world().size(kind) &&
           key.created < clock_.now() - kept;
}

void Store::set_listed(Kind kind, Key key, bool listed) {
    if (listed)
        unlisted_.erase({kind, key});
    else
        unlisted_.emplace(kind, key);
}

std::string Store::fresh_id(Kind kind) {
    // Numbers of generated children leave gaps; new ones start far above.
    static constexpr uint64_t first_child = uint64_t{1} << 40;
    bool child = static_cast<size_t>(kind) >= stored_kinds;
    uint64_t first = child ? first_child : world().size(kind);
    return world().ids().encode(kind, first + fresh_[static_cast<size_t>(kind)]++);
}

std::optional<std::string> Store::any_id(Kind kind, Rng &rng) const {
    const auto &added = overlay(kind).added;
    uint64_t generated = world().size(kind);
    for (int tries = 0; tries < 16 && generated + added.size() > 0; ++tries) {
        uint64_t draw = rng.below(generated + added.size());
        std::string id =
            draw < generated ? world().ids().encode(kind, draw) : added[draw - generated];
        if (find(kind, id))
            return id;
    }
    return std::nullopt;
}

} // namespace stripe_sim

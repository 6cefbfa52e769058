// See lists.hpp.
#include "lists.hpp"

#include "api_error.hpp"

#include <algorithm>
#include <limits>

namespace stripe_sim {

static bool passes(Store &store, Kind kind, Key key, const ListParameters &parameters) {
    for (const ListParameters::Filter &filter : parameters.filters) {
        bool any = std::any_of(filter.any_of.begin(), filter.any_of.end(), [&](const auto &value) {
            return store.field_is(kind, key, filter.field, value);
        });
        if (!any)
            return false;
    }
    return true;
}

static Key cursor_key(Store &store, const KindInfo &kind, const std::string &id,
                      std::string_view parameter) {
    std::optional<Key> key = store.find(kind.kind, id);
    if (!key)
        throw no_such(kind.name, id, 400, parameter);
    return *key;
}

// The keys of the page in the order walked, at most limit + 1: the last one only tells that there
// is more.
static std::vector<Key> page_keys(Store &store, const KindInfo &kind,
                                  const ListParameters &parameters) {
    bool older = parameters.ending_before.empty();
    Store::Walk walk{store, kind.kind, older};
    std::optional<Key> start;
    if (!parameters.starting_after.empty())
        start = cursor_key(store, kind, parameters.starting_after, "starting_after");
    else if (!older)
        start = cursor_key(store, kind, parameters.ending_before, "ending_before");
    // The bounds on created seek, so that a deep time range costs no walk through what is newer.
    static constexpr uint64_t last = std::numeric_limits<uint64_t>::max();
    if (older && parameters.created_to) {
        Key bound{*parameters.created_to, last};
        start = start ? std::min(*start, bound) : bound;
    } else if (!older && parameters.created_from) {
        Key bound{*parameters.created_from - 1, last};
        start = std::max(*start, bound);
    }
    if (start)
        walk.start_after(*start);
    std::vector<Key> keys;
    while (keys.size() <= parameters.limit) {
        std::optional<Key> key = walk.next();
        if (key && (store.is_forgotten(kind.kind, *key) || !store.is_listed(kind.kind, *key)))
            continue;
        if (!key || (older && parameters.created_from && key->created < *parameters.created_from) ||
            (!older && parameters.created_to && key->created > *parameters.created_to))
            break;
        if (passes(store, kind.kind, *key, parameters))
            keys.push_back(*key);
    }
    return keys;
}

static void close_page(std::string &out, bool empty, bool has_more, std::string_view url) {
    out += empty ? "],\n  \"has_more\": " : "\n],\n  \"has_more\": ";
    out += has_more ? "true" : "false";
    out += ",\n  \"url\": ";
    append_quoted(out, url);
    out += "\n}\n";
}

static constexpr std::string_view page_start = "{\n  \"object\": \"list\",\n  \"data\": [";

void list_page(std::string &out, Store &store, const KindInfo &kind,
               const ListParameters &parameters, std::string_view url) {
    std::vector<Key> keys = page_keys(store, kind, parameters);
    bool has_more = keys.size() > parameters.limit;
    if (has_more)
        keys.pop_back();
    if (!parameters.ending_before.empty())
        std::reverse(keys.begin(), keys.end());
    out += page_start;
    for (size_t i = 0; i < keys.size(); ++i) {
        out += i == 0 ? "\n" : ",\n";
        store.append_text(out, kind.kind, keys[i]);
    }
    close_page(out, keys.empty(), has_more, url);
}

void children_page(std::string &out, const std::vector<Store::Child> &children,
                   const ListParameters &parameters, std::string_view name, std::string_view url) {
    auto position = [&](const std::string &id, std::string_view parameter) {
        for (size_t i = 0; i < children.size(); ++i)
            if (children[i].id == id)
                return i;
        throw no_such(name, id, 400, parameter);
    };
    size_t first = 0;
    size_t end = children.size();
    bool has_more = false;
    if (!parameters.ending_before.empty()) {
        end = position(parameters.ending_before, "ending_before");
        has_more = end > parameters.limit;
        first = has_more ? end - parameters.limit : 0;
    } else {
        if (!parameters.starting_after.empty())
            first = position(parameters.starting_after, "starting_after") + 1;
        has_more = end - first > parameters.limit;
        end = std::min<size_t>(end, first + parameters.limit);
    }
    out += page_start;
    for (size_t i = first; i < end; ++i) {
        out += i == first ? "\n" : ",\n";
        out += children[i].text;
    }
    close_page(out, first == end, has_more, url);
}

} // namespace stripe_sim

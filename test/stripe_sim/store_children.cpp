// Objects with lists of others inside: what is stored is whole, what is served carries ten.
#include "store.hpp"

#include <algorithm>

namespace stripe_sim {

// The list inside a document, or null.
static json_t *list_of(Kind kind, const json_t *doc) {
    const ChildList *list = children_of(kind);
    json_t *inside = list != nullptr ? json_object_get(doc, list->member) : nullptr;
    return json_is_object(inside) ? inside : nullptr;
}

Json served(Kind kind, const json_t *doc, bool cut) {
    std::string hidden{info(kind).hidden};
    json_t *list = list_of(kind, doc);
    bool hide = !hidden.empty() && json_object_get(doc, hidden.c_str()) != nullptr;
    json_t *data = json_object_get(list, "data");
    bool cap = cut && json_array_size(data) > embedded_children && children_of(kind)->embedded;
    if (!hide && !cap)
        return Json{json_incref(const_cast<json_t *>(doc))};
    Json out{json_copy(const_cast<json_t *>(doc))};
    if (hide)
        json_object_del(out.get(), hidden.c_str());
    if (cap) {
        json_t *first = json_array();
        for (size_t i = 0; i < embedded_children; ++i)
            json_array_append(first, json_array_get(data, i));
        json_t *short_list = json_copy(list);
        json_object_set_new(short_list, "data", first);
        json_object_set_new(short_list, "has_more", json_true());
        json_object_set_new(out.get(), children_of(kind)->member, short_list);
    }
    return out;
}

Json Store::document(Kind kind, Key key) {
    const Changed *changed = find_changed(kind, key);
    if (changed != nullptr && kind != Kind::event &&
        !json_is_true(json_object_get(list_of(kind, changed->doc.get()), "has_more")))
        return Json{json_incref(changed->doc.get())};
    std::string text;
    append_text(text, kind, key);
    Json doc = parse_json(text);
    json_t *list = list_of(kind, doc.get());
    if (json_is_true(json_object_get(list, "has_more"))) {
        json_t *data = json_array();
        auto all = children(children_of(kind)->child, id_of(kind, key));
        for (const Child &one : *all)
            json_array_append_new(data, parse_json(one.text).release());
        json_object_set_new(list, "data", data);
        json_object_set_new(list, "has_more", json_false());
    }
    return doc;
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
    Kind parent = child_list(child)->parent;
    std::optional<Key> key = find(parent, parent_id);
    if (!key)
        return std::nullopt;
    const Changed *changed = find_changed(parent, *key);
    if (changed == nullptr)
        return generated_children(child, key->sequence);
    // A changed parent: what it holds, then, when it says there is more, the generated rest.
    const json_t *list = list_of(parent, changed->doc.get());
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

void Store::remember_items(const std::string &subscription, const json_t *doc) {
    size_t i;
    json_t *one;
    json_array_foreach(json_object_get(list_of(Kind::subscription, doc), "data"), i, one)
        item_parents_[get_string(one, "id")] = subscription;
}

bool Store::append_item(std::string &out, const std::string &id) {
    std::string parent;
    if (auto found = item_parents_.find(id); found != item_parents_.end()) {
        parent = found->second;
    } else {
        std::optional<uint64_t> number = world().ids().decode(Kind::subscription_item, id);
        if (!number || *number / max_items >= world().size(Kind::subscription))
            return false;
        parent = world().ids().encode(Kind::subscription, *number / max_items);
    }
    std::optional<std::vector<Child>> all = children(Kind::subscription_item, parent);
    if (!all)
        return false;
    for (const Child &one : *all)
        if (one.id == id) {
            out += one.text;
            return true;
        }
    return false;
}

} // namespace stripe_sim

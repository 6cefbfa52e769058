// See maker.hpp.
#include "maker.hpp"

#include "rng.hpp"

#include <algorithm>

namespace stripe_sim {

namespace {

// Members that name another object, wherever they are.
struct Reference {
    std::string_view member;
    Kind to;
};
constexpr Reference references[] = {
    {"customer", Kind::customer},
    {"product", Kind::product},
    {"charge", Kind::charge},
    {"latest_charge", Kind::charge},
    {"invoice", Kind::invoice},
    {"latest_invoice", Kind::invoice},
    {"subscription", Kind::subscription},
    {"payment_intent", Kind::payment_intent},
    {"payment_method", Kind::payment_method},
    {"balance_transaction", Kind::balance_transaction},
    {"coupon", Kind::coupon},
    {"feature", Kind::feature},
    {"quote", Kind::quote},
};

// References that Stripe's example leaves empty and that an object of the kind really has.
struct Needed {
    Kind kind;
    const char *path;
    Kind to;
};
constexpr Needed needed[] = {
    {Kind::payment_method, "customer", Kind::customer},
    {Kind::payment_intent, "customer", Kind::customer},
    {Kind::setup_intent, "customer", Kind::customer},
    {Kind::checkout_session, "customer", Kind::customer},
    {Kind::promotion_code, "promotion.coupon", Kind::coupon},
    {Kind::balance_transaction, "source", Kind::charge},
};

json_t *text(const std::string &value) {
    return json_stringn(value.data(), value.size());
}

// An object that exists, or, where there is none, an id that looks like one.
std::string id_for(Store &store, Kind kind, Rng &rng) {
    if (std::optional<std::string> id = store.any_id(kind, rng))
        return *id;
    std::string out;
    const KindInfo &of = info(kind);
    store.world().ids().append_foreign(out, of.prefix, of.id_length, rng.below(max_index));
    return out;
}

class Filler {
  public:
    Filler(Store &store, Kind kind, Rng &rng) : store_{store}, kind_{kind}, rng_{rng} {}

    void fill(json_t *doc) {
        walk(doc);
        for (const Needed &one : needed)
            if (one.kind == kind_)
                set_path(doc, one.path, text(same(one.to)));
    }

  private:
    // One object refers to one customer, however often.
    const std::string &same(Kind to) {
        std::string &id = chosen_[static_cast<size_t>(to)];
        if (id.empty())
            id = id_for(store_, to, rng_);
        return id;
    }

    void walk(json_t *node) {
        size_t i;
        json_t *value;
        if (json_is_array(node)) {
            json_array_foreach(node, i, value) walk(value);
            return;
        }
        const char *name;
        void *next;
        json_object_foreach_safe(node, next, name, value) visit(node, name, value);
    }

    void visit(json_t *holder, const char *name, json_t *value) {
        std::string_view member{name};
        if (member == "currency" && json_is_string(value)) {
            if (std::string_view{json_string_value(value)} == "currency")
                json_object_set_new(holder, name, text(store_.config().default_currency));
            return;
        }
        if (member == "metadata" && json_is_object(value)) {
            json_object_del(value, "undefined");
            return;
        }
        bool named = json_is_string(value) || json_object_get(value, "id") != nullptr;
        for (const Reference &one : references)
            if (named && one.member == member && one.to != kind_) {
                json_object_set_new(holder, name, text(same(one.to)));
                return;
            }
        if (json_is_object(value) || json_is_array(value))
            walk(value);
    }

    Store &store_;
    Kind kind_;
    Rng &rng_;
    std::array<std::string, all_kinds> chosen_;
};

// A price, inside an item or a line, is a price that exists.
void put_price(Store &store, json_t *child, Rng &rng) {
    std::optional<std::string> id = store.any_id(Kind::price, rng);
    if (!id)
        return;
    Json price = store.document(Kind::price, *store.find(Kind::price, *id));
    if (json_is_object(json_object_get(child, "price")))
        json_object_set_new(child, "price", json_deep_copy(price.get()));
    if (json_t *plan = json_object_get(child, "plan"); json_is_object(plan)) {
        json_object_set_new(plan, "id", text(*id));
        json_object_set(plan, "product", json_object_get(price.get(), "product"));
    }
    json_t *pricing = json_object_get(child, "pricing");
    if (json_t *details = json_object_get(pricing, "price_details"); json_is_object(details)) {
        json_object_set_new(details, "price", text(*id));
        json_object_set(details, "product", json_object_get(price.get(), "product"));
    }
}

void fill_special(Store &store, Kind kind, json_t *doc, const std::string &id) {
    if (kind == Kind::promotion_code)
        json_object_set_new(doc, "code", text("CODE" + id.substr(id.size() - 10)));
    if (kind == Kind::feature)
        json_object_set_new(doc, "lookup_key", text("feature-" + id.substr(5, 10)));
    if (kind == Kind::invoice_payment)
        json_object_set_new(doc, "status", text("paid"));
    if (kind == Kind::subscription)
        json_object_set_new(doc, "status", text("active"));
    if (kind == Kind::active_entitlement) {
        std::string feature = get_string(doc, "feature");
        if (std::optional<Key> key = store.find(Kind::feature, feature))
            json_object_set(
                doc, "lookup_key",
                json_object_get(store.document(Kind::feature, *key).get(), "lookup_key"));
    }
}

void set_if_there(json_t *doc, const char *member, json_t *value) {
    Json owned{value};
    if (json_object_get(doc, member) != nullptr)
        json_object_set(doc, member, value);
}

void point_list(Kind kind, json_t *doc, const std::string &id) {
    const ChildList *list = children_of(kind);
    if (list == nullptr)
        return;
    json_t *inside = json_object_get(doc, list->member);
    if (!json_is_object(inside)) {
        inside = json_object();
        json_object_set_new(inside, "object", text("list"));
        json_object_set_new(inside, "data", json_array());
        json_object_set_new(inside, "has_more", json_false());
        json_object_set_new(doc, list->member, inside);
    }
    std::string url = list->path.empty() ? "/v1/subscription_items?subscription=" + id
                                         : "/v1/" + std::string{info(kind).path} + "/" + id + "/" +
                                               std::string{list->path};
    json_object_set_new(inside, "url", text(url));
}

} // namespace

void patch_document(json_t *target, const json_t *patch) {
    const char *name;
    json_t *value;
    json_object_foreach(const_cast<json_t *>(patch), name, value) {
        json_t *old = json_object_get(target, name);
        bool metadata = std::string_view{name} == "metadata";
        if (json_is_object(value) && json_is_object(old) && metadata)
            merge_patch(old, value);
        else if (json_is_object(value) && json_is_object(old))
            patch_document(old, value);
        else
            json_object_set_new(target, name, json_deep_copy(value));
    }
}

Json make_child(Store &store, Kind child, const std::string &parent_id, const json_t *fields,
                int64_t at, Rng &rng) {
    const ChildList &list = *child_list(child);
    Json doc = example(child, at);
    Filler{store, child, rng}.fill(doc.get());
    json_object_set_new(doc.get(), "id", text(store.fresh_id(child)));
    set_if_there(doc.get(), info(list.parent).object_name().c_str(), text(parent_id));
    set_if_there(doc.get(), "livemode", json_boolean(store.config().livemode));
    put_price(store, doc.get(), rng);
    patch_document(doc.get(), fields);
    return doc;
}

void complete_children(Store &store, Kind kind, json_t *doc, int64_t at, Rng &rng) {
    const ChildList *list = children_of(kind);
    if (list == nullptr)
        return;
    json_t *data = json_object_get(json_object_get(doc, list->member), "data");
    for (size_t i = 0; i < json_array_size(data); ++i) {
        json_t *one = json_array_get(data, i);
        if (json_object_get(one, "id") == nullptr)
            json_array_set_new(
                data, i,
                make_child(store, list->child, get_string(doc, "id"), one, at, rng).release());
    }
}

Json make_document(Store &store, Kind kind, const json_t *fields, int64_t at, Rng &rng) {
    Json doc = example(kind, at);
    Filler{store, kind, rng}.fill(doc.get());
    std::string id = get_string(fields, "id");
    if (id.empty())
        id = store.fresh_id(kind);
    json_object_set_new(doc.get(), "id", text(id));
    set_if_there(doc.get(), "livemode", json_boolean(store.config().livemode));
    if (kind == Kind::active_entitlement)
        json_object_set_new(doc.get(), "customer", text(id_for(store, Kind::customer, rng)));
    fill_special(store, kind, doc.get(), id);
    point_list(kind, doc.get(), id);
    if (const ChildList *list = children_of(kind)) {
        // The example's children carry the example's ids.
        json_t *data = json_object_get(json_object_get(doc.get(), list->member), "data");
        size_t count = std::max<size_t>(json_array_size(data), 1);
        if (list->child == Kind::transfer_reversal)
            count = 0;
        json_array_clear(data);
        for (size_t i = 0; i < count; ++i)
            json_array_append_new(data, json_object());
    }
    patch_document(doc.get(), fields);
    complete_children(store, kind, doc.get(), at, rng);
    return doc;
}

} // namespace stripe_sim

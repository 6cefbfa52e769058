// See changes.hpp.
#include "changes.hpp"

#include "api_error.hpp"
#include "maker.hpp"
#include "old_shapes.hpp"

namespace stripe_sim {

namespace {

// Where an object is read, for thin events.
std::string url_of(Kind kind, const std::string &id, const json_t *doc) {
    const KindInfo &of = info(kind);
    if (!of.under_customer.empty() && kind != Kind::payment_method) {
        std::string customer = get_string(doc, "customer");
        return "/v1/customers/" + customer + "/" + std::string{of.under_customer} + "/" + id;
    }
    return "/v1/" + std::string{of.path} + "/" + id;
}

class Applying {
  public:
    Applying(Store &store, const Change &change, Rng &rng)
        : store_{store}, change_{change}, rng_{rng}, at_{change.at.value_or(store.clock().now())} {}

    ChangeResult apply() {
        if (change_.kind == Kind::event)
            throw ApiError{400, "events are recorded, not changed"};
        if (child_list(change_.kind) != nullptr)
            return change_child();
        switch (change_.op) {
        case Op::create:
            return create();
        case Op::update:
            return update(change_.fields, change_.type);
        default:
            return remove();
        }
    }

  private:
    Key existing(Kind kind, const std::string &id) const {
        std::optional<Key> key = store_.find(kind, id);
        if (!key)
            throw no_such(info(kind).name, id, 404, "id");
        return *key;
    }

    ChangeResult create() {
        Kind kind = change_.kind;
        Json fields =
            change_.fields != nullptr ? Json{json_deep_copy(change_.fields)} : Json{json_object()};
        if (!change_.id.empty())
            json_object_set_new(fields.get(), "id", json_string(change_.id.c_str()));
        std::string id = get_string(fields.get(), "id");
        if (!id.empty() && store_.find(kind, id))
            throw ApiError{400, "An object with the id '" + id + "' exists already.",
                           "resource_already_exists", "id"};
        Json doc = make_document(store_, kind, fields.get(), at_, rng_);
        id = get_string(doc.get(), "id");
        store_.put_document(kind, id, Json{json_incref(doc.get())});
        return tell(kind, id, Op::create, nullptr, doc.get(), change_.type);
    }

    ChangeResult update(const json_t *fields, const std::string &type) {
        Kind kind = change_.kind;
        return replace(kind, change_.id, type, [&](json_t *after) {
            patch_document(after, fields);
            bool dated =
                kind == Kind::product || kind == Kind::billing_meter || kind == Kind::credit_grant;
            if (dated && json_object_get(fields, "updated") == nullptr)
                json_object_set_new(after, "updated", json_integer(at_));
        });
    }

    template <class Edit>
    ChangeResult replace(Kind kind, const std::string &id, const std::string &type, Edit edit) {
        Json before = store_.document(kind, existing(kind, id));
        Json after{json_deep_copy(before.get())};
        edit(after.get());
        complete_children(store_, kind, after.get(), at_, rng_);
        store_.put_document(kind, id, Json{json_incref(after.get())});
        return tell(kind, id, Op::update, before.get(), after.get(), type);
    }

    // A canceled subscription and a detached payment method stay; the rest is gone.
    ChangeResult remove() {
        Kind kind = change_.kind;
        Json fields{json_object()};
        if (kind == Kind::subscription) {
            json_object_set_new(fields.get(), "status", json_string("canceled"));
            json_object_set_new(fields.get(), "canceled_at", json_integer(at_));
            json_object_set_new(fields.get(), "ended_at", json_integer(at_));
        } else if (kind == Kind::payment_method) {
            json_object_set_new(fields.get(), "customer", json_null());
        }
        if (json_object_size(fields.get()) > 0) {
            patch_document(fields.get(), change_.fields);
            std::string type = kind == Kind::subscription ? "customer.subscription.deleted"
                                                          : "payment_method.detached";
            return update(fields.get(), change_.type.empty() ? type : change_.type);
        }
        Json last{json_deep_copy(store_.document(kind, existing(kind, change_.id)).get())};
        std::string type = change_.type;
        if (type.empty())
            type = event_type(kind, Op::remove, last.get(), nullptr);
        bool without_event =
            info(kind).path.empty() || kind == Kind::feature || kind == Kind::webhook_endpoint;
        if (type.empty() && !without_event)
            throw ApiError{400, "Stripe never deletes a " + std::string{info(kind).name} +
                                    "; name the type of the event to do it all the same"};
        store_.remove(kind, change_.id);
        patch_document(last.get(), change_.fields);
        return tell(kind, change_.id, Op::remove, last.get(), last.get(), type);
    }

    // A child changes with its parent, which tells of it.
    ChangeResult change_child() {
        const ChildList &list = *child_list(change_.kind);
        if (change_.parent.empty())
            throw ApiError{400, "a change of a " + std::string{info(change_.kind).name} +
                                    " names its parent"};
        std::string id = change_.id;
        auto edit = [&](json_t *after) {
            json_t *data = json_object_get(json_object_get(after, list.member), "data");
            if (change_.op == Op::create) {
                Json child =
                    make_child(store_, list.child, change_.parent, change_.fields, at_, rng_);
                if (!id.empty())
                    json_object_set_new(child.get(), "id", json_string(id.c_str()));
                id = get_string(child.get(), "id");
                json_array_append_new(data, child.release());
                return;
            }
            size_t i = 0;
            while (i < json_array_size(data) && get_string(json_array_get(data, i), "id") != id)
                ++i;
            if (i == json_array_size(data))
                throw no_such(info(list.child).name, id, 404, "id");
            if (change_.op == Op::remove)
                json_array_remove(data, i);
            else
                patch_document(json_array_get(data, i), change_.fields);
        };
        ChangeResult result = replace(list.parent, change_.parent, change_.type, edit);
        result.id = id;
        return result;
    }

    ChangeResult tell(Kind kind, const std::string &id, Op op, const json_t *before,
                      const json_t *after, std::string type) {
        ChangeResult result{id, nullptr, at_};
        if (change_.silent)
            return result;
        if (type.empty())
            type = event_type(kind, op, before, after);
        if (type.empty())
            return result;
        if (kind == Kind::active_entitlement) {
            result.event = tell_summary(op, before, after, type);
            return result;
        }
        Json old_served = before != nullptr ? shaped(kind, before) : nullptr;
        Json new_served = shaped(kind, after);
        Json previous;
        if (op == Op::update && tells_previous(type))
            previous = previous_attributes(old_served.get(), new_served.get());
        std::string text = pretty(new_served.get());
        result.event =
            &record_event(store_, {type, info(kind).object_name(), id, url_of(kind, id, after),
                                   text, previous.get(), at_, change_.idempotency_key});
        return result;
    }

    Json shaped(Kind kind, const json_t *doc) {
        return shape_for_version(store_, kind, served(kind, doc));
    }

    // Stripe tells of all a customer is entitled to, not of one entitlement.
    const RecordedEvent *tell_summary(Op op, const json_t *before, const json_t *after,
                                      const std::string &type) {
        std::string customer = get_string(after, "customer");
        std::vector<Json> now = entitlements_of(customer);
        std::vector<Json> old;
        std::string id = get_string(after, "id");
        for (const Json &one : now)
            if (get_string(one.get(), "id") != id)
                old.emplace_back(json_incref(one.get()));
        if (op != Op::create)
            old.insert(old.begin(), served(Kind::active_entitlement, before));
        Json summary{json_object()};
        const std::string object = "entitlements.active_entitlement_summary";
        json_object_set_new(summary.get(), "object", json_string(object.c_str()));
        json_object_set_new(summary.get(), "customer", json_string(customer.c_str()));
        json_object_set_new(summary.get(), "entitlements", first_ten(customer, now).release());
        json_object_set_new(summary.get(), "livemode", json_boolean(store_.config().livemode));
        Json previous{json_object()};
        json_object_set_new(previous.get(), "entitlements", first_ten(customer, old).release());
        return &record_event(store_, {type, object, "", "", pretty(summary.get()), previous.get(),
                                      at_, change_.idempotency_key});
    }

    std::vector<Json> entitlements_of(const std::string &customer) {
        std::vector<Json> out;
        Store::Walk walk{store_, Kind::active_entitlement, true};
        while (std::optional<Key> key = walk.next())
            if (store_.field_is(Kind::active_entitlement, *key, "customer", customer))
                out.push_back(served(Kind::active_entitlement,
                                     store_.document(Kind::active_entitlement, *key).get()));
        return out;
    }

    static Json first_ten(const std::string &customer, const std::vector<Json> &all) {
        Json list{json_object()};
        json_t *data = json_array();
        for (size_t i = 0; i < all.size() && i < embedded_children; ++i)
            json_array_append(data, all[i].get());
        json_object_set_new(list.get(), "object", json_string("list"));
        json_object_set_new(list.get(), "data", data);
        json_object_set_new(list.get(), "has_more", json_boolean(all.size() > embedded_children));
        std::string url = "/v1/customer/" + customer + "/entitlements";
        json_object_set_new(list.get(), "url", json_string(url.c_str()));
        return list;
    }

    Store &store_;
    const Change &change_;
    Rng &rng_;
    int64_t at_;
};

} // namespace

void tell_of(Store &store, Kind kind, const std::string &id, const std::string &type,
             const json_t *then, const std::string &idempotency_key) {
    Json doc{json_deep_copy(store.document(kind, *store.find(kind, id)).get())};
    patch_document(doc.get(), then);
    std::string text = pretty(shape_for_version(store, kind, served(kind, doc.get())).get());
    record_event(store, {type, info(kind).object_name(), id, url_of(kind, id, doc.get()), text,
                         nullptr, store.clock().now(), idempotency_key});
}

ChangeResult apply_change(Store &store, const Change &change, Rng &rng) {
    return Applying{store, change, rng}.apply();
}

} // namespace stripe_sim

// SQL on subscriptions and the calls of their handlers. Every function needs an open transaction
// and SpiSession and acts with the rights of the extension's owner (the caller sets the
// UserContext). Who may subscribe is decided in fn_subscribe.cpp and again at each call.
#pragma once
#include "pg/bridge/spi.hpp"

namespace billstack::pg {

// An event that is in the ledger now; times in unix seconds. The views need to live for the call.
struct DoneEvent {
    std::int32_t integration_id;
    std::string_view event_id;
    std::int64_t created;
    std::string_view type;
};

// Queues a call for each event and handler whose patterns fit; in the event's transaction. A type
// matches without a leading "v1.". A dead letter of the same event and handler starts over. Returns
// the calls queued; one look at a small table while nobody has subscribed.
std::int64_t enqueue_handler_calls(const std::vector<DoneEvent> &events);

// Schema and name of a function (jsonb).
struct HandlerName {
    std::string schema;
    std::string name;
};

// A row of billstack_internal.subscription.
struct Subscription {
    std::int32_t id = 0;
    std::int32_t integration_id = 0;
    HandlerName handler;
    std::string handler_owner;
    std::vector<std::string> events;
    std::string role_name;
};

// By id; locked against others' changes until the transaction ends.
std::vector<Subscription> lock_subscriptions(std::int32_t integration_id);
// Replaces events, owner and role when the integration has this handler already.
void store_subscription(const Subscription &subscription);
// Drops its calls too; returns how many of them were still to be made.
std::int64_t delete_subscription(std::int32_t id);

// A call that is due, as it was seen; it may be gone when it is taken.
struct DueCall {
    std::int64_t id;
    std::int32_t subscription_id;
};
// Up to 32 of each subscription, except those in `resting`. Of integrations that belong to this
// database only: a copy makes no calls.
std::vector<DueCall> load_due_calls(const std::vector<std::int32_t> &resting);
// When the earliest retry is due; nullopt without one.
std::optional<TimestampTz> earliest_retry(const std::vector<std::int32_t> &resting);

struct HandlerCall {
    std::int64_t id = 0;
    HandlerName handler;
    std::string handler_owner;
    std::string role_name;
    std::string team;
    std::string integration;
    std::string event_id;
    std::int32_t attempts = 0;
    std::optional<std::string> payload; // nullopt: the ledger has the event no more
};
// Removes the call's row: it comes back when the transaction is not committed. Holds its
// subscription. nullopt when it is gone, or somebody has one of the two locked.
std::optional<HandlerCall> take_call(std::int64_t id);

// Counts a failed attempt. Dead after most_attempts, or at once when hopeless; else tried again in
// delay_ms. Returns true when the call is dead now, false also when it is gone.
struct CallFailure {
    std::int64_t call_id;
    std::string error;
    bool hopeless;
    int most_attempts;
    std::int64_t delay_ms;
};
bool note_call_failure(const CallFailure &failure);
// Failed attempts so far.
std::int32_t attempts_of_call(std::int64_t id);

// Makes the dead calls of an integration due again; returns how many.
std::int64_t retry_failed_handler_calls(std::int32_t integration_id);
// Drops calls whose subscription is gone, and dead ones that failed so long ago that the ledger has
// dropped their event.
void drop_stale_calls(std::int64_t retention_s);

} // namespace billstack::pg

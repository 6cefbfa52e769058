// The functions users subscribe: what may be one, finding it again by name, calling it. All of it
// acts as the current user and needs an open transaction.
#pragma once
#include "pg/handlers/handler_store.hpp"

namespace billstack::pg {

struct HandlerFunction {
    Oid oid = InvalidOid;
    Oid result_type = InvalidOid;
    HandlerName name;
    std::string owner;
};

// As regprocedure shows it: "public.on_paid(jsonb)".
std::string shown_handler(const HandlerName &name);

// Of any function. Throws core::Error(unknown_object) when there is none.
HandlerName name_of_handler(Oid function);

// A function the current user may call with an event. Throws core::Error: unknown_object without
// such a function, bad_argument with the rule when it cannot be a handler, not_allowed without
// EXECUTE; PgError without USAGE on its schema.
HandlerFunction require_handler(Oid function);

// The same by name, at each call. The function stays what it is until the transaction ends: nobody
// can drop or rename it or hand it to another owner.
HandlerFunction require_handler(const HandlerName &name);

// Schema and name of a text such as 'public.on_paid' or 'public.on_paid(jsonb)'; schema is "" when
// it is not given. Throws core::Error(bad_argument).
HandlerName read_handler_name(const std::string &shown);

// An event that no handler can be called with, now or later.
struct UnusableEvent : core::Error {
    using core::Error::Error;
};

// The event as handlers get it. U+0000, which jsonb cannot hold, becomes U+FFFD. Throws
// UnusableEvent for what jsonb cannot hold at all, PgError for what is no JSON.
Datum event_datum(const std::string &payload);

// Calls it and forgets the result.
void call_handler(const HandlerFunction &handler, Datum event);

} // namespace billstack::pg

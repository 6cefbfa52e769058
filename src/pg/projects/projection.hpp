// Project rows of what a mirror holds: subscriptions, invoices and payments, and to which project
// each belongs (docs/architecture.md, "Which project"). Written in the transaction that writes the
// mirror. An integration without projects has none of them and pays one index look-up.
#pragma once
#include "pg/projects/routing_store.hpp"

namespace billstack::pg {

// Ids by kind; children and kinds that nothing is made of are passed over.
using TouchedObjects = std::map<const stripe::Kind *, std::set<std::string>>;

// Whether any project is linked to the integration. Acts as the extension's owner whoever calls; a
// transaction must be open. By the snapshot of its own statement.
bool has_projects(std::int32_t integration_id);

// Keeps the integration's links as they are until the transaction ends, so that what is written to
// its mirror and what has_projects() says belong together: to be held before has_projects() is
// asked. A backend waits; false in a background worker while somebody links a project.
bool hold_links(std::int32_t integration_id);
// Keeps everybody else from the links until the transaction ends: for who changes project rows of
// many objects at once. After the rows of the projects it is about. Tries for 3 s (or lock_timeout,
// when that is less), then core::Error lock_not_available: a session idle in a transaction that
// holds the links must not keep the worker from them through us.
void hold_links_alone(std::int32_t integration_id);

// Reads these objects from the mirror as its owner (restricted), writes their project rows as the
// extension's owner, and routes them. Whoever calls; a transaction and a SpiSession must be open.
// Holds the links; in a background worker PgError 55P03 when they cannot be had. known: bytes that
// need not be read again.
void project_objects(const MirrorTarget &target, Oid owner, const TouchedObjects &touched,
                     const KnownBytes &known = {});

// Whether nothing is made of an object with these bytes: a checkout session before its customer has
// done anything. Spares project_objects().
bool leads_nowhere(const stripe::Kind &kind, std::string_view body);

// Where these objects belong by now; those that the mirror does not have are left out.
std::vector<ObjectRoute> object_routes(const MirrorTarget &target, Oid owner,
                                       const TouchedObjects &touched);

// All subscriptions, invoices, payments, customers, products and prices of the mirror, in chunks:
// when a project is linked, after the project's own row says so. Waits for the links and keeps
// everybody else from them until the transaction ends.
void project_all(const MirrorTarget &target, Oid owner);

// Customers or prices have come to a project: what is unrouted and hangs on them is routed again,
// from the project rows alone. Of several at once the links are held like project_all() does: what
// an event brings meanwhile would not see them. A single one comes with an event of its own.
void route_again(std::int32_t integration_id, const std::vector<std::string> &stripe_customer_ids,
                 const std::vector<std::string> &stripe_price_ids);

} // namespace billstack::pg

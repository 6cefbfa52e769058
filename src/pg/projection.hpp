// Project rows of what a mirror holds: subscriptions, invoices and payments, and to which project
// each belongs (docs/architecture.md, "Which project"). Written in the transaction that writes the
// mirror. An integration without projects has none of them and pays one index look-up.
#pragma once
#include "pg/mirror_store.hpp"

namespace billstack::pg {

// Ids by kind; children and kinds that nothing is made of are passed over.
using TouchedObjects = std::map<const stripe::Kind *, std::set<std::string>>;

// Whether any project is linked to the integration. Acts as the extension's owner whoever calls; a
// transaction must be open. By the snapshot of its own statement.
bool has_projects(std::int32_t integration_id);

// Reads these objects from the mirror as its owner (restricted), writes their project rows as the
// extension's owner, and routes them. Whoever calls; a transaction and a SpiSession must be open.
// In the worker core::Error or PgError as lock trouble (55P03) when a link of the integration is
// being changed: the transaction is to be rolled back and tried again.
void project_objects(const MirrorTarget &target, Oid owner, const TouchedObjects &touched);

// All subscriptions, invoices, payments, customers, products and prices of the mirror, in chunks:
// when a project is linked. Holds the integration's exclusive lock of linking until the
// transaction ends; waits for it.
void project_all(const MirrorTarget &target, Oid owner);

// Customers or prices have come to a project: what is unrouted and hangs on them is routed again,
// from the project rows alone.
void route_again(std::int32_t integration_id, const std::vector<std::string> &stripe_customer_ids,
                 const std::vector<std::string> &stripe_price_ids);

} // namespace billstack::pg

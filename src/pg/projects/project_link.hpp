// Projects and integrations: what linking, unlinking and a change of the integration's account do
// to a project and its rows. Rights have been checked by the caller.
#pragma once
#include "pg/projects/project_link_store.hpp"

namespace billstack::pg {

// Where Stripe ids that are stored through this integration belong.
StripePlace place_of(const Integration &integration);

// The project must not be linked. Makes the mirror tables the billing functions need, marks rows of
// another account or mode stale, brings back those of this one, and routes what the mirror holds.
void link_to(const Project &project, const Integration &integration);
void unlink_from(const Project &project, const Integration &integration);

// Everything in the mirror that may belong to a project is given to it.
void route_all(const Integration &integration);

// {"id", "name", "integration"}
json::Node project_node(const Project &project);

// After the keys of an integration have been replaced: `changed` when they are of another account
// or mode than `before`.
void follow_rotation(const Integration &integration, const StripePlace &before, bool changed);

// Throws core::Error(in_use) naming the linked projects in the detail.
void refuse_while_projects_are_linked(const Integration &integration);

} // namespace billstack::pg

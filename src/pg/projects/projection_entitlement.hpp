// Active entitlements of a mirror as project rows: what has_feature() reads. A mirror belongs to
// its owner, who may have put views or policies there; project_entitlement does not. A transaction
// and a SpiSession must be open.
#pragma once
#include "pg/mirror/mirror_store.hpp"

namespace billstack::pg {

// Of the customers whose entitlements, or who themselves, are among `ids`: their rows become what
// the mirror has. Reads as the mirror's owner (restricted), writes as the extension's.
void project_entitlements(const MirrorTarget &target, Oid owner,
                          const std::vector<std::string> &ids);
// Of all customers: when a project is linked.
void project_all_entitlements(const MirrorTarget &target, Oid owner);

} // namespace billstack::pg

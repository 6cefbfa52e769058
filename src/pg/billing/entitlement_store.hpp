// SQL on project_entitlement, and on the entitlements in a mirror. A transaction and a SpiSession
// must be open; reading acts as `owner`, writing as the extension's owner.
#pragma once
#include "pg/mirror/mirror_store.hpp"

namespace billstack::pg {

// Whether the mirror has a table of them.
bool has_entitlements(std::int32_t integration_id);
// Customers of these entitlements, and `ids` themselves where they are customers'.
std::vector<std::string> customers_of_entitlements(const MirrorTarget &target, Oid owner,
                                                   const std::vector<std::string> &ids);
// The next customers after `after` who have any.
std::vector<std::string> entitled_customers(const MirrorTarget &target, Oid owner,
                                            const std::string &after, int limit);
// {id, customer, lookup_key} of what these customers are entitled to, as a JSON array.
std::string read_entitlements(const MirrorTarget &target, Oid owner,
                              const std::vector<std::string> &customers);
// These customers have what read_entitlements() gave and nothing else.
void write_entitlements(std::int32_t integration_id, const std::vector<std::string> &customers,
                        const std::string &entitlements);
void clear_entitlements(std::int32_t integration_id);

} // namespace billstack::pg

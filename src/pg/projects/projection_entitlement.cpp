#include "pg/projects/projection_entitlement.hpp"

#include "pg/billing/entitlement_store.hpp"

namespace billstack::pg {

namespace {

constexpr int chunk_size = 1000;

void project_customers(const MirrorTarget &target, Oid owner,
                       const std::vector<std::string> &customers) {
    if (!customers.empty()) {
        write_entitlements(target.integration_id, customers,
                           read_entitlements(target, owner, customers));
    }
}

} // namespace

void project_entitlements(const MirrorTarget &target, Oid owner,
                          const std::vector<std::string> &ids) {
    if (!ids.empty() && has_entitlements(target.integration_id)) {
        project_customers(target, owner, customers_of_entitlements(target, owner, ids));
    }
}

void project_all_entitlements(const MirrorTarget &target, Oid owner) {
    clear_entitlements(target.integration_id);
    if (!has_entitlements(target.integration_id)) {
        return;
    }
    for (std::string after;;) {
        std::vector<std::string> customers = entitled_customers(target, owner, after, chunk_size);
        if (customers.empty()) {
            return;
        }
        after = customers.back();
        project_customers(target, owner, customers);
        check_for_interrupts();
    }
}

} // namespace billstack::pg

// billstack.assign_customers: mirrored customers become customers of a project, without a call to
// Stripe.
#include "pg/access/principal.hpp"
#include "pg/billing/customer_store.hpp"
#include "pg/projects/projection.hpp"
#include "pg/team/integration_store.hpp"

namespace billstack::pg {

namespace {

constexpr int chunk = 10000;
constexpr std::int64_t most_reasons = 100;

std::vector<std::string> ids_of(const std::vector<MirroredCustomer> &customers) {
    std::vector<std::string> ids;
    for (const MirroredCustomer &customer : customers) {
        ids.push_back(customer.id);
    }
    return ids;
}

void drop(std::vector<MirroredCustomer> &customers, const std::set<std::string> &ids) {
    std::erase_if(customers, [&](const MirroredCustomer &one) { return ids.contains(one.id); });
}

// For a key of one project those of another one do not exist: what a row says is another one's, or
// Stripe's metadata. What the project has itself, it knows.
void drop_out_of_reach(const Project &project, std::vector<MirroredCustomer> &customers) {
    if (!is_bound_to_project()) {
        return;
    }
    std::vector<std::string> ids = ids_of(customers);
    std::set<std::string> foreign = stripe_customers_of_others(project, ids);
    for (const MirroredCustomer &customer : customers) {
        std::string named = customer.project_id.value_or("");
        if (!named.empty() && named != project.id) {
            foreign.insert(customer.id);
        }
    }
    for (const std::string &own : taken_stripe_customers(project.id, ids)) {
        foreign.erase(own);
    }
    drop(customers, foreign);
}

// What is done so far.
class Assignment {
  public:
    Assignment(const Project &project, bool only_unowned)
        : project_(project), only_unowned_(only_unowned) {}

    void add(std::vector<MirroredCustomer> customers) {
        if (only_unowned_) {
            drop(customers, owned_stripe_customers(*project_.integration_id, ids_of(customers)));
        }
        std::set<std::string> linked = insert_assigned(project_.id, customers);
        assigned_ += static_cast<std::int64_t>(linked.size());
        if (!linked.empty()) {
            route_again(*project_.integration_id, {linked.begin(), linked.end()}, {});
        }
        drop(customers, linked);
        if (skipped_ >= most_reasons) {
            skipped_ += static_cast<std::int64_t>(customers.size());
            return;
        }
        for (const auto &[id, reason] : reasons_not_assigned(project_.id, customers)) {
            skip(id, reason);
        }
    }

    void skip(const std::string &id, const std::string &reason) {
        if (++skipped_ <= most_reasons) {
            json::Node node = json::Node::object();
            node.set("id", id).set("reason", reason);
            reasons_.append(std::move(node));
        }
    }

    json::Node answer() && {
        json::Node node = json::Node::object();
        node.set("assigned", assigned_)
            .set("skipped", std::move(reasons_))
            .set("skippedCount", skipped_);
        return node;
    }

  private:
    const Project &project_;
    bool only_unowned_;
    std::int64_t assigned_ = 0;
    std::int64_t skipped_ = 0;
    json::Node reasons_ = json::Node::array();
};

void assign_all(const Project &project, const Integration &integration, Assignment &assignment) {
    std::vector<MirroredCustomer> page = next_mirrored_customers(integration, nullptr, chunk);
    while (!page.empty()) {
        check_for_interrupts();
        MirroredCustomer last = page.back();
        drop_out_of_reach(project, page);
        assignment.add(std::move(page));
        page = next_mirrored_customers(integration, &last, chunk);
    }
}

void assign_some(const Project &project, const Integration &integration,
                 const std::vector<std::string> &ids, Assignment &assignment) {
    std::set<std::string> distinct(ids.begin(), ids.end());
    std::vector<std::string> wanted(distinct.begin(), distinct.end());
    for (std::size_t start = 0; start < wanted.size(); start += chunk) {
        check_for_interrupts();
        auto first = wanted.begin() + static_cast<std::ptrdiff_t>(start);
        auto end =
            wanted.begin() + static_cast<std::ptrdiff_t>(std::min(start + chunk, wanted.size()));
        std::vector<std::string> part(first, end);
        std::vector<MirroredCustomer> found = mirrored_customers(integration, part);
        drop_out_of_reach(project, found);
        std::vector<std::string> found_ids = ids_of(found);
        std::set<std::string> known(found_ids.begin(), found_ids.end());
        for (const std::string &id : part) {
            if (!known.contains(id)) {
                assignment.skip(id, "the mirror has no such customer, or it was deleted");
            }
        }
        assignment.add(std::move(found));
    }
}

} // namespace

} // namespace billstack::pg

BILLSTACK_SQL_FUNCTION(billstack_assign_customers) {
    using namespace billstack::pg;
    std::string project_id = args.text(0, "project");
    std::optional<std::vector<std::string>> ids = args.optional_text_array(1);
    require_writable("assign_customers");
    Project project = require_project(project_id, Billing::write, "customers:write");
    Integration integration = require_linked(project);
    Assignment assignment(project, !ids);
    if (ids) {
        assign_some(project, integration, *ids, assignment);
    } else {
        assign_all(project, integration, assignment);
    }
    return return_jsonb(std::move(assignment).answer());
}

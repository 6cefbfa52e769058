// billstack.relink_project: finds for stale customers, products and prices what stands for them in
// the account and mode that the project is linked to now. Reads the mirror; asks Stripe nothing.
#include "pg/billing/customer_store.hpp"
#include "pg/projects/project_link.hpp"
#include "pg/projects/project_mirror_store.hpp"
#include "pg/projects/project_store.hpp"
#include "pg/projects/projection.hpp"
#include "pg/projects/relink_store.hpp"
#include "pg/team/integration_store.hpp"

namespace billstack::pg {

namespace {

constexpr int chunk = 10000;
constexpr std::int64_t most_listed = 100;

// What was found and what was not, of one kind.
class Findings {
  public:
    void add_found(std::size_t count) { found_ += static_cast<std::int64_t>(count); }
    void add_missing(const std::string &id, const char *label, const std::string &text) {
        if (++missing_count_ <= most_listed) {
            json::Node node = json::Node::object();
            node.set("id", id).set(label, text);
            missing_.append(std::move(node));
        }
    }
    std::int64_t found() const { return found_; }
    std::int64_t missing_count() const { return missing_count_; }
    json::Node take_missing() { return std::move(missing_); }

  private:
    std::int64_t found_ = 0;
    std::int64_t missing_count_ = 0;
    json::Node missing_ = json::Node::array();
};

// The best free customer by e-mail in lower case; the candidates come ranked.
std::map<std::string, CustomerMatch> best_by_email(const Project &project,
                                                   const Integration &integration,
                                                   const std::vector<StaleCustomer> &stale) {
    std::vector<std::string> emails;
    for (const StaleCustomer &customer : stale) {
        if (!customer.email.empty()) {
            emails.push_back(customer.lowered);
        }
    }
    std::vector<MirroredCustomer> candidates = mirrored_by_email(integration, emails, project.id);
    std::vector<std::string> ids;
    for (const MirroredCustomer &candidate : candidates) {
        ids.push_back(candidate.id);
    }
    std::set<std::string> taken = taken_stripe_customers(project.id, ids);
    std::map<std::string, CustomerMatch> best;
    for (const MirroredCustomer &candidate : candidates) {
        if (!taken.contains(candidate.id)) {
            const char *why = candidate.project_id == project.id ? "carries the project's id"
                                                                 : "the oldest with this e-mail";
            best.try_emplace(candidate.lowered, CustomerMatch{"", candidate.id, why});
        }
    }
    return best;
}

void relink_some(const Project &project, const Integration &integration,
                 const std::vector<StaleCustomer> &stale, Findings &findings) {
    std::map<std::string, CustomerMatch> best = best_by_email(project, integration, stale);
    std::vector<CustomerMatch> matches;
    for (const StaleCustomer &customer : stale) {
        auto found = best.find(customer.lowered);
        if (customer.email.empty() || found == best.end()) {
            findings.add_missing(customer.id, "email", customer.email);
        } else {
            matches.push_back({customer.id, found->second.stripe_id, found->second.detail});
        }
    }
    relink_customers(matches);
    findings.add_found(matches.size());
}

Findings relink_all_customers(const Project &project, const Integration &integration) {
    Findings findings;
    std::vector<StaleCustomer> stale = stale_customers(project.id, "", chunk);
    while (!stale.empty()) {
        check_for_interrupts();
        relink_some(project, integration, stale, findings);
        stale = stale_customers(project.id, stale.back().id, chunk);
    }
    return findings;
}

// Narrows the candidates by each rule in turn, as long as any is left; nullptr unless one remains.
template <class Item, class... Rules>
const Item *only_one(const std::vector<Item> &items, const Rules &...rules) {
    std::vector<const Item *> left;
    for (const Item &item : items) {
        left.push_back(&item);
    }
    auto narrow = [&](const auto &rule) {
        std::vector<const Item *> kept;
        std::copy_if(left.begin(), left.end(), std::back_inserter(kept),
                     [&](const Item *item) { return rule(*item); });
        if (!kept.empty()) {
            left = std::move(kept);
        }
    };
    (narrow(rules), ...);
    return left.size() == 1 ? left.front() : nullptr;
}

template <class Item, class Owned> void drop_owned(std::vector<Item> &items, Owned owned) {
    std::vector<std::string> ids;
    for (const Item &item : items) {
        ids.push_back(item.id);
    }
    std::set<std::string> taken = owned(ids);
    std::erase_if(items, [&](const Item &item) { return taken.contains(item.id); });
}

bool is_others(const std::optional<std::string> &project_id, const Project &project) {
    return project_id && !project_id->empty() && *project_id != project.id;
}

// Products of the same name that no project has and that carry no other project's id; the one with
// the same Stripe id, as a product copied to live mode has, before one that carries the project's.
void relink_one(const Project &project, const Integration &integration,
                const ProjectProduct &product, Findings &findings) {
    std::vector<MirroredProduct> candidates =
        mirrored_products_for(integration, project.id, {product.name});
    std::erase_if(candidates, [&](const MirroredProduct &candidate) {
        return candidate.name != product.name || is_others(candidate.project_id, project);
    });
    drop_owned(candidates, [&](const std::vector<std::string> &ids) {
        return owned_products(integration.id, ids);
    });
    const MirroredProduct *match = only_one(
        candidates, [&](const auto &one) { return one.id == product.stripe_product_id; },
        [&](const auto &one) { return one.project_id == project.id; });
    if (match == nullptr) {
        findings.add_missing(product.id, "name", product.name);
        return;
    }
    relink_product(product.id, match->id);
    findings.add_found(1);
}

Findings relink_products(const Project &project, const Integration &integration) {
    Findings findings;
    for (const ProjectProduct &product : stale_products(project.id)) {
        check_for_interrupts();
        relink_one(project, integration, product, findings);
    }
    return findings;
}

bool same_terms(const MirroredPrice &candidate, const ProjectPrice &price) {
    return candidate.unit_amount == price.unit_amount && candidate.currency == price.currency &&
           candidate.recurring_interval == price.recurring_interval &&
           candidate.interval_count == price.interval_count;
}

std::string terms_text(const ProjectPrice &price) {
    std::string text = price.unit_amount ? std::to_string(*price.unit_amount) + " " + price.currency
                                         : price.currency;
    if (price.recurring_interval) {
        text += " every " + std::to_string(price.interval_count.value_or(1)) + " " +
                *price.recurring_interval;
    }
    return text;
}

void relink_one(const Project &project, const Integration &integration, const ProjectPrice &price,
                Findings &findings) {
    std::optional<ProjectProduct> product = find_product(project.id, price.product_id, false);
    std::vector<MirroredPrice> candidates =
        product ? mirrored_prices(integration, {product->stripe_product_id})
                : std::vector<MirroredPrice>();
    std::erase_if(candidates, [&](const MirroredPrice &candidate) {
        return !same_terms(candidate, price) || is_others(candidate.project_id, project);
    });
    drop_owned(candidates, [&](const std::vector<std::string> &ids) {
        return owned_prices(integration.id, ids);
    });
    const MirroredPrice *match = only_one(
        candidates, [&](const auto &one) { return one.id == price.stripe_price_id; },
        [&](const auto &one) { return one.project_id == project.id; },
        [&](const auto &one) { return one.is_active == price.is_active; });
    if (match == nullptr) {
        findings.add_missing(price.id, "terms", terms_text(price));
        return;
    }
    relink_price(price.id, match->id);
    findings.add_found(1);
}

Findings relink_prices(const Project &project, const Integration &integration) {
    Findings findings;
    for (const ProjectPrice &price : stale_prices(project.id)) {
        check_for_interrupts();
        relink_one(project, integration, price, findings);
    }
    for (const ProjectPrice &price : lost_prices(project.id)) {
        findings.add_missing(price.id, "terms", terms_text(price));
    }
    return findings;
}

} // namespace

} // namespace billstack::pg

BILLSTACK_SQL_FUNCTION(billstack_relink_project) {
    using namespace billstack;
    using namespace billstack::pg;
    std::string id = args.text(0, "project");
    require_writable("relink_project");
    Project project = require_project_to_manage(id);
    Integration integration = require_linked(project);
    hold_links_alone(integration.id);
    Findings customers = relink_all_customers(project, integration);
    Findings products = relink_products(project, integration);
    Findings prices = relink_prices(project, integration);
    route_all(integration);
    json::Node relinked = json::Node::object();
    relinked.set("customers", customers.found())
        .set("products", products.found())
        .set("prices", prices.found());
    json::Node unmatched = json::Node::object();
    unmatched.set("customers", customers.take_missing())
        .set("products", products.take_missing())
        .set("prices", prices.take_missing());
    json::Node answer = json::Node::object();
    answer.set("project", project_node(project))
        .set("relinked", std::move(relinked))
        .set("unmatched", std::move(unmatched))
        .set("unmatchedCount",
             customers.missing_count() + products.missing_count() + prices.missing_count());
    return return_jsonb(answer);
}

// To which project a row belongs (docs/architecture.md, "Which project"), from the project tables
// alone, by their indexes and without SPI: one look-up for what was not asked before. As the
// extension's owner whoever calls; a transaction must be open. Looks by the snapshot that the next
// statement would have when it is made, and by none later: one for each batch of rows.
#pragma once
#include "pg/bridge/guard.hpp"

namespace billstack::pg {

// By which rule a project was found, in hundredths: 100 is the strongest. 0: by none.
using RouteStrength = int;

// What a row of a subscription, an invoice or a payment is routed by.
struct RouteInputs {
    std::string customer; // Stripe's ids; "" where there is none
    std::string metadata_project;
    std::string named_project;
    std::vector<std::string> prices;
    std::string price; // of a subscription: its first item's
    bool has_parent = false;
    std::string parent_project; // of what the row hangs on
    RouteStrength parent_strength = 0;
};

// What a row has, or is to have. "" where there is none.
struct RowRoute {
    std::string project;
    RouteStrength strength = 0;
    std::string customer; // pc_
    std::string price;    // pri_

    bool operator==(const RowRoute &) const = default;
};

class ProjectFinder {
  public:
    explicit ProjectFinder(std::int32_t integration_id);
    ~ProjectFinder();
    ProjectFinder(const ProjectFinder &) = delete;
    ProjectFinder &operator=(const ProjectFinder &) = delete;

    // A row keeps its project, unless its own metadata name another one, or a stronger rule that
    // comes of events (below 400) finds one: so the order of the events makes no difference. What
    // the weak rules go by (prices, customers) is changed by users, not by events. moved: another
    // project, or the same by a stronger rule.
    RowRoute route(const RouteInputs &row, const RowRoute &before, bool &moved);
    // Some project's row names this customer or price of Stripe.
    bool owns_customer(const std::string &stripe_customer);
    bool owns_price(const std::string &stripe_price);
    Snapshot snapshot() const;

  private:
    struct Project {
        bool of_team = false;
        bool linked = false; // here
    };
    struct Owner {
        std::string id;
        std::string project;
        bool deleted = false;
        std::int64_t created = 0;
    };
    using Owners = std::vector<Owner>;

    RowRoute find(const RouteInputs &row);
    bool counts(const std::string &project_id);
    const Project &project(const std::string &id);
    const Owners &owners_of_customer(const std::string &stripe_customer);
    const Owners &owners_of_price(const std::string &stripe_price);
    std::string customer_of(const std::string &project_id, const std::string &stripe_customer);
    std::string price_of(const std::string &project_id, const std::string &stripe_price);

    std::int32_t integration_id_;
    int exceptions_;
    std::string team_;
    std::map<std::string, Project> projects_;
    std::map<std::string, Owners> customers_;
    std::map<std::string, Owners> prices_;
};

} // namespace billstack::pg

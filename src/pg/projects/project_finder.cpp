#include "pg/projects/project_finder.hpp"

#include "pg/bridge/datum.hpp"
#include "pg/bridge/index_lookup.hpp"

namespace billstack::pg {

namespace {

constexpr RouteStrength by_metadata = 100;
constexpr RouteStrength by_name = 200;
constexpr RouteStrength by_parent = 300;
constexpr RouteStrength by_price = 400;
constexpr RouteStrength by_customer = 500;

constinit IndexLookup integration_by_id{"integration", "integration_pkey", {"team"}};
constinit IndexLookup project_by_id{"project", "project_pkey", {"team", "integration_id"}};
constinit IndexLookup customer_owners{"project_customer",
                                      "project_customer_stripe_idx",
                                      {"id", "project_id", "stale", "deleted_at", "created_at"}};
constinit IndexLookup price_owners{
    "project_price", "project_price_stripe_idx", {"id", "project_id", "stale"}};

// Plain copies: no destructor may be pending inside a look-up.
struct FoundOwner {
    char *id;
    char *project;
    bool deleted;
    TimestampTz created;
};

IndexKey text_key(const std::string &value) {
    return {text_datum(value), F_TEXTEQ};
}

TimestampTz time_of(const IndexRow &row, int column) {
    bool null = true;
    Datum value = row.value(column, null);
    return null ? 0 : DatumGetTimestampTz(value);
}

} // namespace

ProjectFinder::ProjectFinder(std::int32_t integration_id)
    : integration_id_(integration_id), exceptions_(std::uncaught_exceptions()) {
    call([] { PushActiveSnapshot(GetTransactionSnapshot()); });
    char *team = nullptr;
    IndexKey key{Int32GetDatum(integration_id), F_INT4EQ};
    (void)integration_by_id.find(&key, 1, snapshot(), [&](const IndexRow &row) {
        team = row.text_copy(0);
        return true;
    });
    team_ = team == nullptr ? "" : team;
}

// After an exception the rollback takes the snapshot along.
ProjectFinder::~ProjectFinder() {
    if (std::uncaught_exceptions() == exceptions_) {
        PopActiveSnapshot();
    }
}

Snapshot ProjectFinder::snapshot() const {
    return GetActiveSnapshot();
}

const ProjectFinder::Project &ProjectFinder::project(const std::string &id) {
    auto [at, added] = projects_.try_emplace(id);
    if (added) {
        IndexKey key = text_key(id);
        Project &found = at->second;
        (void)project_by_id.find(&key, 1, snapshot(), [&](const IndexRow &row) {
            bool null = true;
            Datum integration = row.value(1, null);
            found.of_team = row.text_is(0, team_);
            found.linked = found.of_team && !null && DatumGetInt32(integration) == integration_id_;
            return true;
        });
    }
    return at->second;
}

// Of the integration's own team and linked to it.
bool ProjectFinder::counts(const std::string &project_id) {
    return !project_id.empty() && project(project_id).linked;
}

const ProjectFinder::Owners &ProjectFinder::owners_of_customer(const std::string &stripe_customer) {
    auto [at, added] = customers_.try_emplace(stripe_customer);
    if (added && !stripe_customer.empty()) {
        std::vector<FoundOwner> found;
        IndexKey key = text_key(stripe_customer);
        (void)customer_owners.find(&key, 1, snapshot(), [&](const IndexRow &row) {
            if (!row.boolean(2)) {
                FoundOwner owner{row.text_copy(0), row.text_copy(1), !row.is_null(3),
                                 time_of(row, 4)};
                found.push_back(owner);
            }
            return false;
        });
        for (const FoundOwner &each : found) {
            at->second.push_back({each.id, each.project, each.deleted, each.created});
        }
    }
    return at->second;
}

const ProjectFinder::Owners &ProjectFinder::owners_of_price(const std::string &stripe_price) {
    auto [at, added] = prices_.try_emplace(stripe_price);
    if (added && !stripe_price.empty()) {
        std::vector<FoundOwner> found;
        IndexKey key = text_key(stripe_price);
        (void)price_owners.find(&key, 1, snapshot(), [&](const IndexRow &row) {
            if (!row.boolean(2)) {
                FoundOwner owner{row.text_copy(0), row.text_copy(1), false, 0};
                found.push_back(owner);
            }
            return false;
        });
        for (const FoundOwner &each : found) {
            at->second.push_back({each.id, each.project, false, 0});
        }
    }
    return at->second;
}

bool ProjectFinder::owns_customer(const std::string &stripe_customer) {
    return !owners_of_customer(stripe_customer).empty();
}

bool ProjectFinder::owns_price(const std::string &stripe_price) {
    return !owners_of_price(stripe_price).empty();
}

// A price of projects that are not linked here is nobody's to guess at; of several owners the
// customer decides, if it can.
RowRoute ProjectFinder::find(const RouteInputs &row) {
    if (counts(row.metadata_project)) {
        return {row.metadata_project, by_metadata, {}, {}};
    }
    if (counts(row.named_project)) {
        return {row.named_project, by_name, {}, {}};
    }
    if (row.has_parent && !row.parent_project.empty()) {
        return counts(row.parent_project)
                   ? RowRoute{row.parent_project, by_parent + row.parent_strength / 10, {}, {}}
                   : RowRoute{};
    }
    bool owned = false;
    std::set<std::string> sellers;
    for (const std::string &price : row.prices) {
        for (const Owner &owner : owners_of_price(price)) {
            owned |= project(owner.project).of_team;
            if (counts(owner.project)) {
                sellers.insert(owner.project);
            }
        }
    }
    if (sellers.size() == 1) {
        return {*sellers.begin(), by_price, {}, {}};
    }
    std::set<std::string> havers;
    for (const Owner &owner : owners_of_customer(row.customer)) {
        if (counts(owner.project) && (!owned || sellers.contains(owner.project))) {
            havers.insert(owner.project);
        }
    }
    return havers.size() == 1 ? RowRoute{*havers.begin(), by_customer, {}, {}} : RowRoute{};
}

// Of several rows the one that is not deleted, then the newest.
std::string ProjectFinder::customer_of(const std::string &project_id,
                                       const std::string &stripe_customer) {
    const Owner *best = nullptr;
    for (const Owner &owner : owners_of_customer(stripe_customer)) {
        auto rank = [](const Owner &each) { return std::tuple(each.deleted, -each.created); };
        if (owner.project == project_id && (best == nullptr || rank(owner) < rank(*best) ||
                                            (rank(owner) == rank(*best) && owner.id < best->id))) {
            best = &owner;
        }
    }
    return best == nullptr ? std::string() : best->id;
}

std::string ProjectFinder::price_of(const std::string &project_id,
                                    const std::string &stripe_price) {
    for (const Owner &owner : owners_of_price(stripe_price)) {
        if (owner.project == project_id) {
            return owner.id;
        }
    }
    return {};
}

RowRoute ProjectFinder::route(const RouteInputs &row, const RowRoute &before, bool &moved) {
    RowRoute found = find(row);
    bool stronger = found.strength < before.strength; // nobody knows how it was found: never
    bool better =
        !found.project.empty() &&
        (before.project.empty() || found.strength == by_metadata ||
         (found.strength < by_price && stronger) || (found.project == before.project && stronger));
    RowRoute route;
    route.project = better ? found.project : before.project;
    route.strength = better ? found.strength : before.strength;
    moved = better && (found.project != before.project || found.strength != before.strength);
    if (!route.project.empty()) {
        route.customer = customer_of(route.project, row.customer);
        if (route.customer.empty() && route.project == before.project) {
            route.customer = before.customer;
        }
        route.price = price_of(route.project, row.price);
    }
    return route;
}

} // namespace billstack::pg

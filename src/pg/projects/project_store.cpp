#include "pg/projects/project_store.hpp"

#include "pg/access/internal_access.hpp"
#include "pg/bridge/spi.hpp"
#include "pg/projects/project_rows.hpp"

namespace billstack::pg {

namespace {

#define BILLSTACK_PROJECT_COLUMNS                                                                  \
    "SELECT p.id, p.team, p.name, p.base_currency, p.integration_id, i.name, p.account_id,"        \
    " p.livemode, p.created_at FROM billstack_internal.project AS p"                               \
    " LEFT JOIN billstack_internal.integration AS i ON i.id = p.integration_id"

constinit Statement select_project{BILLSTACK_PROJECT_COLUMNS " WHERE p.id = $1", nullptr,
                                   CURSOR_OPT_GENERIC_PLAN};
constinit Statement select_team_projects{BILLSTACK_PROJECT_COLUMNS
                                         " WHERE p.team = $1 ORDER BY p.name, p.id"};
constinit Statement select_linked{BILLSTACK_PROJECT_COLUMNS
                                  " WHERE p.integration_id = $1 ORDER BY p.name, p.id"};

#undef BILLSTACK_PROJECT_COLUMNS

constinit Statement lock_to_use{"SELECT FROM billstack_internal.project WHERE id = $1 FOR SHARE"};
constinit Statement lock_to_change{
    "SELECT FROM billstack_internal.project WHERE id = $1 FOR NO KEY UPDATE"};

constinit Statement insert_project_row{
    "INSERT INTO billstack_internal.project (id, team, name, base_currency) VALUES ($1, $2, $3, $4)"
    " ON CONFLICT (id) DO NOTHING"};

constinit Statement select_customer{
    "SELECT c.id, c.project_id, c.email, c.name, c.metadata::text, c.stripe_customer_id, c.link,"
    " c.link_detail, c.stale, c.created_at, c.updated_at, c.deleted_at"
    " FROM billstack_internal.project_customer AS c WHERE c.project_id = $1 AND c.id = $2",
    nullptr, CURSOR_OPT_GENERIC_PLAN};
constinit Statement select_product{
    "SELECT p.id, p.project_id, p.name, p.description, p.is_active, p.metadata::text,"
    " p.stripe_product_id, p.stale, p.created_at, p.updated_at"
    " FROM billstack_internal.project_product AS p WHERE p.project_id = $1 AND p.id = $2",
    nullptr, CURSOR_OPT_GENERIC_PLAN};
constinit Statement select_price{
    "SELECT p.id, p.project_id, p.product_id, p.unit_amount, p.currency, p.recurring_interval,"
    " p.interval_count, p.is_active, p.metadata::text, p.stripe_price_id, p.stale, p.created_at,"
    " p.updated_at"
    " FROM billstack_internal.project_price AS p WHERE p.project_id = $1 AND p.id = $2",
    nullptr, CURSOR_OPT_GENERIC_PLAN};

Project project_of_row(const Rows &rows, std::uint64_t row) {
    Project found;
    found.id = rows.text(row, 1);
    found.team = rows.text(row, 2);
    found.name = rows.text(row, 3);
    found.base_currency = rows.text(row, 4);
    if (!rows.is_null(row, 5)) {
        found.integration_id = rows.int32(row, 5);
    }
    found.integration = rows.optional_text(row, 6);
    found.account_id = rows.optional_text(row, 7);
    if (!rows.is_null(row, 8)) {
        found.livemode = rows.boolean(row, 8);
    }
    return found;
}

} // namespace

ProjectCustomer customer_of_row(const Rows &rows, std::uint64_t row) {
    ProjectCustomer found;
    found.id = rows.text(row, 1);
    found.project_id = rows.text(row, 2);
    found.email = rows.optional_text(row, 3);
    found.name = rows.optional_text(row, 4);
    found.metadata = rows.text(row, 5);
    found.stripe_customer_id = rows.optional_text(row, 6);
    found.link = rows.text(row, 7);
    found.link_detail = rows.optional_text(row, 8);
    found.stale = rows.boolean(row, 9);
    found.created_at = rows.time(row, 10).value_or(0);
    found.updated_at = rows.time(row, 11).value_or(0);
    found.deleted_at = rows.time(row, 12);
    return found;
}

ProjectProduct product_of_row(const Rows &rows, std::uint64_t row) {
    ProjectProduct found;
    found.id = rows.text(row, 1);
    found.project_id = rows.text(row, 2);
    found.name = rows.text(row, 3);
    found.description = rows.optional_text(row, 4);
    found.is_active = rows.boolean(row, 5);
    found.metadata = rows.text(row, 6);
    found.stripe_product_id = rows.text(row, 7);
    found.stale = rows.boolean(row, 8);
    found.created_at = rows.time(row, 9).value_or(0);
    found.updated_at = rows.time(row, 10).value_or(0);
    return found;
}

ProjectPrice price_of_row(const Rows &rows, std::uint64_t row) {
    ProjectPrice found;
    found.id = rows.text(row, 1);
    found.project_id = rows.text(row, 2);
    found.product_id = rows.text(row, 3);
    found.unit_amount = rows.optional_int64(row, 4);
    found.currency = rows.text(row, 5);
    found.recurring_interval = rows.optional_text(row, 6);
    if (!rows.is_null(row, 7)) {
        found.interval_count = rows.int32(row, 7);
    }
    found.is_active = rows.boolean(row, 8);
    found.metadata = rows.text(row, 9);
    found.stripe_price_id = rows.text(row, 10);
    found.stale = rows.boolean(row, 11);
    found.created_at = rows.time(row, 12).value_or(0);
    found.updated_at = rows.time(row, 13).value_or(0);
    return found;
}

std::optional<Project> find_project(const std::string &id, bool read_only) {
    InternalAccess access;
    Rows rows = select_project.run({param(id)}, read_only);
    return rows.empty() ? std::nullopt : std::optional<Project>(project_of_row(rows, 0));
}

Project lock_project(const std::string &id, ProjectLock lock) {
    InternalAccess access;
    (void)(lock == ProjectLock::use ? lock_to_use : lock_to_change).run({param(id)});
    // A second statement, which sees what a link that held the row has committed.
    Rows rows = select_project.run({param(id)});
    if (rows.empty()) {
        throw core::Error(core::Code::changed_meanwhile, "project \"" + id + "\" has gone");
    }
    return project_of_row(rows, 0);
}

std::vector<ListedProject> projects_of_team(const std::string &team) {
    InternalAccess access;
    Rows rows = select_team_projects.run({param(team)}, true);
    std::vector<ListedProject> found;
    for (std::uint64_t row = 0; row < rows.size(); ++row) {
        found.push_back({project_of_row(rows, row), rows.time(row, 9).value_or(0)});
    }
    return found;
}

std::vector<Project> projects_of_integration(std::int32_t integration_id, bool read_only) {
    InternalAccess access;
    Rows rows = select_linked.run({param(integration_id)}, read_only);
    std::vector<Project> found;
    for (std::uint64_t row = 0; row < rows.size(); ++row) {
        found.push_back(project_of_row(rows, row));
    }
    return found;
}

void insert_project(const Project &project) {
    InternalAccess access;
    if (insert_project_row
            .run({param(project.id), param(project.team), param(project.name),
                  param(project.base_currency)})
            .empty()) {
        throw core::Error(core::Code::exists_already,
                          "project \"" + project.id + "\" exists already");
    }
}

std::optional<ProjectCustomer> find_customer(const std::string &project, const std::string &id,
                                             bool read_only) {
    InternalAccess access;
    Rows rows = select_customer.run({param(project), param(id)}, read_only);
    return rows.empty() ? std::nullopt : std::optional(customer_of_row(rows, 0));
}

std::optional<ProjectProduct> find_product(const std::string &project, const std::string &id,
                                           bool read_only) {
    InternalAccess access;
    Rows rows = select_product.run({param(project), param(id)}, read_only);
    return rows.empty() ? std::nullopt : std::optional(product_of_row(rows, 0));
}

std::optional<ProjectPrice> find_price(const std::string &project, const std::string &id,
                                       bool read_only) {
    InternalAccess access;
    Rows rows = select_price.run({param(project), param(id)}, read_only);
    return rows.empty() ? std::nullopt : std::optional(price_of_row(rows, 0));
}

} // namespace billstack::pg

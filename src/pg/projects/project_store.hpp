// SQL on projects as such and single rows of their customers, products and prices. No rule about
// who may do what lives here (pg/project_access.hpp). Every function opens SPI itself, as the
// extension's owner; a transaction must be open.
#pragma once
#include "pg/bridge/datum.hpp"
#include "pg/projects/project_access.hpp"

namespace billstack::pg {

// read_only: with the snapshot of the running statement, for STABLE functions.
std::optional<Project> find_project(const std::string &id, bool read_only);
// Reads the row after locking it: use keeps it from being linked or unlinked, change is for doing
// that. Throws core::Error(changed_meanwhile) when it has gone.
enum class ProjectLock { use, change };
Project lock_project(const std::string &id, ProjectLock lock);

// With what list_projects shows beside.
struct ListedProject {
    Project project;
    TimestampTz created_at = 0;
};
// By name, then id.
std::vector<ListedProject> projects_of_team(const std::string &team);
// Linked to this integration, by name, then id.
std::vector<Project> projects_of_integration(std::int32_t integration_id, bool read_only);

// core::Error(exists_already) when the id is taken, by whatever team.
void insert_project(const Project &project);

std::optional<ProjectCustomer> find_customer(const std::string &project, const std::string &id,
                                             bool read_only);
std::optional<ProjectProduct> find_product(const std::string &project, const std::string &id,
                                           bool read_only);
std::optional<ProjectPrice> find_price(const std::string &project, const std::string &id,
                                       bool read_only);

} // namespace billstack::pg

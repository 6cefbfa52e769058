#include "pg/projection.hpp"

namespace billstack::pg {

bool has_projects(std::int32_t) {
    return false;
}

void project_objects(const MirrorTarget &, Oid, const TouchedObjects &) {}

void project_all(const MirrorTarget &, Oid) {}

void route_again(std::int32_t, const std::vector<std::string> &, const std::vector<std::string> &) {
}

} // namespace billstack::pg

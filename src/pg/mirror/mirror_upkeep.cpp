#include "pg/mirror/mirror_upkeep.hpp"

#include "pg/access/access.hpp"
#include "pg/bridge/log.hpp"
#include "pg/bridge/scope.hpp"
#include "pg/mirror/mirror_admin.hpp"
#include "pg/team/integration_store.hpp"

namespace billstack::pg {

namespace {

using Name = std::pair<std::string, std::string>;
constexpr const char *trouble = "the mirror could not be upgraded: ";

std::vector<Name> find_outdated() {
    Transaction transaction;
    std::vector<Name> names = load_outdated(stripe::mirror_version);
    transaction.commit();
    return names;
}

// False for a copy of another database.
bool upgrade(const Name &name) {
    Transaction transaction;
    bool done = false;
    for (const Integration &integration : load_integrations(name.first, name.second)) {
        if (integration.is_copy()) {
            continue;
        }
        upgrade_mirror(integration, MirrorExtent::in_use, "1s");
        apply_access_to_schema(integration.team, integration.schema_name);
        if (integration.last_error && integration.last_error->starts_with(trouble)) {
            store_last_error(integration.id, std::nullopt);
        }
        done = true;
    }
    transaction.commit();
    return done;
}

void note_failure(const Name &name, const std::string &reason) {
    Transaction transaction;
    for (const Integration &integration : load_integrations(name.first, name.second)) {
        store_last_error(integration.id, trouble + reason);
    }
    transaction.commit();
    log(LOG, "billstack: team \"" + name.first + "\": " + trouble + reason);
}

} // namespace

bool MirrorUpkeep::step() {
    for (const Name &name : find_outdated()) {
        auto waits = retry_at_.find(name);
        if (waits != retry_at_.end() && clock_.mono() < waits->second) {
            continue;
        }
        std::string reason;
        try {
            if (!upgrade(name)) {
                continue;
            }
            retry_at_.erase(name);
        } catch (const PgError &error) {
            reason = error.what();
        } catch (const core::Error &error) {
            reason = error.message;
        }
        if (!reason.empty()) {
            retry_at_[name] = clock_.mono() + std::chrono::minutes(1);
            note_failure(name, reason);
        }
        return true;
    }
    return false;
}

std::optional<core::MonoTime> MirrorUpkeep::next_retry() const {
    std::optional<core::MonoTime> earliest;
    for (const auto &[name, at] : retry_at_) {
        if (!earliest || at < *earliest) {
            earliest = at;
        }
    }
    return earliest;
}

} // namespace billstack::pg

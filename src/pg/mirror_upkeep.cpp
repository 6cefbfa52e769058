#include "pg/mirror_upkeep.hpp"

#include "pg/integration_store.hpp"
#include "pg/log.hpp"
#include "pg/mirror_admin.hpp"
#include "pg/scope.hpp"

namespace billstack::pg {

namespace {

using Name = std::pair<std::string, std::string>;

std::vector<Name> find_outdated() {
    Transaction transaction;
    std::vector<Name> names = load_outdated(stripe::mirror_version);
    transaction.commit();
    return names;
}

void upgrade(const Name &name) {
    Transaction transaction;
    for (const Integration &integration : load_integrations(name.first, name.second)) {
        if (!integration.is_copy()) {
            upgrade_mirror(integration, "1s");
        }
    }
    transaction.commit();
}

void note_failure(const Name &name, const std::string &reason) {
    std::string text = "the mirror could not be upgraded: " + reason;
    Transaction transaction;
    for (const Integration &integration : load_integrations(name.first, name.second)) {
        store_last_error(integration.id, text);
    }
    transaction.commit();
    log(LOG, "billstack: team \"" + name.first + "\": " + text);
}

} // namespace

void upgrade_outdated_mirrors() {
    for (const Name &name : find_outdated()) {
        std::string reason;
        try {
            upgrade(name);
        } catch (const PgError &error) {
            reason = error.what();
        } catch (const core::Error &error) {
            reason = error.message;
        }
        if (!reason.empty()) {
            note_failure(name, reason);
        }
    }
}

} // namespace billstack::pg

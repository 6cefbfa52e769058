// What follows from the stored facts of an integration; no SQL.
#include "pg/team/integration_store.hpp"

namespace billstack::pg {

namespace {

std::string copy_text(const Integration &integration) {
    return "this database is a copy of the one in which team \"" + integration.team +
           "\" was connected; call billstack.arm('" + integration.team + "') to activate it here";
}

} // namespace

bool Integration::is_copy() const {
    return system_identifier != static_cast<std::int64_t>(GetSystemIdentifier()) ||
           database_oid != MyDatabaseId;
}

std::optional<std::string> Integration::shown_error() const {
    return is_copy() ? copy_text(*this) : last_error;
}

void require_armed(const Integration &integration) {
    if (integration.is_copy()) {
        throw core::Error(core::Code::not_ready,
                          "integration \"" + integration.name + "\" of team \"" + integration.team +
                              "\" is paused",
                          "This database is a restored or copied one; the original may still be "
                          "talking to Stripe.",
                          "Call billstack.arm('" + integration.team + "') to activate it here.");
    }
}

} // namespace billstack::pg

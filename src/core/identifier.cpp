// Slug rules. The pattern knows no double underscore, so `<team>__<integration>` reads only one
// way.
#include "core/identifier.hpp"

#include "core/error.hpp"

namespace billstack::core {

namespace {

constexpr std::size_t max_team = 40;
constexpr std::size_t max_team_and_integration = 49; // 63 less "stripe_team_" and "__"
constexpr std::string_view default_integration = "default";

bool is_slug(std::string_view text) {
    bool after_underscore = true; // the first character may not be one
    for (const char c : text) {
        const bool word = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!word && (c != '_' || after_underscore))
            return false;
        after_underscore = !word;
    }
    return !after_underscore;
}

} // namespace

void check_slug(std::string_view slug, std::string_view what) {
    const std::string name(what);
    const std::size_t limit = what == "team" ? max_team : max_team_and_integration - 1;
    if (slug.empty())
        throw Error(Code::bad_argument, name + " must not be empty",
                    "A name matches [a-z0-9]+(_[a-z0-9]+)*.", "Give a name such as \"acme\".");
    if (slug.size() > limit)
        throw Error(Code::bad_argument, name + " name is too long",
                    "It has " + std::to_string(slug.size()) + " bytes, at most " +
                        std::to_string(limit) + " are allowed.",
                    "Choose a shorter name.");
    if (!is_slug(slug))
        throw Error(Code::bad_argument, name + " name is not valid",
                    "A name matches [a-z0-9]+(_[a-z0-9]+)*.",
                    "Use lower-case letters, digits and single underscores between them.");
}

void check_team_and_integration(std::string_view team, std::string_view integration) {
    check_slug(team, "team");
    check_slug(integration, "integration");
    if (integration != default_integration &&
        team.size() + integration.size() > max_team_and_integration)
        throw Error(Code::bad_argument, "team and integration names are too long together",
                    "Together they have " + std::to_string(team.size() + integration.size()) +
                        " bytes, at most " + std::to_string(max_team_and_integration) +
                        " are allowed.",
                    "Choose a shorter integration name.");
}

std::string mirror_schema_name(std::string_view team, std::string_view integration) {
    std::string name = "stripe_team_";
    name += team;
    if (integration != default_integration) {
        name += "__";
        name += integration;
    }
    return name;
}

} // namespace billstack::core

// The integrations' part of health(): one row a problem, one row "ok" for each without any.
#include "pg/team/health.hpp"

#include "pg/access/team_access.hpp"
#include "pg/inbox/inbox_store.hpp"
#include "pg/mirror/mirror_admin.hpp"
#include "pg/team/health_store.hpp"
#include "pg/team/integration_store.hpp"

namespace billstack::pg {

namespace {

std::string quoted_call(const char *function, const std::string &team,
                        const std::string &integration) {
    std::string text = std::string("billstack.") + function + "('" + team + "'";
    if (integration != "default") {
        text += ", integration => '" + integration + "'";
    }
    return text + ")";
}

constexpr std::int64_t late_s = 60;

// What is wrong with the events of an integration.
void add_inbox_problems(const Integration &found, const std::string &check_name,
                        std::vector<HealthCheck> &problems) {
    InboxState inbox = read_inbox_state(found.id, true);
    std::int64_t age = inbox.oldest ? (GetCurrentTimestamp() - *inbox.oldest) / USECS_PER_SEC : 0;
    if (age >= late_s) {
        problems.push_back({check_name, "warn",
                            "events that wait to be applied: " + std::to_string(inbox.waiting) +
                                ", the oldest for " + std::to_string(age) + " s",
                            "See the rows worker and last turn, and billstack.webhook_events where "
                            "status is pending."});
    }
    if (inbox.failed > 0 || inbox.failed_calls > 0) {
        problems.push_back({check_name, "warn",
                            "dead letters: events " + std::to_string(inbox.failed) +
                                ", calls of handlers " + std::to_string(inbox.failed_calls),
                            "See billstack.failed_events; when the cause is mended, call "
                            "billstack.retry_failed('" +
                                found.team + "')."});
    }
    // nullopt is less than any time: refused since the last event that was accepted.
    if (inbox.last_refused_at > inbox.last_event_at) {
        problems.push_back(
            {check_name, "warn",
             "the newest delivery was refused: " + inbox.last_refusal.value_or(""),
             "Compare the signing secret of Stripe's endpoint with the one stored by "
             "billstack.set_webhook_secret()."});
    }
}

std::string default_kinds_among(const std::vector<std::string> &names) {
    std::string list;
    for (const std::string &name : names) {
        const stripe::Kind *kind = stripe::find_kind(name);
        if (kind != nullptr && kind->is_default) {
            list += (list.empty() ? "" : ", ") + name;
        }
    }
    return list;
}

// The newest backfill: failed, without a default kind, or open and not getting on.
void add_run_problem(const LastRun &run, const std::string &check_name, const std::string &again,
                     std::vector<HealthCheck> &problems) {
    std::string backfill = "backfill " + std::to_string(run.id);
    if (run.state == "failed") {
        problems.push_back({check_name, "fail", backfill + " failed: " + run.error.value_or(""),
                            run.hint ? *run.hint + " " + again : again});
    } else if (run.state == "done") {
        if (std::string left_out = default_kinds_among(run.skipped); !left_out.empty()) {
            problems.push_back({check_name, "warn", backfill + " skipped " + left_out,
                                "billstack.sync_progress says which permission the key lacks; "
                                "without the default kinds the mirror is not ready."});
        }
    } else if (run.state == "running" && !run.waits_for.empty()) {
        problems.push_back({check_name, "warn", backfill + " waits: " + run.waits_for,
                            "It goes on by itself; billstack.cancel_backfill() ends it."});
    } else if (run.state == "queued" && (run.error || run.age_s >= late_s)) {
        problems.push_back({check_name, "warn",
                            backfill + " has not begun after " + std::to_string(run.age_s) + " s" +
                                (run.error ? ": " + *run.error : ""),
                            "See the rows worker and last turn."});
    }
}

// Problems of one integration, worst first.
std::vector<HealthCheck> problems_of(const Integration &found) {
    std::string name = "integration " + found.team + "/" + found.name;
    std::vector<HealthCheck> problems;
    auto add = [&](const char *status, std::string detail, std::optional<std::string> hint) {
        problems.push_back({name, status, std::move(detail), std::move(hint)});
    };
    auto advise = [&](const char *function) {
        return "Call " + quoted_call(function, found.team, found.name) + ".";
    };
    if (!OidIsValid(role_oid(found.owner_name))) {
        add("fail", "its owner, role \"" + found.owner_name + "\", does not exist",
            "Call billstack.set_owner('" + found.team + "', <role>).");
    }
    if (found.is_copy()) {
        add("warn", *found.shown_error(), "Call billstack.arm('" + found.team + "').");
        return problems; // the rest is about the place the copy was made from
    }
    if (!schema_exists(found.schema_oid)) {
        add("fail", "its schema \"" + found.schema_name + "\" does not exist",
            advise("disconnect") + " Then connect it again.");
    }
    if (!found.key_valid) {
        add("fail", "Stripe rejected its key", advise("rotate_keys"));
    }
    if (!found.is_active) {
        add("warn", "it is not active", {});
    }
    std::optional<LastRun> run = last_run_of(found.id);
    if (run) {
        add_run_problem(*run, name, advise("backfill"), problems);
    }
    bool of_the_run =
        run && run->error && found.last_error && found.last_error->rfind(*run->error, 0) == 0;
    if (found.last_error && !of_the_run) {
        add("warn", *found.last_error, {});
    }
    add_inbox_problems(found, name, problems);
    if (found.mirror_version < stripe::mirror_version) {
        add("warn",
            "its mirror is version " + std::to_string(found.mirror_version) + " of " +
                std::to_string(stripe::mirror_version),
            advise("upgrade_mirror"));
    }
    return problems;
}

bool has_rights_of(const std::string &role_name) {
    Oid role = role_oid(role_name);
    return OidIsValid(role) && call([&] { return has_privs_of_role(GetUserId(), role); });
}

} // namespace

std::vector<HealthCheck> integration_health() {
    std::vector<HealthCheck> checks;
    for (const std::string &team : all_teams()) {
        bool team_visible = may_use_team(team, Need::see);
        for (const Integration &found : load_integrations(team, std::nullopt, true)) {
            if (!team_visible && !has_rights_of(found.owner_name)) {
                continue;
            }
            std::vector<HealthCheck> problems = problems_of(found);
            if (problems.empty()) {
                problems.push_back({"integration " + found.team + "/" + found.name,
                                    "ok",
                                    found.shown_sync_status(),
                                    {}});
            }
            std::move(problems.begin(), problems.end(), std::back_inserter(checks));
        }
    }
    return checks;
}

} // namespace billstack::pg

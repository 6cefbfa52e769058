// billstack.check_keys, validate and rotate_keys: keys against the account they belong to.
#include "pg/access/principal.hpp"
#include "pg/mirror/mirror_reset_store.hpp"
#include "pg/projects/project_link.hpp"
#include "pg/team/connection_answer.hpp"
#include "pg/team/integration_store.hpp"
#include "pg/team/key_check.hpp"
#include "pg/worker/wake.hpp"

namespace billstack::pg {

namespace {

const char *const key_rejected_text = "Stripe rejected the key";
const char *const key_limited_text = "the key may not read: ";

bool is_about_the_key(const std::optional<std::string> &error) {
    return error &&
           (error->rfind(key_rejected_text, 0) == 0 || error->rfind(key_limited_text, 0) == 0);
}

stripe::Params list_params(const stripe::Kind &kind) {
    stripe::Params params{{"limit", "1"}};
    std::string_view rest = kind.list_params;
    while (!rest.empty()) {
        std::string_view pair = rest.substr(0, rest.find('&'));
        std::size_t equal = pair.find('=');
        params.emplace_back(pair.substr(0, equal),
                            equal == std::string_view::npos ? "" : pair.substr(equal + 1));
        rest.remove_prefix(std::min(rest.size(), pair.size() + 1));
    }
    return params;
}

// The default kinds and others the mirror has; those that are listed per customer are not probed.
std::vector<const stripe::Kind *> kinds_to_probe(const Integration &integration) {
    std::set<std::string> used;
    for (const MirrorTable &table : mirror_tables_of(integration.id)) {
        used.insert(table.kind);
    }
    std::vector<const stripe::Kind *> kinds;
    for (const stripe::Kind *kind : stripe::all_kinds()) {
        bool is_used = kind->is_default || used.contains(std::string(kind->name));
        if (is_used && !kind->list_path.empty() && kind->list_parent == nullptr) {
            kinds.push_back(kind);
        }
    }
    return kinds;
}

std::vector<StripeRequest> probes(const Integration &integration, const core::SecretBytes &key,
                                  const std::vector<const stripe::Kind *> &kinds) {
    std::vector<StripeRequest> requests(1, account_request(key));
    for (const stripe::Kind *kind : kinds) {
        StripeRequest request;
        request.path = std::string(kind->list_path);
        request.params = list_params(*kind);
        request.key = &key;
        request.body_wanted = false;
        requests.push_back(std::move(request));
    }
    for (StripeRequest &request : requests) {
        request.account = rate_account_of(integration, key);
    }
    return requests;
}

const char *permission_of(const StripeAnswer &answer) {
    switch (answer.status) {
    case stripe::CallStatus::ok:
        return "ok";
    case stripe::CallStatus::forbidden:
        return "denied";
    default:
        return "error";
    }
}

void note_key_problem(Integration &integration, const std::string &problem) {
    if (!problem.empty()) {
        integration.last_error = problem;
        integration.last_error_at = GetCurrentTimestamp();
    } else if (is_about_the_key(integration.last_error)) {
        integration.last_error = std::nullopt;
        integration.last_error_at = std::nullopt;
    }
}

// Of two answers about the account, keeps what the key may not read any more.
void merge_account(Integration &integration, const VerifiedKey &verified) {
    if (verified.account_readable) {
        integration.account = verified.account;
    }
}

// Puts what the answers say into the integration; returns the permission report.
json::Node judge_probes(Integration &integration, const std::vector<const stripe::Kind *> &kinds,
                        const std::vector<StripeAnswer> &answers) {
    const StripeAnswer &account = answers.at(0);
    std::string problem;
    integration.key_valid = account.status != stripe::CallStatus::key_rejected;
    if (integration.key_valid) {
        merge_account(integration, read_account_answer(account));
    } else {
        problem = key_rejected_text;
        problem += "; store a valid one with billstack.rotate_keys()";
    }
    json::Node report = json::Node::object();
    std::string denied;
    for (std::size_t i = 0; i < kinds.size(); ++i) {
        std::string name(kinds[i]->name);
        const StripeAnswer &answer = answers.at(i + 1);
        report.set(name.c_str(), permission_of(answer));
        if (answer.status == stripe::CallStatus::forbidden && kinds[i]->is_default) {
            denied += (denied.empty() ? "" : ", ") + name;
        }
    }
    if (!denied.empty() && problem.empty()) {
        problem = key_limited_text + denied;
    }
    integration.last_validated_at = GetCurrentTimestamp();
    note_key_problem(integration, problem);
    return report;
}

struct Rotation {
    std::optional<core::SecretBytes> secret_key;
    std::optional<stripe::KeyShape> shape;
    std::optional<std::string> publishable_key;
    std::optional<GivenWebhookSecret> webhook_secret;
    bool allow_account_change = false;
};

Rotation rotation_arguments(const Args &args) {
    Rotation rotation;
    rotation.secret_key = args.optional_secret(1);
    if (rotation.secret_key) {
        rotation.shape = stripe::check_secret_key(rotation.secret_key->view());
        rotation.publishable_key = publishable_key_argument(args, 2, *rotation.shape);
    } else {
        rotation.publishable_key = args.optional_text(2);
    }
    rotation.webhook_secret = webhook_secret_argument(args, 3);
    rotation.allow_account_change = args.boolean(5, "allow_account_change");
    if (!rotation.secret_key && !rotation.publishable_key && !rotation.webhook_secret) {
        throw core::Error(core::Code::bad_argument, "no key given to rotate",
                          "A NULL key keeps the stored one.", "Give at least one new key.");
    }
    return rotation;
}

[[noreturn]] void refuse_change(const std::string &what, const std::string &detail) {
    throw core::Error(core::Code::bad_argument, "the new key belongs to another " + what, detail,
                      "Connect it as another integration, or pass allow_account_change => true.");
}

std::string mode_name(bool livemode) {
    return livemode ? "live" : "test";
}

// Before Stripe is asked: the modes of what is kept and what is new must agree.
void check_modes(const Integration &integration, const Rotation &rotation) {
    stripe::KeyShape stored{integration.key_restricted ? stripe::SecretKeyKind::restricted
                                                       : stripe::SecretKeyKind::secret,
                            integration.livemode};
    if (!rotation.shape) {
        if (rotation.publishable_key) {
            stripe::check_publishable_key(*rotation.publishable_key, stored);
        }
        return;
    }
    if (rotation.shape->livemode == integration.livemode) {
        return;
    }
    if (!rotation.allow_account_change) {
        refuse_change("mode", "The stored key is a " + mode_name(integration.livemode) +
                                  " key, the new one a " + mode_name(!integration.livemode) +
                                  " key.");
    }
    if (integration.publishable_key && !rotation.publishable_key) {
        throw core::Error(
            core::Code::bad_argument, "the stored publishable key is of the other mode",
            "All keys of an integration are of one mode.", "Give the new publishable key too.");
    }
}

struct AccountComparison {
    bool verified = false; // both account ids are known
    bool changed = false;
};

AccountComparison compare_accounts(const Integration &integration, const Rotation &rotation,
                                   const VerifiedKey &verified) {
    AccountComparison result;
    const std::optional<std::string> &old_id = integration.account.id;
    const std::optional<std::string> &new_id = verified.account.id;
    result.verified = old_id && new_id;
    result.changed =
        (result.verified && *old_id != *new_id) || rotation.shape->livemode != integration.livemode;
    if (result.verified && *old_id != *new_id && !rotation.allow_account_change) {
        refuse_change("Stripe account", "The mirror holds account " + *old_id +
                                            ", the new key belongs to " + *new_id + ".");
    }
    return result;
}

// The account that the new key shows, or what is known of the same account already.
void take_new_key(Integration &integration, const Rotation &rotation, VerifiedKey &&verified,
                  const AccountComparison &accounts) {
    if (!verified.account_readable && !accounts.changed) {
        verified.account = integration.account;
    }
    apply_verified_key(integration, *rotation.secret_key, *rotation.shape, verified);
    integration.permissions = std::nullopt;
    note_key_problem(integration, "");
    if (accounts.changed) {
        integration.sync_status = "pending";
        integration.run_open = false;
        // No page of the old account may come into the emptied mirror, not even one that waits for
        // a table just now.
        hold_open_run(integration.id);
        if (cancel_open_run(integration.id, "the keys of another account were stored")) {
            wake_worker_at_commit();
        }
    }
}

void seal_new_keys(const Integration &integration, const Rotation &rotation,
                   bool replaces_real_secret) {
    if (!rotation.secret_key && !rotation.webhook_secret) {
        return;
    }
    crypto::KeyRing ring = ring_to_seal(integration.livemode);
    if (rotation.secret_key) {
        seal_and_store(ring, integration, secret_key_kind, *rotation.secret_key);
        wake_worker_at_commit(); // a backfill in progress goes on with the new key
    }
    if (rotation.webhook_secret) {
        store_webhook_secret(ring, integration, replaces_real_secret,
                             rotation.webhook_secret->secret);
    }
}

} // namespace

BILLSTACK_SQL_FUNCTION(billstack_check_keys) {
    hide_statement();
    refuse_principal();
    core::SecretBytes key = args.secret(0, "secret_key");
    stripe::KeyShape shape = stripe::check_secret_key(key.view());
    (void)publishable_key_argument(args, 1, shape);
    VerifiedKey verified = verify_secret_key(key);
    json::Node answer = json::Node::object();
    answer.set("accountId", verified.account.id)
        .set("accountName", verified.account.name)
        .set("country", verified.account.country)
        .set("defaultCurrency", verified.account.default_currency)
        .set("livemode", shape.livemode)
        .set("keyValid", true)
        .set("restricted", shape.kind == stripe::SecretKeyKind::restricted)
        .set("chargesEnabled", verified.account.charges_enabled);
    return return_jsonb(answer);
}

BILLSTACK_SQL_FUNCTION(billstack_validate) {
    Integration integration =
        require_integration(args.text(0, "team"), args.text(1, "integration"), Need::act);
    require_writable("validate");
    require_armed(integration);
    std::vector<const stripe::Kind *> kinds = kinds_to_probe(integration);
    core::SecretBytes key = open_secret_key(integration);
    std::vector<StripeAnswer> answers = ask_stripe(probes(integration, key, kinds));
    key.wipe();
    json::Node report = judge_probes(integration, kinds, answers);
    integration.permissions = report.dump();
    store_validated(integration);
    json::Node answer = json::Node::object();
    answer.set("keyValid", integration.key_valid)
        .set("lastValidatedAt", json_time(integration.last_validated_at))
        .set("permissions", std::move(report));
    return return_jsonb(answer);
}

BILLSTACK_SQL_FUNCTION(billstack_rotate_keys) {
    hide_statement();
    std::string team = args.text(0, "team");
    std::string name = args.text(4, "integration");
    core::check_team_and_integration(team, name);
    Rotation rotation = rotation_arguments(args);
    Integration integration = require_integration(team, name, Need::act);
    require_writable("rotate_keys");
    require_armed(integration);
    check_modes(integration, rotation);
    const StripePlace before = place_of(integration);
    AccountComparison accounts;
    if (rotation.secret_key) {
        check_sealing_possible(rotation.shape->livemode);
        VerifiedKey verified = verify_secret_key(*rotation.secret_key);
        accounts = compare_accounts(integration, rotation, verified);
        take_new_key(integration, rotation, std::move(verified), accounts);
    }
    if (rotation.publishable_key) {
        integration.publishable_key = rotation.publishable_key;
    }
    bool replaces_real_secret = integration.webhook_secret_state == "set";
    if (rotation.webhook_secret) {
        integration.webhook_secret_state = stripe::name_of(rotation.webhook_secret->state);
    }
    store_rotated(integration);
    follow_rotation(integration, before, accounts.changed);
    if (accounts.changed) {
        empty_mirror(integration); // after the projects, as whoever writes for one of them does
    }
    seal_new_keys(integration, rotation, replaces_real_secret);
    notify_change("rotate", integration);
    json::Node answer = connection_answer(integration);
    if (rotation.secret_key) {
        answer.set("accountVerified", accounts.verified);
        answer.set("mirrorEmptied", accounts.changed);
    }
    return return_jsonb(answer);
}

} // namespace billstack::pg

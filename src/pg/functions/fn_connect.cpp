// billstack.connect: everything that can be refused without Stripe is refused first, then the key
// is verified, and only then anything is stored.
#include "pg/access/access.hpp"
#include "pg/access/principal.hpp"
#include "pg/mirror/mirror_admin.hpp"
#include "pg/team/connection_answer.hpp"
#include "pg/team/integration_store.hpp"
#include "pg/team/key_check.hpp"

namespace billstack::pg {

namespace {

struct ConnectKeys {
    core::SecretBytes secret_key;
    stripe::KeyShape shape;
    std::optional<std::string> publishable_key;
    std::optional<GivenWebhookSecret> webhook_secret;
};

ConnectKeys connect_keys(const Args &args) {
    ConnectKeys keys;
    keys.secret_key = args.secret(1, "secret_key");
    keys.shape = stripe::check_secret_key(keys.secret_key.view());
    keys.publishable_key = publishable_key_argument(args, 2, keys.shape);
    keys.webhook_secret = webhook_secret_argument(args, 3);
    return keys;
}

// A new team may be made by whoever may execute connect() and create a schema.
void check_not_connected(const std::string &team, const std::string &integration) {
    if (find_team_owner(team)) {
        require_team(team, Need::act);
    }
    if (!load_integrations(team, integration).empty()) {
        throw core::Error(core::Code::exists_already,
                          "integration \"" + integration + "\" of team \"" + team +
                              "\" exists already",
                          "An integration is connected once.",
                          "Use billstack.rotate_keys() to store other keys, or name another "
                          "integration.");
    }
}

Integration new_integration(const std::string &team, const std::string &name) {
    Integration made;
    made.team = team;
    made.name = name;
    made.owner_name = current_role_name();
    made.schema_name = core::mirror_schema_name(team, name);
    made.mirror_version = stripe::mirror_version;
    made.system_identifier = static_cast<std::int64_t>(GetSystemIdentifier());
    made.database_oid = MyDatabaseId;
    return made;
}

void store_connection(Integration &integration, const ConnectKeys &keys) {
    crypto::KeyRing ring = ring_to_seal(keys.shape.livemode);
    ensure_team(integration.team, integration.owner_name);
    check_not_connected(integration.team, integration.name); // once more: Stripe took its time
    integration.id = insert_integration(integration);
    seal_and_store(ring, integration, secret_key_kind, keys.secret_key);
    if (keys.webhook_secret) {
        seal_and_store(ring, integration, webhook_secret_kind, keys.webhook_secret->secret);
    }
}

void make_mirror(Integration &integration) {
    integration.schema_oid = create_or_adopt_mirror(integration.schema_name);
    set_integration_schema(integration.id, integration.schema_oid);
    for (const MirrorTable &table : default_mirror_tables()) {
        add_mirror_table(integration.id, table);
    }
    apply_access_to_schema(integration.team, integration.schema_name);
}

} // namespace

BILLSTACK_SQL_FUNCTION(billstack_connect) {
    hide_statement();
    refuse_principal();
    std::string team = args.text(0, "team");
    std::string name = args.text(4, "integration");
    bool adopt = args.boolean(5, "adopt");
    core::check_team_and_integration(team, name);
    ConnectKeys keys = connect_keys(args);
    require_writable("connect");
    check_not_connected(team, name);
    Integration integration = new_integration(team, name);
    check_mirror_target(integration.schema_name, adopt);
    check_sealing_possible(keys.shape.livemode);

    VerifiedKey verified = verify_secret_key(keys.secret_key);

    apply_verified_key(integration, keys.secret_key, keys.shape, verified);
    integration.publishable_key = keys.publishable_key;
    if (keys.webhook_secret) {
        integration.webhook_secret_state = stripe::name_of(keys.webhook_secret->state);
    }
    check_mirror_target(integration.schema_name, adopt);
    store_connection(integration, keys);
    make_mirror(integration);
    return return_jsonb(connection_answer(integration));
}

} // namespace billstack::pg

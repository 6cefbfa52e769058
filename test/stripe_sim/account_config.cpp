// See account_config.hpp.
#include "account_config.hpp"

#include "ids.hpp"
#include "rng.hpp"

namespace stripe_sim {

void complete_account(AccountConfig &account) {
    if (account.id.empty())
        IdCodec{mix64(account.seed, 0x61636374)}.append_foreign(account.id, "acct_", 16, 0);
    auto size = [&](Kind kind) { return account.sizes[static_cast<size_t>(kind)]; };
    for (uint64_t one : account.sizes)
        if (one > 1000000000)
            throw JsonError{"at most 1000000000 objects of a kind"};
    if (size(Kind::price) > 0 && size(Kind::product) == 0)
        throw JsonError{"prices need products"};
    if (size(Kind::subscription) > 0 && (size(Kind::customer) == 0 || size(Kind::price) == 0))
        throw JsonError{"subscriptions need customers, products and prices"};
    if (size(Kind::invoice) > 0 && (size(Kind::customer) == 0 || size(Kind::price) == 0))
        throw JsonError{"invoices need customers, products and prices"};
    if (account.until - account.from < 1000)
        throw JsonError{"until must be at least 1000 seconds after from"};
}

KeyConfig read_key(const json_t *node) {
    KeyConfig key{get_string(node, "key"), {}};
    if (key.key.empty())
        throw JsonError{"a key needs a key"};
    size_t i;
    json_t *kind;
    json_array_foreach(json_object_get(node, "denied"), i, kind) {
        if (!json_is_string(kind))
            throw JsonError{"denied is an array of kinds"};
        key.denied.emplace_back(json_string_value(kind));
    }
    return key;
}

static AccountConfig read_account(const json_t *node, const AccountConfig &defaults) {
    AccountConfig account = defaults;
    account.id = get_string(node, "id");
    account.name = get_string(node, "name", defaults.name);
    account.country = get_string(node, "country", defaults.country);
    account.default_currency = get_string(node, "default_currency", defaults.default_currency);
    account.seed =
        static_cast<uint64_t>(get_int(node, "seed", static_cast<int64_t>(defaults.seed)));
    account.created = get_int(node, "created", defaults.created);
    account.livemode = get_bool(node, "livemode", defaults.livemode);
    account.from = get_int(node, "from", defaults.from);
    account.until = get_int(node, "until", defaults.until);
    const char *name;
    json_t *value;
    json_object_foreach(json_object_get(node, "sizes"), name, value) {
        const KindInfo *kind = find_kind(name);
        if (kind == nullptr || static_cast<size_t>(kind->kind) >= generated_kinds ||
            !json_is_integer(value) || json_integer_value(value) < 0)
            throw JsonError{std::string{"sizes."} + name + " is not a size of a known kind"};
        account.sizes[static_cast<size_t>(kind->kind)] =
            static_cast<uint64_t>(json_integer_value(value));
    }
    size_t i;
    json_array_foreach(json_object_get(node, "keys"), i, value)
        account.keys.push_back(read_key(value));
    complete_account(account);
    return account;
}

std::vector<AccountConfig> read_accounts(const json_t *config, const AccountConfig &defaults) {
    std::vector<AccountConfig> accounts;
    size_t i;
    json_t *node;
    json_array_foreach(json_object_get(config, "accounts"), i, node)
        accounts.push_back(read_account(node, defaults));
    return accounts;
}

} // namespace stripe_sim

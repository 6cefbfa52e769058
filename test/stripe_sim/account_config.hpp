// What a simulated account is made from. Times are Unix seconds.
#pragma once

#include "json_util.hpp"
#include "kinds.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace stripe_sim {

struct KeyConfig {
    std::string key;
    std::vector<std::string> denied; ///< kinds this key may not read; "account" is one of them
};

struct AccountConfig {
    std::string id;
    std::string name = "Acme";
    std::string country = "US";
    std::string default_currency = "usd";
    uint64_t seed = 1;
    int64_t created = 1600000000;
    bool livemode = false;
    /// Objects of the account are created between these two.
    int64_t from = 1609459200;  // 2021-01-01
    int64_t until = 1767225600; // 2026-01-01
    std::array<uint64_t, stored_kinds> sizes{100, 10, 30, 120, 600, 600, 1};
    std::vector<KeyConfig> keys;
};

/// {"key": "...", "denied": [...]}. Throws JsonError.
KeyConfig read_key(const json_t *node);
/// Reads the "accounts" array of the configuration file. Throws JsonError.
std::vector<AccountConfig> read_accounts(const json_t *config, const AccountConfig &defaults);
/// Fills in the id and refuses sizes that cannot be consistent. Throws JsonError.
void complete_account(AccountConfig &account);

} // namespace stripe_sim

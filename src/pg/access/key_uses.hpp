// When API keys were last used, kept in shared memory so that no call writes a row. The worker
// stores it at most once a minute. Without preloading there is no such memory: nothing is kept.
#pragma once
#include "pg/worker/shared_state.hpp"

namespace billstack::pg {

struct KeyUseFlush {
    std::string id;
    TimestampTz at = 0;
};

// Whatever becomes of the transaction. Wakes the worker when it has stored nothing for a minute.
void note_key_use(const std::string &id, TimestampTz at) noexcept;
// What the table may not have yet.
std::optional<TimestampTz> last_key_use(const std::string &id) noexcept;

// --- the worker --------------------------------------------------------------------------------

// True at most once a minute.
bool key_uses_due() noexcept;
// What is not stored yet; counts as stored from now on.
std::vector<KeyUseFlush> take_key_uses();
void give_back_key_uses(const std::vector<KeyUseFlush> &uses) noexcept;

} // namespace billstack::pg

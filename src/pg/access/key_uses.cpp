#include "pg/access/key_uses.hpp"

namespace billstack::pg {

namespace {

constexpr std::int64_t pause_us = 60 * USECS_PER_SEC;
constexpr int longest_search = 16;

class UseGuard {
  public:
    explicit UseGuard(KeyUses &uses) noexcept : uses_(uses) { SpinLockAcquire(&uses_.lock); }
    ~UseGuard() { SpinLockRelease(&uses_.lock); }
    UseGuard(const UseGuard &) = delete;
    UseGuard &operator=(const UseGuard &) = delete;

  private:
    KeyUses &uses_;
};

// FNV-1a.
std::size_t first_place(std::string_view id) noexcept {
    std::uint32_t hash = 2166136261U ^ MyDatabaseId;
    for (char c : id) {
        hash = (hash ^ static_cast<unsigned char>(c)) * 16777619U;
    }
    return hash % key_use_count;
}

bool is_of(const KeyUse &use, std::string_view id) noexcept {
    return use.database == MyDatabaseId && id == use.id;
}

// With the lock held.
KeyUse *find(KeyUses &uses, std::string_view id) noexcept {
    std::size_t place = first_place(id);
    for (int step = 0; step < longest_search; ++step) {
        KeyUse &use = uses.entries[(place + step) % key_use_count];
        if (is_of(use, id)) {
            return &use;
        }
    }
    return nullptr;
}

// With the lock held. Where all places are taken the oldest goes, a stored one first.
KeyUse &find_or_make(KeyUses &uses, std::string_view id) noexcept {
    if (KeyUse *found = find(uses, id)) {
        return *found;
    }
    std::size_t place = first_place(id);
    KeyUse *worst = nullptr;
    for (int step = 0; step < longest_search; ++step) {
        KeyUse &use = uses.entries[(place + step) % key_use_count];
        if (worst == nullptr || (worst->changed && !use.changed) ||
            (worst->changed == use.changed && use.at < worst->at)) {
            worst = &use;
        }
    }
    *worst = KeyUse{};
    worst->database = MyDatabaseId;
    std::memcpy(worst->id, id.data(), id.size());
    return *worst;
}

void note(SharedState &state, std::string_view id, TimestampTz at) noexcept {
    if (id.empty() || id.size() >= sizeof(KeyUse::id)) {
        return;
    }
    UseGuard guard(state.key_uses);
    KeyUse &use = find_or_make(state.key_uses, id);
    use.at = std::max(use.at, at);
    use.changed = true;
}

} // namespace

void note_key_use(const std::string &id, TimestampTz at) noexcept {
    SharedState *state = shared_state();
    if (state == nullptr) {
        return;
    }
    note(*state, id, at);
    int procno = -1;
    {
        SpinGuard guard(*state);
        if (DatabaseEntry *entry = find_entry(*state, MyDatabaseId)) {
            entry->key_used = true;
            procno = at - entry->key_uses_stored_at >= pause_us ? entry->worker_procno : -1;
        }
    }
    set_latch_of(procno);
}

std::optional<TimestampTz> last_key_use(const std::string &id) noexcept {
    SharedState *state = shared_state();
    if (state == nullptr) {
        return std::nullopt;
    }
    UseGuard guard(state->key_uses);
    const KeyUse *use = find(state->key_uses, id);
    return use == nullptr ? std::nullopt : std::optional(use->at);
}

bool key_uses_due() noexcept {
    SharedState *state = shared_state();
    if (state == nullptr) {
        return false;
    }
    SpinGuard guard(*state);
    const DatabaseEntry *entry = find_entry(*state, MyDatabaseId);
    return entry != nullptr && entry->key_used &&
           GetCurrentTimestamp() - entry->key_uses_stored_at >= pause_us;
}

std::vector<KeyUseFlush> take_key_uses() {
    std::vector<KeyUseFlush> taken;
    SharedState *state = shared_state();
    if (state == nullptr) {
        return taken;
    }
    {
        SpinGuard guard(*state);
        if (DatabaseEntry *entry = find_entry(*state, MyDatabaseId)) {
            entry->key_used = false;
            entry->key_uses_stored_at = GetCurrentTimestamp();
        }
    }
    for (KeyUse &use : state->key_uses.entries) {
        KeyUse copy;
        {
            UseGuard guard(state->key_uses);
            if (use.database != MyDatabaseId || !use.changed) {
                continue;
            }
            use.changed = false;
            copy = use;
        }
        taken.push_back({copy.id, copy.at});
    }
    return taken;
}

void give_back_key_uses(const std::vector<KeyUseFlush> &uses) noexcept {
    SharedState *state = shared_state();
    if (state == nullptr || uses.empty()) {
        return;
    }
    for (const KeyUseFlush &use : uses) {
        note(*state, use.id, use.at);
    }
    SpinGuard guard(*state);
    if (DatabaseEntry *entry = find_entry(*state, MyDatabaseId)) {
        entry->key_used = true;
    }
}

} // namespace billstack::pg

// SQL on intent and intent_count: writes to Stripe, and how often the same was asked for.
#pragma once
#include "pg/bridge/spi.hpp"
#include "pg/worker/requests.hpp"

namespace billstack::pg {

// The caller's side, in the caller's transaction; acts as the extension's owner. Counts one more
// use of these arguments, which stands when the transaction commits; waits for another session that
// does the same. Returns the uses, this one included. Raises 40001 as any update does.
std::int64_t count_use(const stripe::IntentDigest &digest);

// --- the worker's side: needs an open transaction and SpiSession, as the extension's owner

struct IntentRow {
    std::int64_t id = 0;
    bool is_new = true;
    stripe::IntentState state = stripe::IntentState::sent;
    std::string object_id; // "": not known
    std::string account;   // "acct_x/live"; "": not known
    std::int32_t round = 0;
    std::string digest;
    std::string operation;       // that the key was first used for
    std::int64_t created_at = 0; // unix seconds
    std::int64_t last_sent_at = 0;
    std::int64_t age_s = 0; // since it was first sent with the key of this round
};

// Makes the row, state sent, or locks the one that is there; that one belongs to the integration
// from then on.
IntentRow note_intent(const RequestIntent &intent, const std::string &key,
                      const stripe::Call &call);
// It is about to be sent once more, in this round, to call.account. Stays done only in the same
// round.
void note_sent_again(std::int64_t id, std::int32_t round, const stripe::Call &call);
// call.account if it is an account's, not a key's; "": that is not known.
std::string known_account(const std::string &rate_account);

struct IntentOutcome {
    std::int64_t id = 0;
    std::optional<stripe::IntentState> state; // nullopt: as it is, the outcome is still not known
    std::string object_id;                    // "": as it is
    std::string request_id;
    int http_status = 0;
    std::string error;
};
void store_outcome(const IntentOutcome &outcome);

// One whose outcome is not known for a while.
struct OpenIntent {
    std::int64_t id = 0;
    std::int32_t integration_id = 0;
    std::string key;
    std::string kind;
    bool creates = false;
    std::string object_id;
    std::int64_t created_at = 0; // unix seconds
    TimestampTz last_sent_at = 0;
    std::string account; // "": not known
};
// What is not to be looked at now.
struct IntentsLeftOut {
    std::vector<std::int32_t> integrations;
    std::vector<std::pair<std::int32_t, std::string>> kinds; // of an integration
    std::vector<std::int64_t> rows;
};
// Those sent last so long ago, oldest first.
std::vector<OpenIntent> load_open_intents(core::Milliseconds age, int limit,
                                          const IntentsLeftOut &left_out);
// When the oldest of them was sent last, whatever its age.
std::optional<TimestampTz> oldest_open_intent(const IntentsLeftOut &left_out);
// Unless it was sent again meanwhile.
void settle_intent(const OpenIntent &intent, stripe::IntentState state,
                   const std::string &object_id, const std::string &error);
// Some rows and counts that are over; returns how many.
std::int64_t purge_intents();

} // namespace billstack::pg

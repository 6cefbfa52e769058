// The identity of a write to Stripe: what makes two calls the same, and the idempotency key that
// follows from it. Pure; the rows are in src/pg/calls/intent_store.hpp.
#pragma once
#include "core/pure.hpp"
#include "stripe/caller.hpp"
#include "stripe/form.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace billstack::stripe {

// The member of "metadata" that says which write made an object.
inline constexpr std::string_view intent_param = "metadata[billstack_intent]";
inline constexpr std::string_view intent_path = "metadata.billstack_intent";

using IntentDigest = std::array<unsigned char, 32>;

// Of the texts in this order, each with its length, so that no two lists have the same bytes.
IntentDigest digest_of(const std::vector<std::string_view> &texts);

// What a key stands for: method, path and parameters in any order, without intent_param.
IntentDigest request_digest(std::string_view method, std::string_view path, const Params &params);

// The Idempotency-Key of the round-th attempt to have the write made (0: the first). A new round
// has a new key, because what Stripe has stored for the old one is of no use any more.
std::string round_key(const std::string &key, std::int32_t round);

// What is known of a write (docs/architecture.md, "A write to Stripe").
enum class IntentState {
    sent,    // the outcome is not known
    done,    // Stripe has carried it out
    refused, // Stripe has said no
    nothing, // looked for and not found: it never came about
    unknown  // a change whose answer was lost, and that no object tells of
};
std::string_view intent_state_name(IntentState state);
IntentState intent_state_of(std::string_view name); // sent for a name that is none

// Stripe forgets a key once it is a day old; an hour is left for clocks and for the way there.
inline constexpr std::int64_t key_lifetime_s = 23 * 3600;

// A write that has been asked for before, asked for again.
struct KnownIntent {
    IntentState state = IntentState::sent;
    bool creates = false;
    bool object_known = false;
    bool readable = false;   // one object of the kind can be read by its id
    bool searchable = false; // the kind has a list by creation time
    std::int64_t age_s = 0;  // since it was first sent with the present key
    bool replaces = false;   // a change that is wanted now, whatever has come in between
};

enum class IntentStep {
    send_again, // with the same key: Stripe repeats its answer, or does it now
    send_anew,  // with another key: nothing can come of the old one any more
    read,       // the object is known
    search      // it may be there
};
IntentStep next_step(const KnownIntent &intent);

// What an answer says of the write. unresolved: an earlier attempt with this key may have had its
// effect.
enum class IntentVerdict {
    done,
    refused,  // for certain: nothing came of it
    open,     // not known; the same key tells later
    key_spent // not known, and the same key will never tell: Stripe repeats an error it has stored
};
IntentVerdict judge(const CallResult &result, bool unresolved);

} // namespace billstack::stripe

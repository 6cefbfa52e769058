#include "stripe/intent.hpp"

#include "crypto/sha256.hpp"

#include <algorithm>

namespace billstack::stripe {

IntentDigest digest_of(const std::vector<std::string_view> &texts) {
    std::string bytes;
    for (std::string_view text : texts) {
        bytes += std::to_string(text.size());
        bytes += ':';
        bytes += text;
    }
    return crypto::sha256(bytes);
}

IntentDigest request_digest(std::string_view method, std::string_view path, const Params &params) {
    std::vector<std::pair<std::string_view, std::string_view>> sorted;
    for (const auto &[name, value] : params) {
        if (name != intent_param) {
            sorted.emplace_back(name, value);
        }
    }
    // Of a name that is there several times (a list) the order counts.
    std::stable_sort(sorted.begin(), sorted.end(),
                     [](const auto &a, const auto &b) { return a.first < b.first; });
    std::vector<std::string_view> texts{method, path};
    for (const auto &[name, value] : sorted) {
        texts.push_back(name);
        texts.push_back(value);
    }
    return digest_of(texts);
}

std::string round_key(const std::string &key, std::int32_t round) {
    return round == 0 ? key : key + "-" + std::to_string(round);
}

std::string_view intent_state_name(IntentState state) {
    switch (state) {
    case IntentState::sent:
        return "sent";
    case IntentState::done:
        return "done";
    case IntentState::refused:
        return "refused";
    case IntentState::nothing:
        return "nothing";
    case IntentState::unknown:
        return "unknown";
    }
    return "sent";
}

IntentState intent_state_of(std::string_view name) {
    for (IntentState state :
         {IntentState::done, IntentState::refused, IntentState::nothing, IntentState::unknown})
        if (intent_state_name(state) == name)
            return state;
    return IntentState::sent;
}

IntentStep next_step(const KnownIntent &intent) {
    // Stripe's repeated answer would leave what another call has changed since. Parameters are
    // absolute: made twice a change is the same.
    if (intent.replaces)
        return IntentStep::send_anew;
    const bool key_lives = intent.age_s < key_lifetime_s;
    if (intent.state == IntentState::done && !key_lives) {
        // Sending a change again would undo what came after it.
        return intent.object_known && intent.readable ? IntentStep::read : IntentStep::send_anew;
    }
    if (intent.state == IntentState::refused)
        return IntentStep::send_anew; // Stripe would repeat its refusal for a day
    if (key_lives)
        return IntentStep::send_again;
    // A change has absolute parameters: made twice it is the same.
    return intent.creates && intent.searchable ? IntentStep::search : IntentStep::send_anew;
}

IntentVerdict judge(const CallResult &result, bool unresolved) {
    switch (result.status) {
    case CallStatus::ok:
        return IntentVerdict::done;
    case CallStatus::key_rejected:
    case CallStatus::forbidden:
        // Says something of the API key only: an earlier attempt may have had another.
        return unresolved ? IntentVerdict::open : IntentVerdict::refused;
    case CallStatus::refused:
        return result.error.type == "idempotency_error" ? IntentVerdict::key_spent
                                                        : IntentVerdict::refused;
    case CallStatus::unreachable:
        return result.replayed ? IntentVerdict::key_spent : IntentVerdict::open;
    case CallStatus::rate_limited:
    case CallStatus::bad_answer:
        break;
    }
    return IntentVerdict::open;
}

} // namespace billstack::stripe

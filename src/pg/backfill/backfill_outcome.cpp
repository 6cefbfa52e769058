#include "pg/backfill/backfill_outcome.hpp"

namespace billstack::pg {

namespace {

constexpr const char *again = "Repeat the backfill then: what is copied stays.";

std::string state_text(core::Code code) {
    int sqlstate = sqlstate_of(code);
    return unpack_sql_state(sqlstate); // reads memory only
}

} // namespace

Trouble trouble_of(core::Code code, const std::string &written_state, bool failed) {
    using core::Code;
    if (written_state == "57014") {
        return {written_state, std::string("Let the triggers on the mirror's table do less: what "
                                           "takes time belongs in a queue of their own. ") +
                                   again};
    }
    if (!written_state.empty()) {
        return {written_state, std::string("Mend what refuses the rows: a trigger, a constraint, "
                                           "rights of the mirror's owner, the disk. ") +
                                   again};
    }
    switch (code) {
    case Code::not_allowed:
        return {state_text(Code::stripe_refused),
                std::string("Allow the key to read it, at Stripe under Developers, API keys, or "
                            "leave the kind out of \"objects\". ") +
                    again};
    case Code::stripe_key_rejected:
        return {state_text(code),
                std::string("Store a valid key with billstack.rotate_keys(). ") + again};
    case Code::stripe_rate_limited:
    case Code::stripe_unreachable:
        if (failed) {
            return {state_text(code), std::string("Look at what answers in Stripe's place: a "
                                                  "proxy, billstack.api_base. ") +
                                          again};
        }
        return {state_text(code), "It is tried again without being asked."};
    case Code::stripe_refused:
        return {state_text(code),
                std::string("Look up the request at Stripe under Developers, Logs. ") + again};
    default:
        return {state_text(code), again};
    }
}

RunTrouble outcome_of(const std::vector<RangeFailure> &failures,
                      const std::optional<core::Error> &fatal) {
    if (fatal) {
        Trouble trouble = trouble_of(fatal->code, "", true);
        return {fatal->message, trouble.sqlstate, fatal->hint.empty() ? trouble.hint : fatal->hint};
    }
    RunTrouble run{"", state_text(core::Code::internal), again};
    std::set<std::string> named;
    for (const RangeFailure &failure : failures) {
        if (named.empty() && !failure.sqlstate.empty()) {
            run.sqlstate = failure.sqlstate;
            run.hint = failure.hint;
        }
        if (named.insert(failure.object).second) {
            run.error += (run.error.empty() ? "" : "; ") + failure.object + ": " + failure.error;
        }
    }
    if (run.error.empty()) {
        run.error = "backfill failed";
    }
    return run;
}

std::string with_hint(const std::string &error, const std::string &hint) {
    return hint.empty() ? error : error + ". " + hint;
}

} // namespace billstack::pg

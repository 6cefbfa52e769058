// How trouble of a backfill is told: SQLSTATE and the act for what stops a range, and what a run
// that has ended says of itself. No SQL, no I/O.
#pragma once
#include "pg/bridge/error.hpp"

namespace billstack::pg {

// Beside the words of a range's error.
struct Trouble {
    std::string sqlstate; // "" while it only waits for itself
    std::string hint;     // the act
};

// Of a walker that has failed or waits. written_state: the SQLSTATE of a failed write, "" when the
// failure is Stripe's.
Trouble trouble_of(core::Code code, const std::string &written_state, bool failed);

// A range that failed, as the table has it.
struct RangeFailure {
    std::string object;
    std::string error;
    std::string sqlstate;
    std::string hint;
};

struct RunTrouble {
    std::string error; // the kinds, each with its reason and request id
    std::string sqlstate;
    std::string hint;
};

// Of a run that fails: for fatal, or for its ranges in the order given. A kind that fails in
// several ranges is named once.
RunTrouble outcome_of(const std::vector<RangeFailure> &failures,
                      const std::optional<core::Error> &fatal);

// One line with the act in it, for status().
std::string with_hint(const std::string &error, const std::string &hint);

} // namespace billstack::pg

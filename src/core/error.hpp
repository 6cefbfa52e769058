// The one error type of the pure part. pg/error.cpp maps each Code to its SQLSTATE.
#pragma once
#include "core/pure.hpp"

#include <exception>
#include <string>
#include <utility>

namespace billstack::core {

// One enumerator per SQLSTATE a user can meet; names say the situation, not the number.
enum class Code {
    bad_argument,         // 22023
    bad_credential,       // 28000
    not_allowed,          // 42501
    unknown_object,       // 42704
    exists_already,       // 42710
    in_use,               // 55006
    not_ready,            // 55000
    cap_reached,          // 53400
    in_transaction_block, // 25001
    in_recovery,          // 25006
    dependents_exist,     // 2BP01
    lock_not_available,   // 55P03
    changed_meanwhile,    // 40001: another session wrote first; doing it again succeeds
    key_ring,             // F0000: the key-ring file is missing, unsafe or lacks a root key
    data_corrupted,       // XX001: a sealed value does not open
    stripe_refused,       // BS400
    stripe_key_rejected,  // BS401
    stripe_rate_limited,  // BS429
    stripe_unreachable,   // BS503
    out_of_memory,        // 53200
    internal              // XX000
};

// message: lower case, no full stop; detail: the rule; hint: the act. Never holds a secret.
struct Error : std::exception {
    Error(Code error_code, std::string error_message, std::string error_detail = {},
          std::string error_hint = {})
        : code(error_code), message(std::move(error_message)), detail(std::move(error_detail)),
          hint(std::move(error_hint)) {}
    const char *what() const noexcept override { return message.c_str(); }

    Code code;
    std::string message;
    std::string detail;
    std::string hint;
};

} // namespace billstack::core

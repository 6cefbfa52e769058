// Code -> SQLSTATE, and the one place of the library that raises an error of its own.
#pragma once
#include "pg/bridge/server.hpp"

namespace billstack::pg {

int sqlstate_of(core::Code code);

// An error with an SQLSTATE that was met elsewhere, such as what ended a backfill.
struct StateError final : core::Error {
    StateError(int state, std::string message, std::string detail, std::string hint)
        : core::Error(core::Code::internal, std::move(message), std::move(detail), std::move(hint)),
          sqlstate(state) {}
    int sqlstate;
};

// An error on its way to ereport: fixed buffers, trivially destructible, longer texts are cut at a
// character's border.
struct Report {
    int sqlstate;
    char message[512];
    char detail[1024];
    char hint[512];

    void fill(const core::Error &error) noexcept;
    void fill_out_of_memory() noexcept;
    void fill_internal(const char *what) noexcept;
};

// Raises at ERROR. Only guard.cpp calls it, outside every catch block.
[[noreturn]] void raise_report(const Report &report);

} // namespace billstack::pg

// Writing where a unique index may object.
#pragma once
#include "pg/access/internal_access.hpp"
#include "pg/bridge/spi.hpp"

namespace billstack::pg {

// Runs the statement as the extension's owner; throws `taken` instead of a unique violation, with
// the statement undone.
inline void run_unique(Statement &statement, std::initializer_list<Param> params,
                       const core::Error &taken) {
    try {
        Subtransaction sub;
        {
            InternalAccess access;
            (void)statement.run(params);
        }
        sub.commit();
        return;
    } catch (const PgError &error) {
        if (error.sqlstate() != ERRCODE_UNIQUE_VIOLATION) {
            throw;
        }
    }
    throw taken;
}

} // namespace billstack::pg

// Rows of the mirror without SQL: into the heap and its indexes directly, as COPY does, and looked
// up by id directly. Only for tables that are as sync has made them (mirror_table.hpp); else the
// caller runs its statement. Act as the current user, inside a transaction.
#pragma once
#include "pg/bridge/spi.hpp"

namespace billstack::pg {

// Rows whose origins say that they are not stored (replaces == 0). False, with nothing written: the
// table is not as made, or another session has stored one of the ids, or one that a unique index of
// the user's takes for the same. Other errors are thrown as the statement would.
bool insert_directly(const std::string &schema, const sync::RowBatch &batch);

// Fills states, one an id, seen_at left out. False: the table is not as made.
bool look_up_directly(const std::string &schema, const stripe::Kind &kind,
                      const std::vector<std::string_view> &ids,
                      std::vector<sync::StoredState> &states);

} // namespace billstack::pg

// SQL on read_count: what was read from Stripe, by account and day. Acts as the extension's owner
// and opens SPI itself; a transaction must be open.
#pragma once
#include "pg/worker/rate_gate_shared.hpp"

namespace billstack::pg {

// Adds to today's, and lets go what is older than two months.
void store_read_counts(const std::vector<ReadCount> &counts);
// Of the last 30 days, today included.
std::int64_t stored_reads(const std::string &account);

} // namespace billstack::pg

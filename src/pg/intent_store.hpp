// SQL on intent and intent_count: writes to Stripe, and how often the same was asked for.
#pragma once
#include "pg/spi.hpp"

namespace billstack::pg {

// The caller's side, in the caller's transaction; acts as the extension's owner. Counts one more
// use of these arguments, which stands when the transaction commits; waits for another session that
// does the same. Returns the uses, this one included. Raises 40001 as any update does.
std::int64_t count_use(const stripe::IntentDigest &digest);

} // namespace billstack::pg

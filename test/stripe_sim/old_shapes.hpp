// Subscriptions and invoices as API versions before 2025-03-31.basil have them.
#pragma once

#include "store.hpp"

namespace stripe_sim {

/// The document as the store's event version shows it; the same one when that changes nothing.
Json shape_for_version(Store &store, Kind kind, Json doc);

} // namespace stripe_sim

#include "pg/intent_store.hpp"

#include "pg/internal_access.hpp"

namespace billstack::pg {

namespace {

constinit Statement upsert_count{R"(
INSERT INTO billstack_internal.intent_count AS c (digest, uses, used_at)
VALUES ($1, 1, clock_timestamp())
ON CONFLICT (digest) DO UPDATE SET uses = c.uses + 1, used_at = excluded.used_at
RETURNING uses)"};

std::string_view bytes_view(const stripe::IntentDigest &digest) {
    return {reinterpret_cast<const char *>(digest.data()), digest.size()};
}

} // namespace

std::int64_t count_use(const stripe::IntentDigest &digest) {
    InternalAccess access;
    return upsert_count.run({param_bytes(bytes_view(digest))}).int64(0, 1);
}

} // namespace billstack::pg

// Server values <-> C++ values. Everything that may detoast or allocate goes through call().
#pragma once
#include "pg/bridge/guard.hpp"

namespace billstack::pg {

// Unix time of PostgreSQL's epoch, 2000-01-01, in seconds.
inline constexpr std::int64_t postgres_epoch = 946684800;

inline TimestampTz timestamp_from_unix(std::int64_t seconds) {
    return (seconds - postgres_epoch) * USECS_PER_SEC;
}
inline TimestampTz timestamp_from_unix_us(std::int64_t us) {
    return us - postgres_epoch * USECS_PER_SEC;
}
inline std::int64_t unix_us_from_timestamp(TimestampTz at) {
    return at + postgres_epoch * USECS_PER_SEC;
}
// False for unix seconds that timestamptz cannot hold: they become NULL in the mirror.
bool fits_timestamp(std::int64_t unix_seconds);

// palloc'ed in the current context; text must be valid in the server encoding (UTF-8).
Datum text_datum(std::string_view text);
Datum bytes_datum(std::string_view bytes);
Datum jsonb_datum(const std::string &json_text);
Datum text_array_datum(const std::vector<std::string> &items);
std::string text_of(Datum text);
std::string bytes_of(Datum bytea);
std::vector<std::string> text_array_of(Datum text_array); // NULL elements: Error(bad_argument)

// The arguments of a SQL function. Positions count from 0; `name` is for the error message. A NULL
// where a value is required is Error(bad_argument), as sql-api.md asks.
class Args {
  public:
    explicit Args(FunctionCallInfo fcinfo) : fcinfo_(fcinfo) {}
    bool is_null(int position) const { return PG_ARGISNULL_AT(position); }
    std::string text(int position, const char *name) const;
    Datum value(int position, const char *name) const { return required(position, name); }
    std::optional<std::string> optional_text(int position) const;
    // The secret is copied out of the datum; a detoasted copy of our own is wiped.
    core::SecretBytes secret(int position, const char *name) const;
    std::optional<core::SecretBytes> optional_secret(int position) const;
    bool boolean(int position, const char *name) const;
    std::int32_t integer(int position, const char *name) const;
    Oid oid(int position, const char *name) const;
    std::optional<std::vector<std::string>> optional_text_array(int position) const;
    std::optional<TimestampTz> optional_timestamp(int position) const;
    std::optional<std::string> optional_jsonb_text(int position) const;
    FunctionCallInfo info() const { return fcinfo_; }
    Datum null() {
        fcinfo_->isnull = true;
        return static_cast<Datum>(0);
    }

  private:
    bool PG_ARGISNULL_AT(int position) const { return fcinfo_->args[position].isnull; }
    Datum required(int position, const char *name) const;
    FunctionCallInfo fcinfo_;
};

inline Datum return_jsonb(const json::Node &node) {
    return jsonb_datum(node.dump());
}

} // namespace billstack::pg

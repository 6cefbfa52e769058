// Statements through SPI: prepared on first use and kept for the life of the process. Needs an open
// SpiSession. The texts live in the stores (src/pg/*_store.cpp); nothing else writes SQL.
#pragma once
#include "pg/bridge/datum.hpp"

namespace billstack::pg {

struct Param {
    Oid type;
    Datum value;
    bool is_null;
};

Param param(std::string_view text);
Param param(const char *text);
Param param(const std::string &text);
Param param(const std::optional<std::string> &text);
Param param(bool value);
Param param(std::int32_t value);
Param param(std::int64_t value);
Param param(std::optional<std::int64_t> value);
Param param_oid(Oid value);
Param param_time(TimestampTz value);
Param param_time(std::optional<TimestampTz> value);
Param param_bytes(std::string_view bytes);
Param param_jsonb(const std::string &json_text);
Param param_text_array(const std::vector<std::string> &items);
Param param_text_array(const std::vector<std::optional<std::string>> &items);
// Of values of that type; nulls has as many entries, true where there is none.
Param param_array(Oid element, std::vector<Datum> &values, bool *nulls);
Param param_optional_array(const std::optional<std::vector<std::string>> &items);

// The rows of one execution; valid until the SpiSession ends.
class Rows {
  public:
    Rows(SPITupleTable *table, std::uint64_t count) : table_(table), count_(count) {}
    std::uint64_t size() const { return count_; } // rows returned, or touched by a plain INSERT...
    bool empty() const { return count_ == 0; }
    bool is_null(std::uint64_t row, int column) const;     // columns count from 1
    std::string text(std::uint64_t row, int column) const; // "" for NULL
    std::optional<std::string> optional_text(std::uint64_t row, int column) const;
    std::string bytes(std::uint64_t row, int column) const;
    std::int32_t int32(std::uint64_t row, int column) const; // 0 for NULL
    std::int64_t int64(std::uint64_t row, int column) const;
    std::optional<std::int64_t> optional_int64(std::uint64_t row, int column) const;
    bool boolean(std::uint64_t row, int column) const;
    Oid oid(std::uint64_t row, int column) const;
    std::optional<TimestampTz> time(std::uint64_t row, int column) const;
    std::vector<std::string> text_array(std::uint64_t row, int column) const; // {} for NULL
    Datum value(std::uint64_t row, int column, bool &is_null) const;

  private:
    SPITupleTable *table_;
    std::uint64_t count_;
};

// One text, one plan. Define as `static constinit Statement name{"..."}`: it must have no
// destructor to run at exit. The parameter types are taken from the first execution.
struct Statement {
    const char *sql;
    SPIPlanPtr plan = nullptr;
    int options = 0; // CURSOR_OPT_GENERIC_PLAN: never planned anew for its parameters

    std::uint64_t runs = 0; // of run_renewed()

    Rows run(std::initializer_list<Param> params = {}, bool read_only = false);
    // With renew_plan(). Not for what may run itself again while it runs.
    Rows run_renewed(std::initializer_list<Param> params);
};

// Throws the plan away at the 2nd, 4th, 8th ... run: one that was made while the tables were small
// looks through all of an integration's rows for one, and without statistics it is made for good.
void renew_plan(SPIPlanPtr &plan, std::uint64_t &runs);

// For texts made at run time (DDL, statements of one mirror); not kept.
Rows run_once(const std::string &sql, const std::vector<Param> &params = {},
              bool read_only = false);

// A kept plan for a text made at run time; free with SPI_freeplan through call().
SPIPlanPtr keep_plan(const std::string &sql, const std::vector<Oid> &types);
Rows run_plan(SPIPlanPtr plan, const std::vector<Param> &params, bool read_only = false);

} // namespace billstack::pg

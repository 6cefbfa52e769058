#include "pg/bridge/spi.hpp"

#include <bit>

namespace billstack::pg {

Param param(std::string_view text) {
    return {TEXTOID, text_datum(text), false};
}
Param param(const char *text) {
    return param(std::string_view(text));
}
Param param(const std::string &text) {
    return param(std::string_view(text));
}
Param param(const std::optional<std::string> &text) {
    return text ? param(std::string_view(*text)) : Param{TEXTOID, 0, true};
}
Param param(bool value) {
    return {BOOLOID, BoolGetDatum(value), false};
}
Param param(std::int32_t value) {
    return {INT4OID, Int32GetDatum(value), false};
}
Param param(std::int64_t value) {
    return {INT8OID, Int64GetDatum(value), false};
}
Param param(std::optional<std::int64_t> value) {
    return value ? param(*value) : Param{INT8OID, 0, true};
}
Param param_oid(Oid value) {
    return {OIDOID, ObjectIdGetDatum(value), false};
}
Param param_time(TimestampTz value) {
    return {TIMESTAMPTZOID, TimestampTzGetDatum(value), false};
}
Param param_time(std::optional<TimestampTz> value) {
    return value ? param_time(*value) : Param{TIMESTAMPTZOID, 0, true};
}
Param param_bytes(std::string_view bytes) {
    return {BYTEAOID, bytes_datum(bytes), false};
}
Param param_jsonb(const std::string &text) {
    return {JSONBOID, jsonb_datum(text), false};
}
Param param_text_array(const std::vector<std::string> &items) {
    return {TEXTARRAYOID, text_array_datum(items), false};
}
Param param_text_array(const std::vector<std::optional<std::string>> &items) {
    std::vector<Datum> values;
    auto nulls = std::make_unique<bool[]>(items.size());
    for (std::size_t i = 0; i < items.size(); ++i) {
        nulls[i] = !items[i];
        values.push_back(items[i] ? text_datum(*items[i]) : 0);
    }
    return param_array(TEXTOID, values, nulls.get());
}
Param param_array(Oid element, std::vector<Datum> &values, bool *nulls) {
    Datum *data = values.data();
    int count = static_cast<int>(values.size());
    Oid type = InvalidOid;
    Datum array = call([&] {
        std::int16_t length = 0;
        bool by_value = false;
        char alignment = 0;
        type = get_array_type(element);
        get_typlenbyvalalign(element, &length, &by_value, &alignment);
        int dimensions[1] = {count};
        int lower_bounds[1] = {1};
        return PointerGetDatum(construct_md_array(data, nulls, 1, dimensions, lower_bounds, element,
                                                  length, by_value, alignment));
    });
    return {type, array, false};
}
Param param_optional_array(const std::optional<std::vector<std::string>> &items) {
    return {TEXTARRAYOID, items ? text_array_datum(*items) : 0, !items};
}

namespace {

// Rows has members named int32 and int64, which would hide the types the server's macros cast to.
std::int32_t datum_int32(Datum datum) {
    return DatumGetInt32(datum);
}
std::int64_t datum_int64(Datum datum) {
    return DatumGetInt64(datum);
}
TimestampTz datum_time(Datum datum) {
    return DatumGetTimestampTz(datum);
}

} // namespace

Datum Rows::value(std::uint64_t row, int column, bool &is_null) const {
    return call(
        [&] { return SPI_getbinval(table_->vals[row], table_->tupdesc, column, &is_null); });
}

bool Rows::is_null(std::uint64_t row, int column) const {
    bool null = true;
    value(row, column, null);
    return null;
}

std::string Rows::text(std::uint64_t row, int column) const {
    return optional_text(row, column).value_or("");
}

std::optional<std::string> Rows::optional_text(std::uint64_t row, int column) const {
    bool null = true;
    Datum datum = value(row, column, null);
    if (null) {
        return std::nullopt;
    }
    if (TupleDescAttr(table_->tupdesc, column - 1)->atttypid == TEXTOID) {
        return text_of(datum); // without the output function and its look-ups
    }
    char *text = call([&] { return SPI_getvalue(table_->vals[row], table_->tupdesc, column); });
    std::string copy(text);
    call([&] { pfree(text); });
    return copy;
}

std::string Rows::bytes(std::uint64_t row, int column) const {
    bool null = true;
    Datum datum = value(row, column, null);
    return null ? std::string() : bytes_of(datum);
}

std::int32_t Rows::int32(std::uint64_t row, int column) const {
    bool null = true;
    Datum datum = value(row, column, null);
    return null ? 0 : datum_int32(datum);
}

std::int64_t Rows::int64(std::uint64_t row, int column) const {
    return optional_int64(row, column).value_or(0);
}

std::optional<std::int64_t> Rows::optional_int64(std::uint64_t row, int column) const {
    bool null = true;
    Datum datum = value(row, column, null);
    return null ? std::nullopt : std::optional<std::int64_t>(datum_int64(datum));
}

bool Rows::boolean(std::uint64_t row, int column) const {
    bool null = true;
    Datum datum = value(row, column, null);
    return !null && DatumGetBool(datum);
}

Oid Rows::oid(std::uint64_t row, int column) const {
    bool null = true;
    Datum datum = value(row, column, null);
    return null ? InvalidOid : DatumGetObjectId(datum);
}

std::optional<TimestampTz> Rows::time(std::uint64_t row, int column) const {
    bool null = true;
    Datum datum = value(row, column, null);
    return null ? std::nullopt : std::optional<TimestampTz>(datum_time(datum));
}

std::vector<std::string> Rows::text_array(std::uint64_t row, int column) const {
    bool null = true;
    Datum datum = value(row, column, null);
    return null ? std::vector<std::string>() : text_array_of(datum);
}

namespace {

struct Bound {
    std::vector<Datum> values;
    std::vector<char> nulls; // 'n' or ' ', as SPI wants it
};

template <class Params> Bound bind_values(const Params &params) {
    Bound bound;
    for (const Param &param : params) {
        bound.values.push_back(param.value);
        bound.nulls.push_back(param.is_null ? 'n' : ' ');
    }
    return bound;
}

Rows execute(SPIPlanPtr plan, Bound &bound, bool read_only) {
    Datum *values = bound.values.data();
    char *nulls = bound.nulls.data();
    int code = call([&] { return SPI_execute_plan(plan, values, nulls, read_only, 0); });
    if (code < 0) {
        throw core::Error(core::Code::internal, "statement could not be executed",
                          SPI_result_code_string(code));
    }
    return Rows(SPI_tuptable, SPI_processed);
}

template <class Params> std::vector<Oid> types_of(const Params &params) {
    std::vector<Oid> types;
    for (const Param &param : params) {
        types.push_back(param.type);
    }
    return types;
}

SPIPlanPtr prepare(const char *sql, std::vector<Oid> types, int options = 0) {
    Oid *data = types.data();
    int count = static_cast<int>(types.size());
    SPIPlanPtr plan = call([&] { return SPI_prepare_cursor(sql, count, data, options); });
    if (plan == nullptr) {
        throw core::Error(core::Code::internal, "statement could not be prepared",
                          SPI_result_code_string(SPI_result));
    }
    return plan;
}

} // namespace

Rows Statement::run(std::initializer_list<Param> params, bool read_only) {
    if (plan == nullptr) {
        SPIPlanPtr made = prepare(sql, types_of(params), options);
        call([&] { SPI_keepplan(made); });
        plan = made;
    }
    Bound bound = bind_values(params);
    return execute(plan, bound, read_only);
}

Rows Statement::run_renewed(std::initializer_list<Param> params) {
    renew_plan(plan, runs);
    return run(params);
}

void renew_plan(SPIPlanPtr &plan, std::uint64_t &runs) {
    if (plan != nullptr && std::has_single_bit(runs)) {
        SPIPlanPtr old = std::exchange(plan, nullptr);
        call([&] { SPI_freeplan(old); });
    }
    ++runs;
}

Rows run_once(const std::string &sql, const std::vector<Param> &params, bool read_only) {
    SPIPlanPtr plan = prepare(sql.c_str(), types_of(params));
    Bound bound = bind_values(params);
    Rows rows = execute(plan, bound, read_only);
    call([&] { SPI_freeplan(plan); });
    return rows;
}

SPIPlanPtr keep_plan(const std::string &sql, const std::vector<Oid> &types) {
    SPIPlanPtr plan = prepare(sql.c_str(), types);
    call([&] { SPI_keepplan(plan); });
    return plan;
}

Rows run_plan(SPIPlanPtr plan, const std::vector<Param> &params, bool read_only) {
    Bound bound = bind_values(params);
    return execute(plan, bound, read_only);
}

} // namespace billstack::pg

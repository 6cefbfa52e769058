#include "pg/mirror_store.hpp"

#include "pg/internal_access.hpp"

namespace billstack::pg {

namespace {

// An array type and how its elements are stored, as construct_md_array wants to know.
struct ElementType {
    Oid array;
    Oid element;
    std::int16_t length;
    bool by_value;
    char alignment;
};

constexpr ElementType text_type{TEXTARRAYOID, TEXTOID, -1, false, TYPALIGN_INT};
constexpr ElementType json_type{JSONARRAYOID, JSONOID, -1, false, TYPALIGN_INT};
constexpr ElementType bytea_type{BYTEAARRAYOID, BYTEAOID, -1, false, TYPALIGN_INT};
constexpr ElementType int8_type{INT8ARRAYOID, INT8OID, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE};
constexpr ElementType bool_type{BOOLARRAYOID, BOOLOID, 1, true, TYPALIGN_CHAR};
constexpr ElementType time_type{TIMESTAMPTZARRAYOID, TIMESTAMPTZOID, 8, FLOAT8PASSBYVAL,
                                TYPALIGN_DOUBLE};

// Must agree with sync::upsert_parameter_types().
const ElementType &type_of(stripe::ColumnType type) {
    switch (type) {
    case stripe::ColumnType::bigint:
        return int8_type;
    case stripe::ColumnType::boolean:
        return bool_type;
    case stripe::ColumnType::timestamp:
        return time_type;
    default:
        return text_type; // numeric and jsonb are cast in the statement
    }
}

Param array_param(const ElementType &type, std::vector<Datum> &values, bool *nulls) {
    Datum *data = values.data();
    int count = static_cast<int>(values.size());
    Datum array = call([&] {
        int dimensions[1] = {count};
        int lower_bounds[1] = {1};
        return PointerGetDatum(construct_md_array(data, nulls, 1, dimensions, lower_bounds,
                                                  type.element, type.length, type.by_value,
                                                  type.alignment));
    });
    return {type.array, array, false};
}

Param text_array(const std::vector<std::string_view> &items) {
    std::vector<Datum> values;
    values.reserve(items.size());
    for (std::string_view item : items) {
        values.push_back(text_datum(item));
    }
    return array_param(text_type, values, nullptr);
}

Datum value_datum(stripe::ColumnType type, const sync::Value &value) {
    switch (type) {
    case stripe::ColumnType::bigint:
        return Int64GetDatum(value.number);
    case stripe::ColumnType::boolean:
        return BoolGetDatum(value.number != 0);
    case stripe::ColumnType::timestamp:
        return TimestampTzGetDatum(timestamp_from_unix(value.number));
    default:
        return text_datum(value.text);
    }
}

Param column_param(const sync::RowBatch &batch, std::size_t column) {
    const std::size_t width = batch.kind->columns.size();
    const stripe::ColumnType type = batch.kind->columns[column].type;
    std::vector<Datum> values(batch.rows.size(), 0);
    auto nulls = std::make_unique<bool[]>(batch.rows.size());
    for (std::size_t row = 0; row < batch.rows.size(); ++row) {
        const sync::Value &value = batch.values[row * width + column];
        nulls[row] = value.is_null ||
                     (type == stripe::ColumnType::timestamp && !fits_timestamp(value.number));
        if (!nulls[row]) {
            values[row] = value_datum(type, value);
        }
    }
    return array_param(type_of(type), values, nulls.get());
}

const char *name_of(sync::Source source) {
    switch (source) {
    case sync::Source::backfill:
        return "backfill";
    case sync::Source::read:
        return "read";
    case sync::Source::event:
        return "event";
    case sync::Source::call:
        return "call";
    }
    return "";
}

std::vector<Oid> types_of(const std::vector<Param> &params) {
    std::vector<Oid> types;
    for (const Param &param : params) {
        types.push_back(param.type);
    }
    return types;
}

std::vector<Param> upsert_params(const sync::RowBatch &batch) {
    std::vector<Param> params;
    for (std::size_t column = 0; column < batch.kind->columns.size(); ++column) {
        params.push_back(column_param(batch, column));
    }
    std::vector<Datum> raw;
    std::vector<Datum> digests;
    for (const sync::Row &row : batch.rows) {
        raw.push_back(text_datum(row.raw)); // json is stored as text; the parser has checked it
        digests.push_back(
            bytes_datum({reinterpret_cast<const char *>(row.digest.data()), row.digest.size()}));
    }
    params.push_back(array_param(json_type, raw, nullptr));
    params.push_back(array_param(bytea_type, digests, nullptr));
    params.push_back(param_time(timestamp_from_unix(batch.as_of.start)));
    params.push_back(param_time(timestamp_from_unix(batch.as_of.end)));
    params.push_back(param(name_of(batch.source)));
    params.push_back(param(batch.api_version));
    return params;
}

} // namespace

SpiMirrorStore::~SpiMirrorStore() {
    for (auto &[key, plan] : plans_) {
        SPIPlanPtr kept = plan;
        try {
            call([&] { SPI_freeplan(kept); });
        } catch (...) { // a leak of one plan is better than the end of the worker
        }
    }
}

SPIPlanPtr SpiMirrorStore::plan(const std::string &key, const std::string &sql,
                                const std::vector<Oid> &types) {
    SPIPlanPtr &kept = plans_[key];
    if (kept == nullptr) {
        kept = keep_plan(sql, types);
    }
    return kept;
}

std::vector<sync::StoredState>
SpiMirrorStore::stored_states(const stripe::Kind &kind, const std::vector<std::string_view> &ids) {
    MemoryScope scope("billstack stored states");
    // A plan made while the table was empty would read all of it for every page ever after.
    LocalSetting by_index("enable_seqscan", "off");
    SPIPlanPtr statement = plan("states " + std::string(kind.table),
                                sync::stored_states_statement(schema_, kind), {TEXTARRAYOID});
    Rows rows = run_plan(statement, {text_array(ids)});
    std::vector<sync::StoredState> states(ids.size());
    std::map<std::string_view, std::size_t> position;
    for (std::size_t i = 0; i < ids.size(); ++i) {
        position.emplace(ids[i], i);
    }
    for (std::uint64_t row = 0; row < rows.size(); ++row) {
        auto found = position.find(rows.text(row, 1));
        if (found == position.end()) {
            continue;
        }
        sync::StoredState &state = states[found->second];
        state.exists = true;
        state.as_of.start = unix_us_from_timestamp(rows.time(row, 2).value_or(0)) / 1000000;
        state.as_of.end = unix_us_from_timestamp(rows.time(row, 3).value_or(0)) / 1000000;
        std::string digest = rows.bytes(row, 4);
        std::memcpy(state.digest.data(), digest.data(),
                    std::min(digest.size(), state.digest.size()));
        state.deleted = rows.boolean(row, 5);
        state.source = sync::source_of(rows.text(row, 6));
    }
    return states;
}

std::int64_t SpiMirrorStore::upsert(const sync::RowBatch &batch) {
    MemoryScope scope("billstack upsert");
    std::vector<Param> params = upsert_params(batch);
    SPIPlanPtr statement = plan("upsert " + std::string(batch.kind->table),
                                sync::upsert_statement(schema_, *batch.kind), types_of(params));
    return static_cast<std::int64_t>(run_plan(statement, params).size());
}

std::int64_t SpiMirrorStore::tombstone_missing(const stripe::ChildList &list,
                                               const std::vector<std::string_view> &parent_ids,
                                               const std::vector<std::string_view> &kept_ids,
                                               const sync::AsOf &as_of) {
    MemoryScope scope("billstack tombstones");
    std::vector<Param> params{text_array(parent_ids), text_array(kept_ids),
                              param_time(timestamp_from_unix(as_of.start)),
                              param_time(timestamp_from_unix(as_of.end))};
    SPIPlanPtr statement = plan("missing " + std::string(list.kind->table),
                                sync::tombstone_missing_statement(schema_, list), types_of(params));
    return static_cast<std::int64_t>(run_plan(statement, params).size());
}

} // namespace billstack::pg

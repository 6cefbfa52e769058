#include "pg/mirror/mirror_store.hpp"

#include "pg/access/access.hpp"
#include "pg/access/internal_access.hpp"
#include "pg/mirror/event_mark_store.hpp"
#include "pg/mirror/mirror_admin.hpp"
#include "pg/mirror/mirror_insert.hpp"
#include "pg/team/integration_store.hpp"

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

std::vector<Oid> types_of(const std::vector<Param> &params) {
    std::vector<Oid> types;
    for (const Param &param : params) {
        types.push_back(param.type);
    }
    return types;
}

// An array with one element a row, NULL where `value` gives none.
template <class Items, class Value>
Param mapped_array(const ElementType &type, const Items &items, Value value) {
    std::vector<Datum> values(items.size(), 0);
    auto nulls = std::make_unique<bool[]>(items.size());
    for (std::size_t i = 0; i < items.size(); ++i) {
        std::optional<Datum> datum = value(items[i]);
        nulls[i] = !datum;
        values[i] = datum.value_or(0);
    }
    return array_param(type, values, nulls.get());
}

Datum second_datum(std::int64_t second) {
    return TimestampTzGetDatum(timestamp_from_unix(second));
}

Param version_array(const std::vector<sync::RowOrigin> &origins) {
    return mapped_array(time_type, origins, [](const sync::RowOrigin &origin) {
        return origin.replaces == 0 ? std::nullopt
                                    : std::optional(TimestampTzGetDatum(origin.replaces));
    });
}

void add_origin_params(const std::vector<sync::RowOrigin> &origins, std::vector<Param> &params) {
    using sync::RowOrigin;
    params.push_back(mapped_array(time_type, origins, [](const RowOrigin &origin) {
        return std::optional(second_datum(origin.as_of.start));
    }));
    params.push_back(mapped_array(time_type, origins, [](const RowOrigin &origin) {
        return std::optional(second_datum(origin.as_of.end));
    }));
    params.push_back(mapped_array(time_type, origins, [](const RowOrigin &origin) {
        return origin.deleted ? std::optional(second_datum(origin.as_of.end)) : std::nullopt;
    }));
    params.push_back(mapped_array(text_type, origins, [](const RowOrigin &origin) {
        return origin.api_version.empty() ? std::nullopt
                                          : std::optional(text_datum(origin.api_version));
    }));
    params.push_back(version_array(origins));
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
    add_origin_params(batch.origins, params);
    params.push_back(param(sync::source_name(batch.source)));
    return params;
}

// A kind with a place of its own; children come with their parent and are never asked for alone.
bool may_have_marks(const stripe::Kind &kind) {
    return !kind.retrieve_path.empty();
}

void check_written(std::uint64_t written, std::size_t wanted) {
    if (written != wanted) {
        throw core::Error(core::Code::changed_meanwhile,
                          "another session has written the same objects");
    }
}

// A try that meets a stored row leaves dead rows behind: not after every few new ones.
constexpr std::size_t enough_to_expect_more = 50;

using Positions = std::map<std::string_view, std::size_t>;

Positions positions_of(const std::vector<std::string_view> &ids) {
    Positions positions;
    for (std::size_t i = 0; i < ids.size(); ++i) {
        positions.emplace(ids[i], i);
    }
    return positions;
}

bool is_absent(const sync::RowOrigin &origin) {
    return origin.replaces == 0;
}

std::size_t count_absent(const sync::RowBatch &batch) {
    return static_cast<std::size_t>(
        std::count_if(batch.origins.begin(), batch.origins.end(), is_absent));
}

// The rows that were absent, or the others; they point into the batch.
sync::RowBatch rows_of(const sync::RowBatch &batch, bool absent) {
    const std::size_t width = batch.kind->columns.size();
    sync::RowBatch part;
    part.kind = batch.kind;
    part.source = batch.source;
    for (std::size_t row = 0; row < batch.rows.size(); ++row) {
        if (is_absent(batch.origins[row]) == absent) {
            part.rows.push_back(batch.rows[row]);
            part.origins.push_back(batch.origins[row]);
            auto first = batch.values.begin() + static_cast<std::ptrdiff_t>(row * width);
            part.values.insert(part.values.end(), first,
                               first + static_cast<std::ptrdiff_t>(width));
        }
    }
    return part;
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

void SpiMirrorStore::select_states(const stripe::Kind &kind,
                                   const std::vector<std::string_view> &ids,
                                   std::vector<sync::StoredState> &states) {
    // A plan made while the table was empty would read all of it for every page ever after.
    LocalSetting by_index("enable_seqscan", "off");
    LocalSetting generic("plan_cache_mode", "force_generic_plan"); // planning takes longer
    SPIPlanPtr statement =
        plan("states " + std::string(kind.table),
             sync::stored_states_statement(target_.schema_name, kind), {TEXTARRAYOID});
    Rows rows = run_plan(statement, {text_array(ids)});
    Positions position = positions_of(ids);
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
        state.version = rows.time(row, 7).value_or(0);
    }
}

std::vector<sync::StoredState>
SpiMirrorStore::stored_states(const stripe::Kind &kind, const std::vector<std::string_view> &ids) {
    MemoryScope scope("billstack stored states");
    note(kind);
    std::vector<sync::StoredState> states(ids.size());
    if (!look_up_directly(target_.schema_name, kind, ids, states)) {
        select_states(kind, ids, states);
    }
    bool any = std::any_of(states.begin(), states.end(),
                           [](const sync::StoredState &state) { return state.exists; });
    if (any) {
        expected_absent_.erase(&kind);
    }
    if (any && may_have_marks(kind)) {
        Positions position = positions_of(ids);
        for (const EventMark &mark : load_event_marks(target_.integration_id, kind.name, ids)) {
            if (auto found = position.find(mark.object_id); found != position.end()) {
                states[found->second].seen_at = mark.second;
            }
        }
    }
    return states;
}

std::string SpiMirrorStore::stored_raw(const stripe::Kind &kind, std::string_view id) {
    MemoryScope scope("billstack stored bytes");
    LocalSetting by_index("enable_seqscan", "off");
    SPIPlanPtr statement = plan("raw " + std::string(kind.table),
                                sync::stored_raw_statement(target_.schema_name, kind), {TEXTOID});
    Rows rows = run_plan(statement, {param(id)});
    return rows.empty() ? std::string() : rows.text(0, 1);
}

std::int64_t SpiMirrorStore::upsert(const sync::RowBatch &batch) {
    note(*batch.kind);
    auto written = static_cast<std::int64_t>(batch.rows.size());
    std::size_t absent = count_absent(batch);
    if (absent == 0) {
        run_upsert(batch);
    } else if (absent == batch.rows.size()) {
        insert(batch);
    } else {
        insert(rows_of(batch, true));
        expected_absent_.erase(batch.kind);
        run_upsert(rows_of(batch, false));
    }
    return written;
}

bool SpiMirrorStore::insert_absent(const sync::RowBatch &batch) {
    note(*batch.kind);
    if (insert_directly(target_.schema_name, batch)) {
        return true;
    }
    expected_absent_.erase(batch.kind);
    return false;
}

void SpiMirrorStore::insert(const sync::RowBatch &batch) {
    if (!insert_directly(target_.schema_name, batch)) {
        run_upsert(batch);
    } else if (batch.rows.size() >= enough_to_expect_more) {
        expected_absent_.insert(batch.kind);
    }
}

void SpiMirrorStore::run_upsert(const sync::RowBatch &batch) {
    MemoryScope scope("billstack upsert");
    LocalSetting generic("plan_cache_mode", "force_generic_plan");
    std::vector<Param> params = upsert_params(batch);
    SPIPlanPtr statement =
        plan("upsert " + std::string(batch.kind->table),
             sync::upsert_statement(target_.schema_name, *batch.kind), types_of(params));
    check_written(run_plan(statement, params).size(), batch.rows.size());
}

std::int64_t SpiMirrorStore::mark_deleted(const stripe::Kind &kind, sync::Source source,
                                          const std::vector<sync::Deletion> &deletions) {
    MemoryScope scope("billstack deletions");
    note(kind);
    LocalSetting by_index("enable_seqscan", "off");
    std::vector<std::string_view> ids;
    std::vector<sync::RowOrigin> origins;
    for (const sync::Deletion &deletion : deletions) {
        ids.push_back(deletion.id);
        origins.push_back(deletion.origin);
    }
    std::vector<Param> windows;
    add_origin_params(origins, windows);
    std::vector<Param> params{text_array(ids), windows[0], windows[1], windows[4],
                              param(sync::source_name(source))};
    SPIPlanPtr statement =
        plan("delete " + std::string(kind.table),
             sync::mark_deleted_statement(target_.schema_name, kind), types_of(params));
    std::uint64_t written = run_plan(statement, params).size();
    check_written(written, deletions.size());
    return static_cast<std::int64_t>(written);
}

std::int64_t SpiMirrorStore::tombstone_missing(const stripe::ChildList &list, sync::Source source,
                                               const std::vector<sync::CompleteList> &parents,
                                               const std::vector<std::string_view> &kept_ids) {
    MemoryScope scope("billstack tombstones");
    note(*list.kind);
    LocalSetting by_index("enable_seqscan", "off");
    std::vector<std::string_view> ids;
    for (const sync::CompleteList &parent : parents) {
        ids.push_back(parent.parent_id);
    }
    std::vector<Param> params{text_array(ids),
                              mapped_array(time_type, parents,
                                           [](const sync::CompleteList &parent) {
                                               return std::optional(
                                                   second_datum(parent.as_of.start));
                                           }),
                              mapped_array(time_type, parents,
                                           [](const sync::CompleteList &parent) {
                                               return std::optional(second_datum(parent.as_of.end));
                                           }),
                              text_array(kept_ids), param(sync::source_name(source))};
    SPIPlanPtr statement =
        plan("missing " + std::string(list.kind->table),
             sync::tombstone_missing_statement(target_.schema_name, list), types_of(params));
    return static_cast<std::int64_t>(run_plan(statement, params).size());
}

std::vector<sync::MissingChild>
SpiMirrorStore::missing_children(const stripe::ChildList &list,
                                 const std::vector<sync::CompleteList> &parents,
                                 const std::vector<std::string_view> &kept_ids, std::int64_t most) {
    MemoryScope scope("billstack missing children");
    LocalSetting by_index("enable_seqscan", "off");
    std::vector<std::string_view> ids;
    for (const sync::CompleteList &parent : parents) {
        ids.push_back(parent.parent_id);
    }
    std::vector<Param> params{text_array(ids),
                              mapped_array(time_type, parents,
                                           [](const sync::CompleteList &parent) {
                                               return std::optional(second_datum(parent.as_of.end));
                                           }),
                              text_array(kept_ids), param(most)};
    SPIPlanPtr statement =
        plan("children " + std::string(list.kind->table),
             sync::missing_children_statement(target_.schema_name, list), types_of(params));
    Rows rows = run_plan(statement, params);
    std::vector<sync::MissingChild> children;
    for (std::uint64_t row = 0; row < rows.size(); ++row) {
        children.push_back({rows.text(row, 1), rows.text(row, 2)});
    }
    return children;
}

std::vector<sync::SeenAgain>
SpiMirrorStore::lists_read(const stripe::Kind &kind, const std::vector<std::string_view> &parents) {
    Positions position = positions_of(parents);
    std::vector<sync::SeenAgain> lists;
    for (const EventMark &mark : load_event_marks(target_.integration_id, kind.name, parents)) {
        if (auto found = position.find(mark.object_id); found != position.end()) {
            lists.push_back({found->first, mark.second});
        }
    }
    return lists;
}

void SpiMirrorStore::remember_seen(const stripe::Kind &kind,
                                   const std::vector<sync::SeenAgain> &seen) {
    std::vector<EventMark> marks;
    for (const sync::SeenAgain &each : seen) {
        marks.push_back({std::string(each.id), each.second});
    }
    store_event_marks(target_.integration_id, kind.name, marks);
}

void SpiMirrorStore::request_refetches(const std::vector<sync::RefetchRequest> &requests) {
    pg::request_refetches(target_.integration_id, requests);
    refetches_asked_ = true;
}

// Asked seldom: another session may have made it since.
bool SpiMirrorStore::has_table(const stripe::Kind &kind) {
    if (!tables_.contains(kind.name)) {
        for (const MirrorTable &table : mirror_tables_of(target_.integration_id)) {
            tables_.insert(table.kind);
        }
    }
    return tables_.contains(kind.name);
}

void SpiMirrorStore::ensure_table(const stripe::Kind &kind) {
    if (tables_.contains(kind.name)) {
        return;
    }
    if (tables_.empty()) {
        for (const MirrorTable &table : mirror_tables_of(target_.integration_id)) {
            tables_.insert(table.kind);
        }
    }
    if (tables_.contains(kind.name)) {
        return;
    }
    for (const Integration &integration : load_integrations(target_.team, target_.integration)) {
        (void)add_mirror_kinds(integration, {&kind}, "1s");
    }
    apply_access_to_schema(target_.team, target_.schema_name);
    tables_.clear();
    tables_.insert(std::string(kind.name));
}

} // namespace billstack::pg

// What the drain is held against: a loop over the same deliveries that writes each object and each
// of its children by a prepared INSERT ... ON CONFLICT (id) DO UPDATE, one connection, 100 events a
// commit, into tables of the mirror's columns and indexes. The columns are read by the project's
// own parser, in the loop: as fast as it goes, so that what is compared is the way into the tables.
// It keeps no ledger, decides nothing and forgets no child; the last one to come wins.
// Usage: event_loop CONNINFO SCHEMA    prints "EVENTS SECONDS CPU-SECONDS", its own and its
// backend's
#include "pq.hpp"

#include "stripe/event.hpp"
#include "sync/mirror_schema.hpp"
#include "sync/row.hpp"

#include <map>

namespace {

using namespace billstack;

constexpr int events_a_commit = 100;

class Writer {
  public:
    Writer(bench::Connection &connection, std::string schema)
        : connection_(connection), schema_(std::move(schema)) {}

    void write(const sync::RowBatch &batch, std::int64_t second, std::string_view api_version) {
        const std::string &statement = prepared(*batch.kind);
        std::size_t width = batch.kind->columns.size();
        std::string created = std::to_string(second);
        std::string version(api_version);
        for (std::size_t row = 0; row < batch.rows.size(); ++row) {
            texts_.assign(width, {});
            values_.clear();
            for (std::size_t i = 0; i < width; ++i) {
                add_column(batch.kind->columns[i].type, batch.values[row * width + i], texts_[i]);
            }
            lengths_.assign(width, 0);
            formats_.assign(width, 0);
            std::string raw(batch.rows[row].raw);
            add(raw.c_str());
            add(reinterpret_cast<const char *>(batch.rows[row].digest.data()),
                static_cast<int>(batch.rows[row].digest.size()), 1);
            add(created.c_str());
            add(version.c_str());
            connection_.execute(statement, values_, lengths_, formats_);
        }
    }

  private:
    void add(const char *value, int length = 0, int format = 0) {
        values_.push_back(value);
        lengths_.push_back(length);
        formats_.push_back(format);
    }

    void add_column(stripe::ColumnType type, const sync::Value &value, std::string &text) {
        using stripe::ColumnType;
        if (value.is_null) {
            values_.push_back(nullptr);
            return;
        }
        bool number = type == ColumnType::bigint || type == ColumnType::timestamp;
        text = number                        ? std::to_string(value.number)
               : type == ColumnType::boolean ? (value.number != 0 ? "t" : "f")
                                             : std::string(value.text);
        values_.push_back(text.c_str());
    }

    const std::string &prepared(const stripe::Kind &kind) {
        auto [found, fresh] = names_.try_emplace(&kind, kind.table);
        if (fresh) {
            connection_.prepare(found->second, statement_of(kind));
        }
        return found->second;
    }

    std::string statement_of(const stripe::Kind &kind) const {
        std::string names;
        std::string values;
        std::string updates;
        int next = 1;
        auto add = [&](std::string_view name, const std::string &value) {
            const char *comma = names.empty() ? "" : ", ";
            std::string quoted = sync::quote_identifier(name);
            names += comma + quoted;
            values += comma + value;
            if (name != "id") {
                updates += (updates.empty() ? "" : ", ") + quoted + " = EXCLUDED." + quoted;
            }
        };
        auto parameter = [&] { return "$" + std::to_string(next++); };
        for (const stripe::Column &column : kind.columns) {
            bool time = column.type == stripe::ColumnType::timestamp;
            add(column.name, time ? "to_timestamp(" + parameter() + ")" : parameter());
        }
        add("_raw", parameter());
        add("_digest", parameter());
        std::string second = "to_timestamp(" + parameter() + ")";
        add("_as_of", second);
        add("_as_of_end", second);
        add("_api_version", parameter());
        add("_source", "'event'");
        add("_synced_at", "clock_timestamp()");
        return "INSERT INTO " + sync::quote_identifier(schema_) + "." +
               sync::quote_identifier(kind.table) + " (" + names + ") VALUES (" + values +
               ") ON CONFLICT (id) DO UPDATE SET " + updates;
    }

    bench::Connection &connection_;
    std::string schema_;
    std::map<const stripe::Kind *, std::string> names_;
    std::vector<std::string> texts_;
    std::vector<const char *> values_;
    std::vector<int> lengths_;
    std::vector<int> formats_;
};

sync::RowBatch batch_of(const stripe::Kind &kind, std::vector<sync::Row> rows,
                        std::string_view parent) {
    sync::RowBatch batch;
    batch.kind = &kind;
    batch.parents.assign(rows.size(), parent);
    batch.rows = std::move(rows);
    sync::extract_columns(batch);
    return batch;
}

void handle(Writer &writer, const bench::Delivery &delivery) {
    stripe::Event event = stripe::parse_event(delivery.payload);
    const stripe::Kind *kind = stripe::find_kind_by_object(event.object_type);
    if (kind == nullptr) {
        return;
    }
    sync::Row row{event.object_id, event.object_raw, sync::digest_of(event.object_raw)};
    writer.write(batch_of(*kind, {row}, {}), event.created, event.api_version);
    for (sync::ChildRows &child : sync::read_children(*kind, event.object_id, event.object_raw)) {
        if (!child.rows.empty()) {
            for (sync::Row &each : child.rows) {
                each.digest = sync::digest_of(each.raw);
            }
            writer.write(batch_of(*child.list->kind, std::move(child.rows), event.object_id),
                         event.created, event.api_version);
        }
    }
}

} // namespace

int main(int argc, char **argv) {
    if (argc != 3) {
        bench::fail("usage: event_loop CONNINFO SCHEMA");
    }
    bench::Connection connection(argv[1]);
    std::vector<bench::Delivery> deliveries = bench::load_deliveries(connection);
    Writer writer(connection, argv[2]);
    double cpu = bench::own_cpu() + connection.backend_cpu();
    auto start = std::chrono::steady_clock::now();
    for (std::size_t i = 0; i < deliveries.size(); ++i) {
        if (i % events_a_commit == 0) {
            connection.run(i == 0 ? "BEGIN" : "COMMIT; BEGIN");
        }
        handle(writer, deliveries[i]);
    }
    connection.run("COMMIT");
    double seconds = bench::seconds_since(start);
    cpu = bench::own_cpu() + connection.backend_cpu() - cpu;
    std::printf("%zu %.4f %.4f\n", deliveries.size(), seconds, cpu);
    return 0;
}

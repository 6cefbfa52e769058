#include "pg/inbox/ledger_store.hpp"

namespace billstack::pg {

namespace {

constexpr std::int64_t week = 7 * 86400;

constinit Statement select_partitions{R"(
SELECT c.relname,
       extract(epoch FROM to_timestamp(right(c.relname, 8) || '+00', 'YYYYMMDDTZH'))::bigint
  FROM pg_catalog.pg_inherits AS h JOIN pg_catalog.pg_class AS c ON c.oid = h.inhrelid
 WHERE h.inhparent = 'billstack_internal.event'::regclass AND c.relname ~ '^event_[0-9]{8}$'
 ORDER BY 1)"};

constinit Statement format_monday{
    "SELECT to_char(to_timestamp($1::double precision) AT TIME ZONE 'UTC', 'YYYYMMDD')"};

constinit Statement any_strays{R"(
SELECT 1 FROM billstack_internal.event_default
 WHERE event_created >= $1 AND event_created < $2 LIMIT 1)"};

constinit Statement delete_strays{R"(
DELETE FROM billstack_internal.event_default WHERE ctid = ANY (ARRAY(
    SELECT d.ctid FROM billstack_internal.event_default AS d WHERE d.processed_at < $1 LIMIT $2)))"};

constinit Statement delete_marks{R"(
DELETE FROM billstack_internal.event_mark WHERE ctid = ANY (ARRAY(
    SELECT m.ctid FROM billstack_internal.event_mark AS m WHERE m.as_of < $1 LIMIT $2)))"};

constinit Statement delete_dead_letters{R"(
DELETE FROM billstack_internal.inbox WHERE ctid = ANY (ARRAY(
    SELECT q.ctid FROM billstack_internal.inbox AS q WHERE q.failed_at < $1 LIMIT $2)))"};

std::string literal_of(std::int64_t second) {
    return "pg_catalog.to_timestamp(" + std::to_string(second) + ")";
}

// The extension's members are neither dumped nor dropped by themselves. Not by ALTER EXTENSION:
// that is a command which sends the worker away.
void add_to_extension(const std::string &table) {
    const char *name = table.c_str();
    call([&] {
        Oid schema = get_namespace_oid("billstack_internal", false);
        ObjectAddress member;
        ObjectAddress extension;
        ObjectAddressSet(member, RelationRelationId, get_relname_relid(name, schema));
        ObjectAddressSet(extension, ExtensionRelationId, get_extension_oid("billstack", false));
        recordDependencyOn(&member, &extension, DEPENDENCY_EXTENSION);
    });
}

void remove_from_extension(const std::string &table) {
    const char *name = table.c_str();
    call([&] {
        Oid schema = get_namespace_oid("billstack_internal", false);
        deleteDependencyRecordsForClass(RelationRelationId, get_relname_relid(name, schema),
                                        ExtensionRelationId, DEPENDENCY_EXTENSION);
        CommandCounterIncrement();
    });
}

} // namespace

std::vector<LedgerPartition> ledger_partitions() {
    Rows rows = select_partitions.run();
    std::vector<LedgerPartition> partitions;
    for (std::uint64_t row = 0; row < rows.size(); ++row) {
        partitions.push_back({rows.text(row, 1), rows.int64(row, 2)});
    }
    return partitions;
}

std::string partition_name(std::int64_t monday) {
    return "event_" + format_monday.run({param(monday)}).text(0, 1);
}

void make_partition(std::int64_t monday) {
    std::string name = partition_name(monday);
    std::string table = "billstack_internal." + name;
    std::string from = literal_of(monday);
    std::string to = literal_of(monday + week);
    (void)run_once("CREATE TABLE " + table +
                   " (LIKE billstack_internal.event INCLUDING DEFAULTS INCLUDING COMPRESSION)");
    (void)run_once("REVOKE ALL ON " + table + " FROM PUBLIC");
    (void)run_once("COMMENT ON TABLE " + table + " IS 'events of one week that are done'");
    bool strays = !any_strays
                       .run({param_time(timestamp_from_unix(monday)),
                             param_time(timestamp_from_unix(monday + week))})
                       .empty();
    if (strays) {
        (void)run_once("WITH gone AS (DELETE FROM billstack_internal.event_default WHERE "
                       "event_created >= " +
                       from + " AND event_created < " + to + " RETURNING *) INSERT INTO " + table +
                       " SELECT * FROM gone");
    }
    (void)run_once("ALTER TABLE billstack_internal.event ATTACH PARTITION " + table +
                   " FOR VALUES FROM (" + from + ") TO (" + to + ")");
    add_to_extension(name);
}

void drop_partition(const LedgerPartition &partition) {
    remove_from_extension(partition.name);
    (void)run_once("DROP TABLE billstack_internal." + partition.name);
}

std::int64_t clear_ledger_before(std::int64_t before, int limit) {
    Param at = param_time(timestamp_from_unix(before));
    Param most = param(static_cast<std::int64_t>(limit));
    auto gone = delete_strays.run({at, most}).size();
    gone += delete_marks.run({at, most}).size();
    gone += delete_dead_letters.run({at, most}).size();
    return static_cast<std::int64_t>(gone);
}

} // namespace billstack::pg

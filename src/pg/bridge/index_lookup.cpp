#include "pg/bridge/index_lookup.hpp"

namespace billstack::pg {

namespace {

// Of all lookups of this process. Plain data: a destructor would run while the server takes itself
// apart.
constexpr int max_tables = 32;
Oid tables[max_tables];
int table_count = 0;
bool overflown = false;
std::uint64_t generation = 0; // 0: the callback is not registered yet

void on_relation_changed(Datum, Oid relation) {
    if (relation == InvalidOid || overflown ||
        std::find(tables, tables + table_count, relation) != tables + table_count) {
        ++generation;
        table_count = 0;
        overflown = false;
    }
}

// With what is looked up under the present generation.
void remember(Oid table) {
    if (table_count < max_tables) {
        tables[table_count++] = table;
    } else {
        overflown = true;
    }
}

} // namespace

bool IndexRow::text_is(int column, std::string_view text) const {
    bool null = true;
    Datum datum = value(column, null);
    if (null) {
        return false;
    }
    auto *packed = reinterpret_cast<struct varlena *>(PG_DETOAST_DATUM_PACKED(datum));
    return std::string_view(VARDATA_ANY(packed), VARSIZE_ANY_EXHDR(packed)) == text;
}

bool IndexRow::boolean(int column) const {
    bool null = true;
    Datum datum = value(column, null);
    return !null && DatumGetBool(datum);
}

char *IndexRow::text_copy(int column) const {
    bool null = true;
    Datum datum = value(column, null);
    return null ? nullptr : TextDatumGetCString(datum);
}

void IndexLookup::locate() {
    if (located_ != 0 && located_ == generation) {
        return;
    }
    const char *missing = nullptr;
    call([&] {
        if (generation == 0) {
            CacheRegisterRelcacheCallback(on_relation_changed, 0);
            generation = 1;
        }
        // Before anything is looked up: a change that comes after is noticed.
        std::uint64_t now = generation;
        Oid schema = get_namespace_oid("billstack_internal", false);
        table_oid_ = get_relname_relid(table_, schema);
        index_oid_ = get_relname_relid(index_, schema);
        if (!OidIsValid(table_oid_) || !OidIsValid(index_oid_)) {
            missing = index_;
            return;
        }
        remember(table_oid_);
        for (int i = 0; i < max_lookup_columns && columns_[i] != nullptr; ++i) {
            numbers_[i] = get_attnum(table_oid_, columns_[i]);
            if (numbers_[i] == InvalidAttrNumber) {
                missing = columns_[i];
            }
        }
        located_ = missing == nullptr ? now : 0;
    });
    if (missing != nullptr) {
        throw core::Error(core::Code::internal, "table billstack_internal." + std::string(table_) +
                                                    " has no \"" + missing + "\"");
    }
}

void IndexLookup::begin(Scan &scan, const IndexKey *keys, int key_count, Snapshot snapshot) const {
    ScanKeyData scan_keys[max_lookup_columns];
    scan.table = table_open(table_oid_, AccessShareLock);
    scan.index = index_open(index_oid_, AccessShareLock);
    for (int i = 0; i < key_count; ++i) {
        // Not ScanKeyInit: the order of the index is that of its own collation.
        ScanKeyEntryInitialize(&scan_keys[i], 0, static_cast<AttrNumber>(i + 1),
                               BTEqualStrategyNumber, InvalidOid, scan.index->rd_indcollation[i],
                               keys[i].equal, keys[i].value);
    }
    scan.slot = table_slot_create(scan.table, nullptr);
    scan.scan = begin_index_scan(scan.table, scan.index, snapshot, key_count);
    index_rescan(scan.scan, scan_keys, key_count, nullptr, 0);
}

void IndexLookup::end(Scan &scan) {
    index_endscan(scan.scan);
    ExecDropSingleTupleTableSlot(scan.slot);
    index_close(scan.index, AccessShareLock);
    table_close(scan.table, AccessShareLock);
}

} // namespace billstack::pg

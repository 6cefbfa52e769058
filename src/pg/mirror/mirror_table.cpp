#include "pg/mirror/mirror_table.hpp"

namespace billstack::pg {

namespace {

Oid type_of(stripe::ColumnType type) {
    switch (type) {
    case stripe::ColumnType::bigint:
        return INT8OID;
    case stripe::ColumnType::boolean:
        return BOOLOID;
    case stripe::ColumnType::timestamp:
        return TIMESTAMPTZOID;
    case stripe::ColumnType::numeric:
        return NUMERICOID;
    case stripe::ColumnType::jsonb:
        return JSONBOID;
    default:
        return TEXTOID;
    }
}

bool has_insert_trigger(const TriggerDesc *triggers) {
    return triggers != nullptr &&
           (triggers->trig_insert_before_row || triggers->trig_insert_after_row ||
            triggers->trig_insert_instead_row || triggers->trig_insert_before_statement ||
            triggers->trig_insert_after_statement || triggers->trig_insert_new_table);
}

// What INSERT would have to obey, as far as it is not said of a column. Inside call().
bool obeys_nothing(Relation relation) {
    const Form_pg_class about = relation->rd_rel;
    const TupleConstr *constraints = RelationGetDescr(relation)->constr;
    return about->relkind == RELKIND_RELATION && about->relam == HEAP_TABLE_AM_OID &&
           about->relpersistence != RELPERSISTENCE_TEMP && !about->relispartition &&
           relation->rd_rules == nullptr && !has_insert_trigger(relation->trigdesc) &&
           (constraints == nullptr || constraints->num_check == 0);
}

// Others, that see no executor here, are asked by the statement.
bool may_use(Relation relation, MirrorTable::Use use) {
    if (ExecutorCheckPerms_hook != nullptr || IsInParallelMode() ||
        check_enable_rls(RelationGetRelid(relation), InvalidOid, true) == RLS_ENABLED) {
        return false;
    }
    AclMode wanted = ACL_SELECT;
    if (use == MirrorTable::Use::insert) {
        if (XactReadOnly || RecoveryInProgress()) {
            return false;
        }
        CheckCmdReplicaIdentity(relation, CMD_INSERT);
        wanted |= ACL_INSERT | ACL_UPDATE; // as the statement needs
    }
    return pg_class_aclmask(RelationGetRelid(relation), GetUserId(), wanted, ACLMASK_ALL) == wanted;
}

} // namespace

MirrorTable::MirrorTable(const std::string &schema, const stripe::Kind &kind, Use use)
    : exceptions_(std::uncaught_exceptions()) {
    const char *schema_name = schema.c_str();
    std::string name(kind.table);
    const char *table_name = name.c_str();
    bool usable = false;
    relation_ = call([&]() -> Relation {
        LOCKMODE lock = use == Use::insert ? RowExclusiveLock : AccessShareLock;
        RangeVar *place = makeRangeVar(pstrdup(schema_name), pstrdup(table_name), -1);
        Oid oid = RangeVarGetRelidExtended(place, lock, RVR_MISSING_OK, nullptr, nullptr);
        if (!OidIsValid(oid)) {
            return nullptr;
        }
        Relation relation = relation_open(oid, NoLock); // perhaps a view by now
        usable = obeys_nothing(relation) && may_use(relation, use);
        return relation;
    });
    plain_ = usable && map_columns(kind) && (use == Use::read || others_may_be_null());
}

MirrorTable::~MirrorTable() {
    if (relation_ != nullptr && std::uncaught_exceptions() == exceptions_) {
        relation_close(relation_, NoLock); // takes a reference away, cannot fail
    }
}

// True when all of our columns are there, of their types, and none obeys more than NOT NULL where
// sync never writes NULL.
bool MirrorTable::map_columns(const stripe::Kind &kind) {
    TupleDesc about = RelationGetDescr(relation_);
    ours_.assign(static_cast<std::size_t>(about->natts), false);
    int next = 0; // as a rule the columns stand in our order
    auto find = [&](std::string_view name, Oid type, bool never_null) -> AttrNumber {
        for (int tried = 0; tried < about->natts; ++tried, ++next) {
            next = next < about->natts ? next : 0;
            const Form_pg_attribute column = TupleDescAttr(about, next);
            if (column->attisdropped || name != NameStr(column->attname)) {
                continue;
            }
            bool fits = column->atttypid == type && column->atttypmod == -1 &&
                        column->attgenerated == '\0' && column->attidentity == '\0' &&
                        (never_null || !column->attnotnull);
            ours_[static_cast<std::size_t>(next)] = true;
            return fits ? column->attnum : InvalidAttrNumber;
        }
        return InvalidAttrNumber;
    };
    columns_.catalogue.clear();
    for (const stripe::Column &column : kind.columns) {
        columns_.catalogue.push_back(
            find(column.name, type_of(column.type), columns_.catalogue.empty()));
    }
    columns_.raw = find("_raw", JSONOID, true);
    columns_.as_of = find("_as_of", TIMESTAMPTZOID, true);
    columns_.as_of_end = find("_as_of_end", TIMESTAMPTZOID, true);
    columns_.source = find("_source", TEXTOID, true);
    columns_.digest = find("_digest", BYTEAOID, true);
    columns_.synced_at = find("_synced_at", TIMESTAMPTZOID, true);
    columns_.deleted_at = find("_deleted_at", TIMESTAMPTZOID, false);
    columns_.api_version = find("_api_version", TEXTOID, false);
    auto valid = [](AttrNumber number) { return number != InvalidAttrNumber; };
    return std::all_of(columns_.catalogue.begin(), columns_.catalogue.end(), valid) &&
           valid(columns_.raw) && valid(columns_.as_of) && valid(columns_.as_of_end) &&
           valid(columns_.source) && valid(columns_.digest) && valid(columns_.synced_at) &&
           valid(columns_.deleted_at) && valid(columns_.api_version);
}

// Columns that somebody has added stay NULL, as a statement would leave them.
bool MirrorTable::others_may_be_null() const {
    TupleDesc about = RelationGetDescr(relation_);
    for (int i = 0; i < about->natts; ++i) {
        const Form_pg_attribute column = TupleDescAttr(about, i);
        if (column->attisdropped || ours_[static_cast<std::size_t>(i)]) {
            continue;
        }
        // A domain may refuse NULL or bring a default of its own.
        if (column->attnotnull || column->atthasdef || column->attidentity != '\0' ||
            column->attgenerated != '\0' ||
            call([&] { return get_typtype(column->atttypid); }) == TYPTYPE_DOMAIN) {
            return false;
        }
    }
    return true;
}

Oid MirrorTable::key_index() const {
    AttrNumber id = columns_.catalogue.at(0);
    return call([&]() -> Oid {
        list_free(RelationGetIndexList(relation_)); // finds rd_pkindex
        Oid oid = relation_->rd_pkindex;
        if (!OidIsValid(oid)) {
            return InvalidOid;
        }
        Relation index = index_open(oid, AccessShareLock);
        bool as_made = index->rd_rel->relam == BTREE_AM_OID && index->rd_index->indisvalid &&
                       index->rd_index->indnkeyatts == 1 &&
                       index->rd_index->indkey.values[0] == id &&
                       index->rd_indcollation[0] ==
                           TupleDescAttr(RelationGetDescr(relation_), id - 1)->attcollation;
        index_close(index, NoLock);
        return as_made ? oid : InvalidOid;
    });
}

} // namespace billstack::pg

#include "pg/mirror/mirror_insert.hpp"

#include "pg/bridge/scope.hpp"
#include "pg/mirror/mirror_table.hpp"

namespace billstack::pg {

namespace {

// Tuples in one go: what heap and WAL take a page at a time.
constexpr std::size_t most_rows = 1000;

// Room for the bytes of many varlena values, in one allocation of the current context.
class ValueRoom {
  public:
    explicit ValueRoom(std::size_t size) {
        next_ = call([&] {
            return static_cast<char *>(
                MemoryContextAllocExtended(CurrentMemoryContext, size + 8, MCXT_ALLOC_HUGE));
        });
    }
    static std::size_t size_of(std::string_view bytes) { return MAXALIGN(bytes.size() + VARHDRSZ); }
    Datum put(std::string_view bytes) {
        char *at = next_;
        next_ += size_of(bytes);
        SET_VARSIZE(at, bytes.size() + VARHDRSZ);
        std::memcpy(VARDATA(at), bytes.data(), bytes.size());
        return PointerGetDatum(at);
    }

  private:
    char *next_;
};

// Of a value that was made here: neither packed nor compressed.
std::string_view text_view(Datum text) {
    auto *value = reinterpret_cast<const struct varlena *>(DatumGetPointer(text));
    return {VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value)};
}

bool is_stored_as_text(stripe::ColumnType type) {
    return type == stripe::ColumnType::text || type == stripe::ColumnType::reference;
}

std::string_view digest_bytes(const sync::Row &row) {
    return {reinterpret_cast<const char *>(row.digest.data()), row.digest.size()};
}

Datum second_datum(std::int64_t second) {
    return TimestampTzGetDatum(timestamp_from_unix(second));
}

// Rows [begin, end) of a batch as values of the table's tuples.
class TupleMaker {
  public:
    TupleMaker(const MirrorTable &table, const sync::RowBatch &batch, std::size_t begin,
               std::size_t end)
        : table_(table), batch_(batch), room_(room_for(batch, begin, end)),
          source_(text_datum(sync::source_name(batch.source))),
          now_(TimestampTzGetDatum(GetCurrentTimestamp())) {}

    // Values and nulls are those of a slot of the table, nulls all true.
    void fill(std::size_t row, Datum *values, bool *nulls) {
        auto set = [&](AttrNumber attribute, Datum value) {
            values[attribute - 1] = value;
            nulls[attribute - 1] = false;
        };
        const MirrorColumns &columns = table_.columns();
        const std::size_t width = batch_.kind->columns.size();
        for (std::size_t i = 0; i < width; ++i) {
            const sync::Value &value = batch_.values[row * width + i];
            stripe::ColumnType type = batch_.kind->columns[i].type;
            if (!value.is_null &&
                (type != stripe::ColumnType::timestamp || fits_timestamp(value.number))) {
                set(columns.catalogue[i], datum_of(type, value));
            }
        }
        const sync::RowOrigin &origin = batch_.origins[row];
        set(columns.raw, raw_datum(batch_.rows[row].raw));
        set(columns.digest, room_.put(digest_bytes(batch_.rows[row])));
        set(columns.as_of, second_datum(origin.as_of.start));
        set(columns.as_of_end, second_datum(origin.as_of.end));
        set(columns.source, source_);
        set(columns.synced_at, now_);
        if (origin.deleted) {
            set(columns.deleted_at, second_datum(origin.as_of.end));
        }
        if (!origin.api_version.empty()) {
            set(columns.api_version, room_.put(origin.api_version));
        }
    }

  private:
    static std::size_t room_for(const sync::RowBatch &batch, std::size_t begin, std::size_t end) {
        const std::size_t width = batch.kind->columns.size();
        std::size_t size = 0;
        for (std::size_t row = begin; row < end; ++row) {
            size += ValueRoom::size_of(batch.rows[row].raw) +
                    ValueRoom::size_of(digest_bytes(batch.rows[row])) +
                    ValueRoom::size_of(batch.origins[row].api_version);
            for (std::size_t i = 0; i < width; ++i) {
                if (is_stored_as_text(batch.kind->columns[i].type)) {
                    size += ValueRoom::size_of(batch.values[row * width + i].text);
                }
            }
        }
        return size;
    }

    Datum datum_of(stripe::ColumnType type, const sync::Value &value) {
        switch (type) {
        case stripe::ColumnType::bigint:
            return Int64GetDatum(value.number);
        case stripe::ColumnType::boolean:
            return BoolGetDatum(value.number != 0);
        case stripe::ColumnType::timestamp:
            return TimestampTzGetDatum(timestamp_from_unix(value.number));
        case stripe::ColumnType::numeric:
        case stripe::ColumnType::jsonb:
            return cast_datum(type, value.text);
        default:
            return room_.put(value.text);
        }
    }

    // By the type's own input function, as a cast of the text would.
    static Datum cast_datum(stripe::ColumnType type, std::string_view text) {
        return call([&] {
            char *copy = pnstrdup(text.data(), text.size());
            return type == stripe::ColumnType::jsonb
                       ? DirectFunctionCall1(jsonb_in, CStringGetDatum(copy))
                       : DirectFunctionCall3(numeric_in, CStringGetDatum(copy),
                                             ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
        });
    }

    // What is certain to be compressed is so before the tuple is made: else the tuple would be
    // made, taken apart, and made again.
    Datum raw_datum(std::string_view raw) {
        Datum plain = room_.put(raw);
        const Form_pg_attribute column =
            TupleDescAttr(RelationGetDescr(table_.relation()), table_.columns().raw - 1);
        if (raw.size() <= TOAST_TUPLE_THRESHOLD || column->attstorage != TYPSTORAGE_EXTENDED) {
            return plain;
        }
        Datum packed = call([&] { return toast_compress_datum(plain, column->attcompression); });
        return DatumGetPointer(packed) == nullptr ? plain : packed;
    }

    const MirrorTable &table_;
    const sync::RowBatch &batch_;
    ValueRoom room_;
    Datum source_;
    Datum now_;
};

// The slots in the order of an index, as far as its first column tells: neighbours go to the same
// leaf. Equal keys stay in the order of the heap.
void sort_for(const IndexInfo &about, TupleDesc table, TupleTableSlot **slots, int count) {
    const int attribute = about.ii_IndexAttrNumbers[0] - 1;
    if (attribute < 0) {
        return; // an expression
    }
    const Form_pg_attribute column = TupleDescAttr(table, attribute);
    const bool number = column->attbyval && column->attlen == 8;
    if (!number && column->atttypid != TEXTOID) {
        return;
    }
    std::sort(slots, slots + count, [&](const TupleTableSlot *a, const TupleTableSlot *b) {
        if (a->tts_isnull[attribute] || b->tts_isnull[attribute]) {
            if (a->tts_isnull[attribute] != b->tts_isnull[attribute]) {
                return b->tts_isnull[attribute]; // NULLs last
            }
        } else if (Datum x = a->tts_values[attribute], y = b->tts_values[attribute]; number) {
            if (x != y) {
                return DatumGetInt64(x) < DatumGetInt64(y);
            }
        } else if (int order = text_view(x).compare(text_view(y)); order != 0) {
            return order < 0;
        }
        return ItemPointerCompare(const_cast<ItemPointer>(&a->tts_tid),
                                  const_cast<ItemPointer>(&b->tts_tid)) < 0;
    });
}

// The slots' rows into one index. Inside call().
void insert_into_index(EState *state, Relation table, Relation index, IndexInfo *about,
                       TupleTableSlot **slots, int count) {
    ExprContext *context = GetPerTupleExprContext(state);
    if (about->ii_Predicate != NIL && about->ii_PredicateState == nullptr) {
        about->ii_PredicateState = ExecPrepareQual(about->ii_Predicate, state);
    }
    Datum values[INDEX_MAX_KEYS];
    bool nulls[INDEX_MAX_KEYS];
    for (int i = 0; i < count; ++i) {
        context->ecxt_scantuple = slots[i];
        if (about->ii_Predicate == NIL || ExecQual(about->ii_PredicateState, context)) {
            FormIndexDatum(about, slots[i], state, values, nulls);
            index_insert(index, values, nulls, &slots[i]->tts_tid, table,
                         index->rd_index->indisunique ? UNIQUE_CHECK_YES : UNIQUE_CHECK_NO, false,
                         about);
        }
        ResetPerTupleExprContext(state);
    }
}

// Deferred and exclusion constraints are checked by what a statement leaves for later.
bool can_fill(const ResultRelInfo &target) {
    for (int i = 0; i < target.ri_NumIndices; ++i) {
        if (target.ri_IndexRelationInfo[i]->ii_ExclusionOps != nullptr ||
            !target.ri_IndexRelationDescs[i]->rd_index->indimmediate) {
            return false;
        }
    }
    return true;
}

// The heap first, then one index after the other: its upper pages stay in the processor's caches.
// Inside call().
void insert_slots(EState *state, ResultRelInfo *target, TupleTableSlot **slots, int count) {
    Relation table = target->ri_RelationDesc;
    table_multi_insert(table, slots, count, GetCurrentCommandId(true), 0, nullptr);
    for (int i = 0; i < target->ri_NumIndices; ++i) {
        if (target->ri_IndexRelationInfo[i]->ii_ReadyForInserts) {
            sort_for(*target->ri_IndexRelationInfo[i], RelationGetDescr(table), slots, count);
            insert_into_index(state, table, target->ri_IndexRelationDescs[i],
                              target->ri_IndexRelationInfo[i], slots, count);
        }
    }
}

std::vector<TupleTableSlot *> make_slots(const MirrorTable &table, const sync::RowBatch &batch,
                                         std::size_t begin, std::size_t end) {
    TupleDesc about = RelationGetDescr(table.relation());
    TupleMaker maker(table, batch, begin, end);
    std::vector<TupleTableSlot *> slots;
    slots.reserve(end - begin);
    for (std::size_t row = begin; row < end; ++row) {
        TupleTableSlot *slot =
            call([&] { return MakeSingleTupleTableSlot(about, &TTSOpsVirtual); });
        std::fill_n(slot->tts_isnull, about->natts, true);
        maker.fill(row, slot->tts_values, slot->tts_isnull);
        ExecStoreVirtualTuple(slot);
        slots.push_back(slot);
    }
    return slots;
}

bool insert_rows(const std::string &schema, const sync::RowBatch &batch) {
    MirrorTable table(schema, *batch.kind, MirrorTable::Use::insert);
    if (!table.plain()) {
        return false;
    }
    EState *state = nullptr;
    ResultRelInfo *target = call([&] {
        state = CreateExecutorState();
        ResultRelInfo *made = makeNode(ResultRelInfo);
        InitResultRelInfo(made, table.relation(), 1, nullptr, 0);
        ExecOpenIndices(made, false);
        return made;
    });
    bool fills = can_fill(*target);
    for (std::size_t begin = 0; fills && begin < batch.rows.size(); begin += most_rows) {
        std::size_t end = std::min(batch.rows.size(), begin + most_rows);
        std::vector<TupleTableSlot *> slots = make_slots(table, batch, begin, end);
        TupleTableSlot **data = slots.data();
        int count = static_cast<int>(slots.size());
        call([&] {
            insert_slots(state, target, data, count);
            for (int i = 0; i < count; ++i) {
                ExecDropSingleTupleTableSlot(data[i]);
            }
        });
    }
    call([&] {
        ExecCloseIndices(target);
        FreeExecutorState(state);
    });
    return fills;
}

} // namespace

bool insert_directly(const std::string &schema, const sync::RowBatch &batch) {
    MemoryScope scope("billstack direct insert");
    try {
        Subtransaction subtransaction;
        bool written = insert_rows(schema, batch);
        subtransaction.commit();
        if (written) {
            call([] { CommandCounterIncrement(); });
        }
        return written;
    } catch (const PgError &error) {
        if (error.sqlstate() != ERRCODE_UNIQUE_VIOLATION) {
            throw;
        }
        return false;
    }
}

namespace {

// A stored row's part in the decision. Inside call().
void read_state(const MirrorColumns &columns, TupleTableSlot *slot, sync::StoredState *state) {
    bool null = false;
    auto second = [&](AttrNumber attribute) {
        Datum at = slot_getattr(slot, attribute, &null);
        return null ? 0 : unix_us_from_timestamp(DatumGetTimestampTz(at)) / 1000000;
    };
    auto bytes = [&](AttrNumber attribute) {
        Datum value = slot_getattr(slot, attribute, &null);
        return null ? nullptr : PG_DETOAST_DATUM_PACKED(value);
    };
    state->exists = true;
    state->as_of.start = second(columns.as_of);
    state->as_of.end = second(columns.as_of_end);
    if (auto *digest = bytes(columns.digest)) {
        std::memcpy(state->digest.data(), VARDATA_ANY(digest),
                    std::min<std::size_t>(VARSIZE_ANY_EXHDR(digest), state->digest.size()));
    }
    (void)slot_getattr(slot, columns.deleted_at, &null);
    state->deleted = !null;
    auto *source = bytes(columns.source);
    state->source = sync::source_of(
        source == nullptr ? std::string_view()
                          : std::string_view(VARDATA_ANY(source), VARSIZE_ANY_EXHDR(source)));
    Datum version = slot_getattr(slot, columns.synced_at, &null);
    state->version = null ? 0 : DatumGetTimestampTz(version);
}

} // namespace

bool look_up_directly(const std::string &schema, const stripe::Kind &kind,
                      const std::vector<std::string_view> &ids,
                      std::vector<sync::StoredState> &states) {
    MemoryScope scope("billstack direct look-up");
    MirrorTable table(schema, kind, MirrorTable::Use::read);
    Oid key = table.plain() ? table.key_index() : InvalidOid;
    if (!OidIsValid(key)) {
        return false;
    }
    const MirrorColumns &columns = table.columns();
    call([&] {
        CommandCounterIncrement(); // see what this transaction has written
        PushActiveSnapshot(GetTransactionSnapshot());
        Relation index = index_open(key, AccessShareLock);
        TupleTableSlot *slot = table_slot_create(table.relation(), nullptr);
        IndexScanDesc scan = begin_index_scan(table.relation(), index, GetActiveSnapshot(), 1);
        for (std::size_t i = 0; i < ids.size(); ++i) {
            Datum id = PointerGetDatum(
                cstring_to_text_with_len(ids[i].data(), static_cast<int>(ids[i].size())));
            ScanKeyData scan_key;
            ScanKeyEntryInitialize(&scan_key, 0, 1, BTEqualStrategyNumber, InvalidOid,
                                   index->rd_indcollation[0], F_TEXTEQ, id);
            index_rescan(scan, &scan_key, 1, nullptr, 0);
            if (index_getnext_slot(scan, ForwardScanDirection, slot)) {
                read_state(columns, slot, &states[i]);
            }
        }
        index_endscan(scan);
        ExecDropSingleTupleTableSlot(slot);
        index_close(index, AccessShareLock);
        PopActiveSnapshot();
    });
    return true;
}

} // namespace billstack::pg

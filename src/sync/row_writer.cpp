#include "sync/row_writer.hpp"

#include <algorithm>

namespace billstack::sync {

namespace {

// Sorted by id, an id only once: one statement may not touch a row twice, and a fixed order keeps
// two writers from deadlocking.
void sort_unique(std::vector<Incoming> &rows) {
    std::stable_sort(rows.begin(), rows.end(),
                     [](const Incoming &a, const Incoming &b) { return a.row.id < b.row.id; });
    rows.erase(
        std::unique(rows.begin(), rows.end(),
                    [](const Incoming &a, const Incoming &b) { return a.row.id == b.row.id; }),
        rows.end());
}

void note_unchanged(Outcome &outcome, const StoredState &stored, const Incoming &incoming,
                    const Rules &rules) {
    switch (rules.order ? rules.order(stored, incoming) : Decision::apply) {
    case Decision::apply:
        outcome.unchanged.insert(incoming.row.id);
        break;
    case Decision::unclear:
        outcome.unsure.insert(incoming.row.id);
        break;
    case Decision::unchanged:
    case Decision::older:
        break;
    }
}

} // namespace

std::vector<Incoming> incoming_of(const std::vector<Row> &rows, const AsOf &as_of,
                                  std::string_view api_version, std::string_view parent) {
    std::vector<Incoming> incoming;
    incoming.reserve(rows.size());
    for (const Row &row : rows) {
        incoming.push_back({row, as_of, parent, api_version});
    }
    return incoming;
}

namespace {

void add_to_batch(RowBatch &batch, const Incoming &incoming, std::int64_t replaces) {
    batch.rows.push_back(incoming.row);
    batch.parents.push_back(incoming.parent);
    batch.origins.push_back({incoming.as_of, incoming.api_version, false, replaces});
}

// Pages of a first copy: the table's key says that nothing is stored, without a look at it before.
bool write_unseen(MirrorStore &store, const stripe::Kind &kind, Source source,
                  const std::vector<Incoming> &rows, const Rules &rules, Outcome &outcome,
                  ApplyReport &report) {
    auto applies = [&](const Incoming &incoming) {
        return rules.decide(StoredState{}, incoming) == Decision::apply;
    };
    if (source != Source::backfill || !store.expects_absent(kind) ||
        !std::all_of(rows.begin(), rows.end(), applies)) {
        return false;
    }
    RowBatch batch;
    batch.kind = &kind;
    batch.source = source;
    for (const Incoming &incoming : rows) {
        add_to_batch(batch, incoming, 0);
    }
    extract_columns(batch);
    if (!store.insert_absent(batch)) {
        return false;
    }
    for (const Incoming &incoming : rows) {
        outcome.fresh.insert(incoming.row.id);
    }
    report.changed += static_cast<std::int64_t>(rows.size());
    return true;
}

} // namespace

Outcome write_rows(MirrorStore &store, const stripe::Kind &kind, Source source,
                   std::vector<Incoming> rows, const Rules &rules, ApplyReport &report) {
    Outcome outcome;
    sort_unique(rows);
    if (write_unseen(store, kind, source, rows, rules, outcome, report)) {
        return outcome;
    }
    std::vector<std::string_view> ids;
    ids.reserve(rows.size());
    for (const Incoming &incoming : rows) {
        ids.push_back(incoming.row.id);
    }
    std::vector<StoredState> stored = store.stored_states(kind, ids);
    RowBatch batch;
    batch.kind = &kind;
    batch.source = source;
    std::vector<RefetchRequest> unclear;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        const Incoming &incoming = rows[i];
        switch (rules.decide(stored[i], incoming)) {
        case Decision::unchanged:
            ++report.unchanged;
            note_unchanged(outcome, stored[i], incoming, rules);
            break;
        case Decision::older:
            ++report.older;
            break;
        case Decision::unclear:
            ++report.unclear;
            unclear.push_back({&kind, std::string(incoming.row.id), "overlap", tie_delay});
            break;
        case Decision::apply:
            (stored[i].exists ? outcome.changed : outcome.fresh).insert(incoming.row.id);
            add_to_batch(batch, incoming, stored[i].version);
            break;
        }
    }
    if (!batch.rows.empty()) {
        extract_columns(batch);
        report.changed += store.upsert(batch);
    }
    if (!unclear.empty()) {
        store.request_refetches(unclear);
    }
    return outcome;
}

void ListWriter::add(std::string_view parent, const std::vector<Row> &rows, const AsOf &as_of,
                     std::string_view api_version) {
    for (const Row &row : rows) {
        rows_.push_back({row, as_of, parent, api_version});
        if (row.digest == Digest{}) {
            rows_.back().row.digest = digest_of(row.raw);
        }
        kept_.push_back(row.id);
    }
}

void ListWriter::complete(std::string_view parent, const AsOf &as_of) {
    complete_.push_back({parent, as_of});
}

void ListWriter::write(MirrorStore &store, ApplyReport &report) {
    ApplyReport children;
    if (!rows_.empty()) {
        write_rows(store, *list_.kind, source_, std::move(rows_),
                   {[](const StoredState &stored, const Incoming &incoming) {
                       return decide_child(stored, incoming.as_of, incoming.row.digest);
                   }},
                   children);
    }
    report.changed += children.changed;
    if (!complete_.empty()) {
        report.changed += store.tombstone_missing(list_, source_, complete_, kept_);
    }
}

} // namespace billstack::sync

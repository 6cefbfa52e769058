#include "sync/apply.hpp"

#include <algorithm>
#include <set>

namespace billstack::sync {

namespace {

std::vector<Row> rows_of(const json::ListPage &page) {
    std::vector<Row> rows;
    rows.reserve(page.objects().size());
    for (const json::ObjectSpan &object : page.objects()) {
        rows.push_back(Row{object.id, object.raw, digest_of(object.raw)});
    }
    return rows;
}

// A row to write, for children with the id of the parent in whose list it was.
struct Incoming {
    Row row;
    std::string_view parent;
};

std::vector<Incoming> incoming_of(const std::vector<Row> &rows, std::string_view parent = {}) {
    std::vector<Incoming> incoming;
    incoming.reserve(rows.size());
    for (const Row &row : rows) {
        incoming.push_back({row, parent});
    }
    return incoming;
}

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

// The ids whose incoming state was written or is stored already; the rest is older than the mirror.
struct Outcome {
    std::set<std::string_view> changed; // written, and stored before in another state
    std::set<std::string_view> fresh;   // written, not stored before
    std::set<std::string_view> unchanged;

    // Else the mirror holds a newer parent, and with it newer children.
    bool knows(std::string_view id) const {
        return unchanged.contains(id) || changed.contains(id) || fresh.contains(id);
    }
};

Outcome write_rows(MirrorStore &store, const stripe::Kind &kind, std::vector<Incoming> rows,
                   const AsOf &as_of, Source source, const std::string &api_version,
                   ApplyReport &report) {
    Outcome outcome;
    sort_unique(rows);
    std::vector<std::string_view> ids;
    ids.reserve(rows.size());
    for (const Incoming &incoming : rows) {
        ids.push_back(incoming.row.id);
    }
    std::vector<StoredState> stored = store.stored_states(kind, ids);
    RowBatch batch;
    batch.kind = &kind;
    batch.as_of = as_of;
    batch.source = source;
    batch.api_version = api_version;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        const Row &row = rows[i].row;
        switch (decide_read(stored[i], as_of, row.digest)) {
        case Decision::unchanged:
            ++report.unchanged;
            outcome.unchanged.insert(row.id);
            break;
        case Decision::older:
            ++report.older;
            break;
        case Decision::unclear: // a refetch needs events; until they are applied the read stands
        case Decision::apply:
            (stored[i].exists ? outcome.changed : outcome.fresh).insert(row.id);
            batch.rows.push_back(row);
            batch.parents.push_back(rows[i].parent);
            break;
        }
    }
    if (!batch.rows.empty()) {
        extract_columns(batch);
        report.changed += store.upsert(batch);
    }
    return outcome;
}

// One child list of a page: which parents are looked at, which of their children exist now.
struct ListWork {
    std::vector<Incoming> embedded;
    std::vector<std::string_view> changed_parents; // a child of theirs may have gone
    std::vector<std::string_view> kept;
};

void gather_embedded(const FetchedPage &page, const stripe::ChildList &list, const Outcome &outcome,
                     ListWork &work) {
    for (const ParentLists &parent : page.parents) {
        std::string_view id = page.rows[parent.parent].id;
        bool unchanged = outcome.unchanged.contains(id);
        if (!outcome.knows(id)) {
            continue;
        }
        for (const ChildRows &rows : parent.lists) {
            if (rows.list != &list || !rows.present) {
                continue;
            }
            // An unchanged parent carries unchanged children, but for those past the embedded ten.
            if (unchanged && !rows.has_more) {
                continue;
            }
            if (!outcome.fresh.contains(id)) {
                work.changed_parents.push_back(id);
            }
            for (const Row &row : rows.rows) {
                work.embedded.push_back({row, id});
                work.kept.push_back(row.id);
            }
        }
    }
}

void apply_list(MirrorStore &store, FetchedPage &page, const stripe::ChildList &list,
                const Outcome &outcome, Source source, const std::string &api_version,
                ApplyReport &report) {
    ListWork work;
    gather_embedded(page, list, outcome, work);
    AsOf latest = page.as_of;
    ApplyReport children;
    if (!work.embedded.empty()) {
        write_rows(store, *list.kind, work.embedded, page.as_of, source, api_version, children);
    }
    for (const std::unique_ptr<ChildPage> &more : page.more) {
        if (more->list != &list || !outcome.knows(more->parent_id)) {
            continue;
        }
        for (const Row &row : more->rows) {
            work.kept.push_back(row.id);
        }
        write_rows(store, *list.kind, incoming_of(more->rows, more->parent_id), more->as_of, source,
                   api_version, children);
        latest.end = std::max(latest.end, more->as_of.end);
    }
    report.changed += children.changed;
    if (!work.changed_parents.empty()) {
        report.changed += store.tombstone_missing(list, work.changed_parents, work.kept, latest);
    }
}

} // namespace

std::unique_ptr<FetchedPage> read_page(const stripe::Kind &kind, std::string body,
                                       const AsOf &as_of) {
    auto fetched = std::make_unique<FetchedPage>();
    fetched->kind = &kind;
    fetched->as_of = as_of;
    fetched->page = json::ListPage::parse(std::move(body));
    fetched->rows = rows_of(fetched->page);
    if (!kind.children.empty()) {
        for (std::size_t i = 0; i < fetched->rows.size(); ++i) {
            const Row &row = fetched->rows[i];
            fetched->parents.push_back(ParentLists{i, read_children(kind, row.id, row.raw)});
        }
    }
    return fetched;
}

ApplyReport apply_page(MirrorStore &store, FetchedPage &page, Source source,
                       const std::string &api_version) {
    ApplyReport report;
    report.read = static_cast<std::int64_t>(page.rows.size());
    if (page.rows.empty()) {
        return report;
    }
    Outcome outcome = write_rows(store, *page.kind, incoming_of(page.rows), page.as_of, source,
                                 api_version, report);
    for (const stripe::ChildList &list : page.kind->children) {
        apply_list(store, page, list, outcome, source, api_version, report);
    }
    return report;
}

} // namespace billstack::sync

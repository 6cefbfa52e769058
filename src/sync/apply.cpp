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

// Sorted by id, an id only once: one statement may not touch a row twice, and a fixed order keeps
// two writers from deadlocking.
void sort_unique(std::vector<Row> &rows) {
    std::stable_sort(rows.begin(), rows.end(),
                     [](const Row &a, const Row &b) { return a.id < b.id; });
    rows.erase(std::unique(rows.begin(), rows.end(),
                           [](const Row &a, const Row &b) { return a.id == b.id; }),
               rows.end());
}

// The ids whose incoming state was written or is stored already; the rest is older than the mirror.
struct Outcome {
    std::set<std::string_view> changed; // written, and stored before in another state
    std::set<std::string_view> fresh;   // written, not stored before
    std::set<std::string_view> unchanged;
};

Outcome write_rows(MirrorStore &store, const stripe::Kind &kind, std::vector<Row> rows,
                   const AsOf &as_of, Source source, const std::string &api_version,
                   ApplyReport &report) {
    Outcome outcome;
    sort_unique(rows);
    std::vector<std::string_view> ids;
    ids.reserve(rows.size());
    for (const Row &row : rows) {
        ids.push_back(row.id);
    }
    std::vector<StoredState> stored = store.stored_states(kind, ids);
    RowBatch batch;
    batch.kind = &kind;
    batch.as_of = as_of;
    batch.source = source;
    batch.api_version = api_version;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        switch (decide_read(stored[i], as_of, rows[i].digest)) {
        case Decision::unchanged:
            ++report.unchanged;
            outcome.unchanged.insert(rows[i].id);
            break;
        case Decision::older:
            ++report.older;
            break;
        case Decision::unclear: // a refetch needs events; until they are applied the read stands
        case Decision::apply:
            (stored[i].exists ? outcome.changed : outcome.fresh).insert(rows[i].id);
            batch.rows.push_back(rows[i]);
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
    std::vector<Row> embedded;
    std::vector<std::string_view> changed_parents; // a child of theirs may have gone
    std::vector<std::string_view> kept;
};

void gather_embedded(const FetchedPage &page, const stripe::ChildList &list, const Outcome &outcome,
                     ListWork &work) {
    for (const ParentLists &parent : page.parents) {
        std::string_view id = page.rows[parent.parent].id;
        bool unchanged = outcome.unchanged.contains(id);
        bool changed = outcome.changed.contains(id);
        if (!unchanged && !changed && !outcome.fresh.contains(id)) {
            continue; // the mirror holds a newer parent, and with it newer children
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
                work.embedded.push_back(row);
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
        if (more->list != &list) {
            continue;
        }
        for (const Row &row : more->rows) {
            work.kept.push_back(row.id);
        }
        write_rows(store, *list.kind, more->rows, more->as_of, source, api_version, children);
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
    Outcome outcome =
        write_rows(store, *page.kind, page.rows, page.as_of, source, api_version, report);
    for (const stripe::ChildList &list : page.kind->children) {
        apply_list(store, page, list, outcome, source, api_version, report);
    }
    return report;
}

} // namespace billstack::sync

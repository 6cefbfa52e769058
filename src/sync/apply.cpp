#include "sync/apply.hpp"

#include "sync/row_writer.hpp"

#include <algorithm>
#include <map>

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

// The embedded rows of a page's parents; the rest of the long ones was read by pages of its own.
void gather_embedded(const FetchedPage &page, const stripe::ChildList &list, const Outcome &outcome,
                     const std::string &api_version, ListWriter &writer) {
    for (const ParentLists &parent : page.parents) {
        std::string_view id = page.rows[parent.parent].id;
        if (!outcome.knows(id)) {
            continue;
        }
        for (const ChildRows &rows : parent.lists) {
            if (rows.list != &list || !rows.present) {
                continue;
            }
            // An unchanged parent carries unchanged children, but for those past the embedded ten.
            if (outcome.unchanged.contains(id) && !rows.has_more) {
                continue;
            }
            writer.add(id, rows.rows, page.as_of, api_version);
            AsOf window = page.as_of;
            for (const auto &more : page.more) {
                if (more->list == &list && more->parent_id == id) {
                    window.end = std::max(window.end, more->as_of.end);
                }
            }
            if (!outcome.fresh.contains(id)) {
                writer.complete(id, window);
            }
        }
    }
}

// Children of a list that is never inside its parent.
void complete_unembedded(const FetchedPage &page, const stripe::ChildList &list,
                         const Outcome &outcome, ListWriter &writer) {
    std::map<std::string_view, AsOf> windows;
    for (const auto &more : page.more) {
        if (more->list == &list && outcome.knows(more->parent_id)) {
            auto [at, added] = windows.emplace(more->parent_id, more->as_of);
            at->second.end = std::max(at->second.end, more->as_of.end);
        }
    }
    for (const auto &[id, window] : windows) {
        if (!outcome.fresh.contains(id)) {
            writer.complete(id, window);
        }
    }
}

void apply_list(MirrorStore &store, FetchedPage &page, const stripe::ChildList &list,
                const Outcome &outcome, Source source, const std::string &api_version,
                ApplyReport &report) {
    ListWriter writer(list, source);
    if (list.embedded) {
        gather_embedded(page, list, outcome, api_version, writer);
    } else {
        complete_unembedded(page, list, outcome, writer);
    }
    for (const std::unique_ptr<ChildPage> &more : page.more) {
        if (more->list == &list && outcome.knows(more->parent_id)) {
            writer.add(more->parent_id, more->rows, more->as_of, api_version);
        }
    }
    writer.write(store, report);
}

ApplyReport apply(MirrorStore &store, FetchedPage &page, Source source,
                  const std::string &api_version, const Decide &decide) {
    ApplyReport report;
    report.read = static_cast<std::int64_t>(page.rows.size());
    if (page.rows.empty()) {
        return report;
    }
    Outcome outcome = write_rows(store, *page.kind, source,
                                 incoming_of(page.rows, page.as_of, api_version), decide, report);
    for (const stripe::ChildList &list : page.kind->children) {
        apply_list(store, page, list, outcome, source, api_version, report);
    }
    return report;
}

// A kind with one list per object of the page. Rows that can be read alone have events of their
// own, and are judged like any object; the others go by their list.
ApplyReport apply_only_list(MirrorStore &store, const FetchedPage &page, Source source,
                            const std::string &api_version) {
    ApplyReport report;
    const stripe::ChildList &list = *page.only_list;
    std::vector<Incoming> rows;
    std::vector<std::string_view> kept;
    std::map<std::string_view, AsOf> windows;
    for (const std::unique_ptr<ChildPage> &more : page.more) {
        for (const Row &row : more->rows) {
            rows.push_back({row, more->as_of, more->parent_id, api_version});
            kept.push_back(row.id);
        }
        AsOf &window = windows.emplace(more->parent_id, more->as_of).first->second;
        window.start = std::min(window.start, more->as_of.start);
        window.end = std::max(window.end, more->as_of.end);
    }
    report.read = static_cast<std::int64_t>(rows.size());
    bool alone = !list.kind->retrieve_path.empty();
    if (!rows.empty()) {
        write_rows(
            store, *list.kind, source, std::move(rows),
            [alone](const StoredState &stored, const Incoming &incoming) {
                return (alone ? decide_read : decide_child)(stored, incoming.as_of,
                                                            incoming.row.digest);
            },
            report);
    }
    std::vector<CompleteList> complete;
    for (const auto &[parent, window] : windows) {
        complete.push_back({parent, window});
    }
    if (!complete.empty() && !list.kind->outlives_list) {
        report.changed += store.tombstone_missing(list, source, complete, kept);
    }
    return report;
}

void take_rows(FetchedPage &fetched) {
    fetched.rows = rows_of(fetched.page);
    if (!fetched.kind->children.empty()) {
        for (std::size_t i = 0; i < fetched.rows.size(); ++i) {
            const Row &row = fetched.rows[i];
            fetched.parents.push_back(
                ParentLists{i, read_children(*fetched.kind, row.id, row.raw)});
        }
    }
}

} // namespace

std::unique_ptr<FetchedPage> read_page(const stripe::Kind &kind, std::string body,
                                       const AsOf &as_of) {
    auto fetched = std::make_unique<FetchedPage>();
    fetched->kind = &kind;
    fetched->as_of = as_of;
    fetched->page = json::ListPage::parse(std::move(body));
    take_rows(*fetched);
    return fetched;
}

std::unique_ptr<FetchedPage> read_object(const stripe::Kind &kind, std::string body,
                                         const AsOf &as_of) {
    auto fetched = std::make_unique<FetchedPage>();
    fetched->kind = &kind;
    fetched->as_of = as_of;
    fetched->page = json::ListPage::parse_object(std::move(body));
    take_rows(*fetched);
    return fetched;
}

ApplyReport apply_page(MirrorStore &store, FetchedPage &page, Source source,
                       const std::string &api_version) {
    if (page.only_list != nullptr) {
        return apply_only_list(store, page, source, api_version);
    }
    return apply(store, page, source, api_version,
                 [](const StoredState &stored, const Incoming &incoming) {
                     return decide_read(stored, incoming.as_of, incoming.row.digest);
                 });
}

ApplyReport apply_refetched(MirrorStore &store, FetchedPage &page, std::int64_t sent_at,
                            const std::string &api_version) {
    std::vector<SeenAgain> known;
    ApplyReport report = apply(store, page, Source::read, api_version,
                               [&](const StoredState &stored, const Incoming &incoming) {
                                   Decision decision = decide_refetch(
                                       stored, sent_at, incoming.as_of, incoming.row.digest);
                                   // What comes later must know that this second has had an event,
                                   // or that the state was still the same.
                                   bool overlap = stored.exists && stored.source == Source::event &&
                                                  stored.as_of.end >= incoming.as_of.start;
                                   if (decision == Decision::unchanged) {
                                       known.push_back({incoming.row.id, incoming.as_of.start});
                                   } else if (decision == Decision::apply && overlap) {
                                       known.push_back({incoming.row.id, stored.as_of.end});
                                   }
                                   return decision;
                               });
    if (!known.empty()) {
        store.remember_seen(*page.kind, known);
    }
    return report;
}

bool apply_gone(MirrorStore &store, const stripe::Kind &kind, const std::string &id,
                std::int64_t sent_at, const AsOf &as_of) {
    StoredState stored = store.stored_states(kind, {id}).at(0);
    if (!stored.exists || stored.deleted) {
        return true;
    }
    if (stored.version != sent_at && as_of.start <= stored.window().end) {
        return as_of.end < stored.window().start;
    }
    Deletion deletion{id, {as_of, {}, true, stored.version}};
    store.mark_deleted(kind, Source::read, {deletion});
    for (const stripe::ChildList &list : kind.children) {
        store.tombstone_missing(list, Source::read, {{id, as_of}}, {});
    }
    return true;
}

ApplyReport apply_parent_list(MirrorStore &store, const stripe::ChildList &list,
                              const std::string &parent_id,
                              const std::vector<std::unique_ptr<ChildPage>> &pages,
                              const std::string &api_version) {
    ApplyReport report;
    ListWriter writer(list, Source::read);
    AsOf window = pages.at(0)->as_of;
    for (const std::unique_ptr<ChildPage> &page : pages) {
        writer.add(parent_id, page->rows, page->as_of, api_version);
        window.end = std::max(window.end, page->as_of.end);
    }
    writer.complete(parent_id, window);
    writer.write(store, report);
    return report;
}

} // namespace billstack::sync

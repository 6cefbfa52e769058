#include "sync/apply.hpp"

#include "sync/apply_list.hpp"
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

// Parents whose own bytes the mirror has already, read beside something newer: of the children that
// the bytes do not show nothing is certain.
void ask_for_unsure(MirrorStore &store, const FetchedPage &page, const Outcome &outcome,
                    ApplyReport &report) {
    std::vector<RefetchRequest> requests;
    for (const ParentLists &parent : page.parents) {
        std::string_view id = page.rows[parent.parent].id;
        bool more = std::any_of(parent.lists.begin(), parent.lists.end(),
                                [](const ChildRows &rows) { return rows.has_more; });
        if (more && outcome.unsure.contains(id)) {
            requests.push_back({page.kind, std::string(id), "overlap", tie_delay});
        }
    }
    if (!requests.empty()) {
        report.unclear += static_cast<std::int64_t>(requests.size());
        store.request_refetches(requests);
    }
}

// An unchanged parent carries unchanged children, but for those past the embedded ten.
void note_touched(const FetchedPage &page, const Outcome &outcome, ApplyReport &report) {
    for (const auto *ids : {&outcome.changed, &outcome.fresh}) {
        report.touched.insert(report.touched.end(), ids->begin(), ids->end());
    }
    for (const ParentLists &parent : page.parents) {
        std::string_view id = page.rows[parent.parent].id;
        bool more = std::any_of(parent.lists.begin(), parent.lists.end(),
                                [](const ChildRows &rows) { return rows.has_more; });
        if (more && outcome.unchanged.contains(id)) {
            report.touched.emplace_back(id);
        }
    }
}

ApplyReport apply(MirrorStore &store, FetchedPage &page, Source source,
                  const std::string &api_version, const Rules &rules) {
    ApplyReport report;
    report.read = static_cast<std::int64_t>(page.rows.size());
    if (page.rows.empty()) {
        return report;
    }
    Outcome outcome = write_rows(store, *page.kind, source,
                                 incoming_of(page.rows, page.as_of, api_version), rules, report);
    ask_for_unsure(store, page, outcome, report);
    for (const stripe::ChildList &list : page.kind->children) {
        apply_list(store, page, list, outcome, source, api_version, report);
    }
    note_touched(page, outcome, report);
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
                 {[](const StoredState &stored, const Incoming &incoming) {
                      return decide_read(stored, incoming.as_of, incoming.row.digest);
                  },
                  [](const StoredState &stored, const Incoming &incoming) {
                      return order_read(stored, incoming.as_of);
                  }});
}

namespace {

// One object, ordered by the rule given.
ApplyReport apply_one(MirrorStore &store, FetchedPage &page, const std::string &api_version,
                      Source source, const Decide &order) {
    std::vector<SeenAgain> known;
    Rules rules;
    rules.order = order;
    rules.decide = [&](const StoredState &stored, const Incoming &incoming) {
        Decision decision =
            holds(stored, incoming.row.digest) ? Decision::unchanged : order(stored, incoming);
        // What comes later must know that this second has had an event, or that the state was
        // still the same.
        bool overlap = stored.exists && stored.source == Source::event &&
                       stored.as_of.end >= incoming.as_of.start;
        if (decision == Decision::unchanged) {
            std::int64_t second = std::max(incoming.as_of.start, stored.as_of.start);
            known.push_back({incoming.row.id, second});
        } else if (decision == Decision::apply && overlap) {
            known.push_back({incoming.row.id, stored.as_of.end});
        }
        return decision;
    };
    ApplyReport report = apply(store, page, source, api_version, rules);
    if (!known.empty()) {
        store.remember_seen(*page.kind, known);
    }
    return report;
}

} // namespace

ApplyReport apply_refetched(MirrorStore &store, FetchedPage &page, std::int64_t sent_at,
                            const std::string &api_version) {
    return apply_one(store, page, api_version, Source::read,
                     [&](const StoredState &stored, const Incoming &incoming) {
                         return order_refetch(stored, sent_at, incoming.as_of);
                     });
}

ApplyReport apply_answer(MirrorStore &store, FetchedPage &page, const SentState &sent,
                         const std::string &api_version) {
    std::vector<RefetchRequest> doubtful;
    ApplyReport report = apply_one(
        store, page, api_version, Source::call,
        [&](const StoredState &stored, const Incoming &incoming) {
            Decision decision = order_refetch(stored, sent.version, incoming.as_of);
            bool as_sent = stored.version == sent.version && stored.seen_at == sent.seen_at;
            if (decision == Decision::apply || !as_sent) {
                return decision;
            }
            doubtful.push_back({page.kind, std::string(incoming.row.id), "call", tie_delay});
            return Decision::apply;
        });
    if (!doubtful.empty() && !page.kind->retrieve_path.empty()) {
        store.request_refetches(doubtful);
    }
    return report;
}

namespace {

// Of an object that the mirror never had: a page read earlier may still bring it. The bytes are
// those of Stripe's own answer for a deleted customer.
void write_tombstone(MirrorStore &store, const stripe::Kind &kind, const std::string &id,
                     const AsOf &as_of) {
    std::string quoted;
    for (char c : id) { // printable ASCII
        quoted += c == '"' || c == '\\' ? std::string{'\\', c} : std::string{c};
    }
    std::string raw = R"({"id":")" + quoted + R"(","object":")" + std::string(kind.object) +
                      R"(","deleted":true})";
    RowBatch batch;
    batch.kind = &kind;
    batch.source = Source::read;
    batch.rows.push_back({id, raw, digest_of(raw)});
    batch.origins.push_back({as_of, {}, true, 0});
    batch.parents.emplace_back();
    extract_columns(batch);
    store.upsert(batch);
}

} // namespace

bool apply_gone(MirrorStore &store, const stripe::Kind &kind, const std::string &id,
                std::int64_t sent_at, const AsOf &as_of) {
    StoredState stored = store.stored_states(kind, {id}).at(0);
    if (!stored.exists) {
        write_tombstone(store, kind, id, as_of);
        ask_for_dependents(store, kind, {{id, as_of}});
        return true;
    }
    if (stored.deleted) {
        store.remember_seen(kind, {{id, std::max(as_of.start, stored.as_of.start)}});
        return true;
    }
    if (Decision order = order_refetch(stored, sent_at, as_of); order != Decision::apply) {
        return order == Decision::older;
    }
    Deletion deletion{id, {as_of, {}, true, stored.version}};
    store.mark_deleted(kind, Source::read, {deletion});
    for (const stripe::ChildList &list : kind.children) {
        store.tombstone_missing(list, Source::read, {{id, as_of}}, {});
    }
    ask_for_dependents(store, kind, {{id, as_of}});
    return true;
}

} // namespace billstack::sync

// See apply_list.hpp. Children inside their parent are judged with it. These have no parent to go
// by: the page waits for a hundred lists before it is written, and what happened meanwhile is known
// of the rows alone, or of the list where they cannot be read alone.
#include "sync/apply_list.hpp"

#include "sync/row_writer.hpp"

#include <algorithm>
#include <map>
#include <set>

namespace billstack::sync {

namespace {

constexpr std::int64_t no_limit = INT64_MAX;
constexpr std::int64_t most_dependents = 10000; // of a batch and a kind

// Rows that can be read alone have events of their own, and are judged like any object.
bool is_read_alone(const stripe::ChildList &list) {
    return !list.kind->retrieve_path.empty();
}

using Windows = std::map<std::string_view, AsOf>; // by parent

Windows windows_of(const FetchedPage &page) {
    Windows windows;
    for (const std::unique_ptr<ChildPage> &more : page.more) {
        AsOf &window = windows.emplace(more->parent_id, more->as_of).first->second;
        window.start = std::min(window.start, more->as_of.start);
        window.end = std::max(window.end, more->as_of.end);
    }
    return windows;
}

std::vector<CompleteList> complete_lists(const Windows &windows) {
    std::vector<CompleteList> complete;
    for (const auto &[parent, window] : windows) {
        complete.push_back({parent, window});
    }
    return complete;
}

// Lists that were read by themselves no earlier than here are left out and read once more.
void drop_outdated(MirrorStore &store, const stripe::ChildList &list, Windows &windows,
                   ApplyReport &report) {
    std::vector<std::string_view> parents;
    for (const auto &[parent, window] : windows) {
        parents.push_back(parent);
    }
    std::vector<RefetchRequest> requests;
    for (const SeenAgain &read : store.lists_read(*list.kind, parents)) {
        auto found = windows.find(read.id);
        if (found != windows.end() && found->second.start <= read.second) {
            requests.push_back({list.kind, std::string(read.id), "entitlements", tie_delay});
            windows.erase(found);
        }
    }
    if (!requests.empty()) {
        report.unclear += static_cast<std::int64_t>(requests.size());
        store.request_refetches(requests);
    }
}

// Not in the list: a state like any other, newer or older than the stored one by its window. Where
// that says nothing the object is read: an event after the list may have brought it.
void judge_missing(MirrorStore &store, const stripe::ChildList &list, Source source,
                   const Windows &windows, const std::vector<std::string_view> &kept,
                   ApplyReport &report) {
    std::map<std::string, std::string_view> parents; // by child; sorted, as the store wants them
    for (MissingChild &child :
         store.missing_children(list, complete_lists(windows), kept, no_limit)) {
        parents.emplace(std::move(child.id), windows.find(child.parent_id)->first);
    }
    std::vector<std::string_view> ids;
    for (const auto &[id, parent] : parents) {
        ids.push_back(id);
    }
    if (ids.empty()) {
        return;
    }
    std::vector<StoredState> stored = store.stored_states(*list.kind, ids);
    std::vector<Deletion> deletions;
    std::vector<RefetchRequest> requests;
    for (std::size_t i = 0; i < ids.size(); ++i) {
        const AsOf &window = windows.at(parents.find(std::string(ids[i]))->second);
        Decision order = order_read(stored[i], window);
        if (order == Decision::apply && stored[i].exists) {
            deletions.push_back({ids[i], {window, {}, true, stored[i].version}});
        } else if (order == Decision::unclear) {
            requests.push_back({list.kind, std::string(ids[i]), "overlap", tie_delay});
        }
    }
    if (!deletions.empty()) {
        report.changed += store.mark_deleted(*list.kind, source, deletions);
    }
    if (!requests.empty()) {
        report.unclear += static_cast<std::int64_t>(requests.size());
        store.request_refetches(requests);
    }
}

} // namespace

ApplyReport apply_only_list(MirrorStore &store, const FetchedPage &page, Source source,
                            const std::string &api_version) {
    ApplyReport report;
    const stripe::ChildList &list = *page.only_list;
    bool alone = is_read_alone(list);
    Windows windows = windows_of(page);
    for (const std::unique_ptr<ChildPage> &more : page.more) {
        report.read += static_cast<std::int64_t>(more->rows.size());
    }
    if (!alone && !windows.empty()) {
        drop_outdated(store, list, windows, report);
    }
    std::vector<Incoming> rows;
    std::vector<std::string_view> kept;
    for (const std::unique_ptr<ChildPage> &more : page.more) {
        if (!windows.contains(more->parent_id)) {
            continue;
        }
        for (const Row &row : more->rows) {
            rows.push_back({row, more->as_of, more->parent_id, api_version});
            kept.push_back(row.id);
        }
    }
    for (const auto &[parent, window] : windows) {
        report.touched.emplace_back(parent);
    }
    if (!rows.empty()) {
        write_rows(store, *list.kind, source, std::move(rows),
                   {[alone](const StoredState &stored, const Incoming &incoming) {
                       return (alone ? decide_read : decide_child)(stored, incoming.as_of,
                                                                   incoming.row.digest);
                   }},
                   report);
    }
    if (windows.empty() || list.kind->outlives_list) {
        return report;
    }
    if (alone) {
        judge_missing(store, list, source, windows, kept, report);
    } else {
        report.changed += store.tombstone_missing(list, source, complete_lists(windows), kept);
    }
    return report;
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
    store.remember_seen(*list.kind, {{parent_id, window.end}});
    return report;
}

void apply_parent_gone(MirrorStore &store, const stripe::ChildList &list,
                       const std::string &parent_id, const AsOf &as_of) {
    store.tombstone_missing(list, Source::read, {{parent_id, as_of}}, {});
    store.remember_seen(*list.kind, {{parent_id, as_of.end}});
}

void ask_for_dependents(MirrorStore &store, const stripe::Kind &parent,
                        const std::vector<CompleteList> &gone) {
    std::vector<RefetchRequest> requests;
    for (const stripe::Kind *kind : stripe::all_kinds()) {
        if (gone.empty() || kind->list_parent != &parent || !store.has_table(*kind)) {
            continue;
        }
        const stripe::ChildList &list = *stripe::parent_list(*kind);
        std::set<std::string> asked;
        for (MissingChild &child : store.missing_children(list, gone, {}, most_dependents)) {
            std::string &id = is_read_alone(list) ? child.id : child.parent_id;
            if (asked.insert(id).second) {
                requests.push_back({kind, std::move(id), "parent", {}});
            }
        }
    }
    if (!requests.empty()) {
        store.request_refetches(requests);
    }
}

} // namespace billstack::sync

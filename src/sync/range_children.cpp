// The part of a walk that reads the lists of a page's objects, where they are longer than what came
// with them or come by themselves.
#include "core/error.hpp"
#include "sync/child_pager.hpp"
#include "sync/range_walker.hpp"

#include <algorithm>
#include <set>

namespace billstack::sync {

void RangeWalker::want_child_page(PendingPage &page, const stripe::ChildList &list,
                                  std::string parent_id, std::string after_id) {
    Wanted wanted{&page, &list, std::move(parent_id), std::move(after_id)};
    // The rest of a list before other lists of its page: what is complete can be written.
    if (!wanted.after_id.empty() && !pages_.empty() && &page == pages_.front().get()) {
        wanted_.push_front(std::move(wanted));
    } else {
        wanted_.push_back(std::move(wanted));
    }
    ++page.open_calls;
}

// A page may need hundreds of them: some at a time. Those of the oldest page always go on, for it
// is what makes room.
void RangeWalker::submit_child_pages() {
    while (!wanted_.empty() && static_cast<int>(calls_.size()) < options_.most_children) {
        auto next = wanted_.begin();
        if (!options_.budget->has_room()) {
            next = std::find_if(wanted_.begin(), wanted_.end(), [&](const Wanted &wanted) {
                return wanted.page == pages_.front().get();
            });
        }
        if (next == wanted_.end()) {
            return;
        }
        Wanted wanted = std::move(*next);
        wanted_.erase(next);
        submit_child_page(wanted);
    }
}

void RangeWalker::submit_child_page(const Wanted &wanted) {
    const stripe::ChildList &list = *wanted.list;
    stripe::Call call;
    call.path = replace_id(list.more_path, wanted.parent_id);
    call.key = options_.key;
    call.account = options_.account;
    call.retry = options_.retry;
    call.timeout = options_.timeout;
    if (!list.more_param.empty()) {
        call.params.emplace_back(list.more_param, wanted.parent_id);
    }
    call.params.emplace_back("limit", std::to_string(most_a_page_));
    if (!wanted.after_id.empty()) {
        call.params.emplace_back("starting_after", wanted.after_id);
    }
    calls_.emplace(caller_.submit(std::move(call)), Purpose{wanted.page, &list, wanted.parent_id});
}

void RangeWalker::want_child_pages(PendingPage &added) {
    if (const stripe::ChildList *list = stripe::parent_list(kind_)) {
        added.fetched->only_list = list;
        for (const Row &row : added.fetched->rows) {
            want_child_page(added, *list, std::string(row.id), "");
        }
        return;
    }
    for (const ParentLists &parent : added.fetched->parents) {
        for (const ChildRows &rows : parent.lists) {
            if (rows.has_more) {
                want_child_page(added, *rows.list, std::string(rows.parent_id),
                                rows.rows.empty() ? "" : std::string(rows.rows.back().id));
            }
        }
    }
}

void RangeWalker::accept_child_page(const Purpose &purpose, stripe::CallResult &result) {
    auto child = std::make_unique<ChildPage>();
    child->list = purpose.list;
    child->parent_id = purpose.parent_id;
    child->as_of = AsOf{result.window_start, result.window_end};
    std::size_t bytes = result.body.size();
    child->page = json::ListPage::parse(std::move(result.body));
    check_progress(child->page, "");
    for (const json::ObjectSpan &object : child->page.objects()) {
        child->rows.push_back(Row{object.id, object.raw, digest_of(object.raw)});
    }
    if (child->page.has_more() && !child->rows.empty()) {
        want_child_page(*purpose.page, *purpose.list, purpose.parent_id,
                        std::string(child->rows.back().id));
    }
    child->bytes = bytes;
    purpose.page->bytes += bytes;
    has_read_ = true;
    purpose.page->fetched->more.push_back(std::move(child));
}

std::size_t RangeWalker::complete_rows() const {
    const PendingPage &page = *pages_.front();
    std::set<std::string_view> open; // parents
    for (const Wanted &wanted : wanted_) {
        if (wanted.page == &page) {
            open.insert(wanted.parent_id);
        }
    }
    for (const auto &[id, purpose] : calls_) {
        if (purpose.page == &page) {
            open.insert(purpose.parent_id);
        }
    }
    const std::vector<Row> &rows = page.fetched->rows;
    auto first = std::find_if(rows.begin(), rows.end(),
                              [&](const Row &row) { return open.contains(row.id); });
    return static_cast<std::size_t>(first - rows.begin());
}

std::size_t RangeWalker::writable_rows(std::size_t most) const {
    const PendingPage &page = *pages_.front();
    if (page.open_calls == 0) {
        return most;
    }
    std::size_t complete = complete_rows() - page.rows_written;
    return most == 0 ? complete : std::min(most, complete);
}

// What was read for the rows that are written.
void PendingPage::forget_written_children() {
    std::set<std::string_view> ids;
    for (std::size_t i = 0; i < rows_written; ++i) {
        ids.insert(fetched->rows[i].id);
    }
    std::erase_if(fetched->more, [&](const std::unique_ptr<ChildPage> &child) {
        bool written = ids.contains(child->parent_id);
        bytes -= written ? child->bytes : 0;
        return written;
    });
}

} // namespace billstack::sync

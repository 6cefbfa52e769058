#include "sync/range_walker.hpp"

#include "core/error.hpp"

#include <algorithm>

namespace billstack::sync {

namespace {

constexpr int longest_wait_seconds = 60;
constexpr int most_unreadable = 5;

// A list that promises more and brings nothing new would end a range early or never.
void check_progress(const json::ListPage &list, const std::string &cursor) {
    bool stuck = list.objects().empty() ? list.has_more() : list.objects().back().id == cursor;
    if (stuck) {
        throw core::Error(core::Code::stripe_unreachable, "a list page brought nothing new");
    }
}

void add_query(stripe::Params &params, std::string_view query) {
    while (!query.empty()) {
        std::string_view pair = query.substr(0, query.find('&'));
        query.remove_prefix(std::min(query.size(), pair.size() + 1));
        std::size_t equals = pair.find('=');
        params.emplace_back(pair.substr(0, equals), pair.substr(equals + 1));
    }
}

std::string replace_id(std::string_view pattern, const std::string &id) {
    std::string path(pattern);
    std::size_t at = path.find("{id}");
    if (at != std::string::npos) {
        path.replace(at, 4, stripe::encode_path_segment(id));
    }
    return path;
}

} // namespace

std::string describe_failure(std::string text, const stripe::CallResult &result) {
    if (!result.error.message.empty()) {
        text += ": " + result.error.message;
    } else if (!result.failure_text.empty()) {
        text += ": " + result.failure_text;
    } else if (result.http_status != 0) {
        text += ": status " + std::to_string(result.http_status);
    }
    if (!result.request_id.empty()) {
        text += " (request " + result.request_id + ")";
    }
    return text;
}

namespace {

// Stripe's answer in the words of a DBA: what happened, with the request id to quote to Stripe.
std::string describe(const stripe::Kind &kind, const stripe::CallResult &result) {
    using stripe::CallStatus;
    std::string text;
    switch (result.status) {
    case CallStatus::forbidden:
        text = "this key cannot read " + std::string(kind.table);
        break;
    case CallStatus::key_rejected:
        text = "Stripe rejected the key";
        break;
    case CallStatus::rate_limited:
        text = "Stripe limits the rate of requests";
        break;
    case CallStatus::bad_answer:
        text = "Stripe's answer could not be read";
        break;
    case CallStatus::unreachable:
        text = "Stripe could not be reached";
        break;
    default:
        text = "Stripe refused to list " + std::string(kind.table);
        break;
    }
    return describe_failure(std::move(text), result);
}

} // namespace

RangeWalker::RangeWalker(stripe::Caller &caller, const core::Clock &clock, const stripe::Kind &kind,
                         int range_no, RangePosition position, WalkerOptions options)
    : caller_(caller), clock_(clock), kind_(kind),
      walked_(kind.list_parent != nullptr ? *kind.list_parent : kind), range_no_(range_no),
      options_(std::move(options)), written_(position), fetched_(std::move(position)) {}

std::optional<core::MonoTime> RangeWalker::retry_at() const {
    return state_ == State::waiting ? std::optional(retry_at_) : put_off_until_;
}

void RangeWalker::advance() {
    if (state_ == State::waiting && clock_.mono() >= retry_at_) {
        state_ = State::walking;
    }
    if (state_ == State::walking && !list_call_open_ && !all_fetched_ &&
        static_cast<int>(pages_.size()) < options_.pages_ahead) {
        submit_list_page();
    }
}

void RangeWalker::submit_list_page() {
    stripe::Call call;
    call.path = std::string(walked_.list_path);
    call.key = options_.key;
    call.account = options_.account;
    call.retry = options_.retry;
    call.timeout = options_.timeout;
    call.params.emplace_back("limit", std::to_string(options_.page_size));
    add_query(call.params, walked_.list_params);
    if (fetched_.created_gte && kind_.filters_by_created) {
        call.params.emplace_back("created[gte]", std::to_string(*fetched_.created_gte));
    }
    if (fetched_.created_lte && kind_.filters_by_created) {
        call.params.emplace_back("created[lte]", std::to_string(*fetched_.created_lte));
    }
    if (!fetched_.cursor.empty()) {
        call.params.emplace_back("starting_after", fetched_.cursor);
    }
    calls_.emplace(caller_.submit(std::move(call)), Purpose{});
    list_call_open_ = true;
}

void RangeWalker::submit_child_page(PendingPage &page, const stripe::ChildList &list,
                                    const std::string &parent_id, const std::string &after_id) {
    stripe::Call call;
    call.path = replace_id(list.more_path, parent_id);
    call.key = options_.key;
    call.account = options_.account;
    call.retry = options_.retry;
    call.timeout = options_.timeout;
    if (!list.more_param.empty()) {
        call.params.emplace_back(list.more_param, parent_id);
    }
    call.params.emplace_back("limit", std::to_string(options_.page_size));
    if (!after_id.empty()) {
        call.params.emplace_back("starting_after", after_id);
    }
    calls_.emplace(caller_.submit(std::move(call)), Purpose{&page, &list, parent_id});
    ++page.open_calls;
}

void RangeWalker::on_result(stripe::CallResult result) {
    auto found = calls_.find(result.id);
    if (found == calls_.end()) {
        return;
    }
    Purpose purpose = std::move(found->second);
    calls_.erase(found);
    if (purpose.page == nullptr) {
        list_call_open_ = false;
    } else {
        --purpose.page->open_calls;
    }
    if (result.status != stripe::CallStatus::ok) {
        on_failure(purpose, result);
        return;
    }
    try {
        if (purpose.page == nullptr) {
            accept_list_page(result);
        } else {
            accept_child_page(purpose, result);
        }
    } catch (const core::Error &error) {
        // Not what a list looks like: a proxy's page, a cut body. The next try may fare better.
        wait_and_start_over(error.message);
    }
    advance();
}

void RangeWalker::accept_list_page(stripe::CallResult &result) {
    auto page = std::make_unique<PendingPage>();
    page->fetched =
        read_page(walked_, std::move(result.body), AsOf{result.window_start, result.window_end});
    const json::ListPage &list = page->fetched->page;
    check_progress(list, fetched_.cursor);
    page->after = fetched_;
    if (!list.objects().empty()) {
        page->newest_created = list.objects().front().created;
        page->after.cursor = list.objects().back().id;
        page->after.cursor_created = list.objects().back().created;
    }
    page->last = !list.has_more() || list.objects().empty();
    fetched_ = page->after;
    all_fetched_ = page->last;
    error_.clear();
    pages_.push_back(std::move(page));
    submit_child_pages(*pages_.back());
    if (all_fetched_) {
        state_ = State::exhausted;
    }
}

void RangeWalker::submit_child_pages(PendingPage &added) {
    if (const stripe::ChildList *list = stripe::parent_list(kind_)) {
        added.fetched->only_list = list;
        for (const Row &row : added.fetched->rows) {
            submit_child_page(added, *list, std::string(row.id), "");
        }
        return;
    }
    for (const ParentLists &parent : added.fetched->parents) {
        for (const ChildRows &rows : parent.lists) {
            if (rows.has_more) {
                submit_child_page(added, *rows.list, std::string(rows.parent_id),
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
    child->page = json::ListPage::parse(std::move(result.body));
    check_progress(child->page, "");
    for (const json::ObjectSpan &object : child->page.objects()) {
        child->rows.push_back(Row{object.id, object.raw, digest_of(object.raw)});
    }
    if (child->page.has_more() && !child->rows.empty()) {
        submit_child_page(*purpose.page, *purpose.list, purpose.parent_id,
                          std::string(child->rows.back().id));
    }
    purpose.page->fetched->more.push_back(std::move(child));
}

bool RangeWalker::is_lost_cursor(const Purpose &purpose, const stripe::CallResult &result) const {
    return purpose.page == nullptr && result.status == stripe::CallStatus::refused &&
           result.error.code == "resource_missing" && result.error.param == "starting_after" &&
           !fetched_.cursor.empty();
}

void RangeWalker::on_failure(const Purpose &purpose, const stripe::CallResult &result) {
    using stripe::CallStatus;
    if (is_lost_cursor(purpose, result)) {
        restart_after_lost_cursor();
        return;
    }
    switch (result.status) {
    case CallStatus::key_rejected:
        fail(core::Code::stripe_key_rejected, describe(kind_, result));
        return;
    case CallStatus::forbidden:
        fail(core::Code::not_allowed, describe(kind_, result));
        return;
    case CallStatus::refused:
        // Parent or child deleted between the page and its sub-list: read the page again.
        if (purpose.page != nullptr &&
            (result.http_status == 404 || result.error.code == "resource_missing")) {
            wait_and_start_over(describe(kind_, result));
            return;
        }
        fail(core::Code::stripe_refused, describe(kind_, result));
        return;
    default:
        if (result.too_large) {
            options_.page_size = std::max(1, options_.page_size / 2);
        }
        wait_and_start_over(describe(kind_, result));
    }
}

core::Milliseconds RangeWalker::put_off(std::string reason) {
    auto delay = std::chrono::seconds(std::min(30, 1 << std::min(put_offs_++, 5)));
    put_off_until_ = clock_.mono() + delay;
    error_ = std::move(reason);
    return delay;
}

void RangeWalker::give_up(std::string reason) {
    fail(core::Code::internal, std::move(reason));
}

void RangeWalker::page_unreadable(const std::string &reason) {
    if (++unreadable_ >= most_unreadable) {
        fail(core::Code::stripe_refused,
             "an object of " + std::string(kind_.table) + " cannot be read: " + reason);
        return;
    }
    wait_and_start_over(reason);
}

// The object that the cursor names was deleted. When its page is not written yet, reading on from
// what is written is enough; else the range starts again at the second of that object.
void RangeWalker::restart_after_lost_cursor() {
    std::string lost = fetched_.cursor;
    drop_unwritten();
    if (written_.cursor == lost) {
        if (kind_.filters_by_created && written_.cursor_created) {
            written_.created_lte = written_.cursor_created;
        }
        written_.cursor.clear();
        fetched_ = written_;
    }
    advance();
}

// Everything fetched and not written is read again: simple, and at most two pages.
void RangeWalker::wait_and_start_over(std::string reason) {
    drop_unwritten();
    state_ = State::waiting;
    error_ = std::move(reason);
    int seconds = std::min(longest_wait_seconds, 1 << std::min(failures_, 6));
    ++failures_;
    retry_at_ = clock_.mono() + std::chrono::seconds(seconds);
}

void RangeWalker::fail(core::Code code, std::string reason) {
    drop_unwritten();
    state_ = State::failed;
    error_code_ = code;
    error_ = std::move(reason);
}

void RangeWalker::drop_unwritten() {
    stop();
    pages_.clear();
    put_off_until_.reset();
    fetched_ = written_;
    list_call_open_ = false;
    all_fetched_ = false;
    if (state_ == State::exhausted) {
        state_ = State::walking;
    }
}

PendingPage *RangeWalker::ready_page() {
    bool put_off = put_off_until_ && clock_.mono() < *put_off_until_;
    if (pages_.empty() || pages_.front()->open_calls > 0 || put_off) {
        return nullptr;
    }
    return pages_.front().get();
}

void RangeWalker::page_written() {
    bool last = pages_.front()->last;
    written_ = pages_.front()->after;
    pages_.pop_front();
    failures_ = 0;
    unreadable_ = 0;
    put_offs_ = 0;
    put_off_until_.reset();
    error_.clear();
    if (last) {
        state_ = State::done;
    }
    advance();
}

void RangeWalker::raise_created_gte(std::int64_t created_gte) {
    written_.created_gte = created_gte;
    fetched_.created_gte = created_gte;
    for (auto &page : pages_) {
        page->after.created_gte = created_gte;
    }
}

void RangeWalker::stop() {
    for (const auto &[id, purpose] : calls_) {
        caller_.cancel(id);
    }
    calls_.clear();
}

} // namespace billstack::sync

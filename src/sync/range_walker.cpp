#include "sync/range_walker.hpp"

#include "core/error.hpp"

#include <algorithm>

namespace billstack::sync {

namespace {

constexpr int longest_wait_seconds = 60;
constexpr int most_unreadable = 5;

void add_query(stripe::Params &params, std::string_view query) {
    while (!query.empty()) {
        std::string_view pair = query.substr(0, query.find('&'));
        query.remove_prefix(std::min(query.size(), pair.size() + 1));
        std::size_t equals = pair.find('=');
        params.emplace_back(pair.substr(0, equals), pair.substr(equals + 1));
    }
}

std::optional<std::int64_t> created_of(const std::vector<json::ObjectSpan> &objects,
                                       std::string_view id) {
    auto found = std::find_if(objects.rbegin(), objects.rend(),
                              [&](const json::ObjectSpan &object) { return object.id == id; });
    return found == objects.rend() ? std::nullopt : found->created;
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
// read: the kind whose list was asked for, kind itself or what it hangs on.
std::string describe(const stripe::Kind &kind, const stripe::Kind &read,
                     const stripe::CallResult &result) {
    using stripe::CallStatus;
    std::string text;
    switch (result.status) {
    case CallStatus::forbidden:
        text = "this key cannot read " + std::string(read.table);
        if (&read == kind.list_parent) {
            text += ", which the " + std::string(kind.table) + " hang on";
        }
        break;
    case CallStatus::key_rejected:
        text = "Stripe rejected the key, asked for " + std::string(read.table);
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
      options_(std::move(options)), most_a_page_(options_.page_size), written_(position),
      fetched_(std::move(position)),
      began_(fetched_.cursor.empty() ? fetched_.created_lte : fetched_.cursor_created),
      has_read_(!written_.cursor.empty()) {}

RangeWalker::~RangeWalker() {
    pages_.clear();
    stop();
}

std::optional<core::MonoTime> RangeWalker::retry_at() const {
    return state_ == State::waiting ? std::optional(retry_at_) : put_off_until_;
}

void RangeWalker::advance() {
    if (state_ == State::waiting && clock_.mono() >= retry_at_) {
        state_ = State::walking;
    }
    if (may_fetch() && options_.budget->has_room()) {
        submit_list_page();
    }
    submit_child_pages();
    settle();
}

bool RangeWalker::may_fetch() const {
    return state_ == State::walking && !list_call_open_ && !all_fetched_ &&
           static_cast<int>(pages_.size()) < options_.pages_ahead;
}

bool RangeWalker::starved() const {
    return may_fetch() && !options_.budget->has_room();
}

// What this walker holds, as the budget knows it.
void RangeWalker::settle() {
    std::size_t held = list_call_open_ ? page_bytes_ : 0;
    for (const auto &page : pages_) {
        held += page->bytes;
    }
    int moving = static_cast<int>(calls_.size());
    moving += put_off_until_ ? 0 : static_cast<int>(pages_.size());
    options_.budget->held += held - budget_held_;
    options_.budget->moving += moving - budget_moving_;
    budget_held_ = held;
    budget_moving_ = moving;
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
        bad_answer(error.message);
    }
    advance();
}

// A list that promises more and brings nothing new would end a range early or never.
void RangeWalker::check_progress(const json::ListPage &list, const std::string &cursor) {
    bool stuck = list.objects().empty() ? list.has_more() : list.objects().back().id == cursor;
    if (stuck) {
        throw core::Error(core::Code::stripe_unreachable, "a list page brought nothing new");
    }
}

void RangeWalker::accept_list_page(stripe::CallResult &result) {
    auto page = std::make_unique<PendingPage>();
    page->bytes = result.body.size();
    page->fetched =
        read_page(walked_, std::move(result.body), AsOf{result.window_start, result.window_end});
    check_progress(page->fetched->page, fetched_.cursor);
    page_bytes_ = page->bytes;
    ++list_pages_;
    double seconds = static_cast<double>(result.latency.count()) / 1000;
    latency_ = latency_ == 0 ? std::max(seconds, 0.001) : latency_ + (seconds - latency_) / 8;
    bool more = page->fetched->page.has_more();
    bool cut = drop_older(*page->fetched);
    error_.clear();
    const std::vector<Row> &rows = page->fetched->rows;
    if (rows.empty() && cut && more) {
        return; // asked once more, with the new bound: the order of a list is not relied upon
    }
    page->after = fetched_;
    if (!rows.empty()) {
        note_sight(*page->fetched);
        const std::vector<json::ObjectSpan> &objects = page->fetched->page.objects();
        page->newest_created = objects.front().created;
        page->after.cursor = rows.back().id;
        page->after.cursor_created = created_of(objects, rows.back().id);
    }
    page->last = !more;
    // The list of a kind that hangs on another is read once its own lists are.
    has_read_ |= kind_.list_parent == nullptr || rows.empty();
    fetched_ = page->after;
    all_fetched_ = page->last;
    pages_.push_back(std::move(page));
    want_child_pages(*pages_.back());
    if (all_fetched_) {
        state_ = State::exhausted;
    }
}

// The request may have been sent before the range lost its older part. True: there was such a part.
bool RangeWalker::drop_older(FetchedPage &fetched) const {
    if (!kind_.filters_by_created || !fetched_.created_gte) {
        return false;
    }
    const std::vector<json::ObjectSpan> &objects = fetched.page.objects();
    std::vector<std::size_t> place(objects.size()); // of those that stay
    std::size_t kept = 0;
    for (std::size_t i = 0; i < objects.size(); ++i) {
        bool older = objects[i].created && *objects[i].created < *fetched_.created_gte;
        place[i] = older ? objects.size() : kept;
        if (!older) {
            fetched.rows[kept++] = fetched.rows[i];
        }
    }
    if (kept == objects.size()) {
        return false;
    }
    fetched.rows.resize(kept);
    std::erase_if(fetched.parents,
                  [&](const auto &parent) { return place[parent.parent] == objects.size(); });
    for (ParentLists &parent : fetched.parents) {
        parent.parent = place[parent.parent];
    }
    return true;
}

void RangeWalker::note_sight(const FetchedPage &fetched) {
    std::optional<std::int64_t> newest;
    std::optional<std::int64_t> oldest;
    for (const json::ObjectSpan &object : fetched.page.objects()) {
        if (object.created) {
            newest = std::max(newest.value_or(*object.created), *object.created);
            oldest = std::min(oldest.value_or(*object.created), *object.created);
        }
    }
    if (newest) {
        sight_.add_page(*newest, *oldest, static_cast<int>(fetched.page.objects().size()));
    }
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
    std::string reason =
        describe(kind_, purpose.page == nullptr ? walked_ : *purpose.list->kind, result);
    switch (result.status) {
    case CallStatus::key_rejected:
        fail(core::Code::stripe_key_rejected, reason);
        return;
    case CallStatus::forbidden:
        fail(core::Code::not_allowed, reason);
        return;
    case CallStatus::refused:
        // Parent or child deleted between the page and its sub-list: read the page again.
        if (purpose.page != nullptr &&
            (result.http_status == 404 || result.error.code == "resource_missing")) {
            bad_answer(reason);
            return;
        }
        fail(core::Code::stripe_refused, reason);
        return;
    case CallStatus::bad_answer:
        if (result.too_large && most_a_page_ > 1) {
            most_a_page_ /= 2;
            options_.page_size = std::min(options_.page_size, most_a_page_);
            wait_and_start_over(reason);
            error_code_ = core::Code::stripe_unreachable;
            return;
        }
        bad_answer(reason);
        return;
    default:
        wait_and_start_over(reason);
        error_code_ = result.status == CallStatus::rate_limited ? core::Code::stripe_rate_limited
                                                                : core::Code::stripe_unreachable;
    }
}

core::Milliseconds RangeWalker::put_off(std::string reason) {
    auto delay = std::chrono::seconds(std::min(30, 1 << std::min(put_offs_++, 5)));
    put_off_until_ = clock_.mono() + delay;
    error_ = std::move(reason);
    settle();
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

// From the second time on fewer objects at a time, to come past the one that cannot be had; one
// that is asked for alone and cannot be had is given up after some tries.
void RangeWalker::bad_answer(const std::string &reason) {
    if (options_.page_size == 1 && ++bad_answers_ >= most_unreadable) {
        fail(core::Code::stripe_unreachable, "an object of " + std::string(kind_.table) +
                                                 " or a list of it cannot be read: " + reason);
        return;
    }
    if (failures_ > 0) {
        options_.page_size = std::max(1, options_.page_size / 2);
    }
    wait_and_start_over(reason);
    error_code_ = core::Code::stripe_unreachable;
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
    pages_.clear();
    put_off_until_.reset();
    stop();
    fetched_ = written_;
    all_fetched_ = false;
    if (state_ == State::exhausted) {
        state_ = State::walking;
    }
}

PendingPage *RangeWalker::ready_page() {
    bool put_off = put_off_until_ && clock_.mono() < *put_off_until_;
    if (pages_.empty() || put_off) {
        return nullptr;
    }
    PendingPage *page = pages_.front().get();
    bool complete = page->open_calls == 0 ||
                    (!options_.budget->has_room() && complete_rows() > page->rows_written);
    return complete ? page : nullptr;
}

RangePosition PendingPage::position_after(std::size_t rows) const {
    RangePosition position = after;
    const json::ObjectSpan &last_row = fetched->page.objects()[rows - 1];
    position.cursor = last_row.id;
    position.cursor_created = last_row.created;
    return position;
}

void RangeWalker::part_written(std::size_t rows) {
    PendingPage &page = *pages_.front();
    page.rows_written += rows;
    written_ = page.position_after(page.rows_written);
    page.forget_written_children();
    failures_ = 0;
    bad_answers_ = 0;
    put_offs_ = 0;
    put_off_until_.reset();
    error_.clear();
    settle();
}

void RangeWalker::page_written() {
    bool last = pages_.front()->last;
    written_ = pages_.front()->after;
    pages_.pop_front();
    failures_ = 0;
    unreadable_ = 0;
    bad_answers_ = 0;
    options_.page_size = std::min(most_a_page_, options_.page_size * 2);
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
    wanted_.clear();
    list_call_open_ = false;
    settle();
}

} // namespace billstack::sync

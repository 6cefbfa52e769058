#include "sync/child_pager.hpp"

#include "core/error.hpp"

namespace billstack::sync {

namespace {

std::vector<Row> rows_of(const json::ListPage &page) {
    std::vector<Row> rows;
    for (const json::ObjectSpan &object : page.objects()) {
        rows.push_back({object.id, object.raw, digest_of(object.raw)});
    }
    return rows;
}

} // namespace

std::string replace_id(std::string_view pattern, const std::string &id) {
    std::string path(pattern);
    std::size_t at = path.find("{id}");
    if (at != std::string::npos) {
        path.replace(at, 4, stripe::encode_path_segment(id));
    }
    return path;
}

ChildPager::ChildPager(stripe::Caller &caller, const stripe::ChildList &list, std::string parent_id,
                       std::string after_id, const ReadOptions &options)
    : caller_(caller), list_(list), parent_id_(std::move(parent_id)),
      after_id_(std::move(after_id)), options_(options) {
    submit();
}

ChildPager::~ChildPager() {
    if (call_) {
        caller_.cancel(*call_);
    }
}

void ChildPager::submit() {
    stripe::Call call;
    call.path = replace_id(list_.more_path, parent_id_);
    call.params.emplace_back("limit", std::to_string(options_.page_size));
    if (!list_.more_param.empty()) {
        call.params.emplace_back(list_.more_param, parent_id_);
    }
    if (!after_id_.empty()) {
        call.params.emplace_back("starting_after", after_id_);
    }
    call.key = options_.key;
    call.account = options_.account;
    call.timeout = options_.timeout;
    call.retry = options_.retry;
    call_ = caller_.submit(std::move(call));
}

void ChildPager::on_result(stripe::CallResult result) {
    call_.reset();
    if (result.status != stripe::CallStatus::ok) {
        failure_ = std::move(result);
        state_ = State::failed;
        return;
    }
    auto page = std::make_unique<ChildPage>();
    page->list = &list_;
    page->parent_id = parent_id_;
    page->as_of = {result.window_start, result.window_end};
    try {
        page->page = json::ListPage::parse(std::move(result.body));
        page->rows = rows_of(page->page);
        bool more = page->page.has_more();
        if (more && (page->rows.empty() || page->rows.back().id == after_id_)) {
            throw core::Error(core::Code::stripe_unreachable, "a list page brought nothing new");
        }
        if (!page->rows.empty()) {
            after_id_ = page->rows.back().id;
        }
        pages_.push_back(std::move(page));
        if (more) {
            submit();
        } else {
            state_ = State::done;
        }
    } catch (const core::Error &error) {
        failure_.status = stripe::CallStatus::bad_answer;
        failure_.request_id = result.request_id;
        failure_.failure_text = error.message;
        state_ = State::failed;
    }
}

} // namespace billstack::sync

#include "sync/intent_search.hpp"

#include "core/error.hpp"
#include "stripe/intent.hpp"
#include "json/path_reader.hpp"
#include "json/token_text.hpp"

namespace billstack::sync {

bool IntentSearch::can_search(const stripe::Kind &kind) {
    return kind.filters_by_created && !kind.list_path.empty() && kind.list_parent == nullptr;
}

IntentSearch::IntentSearch(stripe::Caller &caller, SoughtObjects sought, const ReadOptions &options)
    : caller_(caller), sought_(std::move(sought)), options_(options) {
    submit();
}

IntentSearch::~IntentSearch() {
    if (call_) {
        caller_.cancel(*call_);
    }
}

void IntentSearch::submit() {
    stripe::Call call;
    call.path = sought_.kind->list_path;
    call.params.emplace_back("limit", std::to_string(options_.page_size));
    call.params.emplace_back("created[gte]", std::to_string(sought_.created_from));
    call.params.emplace_back("created[lte]", std::to_string(sought_.created_until));
    std::string_view fixed = sought_.kind->list_params;
    if (std::size_t at = fixed.find('='); at != std::string_view::npos) {
        call.params.emplace_back(fixed.substr(0, at), fixed.substr(at + 1));
    }
    if (!after_id_.empty()) {
        call.params.emplace_back("starting_after", after_id_);
    }
    call.key = options_.key;
    call.account = options_.account;
    call.timeout = options_.timeout;
    call.retry = options_.retry;
    call.priority = sought_.priority;
    call_ = caller_.submit(std::move(call));
}

void IntentSearch::take(const json::ListPage &page, const AsOf &as_of) {
    const std::string_view paths[] = {stripe::intent_path};
    json::PathReader reader(paths);
    for (const json::ObjectSpan &object : page.objects()) {
        json::Token token[1];
        reader.read(object.raw, token);
        // Our keys need no escapes.
        if (token[0].kind != json::TokenKind::string || token[0].escaped) {
            continue;
        }
        std::string key(token[0].text);
        if (sought_.keys.contains(key)) {
            found_[key] = {object.id, std::string(object.raw), as_of};
        }
    }
}

void IntentSearch::on_result(stripe::CallResult result) {
    call_.reset();
    if (result.status != stripe::CallStatus::ok) {
        failure_ = std::move(result);
        state_ = State::failed;
        return;
    }
    AsOf as_of{result.window_start, result.window_end};
    try {
        json::ListPage page = json::ListPage::parse(std::move(result.body));
        take(page, as_of);
        if (!page.has_more() || found_.size() == sought_.keys.size()) {
            state_ = State::done;
            return;
        }
        if (page.objects().empty() || page.objects().back().id == after_id_) {
            throw core::Error(core::Code::stripe_unreachable, "a list page brought nothing new");
        }
        after_id_ = page.objects().back().id;
        submit();
    } catch (const core::Error &error) {
        failure_.status = stripe::CallStatus::bad_answer;
        failure_.request_id = result.request_id;
        failure_.failure_text = error.message;
        state_ = State::failed;
    }
}

} // namespace billstack::sync

#include "sync/object_read.hpp"

#include "core/error.hpp"
#include "json/path_reader.hpp"

#include <algorithm>

namespace billstack::sync {

namespace {

bool says_deleted(std::string_view body) {
    const std::string_view paths[] = {"deleted"};
    json::PathReader reader(paths);
    json::Token token[1];
    reader.read(body, token);
    return token[0].kind == json::TokenKind::boolean && token[0].text == "true";
}

// Another 404 is of a path that is wrong, or of something that is not Stripe.
bool says_missing(const stripe::CallResult &result) {
    return result.status == stripe::CallStatus::refused && result.http_status == 404 &&
           result.error.code == "resource_missing";
}

} // namespace

ObjectRead::ObjectRead(stripe::Caller &caller, const stripe::Kind &kind, What what, std::string id,
                       const ReadOptions &options)
    : caller_(caller), kind_(kind), id_(std::move(id)), options_(options),
      parent_list_(what == What::parent_list) {
    if (parent_list_) {
        pagers_.push_back(
            std::make_unique<ChildPager>(caller_, *stripe::parent_list(kind), id_, "", options_));
        return;
    }
    stripe::Call call;
    call.path = replace_id(kind.retrieve_path, id_);
    call.key = options_.key;
    call.account = options_.account;
    call.timeout = options_.timeout;
    call.retry = options_.retry;
    call_ = caller_.submit(std::move(call));
}

ObjectRead::~ObjectRead() {
    if (call_) {
        caller_.cancel(*call_);
    }
}

bool ObjectRead::owns(stripe::CallId id) const {
    return call_ == id || std::any_of(pagers_.begin(), pagers_.end(),
                                      [&](const auto &pager) { return pager->owns(id); });
}

void ObjectRead::on_result(stripe::CallResult result) {
    if (call_ == result.id) {
        call_.reset();
        accept_object(std::move(result));
        return;
    }
    for (const auto &pager : pagers_) {
        if (pager->owns(result.id)) {
            pager->on_result(std::move(result));
            break;
        }
    }
    check_pagers();
}

void ObjectRead::accept_object(stripe::CallResult result) {
    AsOf as_of{result.window_start, result.window_end};
    if (says_missing(result)) {
        gone_at_ = as_of;
        state_ = State::gone;
        return;
    }
    if (result.status != stripe::CallStatus::ok) {
        fail(std::move(result));
        return;
    }
    try {
        if (says_deleted(result.body)) {
            gone_at_ = as_of;
            state_ = State::gone;
            return;
        }
        page_ = read_object(kind_, std::move(result.body), as_of);
        if (page_->rows.at(0).id != id_) {
            throw core::Error(core::Code::stripe_unreachable, "Stripe answered another object");
        }
        start_pagers();
    } catch (const core::Error &error) {
        result.status = stripe::CallStatus::bad_answer;
        result.failure_text = error.message;
        result.body.clear();
        fail(std::move(result));
    }
}

void ObjectRead::start_pagers() {
    for (const ParentLists &parent : page_->parents) {
        for (const ChildRows &rows : parent.lists) {
            if (rows.present && rows.has_more) {
                std::string after = rows.rows.empty() ? "" : std::string(rows.rows.back().id);
                pagers_.push_back(std::make_unique<ChildPager>(caller_, *rows.list, id_,
                                                               std::move(after), options_));
            }
        }
    }
    check_pagers();
}

void ObjectRead::check_pagers() {
    for (const auto &pager : pagers_) {
        if (pager->state() == ChildPager::State::failed) {
            if (parent_list_ && says_missing(pager->failure())) {
                gone_at_ = {pager->failure().window_start, pager->failure().window_end};
                state_ = State::gone;
                return;
            }
            fail(pager->failure());
            return;
        }
        if (pager->state() == ChildPager::State::reading) {
            return;
        }
    }
    for (const auto &pager : pagers_) {
        for (auto &page : pager->take_pages()) {
            (parent_list_ ? list_pages_ : page_->more).push_back(std::move(page));
        }
    }
    state_ = State::ready;
}

void ObjectRead::fail(stripe::CallResult failure) {
    failure_ = std::move(failure);
    pagers_.clear();
    state_ = State::failed;
}

} // namespace billstack::sync

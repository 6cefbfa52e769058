// Reads the pages of one list that hangs on one object, one after the other: the rest of an
// embedded list, a list that is never embedded, or the list of a kind that has one per parent.
#pragma once
#include "stripe/caller.hpp"
#include "sync/apply.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace billstack::sync {

// What every call of a read has in common.
struct ReadOptions {
    std::shared_ptr<const core::SecretBytes> key;
    std::string account; // stripe::rate_account()
    core::Milliseconds timeout{30000};
    stripe::RetryPolicy retry{5, true, core::Milliseconds{120000}};
    int page_size = 100;
};

// "{id}" replaced by the id, encoded.
std::string replace_id(std::string_view pattern, const std::string &id);

class ChildPager {
  public:
    enum class State { reading, done, failed };

    // after_id: the last element that is known already, empty for the whole list.
    ChildPager(stripe::Caller &caller, const stripe::ChildList &list, std::string parent_id,
               std::string after_id, const ReadOptions &options);
    ~ChildPager();
    ChildPager(const ChildPager &) = delete;
    ChildPager &operator=(const ChildPager &) = delete;

    bool owns(stripe::CallId id) const { return call_ == id; }
    void on_result(stripe::CallResult result);
    State state() const { return state_; }
    const stripe::CallResult &failure() const { return failure_; } // its body is of no use
    std::vector<std::unique_ptr<ChildPage>> take_pages() { return std::move(pages_); }

  private:
    void submit();

    stripe::Caller &caller_;
    const stripe::ChildList &list_;
    std::string parent_id_;
    std::string after_id_;
    ReadOptions options_;
    State state_ = State::reading;
    std::optional<stripe::CallId> call_;
    stripe::CallResult failure_;
    std::vector<std::unique_ptr<ChildPage>> pages_;
};

} // namespace billstack::sync

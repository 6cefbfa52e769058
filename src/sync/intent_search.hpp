// Looks for the objects that writes with a lost answer may have made: walks the list of their kind
// over the time in question and finds them by the key in their metadata. States:
//
//   reading --> done     every key that is to be found was, or the list is at its end
//      \------> failed   failure() says why
#pragma once
#include "stripe/caller.hpp"
#include "stripe/object_catalog.hpp"
#include "sync/child_pager.hpp"

#include <map>
#include <set>

namespace billstack::sync {

struct SoughtObjects {
    const stripe::Kind *kind = nullptr; // one that can_search() allows
    std::set<std::string> keys;
    std::int64_t created_from = 0; // unix seconds, both included
    std::int64_t created_until = 0;
    stripe::Priority priority = stripe::Priority::background;
};

struct FoundObject {
    std::string id;
    std::string body;
    AsOf as_of;
};

class IntentSearch {
  public:
    enum class State { reading, done, failed };

    static bool can_search(const stripe::Kind &kind);
    // caller outlives this object.
    IntentSearch(stripe::Caller &caller, SoughtObjects sought, const ReadOptions &options);
    ~IntentSearch();
    IntentSearch(const IntentSearch &) = delete;
    IntentSearch &operator=(const IntentSearch &) = delete;

    bool owns(stripe::CallId id) const { return call_ == id; }
    void on_result(stripe::CallResult result);
    State state() const { return state_; }
    const stripe::CallResult &failure() const { return failure_; }
    // By key; what is not here is not at Stripe.
    const std::map<std::string, FoundObject> &found() const { return found_; }

  private:
    void submit();
    void take(const json::ListPage &page, const AsOf &as_of);

    stripe::Caller &caller_;
    SoughtObjects sought_;
    ReadOptions options_;
    State state_ = State::reading;
    std::optional<stripe::CallId> call_;
    std::string after_id_;
    std::map<std::string, FoundObject> found_;
    stripe::CallResult failure_;
};

} // namespace billstack::sync

// One object read once more, whole: the object itself and what of its lists is not in it, or, for a
// kind that hangs on a parent, the list of that parent. States:
//
//   reading --> ready     everything is here
//      |  \---> gone      Stripe has no such object (404, or {"deleted": true})
//      +------> failed    failure() says why
#pragma once
#include "sync/child_pager.hpp"

namespace billstack::sync {

class ObjectRead {
  public:
    enum class State { reading, ready, gone, failed };

    // What is read: one object by its id, or the whole list that hangs on the parent of that id.
    enum class What { object, parent_list };
    ObjectRead(stripe::Caller &caller, const stripe::Kind &kind, What what, std::string id,
               const ReadOptions &options);
    ~ObjectRead();
    ObjectRead(const ObjectRead &) = delete;
    ObjectRead &operator=(const ObjectRead &) = delete;

    bool owns(stripe::CallId id) const;
    void on_result(stripe::CallResult result);
    State state() const { return state_; }
    const AsOf &gone_at() const { return gone_at_; }
    const stripe::CallResult &failure() const { return failure_; }
    bool is_parent_list() const { return parent_list_; }
    // Of an object; its pages of children are in it.
    FetchedPage &page() { return *page_; }
    const std::vector<std::unique_ptr<ChildPage>> &list_pages() const { return list_pages_; }

  private:
    void accept_object(stripe::CallResult result);
    void start_pagers();
    void check_pagers();
    void fail(stripe::CallResult failure);

    stripe::Caller &caller_;
    const stripe::Kind &kind_;
    std::string id_;
    ReadOptions options_;
    bool parent_list_;
    State state_ = State::reading;
    std::optional<stripe::CallId> call_;
    std::vector<std::unique_ptr<ChildPager>> pagers_;
    std::unique_ptr<FetchedPage> page_;
    std::vector<std::unique_ptr<ChildPage>> list_pages_;
    AsOf gone_at_;
    stripe::CallResult failure_;
};

} // namespace billstack::sync

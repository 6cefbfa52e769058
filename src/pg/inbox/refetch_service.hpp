// The worker's refetches: objects whose events do not say which state is the newest are read from
// Stripe once more. The table holds what is asked for; what is on its way is known only here, so a
// crash reads again.
#pragma once
#include "pg/inbox/event_store.hpp"
#include "pg/inbox/refetch_store.hpp"
#include "pg/mirror/mirror_store.hpp"

namespace billstack::pg {

class RefetchService {
  public:
    RefetchService(stripe::Caller &caller, const core::Clock &clock);
    ~RefetchService();

    void wake() { wanted_ = true; }
    // After a start, an arm(), new keys: nothing rests any more.
    void rescan();
    void forget();
    bool owns(stripe::CallId id) const;
    void on_result(stripe::CallResult result);
    // Sends what is due, writes at most one answer.
    void work();
    bool busy() const;
    std::optional<core::MonoTime> next_retry() const { return look_at_; }

  private:
    struct Read;
    void look();
    void start(DueRefetch due);
    bool prepare(Read &read);
    void submit(Read &read);
    std::shared_ptr<SpiMirrorStore> mirror_of(const EventTarget &target);
    void finish(Read &read);
    bool write(Read &read, bool &still_late);
    void store(Read &read);
    void store_failure(Read &read);
    void rest(const DueRefetch &due, const std::string &reason);
    void put_off(const Read &read, bool lock, const std::string &reason);
    bool is_open(const DueRefetch &due) const;

    stripe::Caller &caller_;
    const core::Clock &clock_;
    bool wanted_ = true;
    std::optional<core::MonoTime> look_at_;
    std::vector<std::int32_t> resting_;
    std::optional<core::MonoTime> rest_until_;
    std::map<std::int32_t, std::shared_ptr<const core::SecretBytes>> keys_;
    std::map<std::int32_t, std::pair<Oid, std::shared_ptr<SpiMirrorStore>>> mirrors_;
    std::vector<std::unique_ptr<Read>> reads_;
};

} // namespace billstack::pg

// Stripe's limits as all workers of all databases of this server keep them together: buckets in
// shared memory, under a spinlock of their own. Also counts what is read from Stripe.
#pragma once
#include "pg/bridge/guard.hpp"

#include <map>

namespace billstack::pg {

class SharedRateGate final : public stripe::RateGate {
  public:
    explicit SharedRateGate(const core::Clock &clock) : clock_(clock) {}
    std::optional<core::Milliseconds> admit(const stripe::RateKey &key,
                                            stripe::Priority priority) override;
    void answered(const stripe::RateKey &key, const Answer &answer) override;

  private:
    stripe::RequestsInFlight in_flight(const stripe::RateNames &names) const;
    std::int64_t now_us() const;

    const core::Clock &clock_;
    // Of this process, by name of an account or endpoint. Those of others are not known: a limit on
    // what is in flight is kept by each, and halved until Stripe is content.
    std::map<std::uint64_t, std::int32_t> open_;
};

// --- reads of this database, by account (stripe::rate_account()) --------------------------------

struct ReadCount {
    std::string account;
    std::int64_t reads = 0;
};

// Not in the table yet.
std::int64_t unstored_reads(const std::string &account) noexcept;
bool has_unstored_reads() noexcept;
// Takes them out; what could not be stored is given back.
std::vector<ReadCount> take_read_counts();
void give_back_read_counts(const std::vector<ReadCount> &counts) noexcept;

} // namespace billstack::pg

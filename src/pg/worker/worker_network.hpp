// The network of one worker: transport and caller made from the settings, and the one wait for
// latch, postmaster and network together.
#pragma once
#include "pg/worker/rate_gate_shared.hpp"

namespace billstack::pg {

class WorkerNetwork {
  public:
    explicit WorkerNetwork(const core::Clock &clock) : clock_(clock), gate_(clock) {}
    // Anew, from the settings. What holds the caller must be gone.
    void connect();
    // The settings say something else than at connect().
    bool is_outdated() const;
    stripe::Caller &caller() { return *caller_; }
    // Until the latch is set (it is reset then), the network has something, or the time is over; at
    // most until the caller's next deadline. Milliseconds.
    void wait(core::Milliseconds timeout);

  private:
    void watch_socket();

    const core::Clock &clock_;
    SharedRateGate gate_;
    std::unique_ptr<http::Transport> transport_;
    std::unique_ptr<stripe::Caller> caller_;
    WaitEventSet *wait_set_ = nullptr;
    std::string settings_; // what the transport was made from
};

} // namespace billstack::pg

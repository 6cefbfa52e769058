// A real Caller over the fake transport, with what every test of the walkers needs.
#pragma once

#include "fake_transport.hpp"
#include "sync/range_walker.hpp"

namespace billstack::test {

class WalkerFixture : public testing::Test {
  protected:
    static constexpr std::int64_t noon = 1700000000; // on Stripe's clock

    FakeTransport transport;
    TestClock clock;
    stripe::Caller caller{transport, clock, {"2025-03-31.basil", 20}, 42};

    // One attempt a call: every failure reaches the walker at once. Three objects a page.
    static sync::WalkerOptions options() {
        sync::WalkerOptions options;
        options.key = std::make_shared<const core::SecretBytes>(
            core::SecretBytes::copy_of("rk_test_abcdefghij"));
        options.retry.max_attempts = 1;
        options.page_size = 3;
        return options;
    }
    static const stripe::Kind &kind(const char *name) { return *stripe::find_kind(name); }

    // Hands the results over until nothing moves any more; what was submitted is then sent.
    template <class Target> void deliver(Target &target) {
        std::vector<stripe::CallResult> results;
        do {
            results.clear();
            caller.step(results);
            for (stripe::CallResult &result : results)
                target.on_result(std::move(result));
        } while (!results.empty());
    }
    void pass(core::Milliseconds time) { clock.passed += time; }

    std::size_t sent() const { return transport.requests.size(); }
    Asked asked(std::size_t request) const { return asked_by(transport.requests.at(request - 1)); }
    Asked last_asked() const { return asked(sent()); }
    void answer(std::size_t request, int status, const std::string &body) {
        transport.answer(request, answered_at(noon, status, body));
    }
};

} // namespace billstack::test

// What the transport promises while DNS hangs. Needs test/env/slow_resolver.cpp in LD_PRELOAD, with
// which CMake runs it as a test of its own.
#include "http/curl_transport.hpp"
#include "http_test_server.hpp"

#include <cstdlib>
#include <dirent.h>
#include <fstream>
#include <gtest/gtest.h>
#include <set>

namespace billstack::http {
namespace {

using core::Milliseconds;

class SlowResolver : public testing::Test {
  protected:
    void SetUp() override {
        const char *preloaded = getenv("LD_PRELOAD");
        if (preloaded == nullptr ||
            std::string(preloaded).find("slow_resolver") == std::string::npos)
            GTEST_SKIP() << "runs with slow_resolver in LD_PRELOAD";
        CurlOptions options;
        options.base_url = "https://api.slow.invalid";
        transport = make_curl_transport(options);
    }
    static std::set<std::string> threads() {
        std::set<std::string> found;
        DIR *folder = opendir("/proc/self/task");
        while (const dirent *entry = readdir(folder))
            if (entry->d_name[0] != '.')
                found.insert(entry->d_name);
        closedir(folder);
        return found;
    }
    // Starts a request and waits until its resolver thread is there.
    RequestId start(Milliseconds timeout = Milliseconds(20000)) {
        const auto before = threads();
        Request request;
        request.target = "/v1/account";
        request.timeout = timeout;
        const RequestId id = transport->start(std::move(request));
        while (done.empty() && fresh.empty()) {
            turn();
            for (const std::string &thread : threads())
                if (!before.contains(thread))
                    fresh = thread;
        }
        EXPECT_TRUE(done.empty());
        return id;
    }
    void turn() {
        pollfd waited{transport->poll_fd(), POLLIN, 0};
        const auto timeout = transport->next_timeout().value_or(Milliseconds(20));
        poll(&waited, 1, static_cast<int>(std::min<long>(timeout.count(), 20)));
        transport->step(done);
    }
    template <class Act> static Milliseconds took(Act &&act) {
        const auto started = std::chrono::steady_clock::now();
        act();
        return std::chrono::ceil<Milliseconds>(std::chrono::steady_clock::now() - started);
    }

    std::unique_ptr<Transport> transport;
    std::vector<Completion> done;
    std::string fresh; // the resolver's thread
};

TEST_F(SlowResolver, cancel_returns_at_once) {
    const RequestId id = start();
    EXPECT_LT(took([&] { transport->cancel(id); }), Milliseconds(250));
    EXPECT_EQ(transport->in_flight(), 0U);
    turn();
    EXPECT_TRUE(done.empty());
}

TEST_F(SlowResolver, destroying_the_transport_returns_at_once) {
    start();
    EXPECT_LT(took([&] { transport.reset(); }), Milliseconds(250));
}

TEST_F(SlowResolver, the_deadline_includes_the_look_up) {
    Request request;
    request.target = "/v1/account";
    request.timeout = Milliseconds(500);
    transport->start(std::move(request));
    const auto time = took([&] {
        while (done.empty())
            turn();
    });
    EXPECT_LT(time, Milliseconds(750));
    EXPECT_EQ(done.at(0).response.failure, Failure::timeout) << done[0].response.failure_text;
    EXPECT_FALSE(done[0].response.may_have_been_sent);
}

TEST_F(SlowResolver, its_thread_takes_no_signal) {
    start();
    std::ifstream status("/proc/self/task/" + fresh + "/status");
    unsigned long blocked = 0;
    for (std::string word; status >> word;)
        if (word == "SigBlk:")
            status >> std::hex >> blocked;
    for (const int signal : {SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGTERM, SIGALRM, SIGCHLD})
        EXPECT_TRUE(blocked >> (signal - 1) & 1) << signal;
    sigset_t mine;
    pthread_sigmask(SIG_BLOCK, nullptr, &mine);
    EXPECT_FALSE(sigismember(&mine, SIGTERM)); // the caller's own mask is as before
}

TEST_F(SlowResolver, others_go_on_meanwhile) {
    auto server = test::TestServer::answering("{}");
    start();
    CurlOptions options;
    options.base_url = "http://localhost:" + std::to_string(server.port());
    auto other = make_curl_transport(options);
    Request request;
    request.target = "/v1/x";
    other->start(std::move(request));
    const auto answers = test::drive(*other, 1, Milliseconds(5000));
    ASSERT_EQ(answers.size(), 1U);
    EXPECT_EQ(answers[0].response.status, 200) << answers[0].response.failure_text;
}

} // namespace
} // namespace billstack::http

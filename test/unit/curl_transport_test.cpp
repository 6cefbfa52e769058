// The HTTP transport against scripted servers on loopback.
#include "core/error.hpp"
#include "http/curl_transport.hpp"
#include "http_test_server.hpp"

#include <cstdlib>
#include <dirent.h>
#include <fstream>
#include <gtest/gtest.h>
#include <sys/stat.h>

namespace billstack::http {
namespace {

using core::Milliseconds;
using test::Connection;
using test::drive;
using test::ok_answer;
using test::TestServer;

std::unique_ptr<Transport> transport_to(const std::string &url, const std::string &ca_file = {}) {
    CurlOptions options;
    options.base_url = url;
    options.ca_file = ca_file;
    options.user_agent = "billstack/test";
    return make_curl_transport(options);
}

Request get(const std::string &target, Milliseconds timeout = Milliseconds(10000)) {
    Request request;
    request.target = target;
    request.timeout = timeout;
    return request;
}

std::shared_ptr<const core::SecretBytes> secret(std::string_view text) {
    return std::make_shared<const core::SecretBytes>(core::SecretBytes::copy_of(text));
}

Response only(Transport &transport, Request request) {
    const RequestId id = transport.start(std::move(request));
    auto done = drive(transport, 1);
    EXPECT_EQ(done.size(), 1U);
    EXPECT_EQ(transport.in_flight(), 0U);
    if (done.empty())
        return {};
    EXPECT_EQ(done[0].id, id);
    return std::move(done[0].response);
}

TEST(CurlTransport, reads_an_answer_and_keeps_the_headers_that_matter) {
    TestServer server([](Connection &connection, TestServer &self) {
        self.note(connection.read_request());
        connection.send("HTTP/1.1 100 Continue\r\nDate: wrong\r\n\r\n");
        connection.send(ok_answer("{\"a\":1}", "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
                                               "Request-Id:  req_1 \r\nX-Other: x\r\n"));
    });
    auto transport = transport_to(server.url());
    Request request = get("/v1/a/../b?x=1%20y");
    request.bearer = secret("sk_test_abcdefghij");
    request.headers = {{"Stripe-Version", "2025-03-31.basil"}, {"Accept", "application/json"}};
    const Response response = only(*transport, std::move(request));
    EXPECT_EQ(response.failure, Failure::none) << response.failure_text;
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(response.body, "{\"a\":1}");
    ASSERT_NE(response.header("date"), nullptr);
    EXPECT_EQ(*response.header("date"), "Sun, 06 Nov 1994 08:49:37 GMT");
    EXPECT_EQ(*response.header("request-id"), "req_1");
    EXPECT_EQ(response.header("x-other"), nullptr);
    EXPECT_TRUE(response.may_have_been_sent);
    const std::string sent = server.requests().at(0);
    EXPECT_TRUE(sent.starts_with("GET /v1/a/../b?x=1%20y HTTP/1.1\r\n")) << sent;
    EXPECT_NE(sent.find("\r\nAuthorization: Bearer sk_test_abcdefghij\r\n"), std::string::npos);
    EXPECT_NE(sent.find("\r\nUser-Agent: billstack/test\r\n"), std::string::npos);
    EXPECT_NE(sent.find("\r\nStripe-Version: 2025-03-31.basil\r\n"), std::string::npos);
    EXPECT_EQ(sent.find("Accept-Encoding"), std::string::npos);
    EXPECT_EQ(sent.find("Cookie"), std::string::npos);
}

TEST(CurlTransport, reuses_its_connection_and_forgets_the_key_between_requests) {
    TestServer server([](Connection &connection, TestServer &self) {
        for (std::string text; !(text = connection.read_request()).empty();) {
            self.note(text);
            connection.send(ok_answer("{}"));
        }
    });
    auto transport = transport_to(server.url());
    Request with_key = get("/v1/first");
    with_key.bearer = secret("sk_test_abcdefghij");
    EXPECT_EQ(only(*transport, std::move(with_key)).status, 200);
    for (int i = 0; i < 20; ++i)
        EXPECT_EQ(only(*transport, get("/v1/later")).status, 200);
    EXPECT_EQ(server.accepted(), 1);
    const auto requests = server.requests();
    ASSERT_EQ(requests.size(), 21U);
    EXPECT_NE(requests[0].find("Bearer"), std::string::npos);
    for (std::size_t i = 1; i < requests.size(); ++i)
        EXPECT_EQ(requests[i].find("Bearer"), std::string::npos);
}

TEST(CurlTransport, keeps_a_secret_answer_apart) {
    TestServer server([](Connection &connection, TestServer &) {
        std::string request = connection.read_request();
        std::size_t size = request.find("/large") == std::string::npos ? 1000 : 65537;
        connection.send(ok_answer(std::string(size, 's')));
    });
    auto transport = transport_to(server.url());
    Request request = get("/small");
    request.secret_answer = true;
    const Response small = only(*transport, std::move(request));
    EXPECT_EQ(small.status, 200);
    EXPECT_TRUE(small.body.empty());
    ASSERT_TRUE(small.secret_body);
    EXPECT_EQ(small.content(), std::string(1000, 's'));
    request = get("/large");
    request.secret_answer = true;
    const Response large = only(*transport, std::move(request));
    EXPECT_EQ(large.failure, Failure::too_large);
    EXPECT_EQ(large.content(), "");
}

TEST(CurlTransport, sends_post_and_delete) {
    auto server = TestServer::answering("{}");
    auto transport = transport_to(server.url());
    Request post = get("/v1/customers");
    post.method = "POST";
    post.body = "a=1&b=2";
    post.headers = {{"Content-Type", "application/x-www-form-urlencoded"}};
    EXPECT_EQ(only(*transport, post).status, 200);
    post.body.clear();
    EXPECT_EQ(only(*transport, post).status, 200);
    Request remove = get("/v1/customers/cus_1");
    remove.method = "DELETE";
    EXPECT_EQ(only(*transport, remove).status, 200);
    EXPECT_EQ(only(*transport, get("/v1/x")).status, 200);
    const auto sent = server.requests();
    EXPECT_TRUE(sent[0].starts_with("POST /v1/customers HTTP/1.1\r\n"));
    EXPECT_TRUE(sent[0].ends_with("\r\n\r\na=1&b=2"));
    EXPECT_EQ(sent[0].find("Expect"), std::string::npos);
    EXPECT_NE(sent[1].find("Content-Length: 0\r\n"), std::string::npos);
    EXPECT_TRUE(sent[2].starts_with("DELETE /v1/customers/cus_1 HTTP/1.1\r\n"));
    EXPECT_TRUE(sent[3].starts_with("GET /v1/x HTTP/1.1\r\n"));
}

TEST(CurlTransport, runs_many_requests_at_once_within_its_connections) {
    auto server = TestServer::answering(std::string(100000, 'x'));
    CurlOptions options;
    options.base_url = server.url();
    options.max_connections = 4;
    auto transport = make_curl_transport(options);
    for (int i = 0; i < 100; ++i)
        transport->start(get("/v1/n"));
    EXPECT_EQ(transport->in_flight(), 100U);
    const auto done = drive(*transport, 100);
    ASSERT_EQ(done.size(), 100U);
    for (const Completion &item : done) {
        EXPECT_EQ(item.response.status, 200) << item.response.failure_text;
        EXPECT_EQ(item.response.body.size(), 100000U);
    }
    EXPECT_LE(server.accepted(), 4);
}

TEST(CurlTransport, accepts_a_body_of_exactly_the_cap) {
    auto server = TestServer::answering(std::string(1000, 'x'));
    auto transport = transport_to(server.url());
    Request request = get("/v1/x");
    request.max_response = 1000;
    EXPECT_EQ(only(*transport, request).body.size(), 1000U);
    request.max_response = 999;
    EXPECT_EQ(only(*transport, request).failure, Failure::too_large);
}

TEST(CurlTransport, says_that_nothing_was_sent_when_the_connection_is_refused) {
    std::string url;
    {
        auto server = TestServer::answering("{}");
        url = server.url();
    }
    auto transport = transport_to(url);
    const Response response = only(*transport, get("/v1/x"));
    EXPECT_EQ(response.failure, Failure::connect) << response.failure_text;
    EXPECT_FALSE(response.may_have_been_sent);
}

TEST(CurlTransport, ends_a_connect_that_hangs) {
    // A full backlog: the kernel drops further connection requests silently.
    const int listener = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr *>(&address), size), 0);
    ASSERT_EQ(listen(listener, 0), 0);
    getsockname(listener, reinterpret_cast<sockaddr *>(&address), &size);
    std::vector<int> fillers;
    for (int i = 0; i < 4; ++i) {
        fillers.push_back(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
        const int ignored = connect(fillers.back(), reinterpret_cast<sockaddr *>(&address), size);
        static_cast<void>(ignored);
    }
    auto transport = transport_to("http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)));
    const Response response = only(*transport, get("/v1/x", Milliseconds(300)));
    EXPECT_EQ(response.failure, Failure::timeout) << response.failure_text;
    EXPECT_FALSE(response.may_have_been_sent);
    for (const int fd : fillers)
        close(fd);
    close(listener);
}

TEST(CurlTransport, does_not_follow_redirects) {
    auto trap = TestServer::answering("{}");
    TestServer server([&](Connection &c, TestServer &) {
        c.read_request();
        c.send("HTTP/1.1 302 Found\r\nLocation: " + trap.url() +
               "/trap\r\nContent-Length: 0\r\n\r\n");
    });
    auto transport = transport_to(server.url());
    Request request = get("/v1/x");
    request.bearer = secret("sk_test_abcdefghij");
    EXPECT_EQ(only(*transport, std::move(request)).status, 302);
    EXPECT_EQ(trap.accepted(), 0);
}

TEST(CurlTransport, takes_no_proxy_from_the_environment) {
    auto proxy = TestServer::answering("{}");
    for (const char *name : {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"})
        setenv(name, proxy.url().c_str(), 1);
    auto server = TestServer::answering("{}");
    auto transport = transport_to(server.url());
    EXPECT_EQ(only(*transport, get("/v1/x")).status, 200);
    for (const char *name : {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"})
        unsetenv(name);
    EXPECT_EQ(proxy.accepted(), 0);
    EXPECT_EQ(server.accepted(), 1);
}

TEST(CurlTransport, refuses_requests_that_could_carry_more_than_they_say) {
    auto server = TestServer::answering("{}");
    auto transport = transport_to(server.url());
    std::vector<Request> bad;
    for (int byte = 0; byte < 256; ++byte) {
        if (byte >= 0x20 && byte <= 0x7e)
            continue;
        Request request = get("/v1/x");
        request.headers = {{"Idempotency-Key", "a" + std::string(1, static_cast<char>(byte))}};
        bad.push_back(request);
        Request key = get("/v1/x");
        key.bearer = secret("sk_test_abcdefghij" + std::string(1, static_cast<char>(byte)));
        bad.push_back(key);
        bad.push_back(get("/v1/x" + std::string(1, static_cast<char>(byte))));
    }
    for (const char *target : {"", "v1", "@evil.example/", "/v1/x y", "/v1/x#y", "/v1\\x"})
        bad.push_back(get(target));
    for (const char *name : {"", "A B", "A:", "a\r\nb", "Authorization", "HOST", "content-length",
                             "Transfer-Encoding"}) {
        bad.push_back(get("/v1/x"));
        bad.back().headers = {{name, "v"}};
    }
    bad.push_back(get("/v1/x"));
    bad.back().headers = {{"X-Empty", ""}};
    for (const char *method : {"", "PUT", "get", "GET / HTTP/1.1\r\nX: y"}) {
        bad.push_back(get("/v1/x"));
        bad.back().method = method;
    }
    bad.push_back(get("/v1/x"));
    bad.back().body = "a=1";
    for (const Request &request : bad)
        EXPECT_EQ(only(*transport, request).failure, Failure::refused_here) << request.target;
    EXPECT_EQ(server.accepted(), 0);
}

TEST(CurlTransport, cancel_is_immediate_and_final) {
    TestServer server([](Connection &c, TestServer &self) {
        self.note(c.read_request());
        c.hold();
    });
    auto transport = transport_to(server.url());
    const RequestId first = transport->start(get("/v1/a"));
    const RequestId second = transport->start(get("/v1/b"));
    std::vector<Completion> done;
    while (server.requests().size() < 2) {
        pollfd waited{transport->poll_fd(), POLLIN, 0};
        poll(&waited, 1, 10);
        transport->step(done);
    }
    const auto started = std::chrono::steady_clock::now();
    transport->cancel(first);
    transport->cancel(first);
    transport->cancel(12345);
    EXPECT_EQ(transport->in_flight(), 1U);
    transport->cancel(second);
    EXPECT_EQ(transport->in_flight(), 0U);
    EXPECT_LT(std::chrono::steady_clock::now() - started, Milliseconds(250));
    transport->step(done);
    EXPECT_TRUE(done.empty());
    Request refused = get("bad");
    transport->cancel(transport->start(refused));
    transport->step(done);
    EXPECT_TRUE(done.empty());
}

TEST(CurlTransport, waits_on_its_descriptor_without_spinning) {
    TestServer server([](Connection &c, TestServer &) {
        c.read_request();
        c.closed_within(300);
        c.send(ok_answer("{}"));
        c.hold();
    });
    auto transport = transport_to(server.url());
    transport->start(get("/v1/x"));
    std::vector<Completion> done;
    int steps = 0;
    while (done.empty() && steps < 10000) {
        pollfd waited{transport->poll_fd(), POLLIN, 0};
        const auto timeout = transport->next_timeout();
        poll(&waited, 1, timeout ? static_cast<int>(timeout->count()) : -1);
        transport->step(done);
        ++steps;
    }
    EXPECT_EQ(done.at(0).response.status, 200);
    EXPECT_LT(steps, 60);
}

std::size_t open_files() {
    std::size_t count = 0;
    DIR *folder = opendir("/proc/self/fd");
    while (readdir(folder) != nullptr)
        ++count;
    closedir(folder);
    return count;
}

TEST(CurlTransport, leaves_no_descriptor_behind) {
    auto server = TestServer::answering("{}");
    const std::size_t before = open_files();
    for (int i = 0; i < 50; ++i) {
        auto transport = transport_to(server.url());
        only(*transport, get("/v1/x"));
        transport->start(get("/v1/x")); // dropped by the destructor
    }
    std::size_t after = open_files();
    for (int tries = 0; after > before + 2 && tries < 2000; ++tries) { // the server's own ends
        usleep(1000);
        after = open_files();
    }
    EXPECT_LE(after, before + 2);
}

TEST(CheckBaseUrl, takes_https_and_loopback_http_only) {
    for (const char *good :
         {"https://api.stripe.com", "https://api.stripe.com/", "https://api.stripe.com:8443",
          "https://10.0.0.1", "http://127.0.0.1:12111", "http://127.9.9.9", "http://localhost:1",
          "http://[::1]:12111"})
        EXPECT_NO_THROW(check_base_url(good)) << good;
    for (const char *bad : {"",
                            "api.stripe.com",
                            "http://api.stripe.com",
                            "http://169.254.169.254",
                            "ftp://127.0.0.1",
                            "file:///etc/passwd",
                            "http://127.0.0.1.example.com",
                            "http://localhost.example.com",
                            "http://localhost@example.com",
                            "https://user@api.stripe.com",
                            "https://user:pw@api.stripe.com",
                            "https://api.stripe.com/v1",
                            "https://api.stripe.com?x",
                            "https://api.stripe.com/?x=1",
                            "https://api.stripe.com#x",
                            "https://",
                            "https:///x",
                            "https://api.stripe.com:99999",
                            "https://api.stripe.com\r\n",
                            "https:// api.stripe.com",
                            "http://127.0.0.1\\@example.com",
                            "http://0.0.0.0",
                            "http://[::ffff:1.2.3.4]",
                            "http://[fe80::1%25eth0]",
                            "http://128.0.0.1",
                            "javascript:alert(1)"})
        EXPECT_THROW(check_base_url(bad), core::Error) << bad;
    try {
        check_base_url("https://user:topsecret@api.stripe.com");
        FAIL();
    } catch (const core::Error &error) {
        EXPECT_EQ(error.code, core::Code::bad_argument);
        EXPECT_EQ((error.message + error.detail + error.hint).find("topsecret"), std::string::npos);
    }
}

} // namespace
} // namespace billstack::http

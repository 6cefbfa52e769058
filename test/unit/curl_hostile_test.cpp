// The HTTP transport against servers that mean no good: each ends in its named failure, in time.
#include "http/curl_transport.hpp"
#include "http_test_server.hpp"

#include <gtest/gtest.h>

namespace billstack::http {
namespace {

using core::Milliseconds;
using test::Connection;
using test::drive;
using test::TestServer;

Response only(const CurlOptions &options, Request request) {
    auto transport = make_curl_transport(options);
    transport->start(std::move(request));
    auto done = drive(*transport, 1);
    EXPECT_EQ(done.size(), 1U);
    return done.empty() ? Response() : std::move(done[0].response);
}

CurlOptions options_for(const std::string &url, const std::string &ca_file = {}) {
    CurlOptions options;
    options.base_url = url;
    options.ca_file = ca_file;
    return options;
}

struct Case {
    const char *name;
    TestServer::Script script;
    Failure expected;
};
const Case cases[] = {
    {"cut before the answer", [](Connection &c, TestServer &) { c.read_request(); },
     Failure::connection},
    {"cut in the body",
     [](Connection &c, TestServer &) {
         c.read_request();
         c.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
     },
     Failure::connection},
    {"not HTTP",
     [](Connection &c, TestServer &) {
         c.read_request();
         c.send("SSH-2.0-OpenSSH_9.2\r\n");
     },
     Failure::bad_response},
    {"silent",
     [](Connection &c, TestServer &) {
         c.read_request();
         c.hold();
     },
     Failure::timeout},
    {"one byte at a time",
     [](Connection &c, TestServer &) {
         c.read_request();
         c.send("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
         while (!c.closed_within(20) && c.send("x")) {
         }
     },
     Failure::timeout},
    {"endless body",
     [](Connection &c, TestServer &) {
         c.read_request();
         c.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
         while (c.send("1000\r\n" + std::string(0x1000, 'x') + "\r\n")) {
         }
     },
     Failure::too_large},
    {"announced too large",
     [](Connection &c, TestServer &) {
         c.read_request();
         c.send("HTTP/1.1 200 OK\r\nContent-Length: 1000001\r\n\r\n");
         c.hold();
     },
     Failure::too_large},
    {"endless headers",
     [](Connection &c, TestServer &) {
         c.read_request();
         c.send("HTTP/1.1 200 OK\r\n");
         while (c.send("X-Y: " + std::string(1000, 'x') + "\r\n")) {
         }
     },
     Failure::too_large},
    {"endless interim answers",
     [](Connection &c, TestServer &) {
         c.read_request();
         while (c.send("HTTP/1.1 103 Early Hints\r\nX-Y: " + std::string(100, 'x') + "\r\n\r\n")) {
         }
     },
     Failure::too_large},
    {"one endless header",
     [](Connection &c, TestServer &) {
         c.read_request();
         c.send("HTTP/1.1 200 OK\r\nX-Y: ");
         while (c.send(std::string(1000, 'x'))) {
         }
     },
     Failure::connection}, // libcurl's own limit of a line; 7.88 calls it "Out of memory"
};

TEST(HostileServer, ends_in_its_failure_within_the_deadline) {
    for (const Case &item : cases) {
        SCOPED_TRACE(item.name);
        TestServer server(item.script);
        Request request;
        request.target = "/v1/x";
        request.timeout = Milliseconds(800);
        request.max_response = 1000000;
        const auto started = std::chrono::steady_clock::now();
        const Response response = only(options_for(server.url()), std::move(request));
        EXPECT_EQ(response.failure, item.expected) << response.failure_text;
        EXPECT_FALSE(response.failure_text.empty());
        EXPECT_TRUE(response.body.empty());
        EXPECT_TRUE(response.may_have_been_sent);
        EXPECT_LT(std::chrono::steady_clock::now() - started, Milliseconds(1050));
    }
}

TEST(HostileServer, verifies_certificate_and_host) {
    const std::string pem = testing::TempDir() + "billstack_ca_" + std::to_string(getpid());
    struct TlsCase {
        const char *name;
        const char *ip;
        int newest_version;
        bool trusted;
        Failure expected;
    };
    const TlsCase cases[] = {
        {"trusted", "127.0.0.1", 0, true, Failure::none},
        {"self-signed", "127.0.0.1", 0, false, Failure::tls},
        {"wrong host", "127.0.0.2", 0, true, Failure::tls},
        {"TLS 1.1", "127.0.0.1", TLS1_1_VERSION, true, Failure::tls},
    };
    for (const TlsCase &item : cases) {
        SCOPED_TRACE(item.name);
        const test::TlsIdentity identity(item.ip, item.newest_version);
        identity.write_pem(pem);
        auto server = TestServer::answering("{}", identity.context());
        Request request;
        request.target = "/v1/x";
        request.bearer = std::make_shared<const core::SecretBytes>(
            core::SecretBytes::copy_of("sk_test_abcdefghij"));
        const auto options = options_for(server.url(), item.trusted ? pem : std::string());
        const Response response = only(options, std::move(request));
        EXPECT_EQ(response.failure, item.expected) << response.failure_text;
        const bool sent = item.expected == Failure::none;
        EXPECT_EQ(server.requests().size(), sent ? 1U : 0U);
        EXPECT_EQ(response.may_have_been_sent, sent);
    }
    std::remove(pem.c_str());
}

} // namespace
} // namespace billstack::http

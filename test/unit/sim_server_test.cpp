// The simulator's connections: keep-alive, and answers late, slow, cut, hanging or behind TLS.
#include "test_support.hpp"

#include <gtest/gtest.h>

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <arpa/inet.h>
#include <chrono>
#include <cstdio>
#include <functional>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

using namespace stripe_sim;
using namespace stripe_sim::test;

namespace {

// A simulator served by a thread of its own; ends with the scope.
class Served {
  public:
    explicit Served(std::unique_ptr<ChannelFactory> channels = plain_channels())
        : server_{0, std::move(channels), [this](const Request &request, Response &response) {
                      sim_.simulator.handle(request, response);
                  }} {
        server_.set_counted([](const Request &request) { return !Simulator::is_control(request); });
        sim_.simulator.set_server(&server_);
        thread_ = std::thread{[this] { server_.run(); }};
    }
    ~Served() {
        server_.stop();
        // A connection wakes the server so that it sees the flag.
        sockaddr_in address = this->address();
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        connect(fd, reinterpret_cast<sockaddr *>(&address), sizeof address);
        thread_.join();
        close(fd);
    }
    sockaddr_in address() const {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(server_.port());
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        return address;
    }

  private:
    Sim sim_;
    HttpServer server_;
    std::thread thread_;
};

class Client {
  public:
    explicit Client(const Served &served) : fd_{socket(AF_INET, SOCK_STREAM, 0)} {
        sockaddr_in address = served.address();
        timeval patience{20, 0};
        setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        if (connect(fd_, reinterpret_cast<sockaddr *>(&address), sizeof address) != 0)
            throw std::runtime_error{"cannot connect"};
    }
    ~Client() { close(fd_); }
    Client(const Client &) = delete;
    Client &operator=(const Client &) = delete;

    int fd() const { return fd_; }
    void send_text(const std::string &text) {
        EXPECT_EQ(send(fd_, text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
    }
    void ask(const std::string &method, const std::string &target, const std::string &body = {}) {
        send_text(method + " " + target + " HTTP/1.1\r\nHost: sim\r\nAuthorization: Bearer " +
                  "sk_test_unit000000000000\r\nContent-Length: " + std::to_string(body.size()) +
                  "\r\n\r\n" + body);
    }
    /// Reads one whole answer; returns its body.
    std::string answer() {
        size_t head = std::string::npos;
        while ((head = text_.find("\r\n\r\n")) == std::string::npos)
            if (!more())
                return "(closed)";
        size_t at = text_.find("Content-Length: ");
        size_t length = std::stoul(text_.substr(at + 16));
        while (text_.size() < head + 4 + length)
            if (!more())
                return "(closed)";
        std::string body = text_.substr(head + 4, length);
        text_.erase(0, head + 4 + length);
        return body;
    }
    /// Everything until the peer closes.
    std::string rest() {
        while (more()) {
        }
        return text_;
    }

  private:
    bool more() {
        char buffer[65536];
        ssize_t got = recv(fd_, buffer, sizeof buffer, 0);
        if (got > 0)
            text_.append(buffer, static_cast<size_t>(got));
        return got > 0;
    }
    int fd_;
    std::string text_;
};

void play(Served &served, const std::string &action) {
    Client control{served};
    control.ask("POST", "/_sim/faults", R"([{"count": 1, "action": )" + action + "}]");
    control.answer();
}

int64_t statistic(Client &control, const char *name) {
    control.ask("GET", "/_sim/stats");
    return get_int(parse_json(control.answer()).get(), name, -1);
}

bool eventually(const std::function<bool()> &condition) {
    auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{20};
    while (std::chrono::steady_clock::now() < deadline)
        if (condition())
            return true;
    return false;
}

} // namespace

TEST(sim_server, a_connection_is_kept) {
    Served served;
    Client client{served};
    client.ask("GET", "/v1/customers?limit=100");
    std::string first = client.answer();
    client.ask("GET", "/v1/customers?limit=100");
    client.ask("GET", "/v1/customers?limit=100");
    EXPECT_EQ(client.answer(), first);
    EXPECT_EQ(client.answer(), first);
    EXPECT_EQ(statistic(client, "connections_accepted"), 1);
    EXPECT_EQ(statistic(client, "requests"), 3);
}

TEST(sim_server, close_and_bad_requests_end_it) {
    Served served;
    Client polite{served};
    polite.send_text("GET /_sim/stats HTTP/1.1\r\nConnection: close\r\n\r\n");
    EXPECT_NE(polite.rest().find("Connection: close"), std::string::npos);
    Client rude{served};
    rude.send_text("hello\r\n\r\n");
    EXPECT_EQ(rude.rest().substr(0, 12), "HTTP/1.1 400");
}

TEST(sim_server, a_body_may_be_asked_for) {
    Served served;
    Client client{served};
    client.send_text(
        "POST /_sim/latency HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 8\r\n\r\n");
    char text[25];
    ASSERT_EQ(recv(client.fd(), text, sizeof text, MSG_WAITALL), 25);
    EXPECT_EQ(std::string(text, 12), "HTTP/1.1 100");
    client.send_text("{\"ms\":0}");
    EXPECT_EQ(client.answer(), "{}\n");
}

TEST(sim_server, cuts_fall_where_they_should) {
    Served served;
    Client whole_client{served};
    whole_client.send_text("GET /v1/products HTTP/1.1\r\nAuthorization: Bearer "
                           "sk_test_unit000000000000\r\nConnection: close\r\n\r\n");
    std::string whole = whole_client.rest();
    size_t head = whole.find("\r\n\r\n") + 4;
    auto cut = [&](const char *where) {
        play(served, std::string{R"({"cut": ")"} + where + "\"}");
        Client client{served};
        client.ask("GET", "/v1/products");
        return client.rest();
    };
    EXPECT_EQ(cut("before"), "");
    std::string in_head = cut("headers");
    EXPECT_EQ(in_head.substr(0, 12), "HTTP/1.1 200");
    EXPECT_EQ(in_head.find("\r\n\r\n"), std::string::npos);
    std::string in_body = cut("body");
    size_t sent = in_body.size() - (in_body.find("\r\n\r\n") + 4);
    EXPECT_EQ(sent, (whole.size() - head) / 2);
}

TEST(sim_server, a_wrong_length_promises_too_much) {
    Served served;
    play(served, R"({"bad_length": true})");
    Client client{served};
    client.ask("GET", "/v1/products?limit=1");
    EXPECT_EQ(client.answer(), "(closed)");
}

TEST(sim_server, a_slow_body_comes_in_pieces) {
    Served served;
    play(served,
         R"({"status": 500, "body": "0123456789", "slow_body": {"bytes": 3, "every_ms": 20}})");
    Client client{served};
    auto start = std::chrono::steady_clock::now();
    client.ask("GET", "/v1/products");
    EXPECT_EQ(client.answer(), "0123456789");
    EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds{80});
    client.ask("GET", "/v1/products?limit=1");
    EXPECT_NE(client.answer(), "(closed)") << "and the connection goes on";
}

TEST(sim_server, a_hanging_request_is_seen_and_dropped_with_its_client) {
    Served served;
    play(served, R"({"hang": true})");
    Client control{served};
    {
        Client client{served};
        client.ask("GET", "/v1/products");
        EXPECT_TRUE(eventually([&] { return statistic(control, "concurrent_requests") == 1; }));
    }
    EXPECT_TRUE(eventually([&] { return statistic(control, "concurrent_requests") == 0; }));
    EXPECT_TRUE(eventually([&] { return statistic(control, "connections_open") == 1; }));
}

TEST(sim_server, latency_does_not_queue_requests) {
    Served served;
    Client control{served};
    control.ask("POST", "/_sim/latency", R"({"ms": 300})");
    control.answer();
    std::vector<std::unique_ptr<Client>> clients;
    for (int i = 0; i < 8; ++i) {
        clients.push_back(std::make_unique<Client>(served));
        clients.back()->ask("GET", "/v1/products");
    }
    for (auto &client : clients)
        EXPECT_NE(client->answer(), "(closed)");
    EXPECT_EQ(statistic(control, "max_concurrent_requests"), 8);
}

namespace {

// A self-signed certificate for "sim.invalid" and its key, as files.
void write_certificate(const std::string &certificate_file, const std::string &key_file) {
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    X509_NAME *name = X509_get_subject_name(certificate);
    const auto *host = reinterpret_cast<const unsigned char *>("sim.invalid");
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, host, -1, -1, 0);
    X509_set_issuer_name(certificate, name);
    X509_sign(certificate, key, EVP_sha256());
    std::FILE *file = std::fopen(certificate_file.c_str(), "w");
    PEM_write_X509(file, certificate);
    std::fclose(file);
    file = std::fopen(key_file.c_str(), "w");
    PEM_write_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr);
    std::fclose(file);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

} // namespace

TEST(sim_server, tls_serves_long_pages) {
    std::string stem = ::testing::TempDir() + "sim_tls_" + std::to_string(getpid());
    write_certificate(stem + ".crt", stem + ".key");
    EXPECT_THROW(tls_channels(stem + ".key", stem + ".crt"), std::runtime_error);
    Served served{tls_channels(stem + ".crt", stem + ".key")};
    Client client{served};
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(context);
    SSL_set_fd(ssl, client.fd());
    ASSERT_EQ(SSL_connect(ssl), 1);
    EXPECT_EQ(SSL_get_verify_result(ssl), X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT);
    std::string request = "GET /v1/invoices?limit=100 HTTP/1.1\r\nAuthorization: Bearer "
                          "sk_test_unit000000000000\r\nConnection: close\r\n\r\n";
    SSL_write(ssl, request.data(), static_cast<int>(request.size()));
    std::string text;
    char buffer[16384];
    for (int got; (got = SSL_read(ssl, buffer, sizeof buffer)) > 0;)
        text.append(buffer, static_cast<size_t>(got));
    SSL_free(ssl);
    SSL_CTX_free(context);
    Json page = parse_json(text.substr(text.find("\r\n\r\n") + 4));
    EXPECT_EQ(json_array_size(json_object_get(page.get(), "data")), 100U);
    std::remove((stem + ".crt").c_str());
    std::remove((stem + ".key").c_str());
}

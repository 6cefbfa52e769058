// A small HTTP/1.1 server on a loopback port for tests: each connection runs a scripted function in
// a thread of its own. Optionally speaks TLS with a certificate made on the spot.
#pragma once

#include "http/transport.hpp"

#include <arpa/inet.h>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <functional>
#include <mutex>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdexcept>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace billstack::test {

// A self-signed certificate for one IP address, as PEM file and as server context.
class TlsIdentity {
  public:
    explicit TlsIdentity(const std::string &ip, int newest_version = 0) {
        key_ = EVP_EC_gen("P-256");
        certificate_ = X509_new();
        ASN1_INTEGER_set(X509_get_serialNumber(certificate_), 1);
        X509_gmtime_adj(X509_getm_notBefore(certificate_), -3600);
        X509_gmtime_adj(X509_getm_notAfter(certificate_), 3600);
        X509_set_version(certificate_, 2);
        X509_set_pubkey(certificate_, key_);
        X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate_), "CN", MBSTRING_ASC,
                                   reinterpret_cast<const unsigned char *>("billstack test"), -1,
                                   -1, 0);
        X509_set_issuer_name(certificate_, X509_get_subject_name(certificate_));
        X509_EXTENSION *names =
            X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, ("IP:" + ip).c_str());
        X509_add_ext(certificate_, names, -1);
        X509_EXTENSION_free(names);
        X509_sign(certificate_, key_, EVP_sha256());
        context_ = SSL_CTX_new(TLS_server_method());
        if (newest_version != 0) {
            SSL_CTX_set_security_level(context_, 0);
            SSL_CTX_set_max_proto_version(context_, newest_version);
        }
        SSL_CTX_use_certificate(context_, certificate_);
        SSL_CTX_use_PrivateKey(context_, key_);
    }
    ~TlsIdentity() {
        SSL_CTX_free(context_);
        X509_free(certificate_);
        EVP_PKEY_free(key_);
    }
    TlsIdentity(const TlsIdentity &) = delete;

    SSL_CTX *context() const { return context_; }
    void write_pem(const std::string &path) const {
        std::FILE *file = std::fopen(path.c_str(), "w");
        PEM_write_X509(file, certificate_);
        std::fclose(file);
    }

  private:
    EVP_PKEY *key_ = nullptr;
    X509 *certificate_ = nullptr;
    SSL_CTX *context_ = nullptr;
};

class Connection {
  public:
    Connection(int fd, SSL_CTX *tls) : fd_(fd) {
        if (tls != nullptr) {
            ssl_ = SSL_new(tls);
            SSL_set_fd(ssl_, fd);
            tls_failed_ = SSL_accept(ssl_) != 1;
        }
    }
    ~Connection() {
        SSL_free(ssl_);
        close(fd_);
    }
    Connection(const Connection &) = delete;

    bool tls_failed() const { return tls_failed_; }
    // Head and body of the next request; empty at the end of the connection.
    std::string read_request() {
        std::string text;
        std::size_t needed = std::string::npos;
        while (text.size() < needed) {
            char buffer[4096];
            const auto got = ssl_ != nullptr ? SSL_read(ssl_, buffer, sizeof buffer)
                                             : static_cast<int>(read(fd_, buffer, sizeof buffer));
            if (got <= 0)
                return {};
            text.append(buffer, static_cast<std::size_t>(got));
            const auto end = text.find("\r\n\r\n");
            if (end == std::string::npos)
                continue;
            const auto length = text.find("Content-Length: ");
            needed =
                end + 4 + (length < end ? std::stoul(text.substr(length + 16)) : std::size_t{0});
        }
        return text;
    }
    bool send(const std::string &bytes) {
        if (ssl_ != nullptr)
            return SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size())) > 0;
        for (std::size_t at = 0; at < bytes.size();) {
            const auto sent = ::send(fd_, bytes.data() + at, bytes.size() - at, MSG_NOSIGNAL);
            if (sent <= 0)
                return false;
            at += static_cast<std::size_t>(sent);
        }
        return true;
    }
    // Waits until the peer closes; the way to stay silent without a clock.
    void hold() {
        char buffer[256];
        while (read(fd_, buffer, sizeof buffer) > 0) {
        }
    }
    // Waits for the peer's end at most so long; true when it has closed.
    bool closed_within(int ms) {
        pollfd waited{fd_, POLLRDHUP, 0};
        return poll(&waited, 1, ms) > 0;
    }

  private:
    int fd_;
    SSL *ssl_ = nullptr;
    bool tls_failed_ = false;
};

inline std::string ok_answer(const std::string &body, const std::string &extra_headers = {}) {
    return "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" + extra_headers +
           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

class TestServer {
  public:
    using Script = std::function<void(Connection &, TestServer &)>;

    explicit TestServer(Script script, SSL_CTX *tls = nullptr)
        : script_(std::move(script)), tls_(tls) {
        listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        if (bind(listener_, reinterpret_cast<sockaddr *>(&address), size) != 0 ||
            listen(listener_, 128) != 0)
            throw std::runtime_error("no loopback port for the test server");
        getsockname(listener_, reinterpret_cast<sockaddr *>(&address), &size);
        port_ = ntohs(address.sin_port);
        thread_ = std::thread([this] { accept_all(); });
    }
    // Answers every request on a kept connection with the same body.
    static TestServer answering(const std::string &body, SSL_CTX *tls = nullptr) {
        return TestServer(
            [body](Connection &connection, TestServer &server) {
                for (std::string text; !(text = connection.read_request()).empty();) {
                    server.note(text);
                    connection.send(ok_answer(body));
                }
            },
            tls);
    }
    ~TestServer() {
        shutdown(listener_, SHUT_RDWR);
        thread_.join();
        close(listener_);
        {
            const std::lock_guard lock(mutex_);
            for (const int fd : open_)
                shutdown(fd, SHUT_RDWR);
        }
        for (std::thread &worker : workers_)
            worker.join();
    }
    TestServer(const TestServer &) = delete;

    int port() const { return port_; }
    std::string url() const {
        return (tls_ != nullptr ? "https" : "http") + std::string("://127.0.0.1:") +
               std::to_string(port_);
    }
    int accepted() const { return accepted_; }
    void note(const std::string &request) {
        const std::lock_guard lock(mutex_);
        requests_.push_back(request);
    }
    std::vector<std::string> requests() {
        const std::lock_guard lock(mutex_);
        return requests_;
    }

  private:
    void accept_all() {
        for (int fd; (fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC)) >= 0;) {
            ++accepted_;
            const std::lock_guard lock(mutex_);
            open_.push_back(fd);
            workers_.emplace_back([this, fd] {
                sigset_t pipe_only; // OpenSSL writes to closed sockets without MSG_NOSIGNAL
                sigemptyset(&pipe_only);
                sigaddset(&pipe_only, SIGPIPE);
                pthread_sigmask(SIG_BLOCK, &pipe_only, nullptr);
                Connection connection(fd, tls_);
                if (!connection.tls_failed())
                    script_(connection, *this);
                const std::lock_guard inner(mutex_);
                std::erase(open_, fd);
            });
        }
    }

    Script script_;
    SSL_CTX *tls_;
    int listener_ = -1;
    int port_ = 0;
    std::atomic<int> accepted_{0};
    std::mutex mutex_;
    std::vector<int> open_;
    std::vector<std::string> requests_;
    std::vector<std::thread> workers_;
    std::thread thread_;
};

// Drives the transport as the worker does until `count` completions are there. The deadline only
// keeps a broken test from hanging.
inline std::vector<http::Completion>
drive(http::Transport &transport, std::size_t count,
      core::Milliseconds deadline = core::Milliseconds(20000)) {
    std::vector<http::Completion> done;
    const auto end = std::chrono::steady_clock::now() + deadline;
    while (done.size() < count && std::chrono::steady_clock::now() < end) {
        pollfd waited{transport.poll_fd(), POLLIN, 0};
        const auto timeout = transport.next_timeout().value_or(core::Milliseconds(1000));
        poll(&waited, 1, static_cast<int>(std::min<long>(timeout.count(), 1000)));
        transport.step(done);
    }
    return done;
}

} // namespace billstack::test

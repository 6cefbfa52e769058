// TLS by OpenSSL, for tests of certificate checks: the simulator proves itself with any certificate
// it is given, good or bad.
#include "channel.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <stdexcept>
#include <sys/uio.h>

namespace stripe_sim {

namespace {

struct ContextFree {
    void operator()(SSL_CTX *context) const { SSL_CTX_free(context); }
};
struct SslFree {
    void operator()(SSL *ssl) const { SSL_free(ssl); }
};

class TlsChannel : public Channel {
  public:
    TlsChannel(SSL_CTX *context, int fd) : ssl_{SSL_new(context)} {
        SSL_set_fd(ssl_.get(), fd);
        SSL_set_accept_state(ssl_.get());
    }

    Result read(char *into, size_t size) override {
        ERR_clear_error();
        size_t got = 0;
        int code = SSL_read_ex(ssl_.get(), into, size, &got);
        return code == 1 ? Result{State::done, got} : failed(code);
    }

    Result write(const iovec *parts, int count) override {
        size_t sent = 0;
        for (int i = 0; i < count; ++i) {
            if (parts[i].iov_len == 0)
                continue;
            ERR_clear_error();
            size_t part = 0;
            int code = SSL_write_ex(ssl_.get(), parts[i].iov_base, parts[i].iov_len, &part);
            if (code != 1)
                return sent > 0 ? Result{State::done, sent} : failed(code);
            sent += part;
            if (part < parts[i].iov_len)
                break;
        }
        return {State::done, sent};
    }

  private:
    Result failed(int code) {
        switch (SSL_get_error(ssl_.get(), code)) {
        case SSL_ERROR_WANT_READ:
            return {State::want_read};
        case SSL_ERROR_WANT_WRITE:
            return {State::want_write};
        default:
            return {State::closed};
        }
    }

    std::unique_ptr<SSL, SslFree> ssl_;
};

class TlsFactory : public ChannelFactory {
  public:
    TlsFactory(const std::string &certificate, const std::string &key)
        : context_{SSL_CTX_new(TLS_server_method())} {
        if (SSL_CTX_use_certificate_chain_file(context_.get(), certificate.c_str()) != 1)
            throw std::runtime_error{"cannot use the certificate in " + certificate};
        if (SSL_CTX_use_PrivateKey_file(context_.get(), key.c_str(), SSL_FILETYPE_PEM) != 1)
            throw std::runtime_error{"cannot use the private key in " + key};
        SSL_CTX_set_mode(context_.get(),
                         SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    }
    std::unique_ptr<Channel> make(int fd) override {
        return std::make_unique<TlsChannel>(context_.get(), fd);
    }

  private:
    std::unique_ptr<SSL_CTX, ContextFree> context_;
};

} // namespace

std::unique_ptr<ChannelFactory> tls_channels(const std::string &certificate_file,
                                             const std::string &key_file) {
    return std::make_unique<TlsFactory>(certificate_file, key_file);
}

} // namespace stripe_sim

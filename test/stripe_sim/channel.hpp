// The bytes of one connection, plain or TLS, behind one small interface.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <sys/types.h>

struct iovec;

namespace stripe_sim {

class Channel {
  public:
    enum class State { done, want_read, want_write, closed };
    struct Result {
        State state;
        size_t bytes = 0;
    };
    virtual ~Channel() = default;
    virtual Result read(char *into, size_t size) = 0;
    /// Sends what fits now of the parts, in order.
    virtual Result write(const iovec *parts, int count) = 0;
};

/// Makes the channel of an accepted socket. The socket stays the caller's.
class ChannelFactory {
  public:
    virtual ~ChannelFactory() = default;
    virtual std::unique_ptr<Channel> make(int fd) = 0;
};

std::unique_ptr<ChannelFactory> plain_channels();
/// Throws std::runtime_error when certificate or key cannot be used. PEM files.
std::unique_ptr<ChannelFactory> tls_channels(const std::string &certificate_file,
                                             const std::string &key_file);

} // namespace stripe_sim

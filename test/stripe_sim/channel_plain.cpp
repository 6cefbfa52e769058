// Plain sockets.
#include "channel.hpp"

#include <cerrno>
#include <sys/socket.h>
#include <sys/uio.h>

namespace stripe_sim {

namespace {

class PlainChannel : public Channel {
  public:
    explicit PlainChannel(int fd) : fd_{fd} {}

    Result read(char *into, size_t size) override {
        ssize_t got = recv(fd_, into, size, 0);
        if (got > 0)
            return {State::done, static_cast<size_t>(got)};
        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            return {State::want_read};
        return {State::closed};
    }

    Result write(const iovec *parts, int count) override {
        msghdr message{};
        message.msg_iov = const_cast<iovec *>(parts);
        message.msg_iovlen = static_cast<size_t>(count);
        ssize_t sent = sendmsg(fd_, &message, MSG_NOSIGNAL);
        if (sent >= 0)
            return {State::done, static_cast<size_t>(sent)};
        return {errno == EAGAIN || errno == EINTR ? State::want_write : State::closed};
    }

  private:
    int fd_;
};

class PlainFactory : public ChannelFactory {
  public:
    std::unique_ptr<Channel> make(int fd) override { return std::make_unique<PlainChannel>(fd); }
};

} // namespace

std::unique_ptr<ChannelFactory> plain_channels() {
    return std::make_unique<PlainFactory>();
}

} // namespace stripe_sim

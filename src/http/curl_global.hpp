// What libcurl needs once per process, and what it must be kept from around each call.
#pragma once
#include "core/pure.hpp"

#include <signal.h>

namespace billstack::http {

// curl_global_init at the first call in this process, with an allocator that wipes what it frees:
// libcurl copies the Authorization header into buffers of its own. Not at load time, which happens
// in the postmaster. Throws core::Error(internal).
void require_curl();

// Blocks every signal for its scope. Threads started inside (libcurl's resolver) inherit the mask,
// so none of the process's signals is ever handled on them. A SIGPIPE raised inside is dropped.
class SignalBlock {
  public:
    SignalBlock() noexcept;
    ~SignalBlock();
    SignalBlock(const SignalBlock &) = delete;
    SignalBlock &operator=(const SignalBlock &) = delete;

  private:
    sigset_t saved_;
    bool pipe_was_pending_;
};

} // namespace billstack::http

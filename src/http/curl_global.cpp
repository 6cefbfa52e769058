// Process-wide set-up of libcurl. The only global here is a flag, which needs no destructor.
#include "http/curl_global.hpp"

#include "core/error.hpp"
#include "core/secret_bytes.hpp"

#include <cstdlib>
#include <cstring>
#include <ctime>
#include <curl/curl.h>
#include <malloc.h>
#include <pthread.h>

namespace billstack::http {

namespace {

bool initialised = false;

void *plain_malloc(std::size_t size) {
    return std::malloc(size);
}

void *plain_calloc(std::size_t count, std::size_t size) {
    return std::calloc(count, size);
}

void wiping_free(void *memory) {
    core::wipe_memory(memory, malloc_usable_size(memory));
    std::free(memory);
}

// Never lets the system's realloc move a block, which would leave the old bytes behind.
void *wiping_realloc(void *memory, std::size_t size) {
    if (memory == nullptr)
        return std::malloc(size);
    const std::size_t held = malloc_usable_size(memory);
    if (size > 0 && size <= held)
        return memory;
    void *moved = std::malloc(size);
    if (moved == nullptr)
        return nullptr;
    std::memcpy(moved, memory, held < size ? held : size);
    wiping_free(memory);
    return moved;
}

char *plain_strdup(const char *text) {
    return strdup(text);
}

} // namespace

void require_curl() {
    if (initialised)
        return;
    const SignalBlock block;
    if (curl_global_init_mem(CURL_GLOBAL_DEFAULT, plain_malloc, wiping_free, wiping_realloc,
                             plain_strdup, plain_calloc) != CURLE_OK)
        throw core::Error(core::Code::internal, "could not initialise libcurl");
    initialised = true;
}

SignalBlock::SignalBlock() noexcept {
    sigset_t all;
    sigset_t pending;
    sigfillset(&all);
    sigemptyset(&pending);
    pthread_sigmask(SIG_BLOCK, &all, &saved_);
    sigpending(&pending);
    pipe_was_pending_ = sigismember(&pending, SIGPIPE) == 1;
}

SignalBlock::~SignalBlock() {
    if (!pipe_was_pending_) {
        sigset_t pipe_only;
        sigemptyset(&pipe_only);
        sigaddset(&pipe_only, SIGPIPE);
        const timespec at_once{};
        while (sigtimedwait(&pipe_only, nullptr, &at_once) > 0) {
        }
    }
    pthread_sigmask(SIG_SETMASK, &saved_, nullptr);
}

} // namespace billstack::http

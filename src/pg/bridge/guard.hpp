// The border between C++ exceptions and the server's longjmp, in both directions.
//   call()                 inward: a server call that may raise, turned into a C++ exception
//   sql_entry, worker_entry  outward: the only two ways in; what leaves a body becomes one ereport
// The ten rules that keep it sound stand in docs/architecture.md, "The bridge".
#pragma once
#include "pg/bridge/server.hpp"

namespace billstack::pg {

// A server error that arrived through call(). Owns a memory context below TopMemoryContext, so it
// outlives the abort that must follow. Either rethrow it or roll back a (sub)transaction.
class PgError final : public std::exception {
  public:
    // context may be null: then the error was out of memory while copying the error.
    PgError(MemoryContext context, ErrorData *data) noexcept : context_(context), data_(data) {}
    PgError(PgError &&other) noexcept
        : context_(std::exchange(other.context_, nullptr)),
          data_(std::exchange(other.data_, nullptr)) {}
    PgError(const PgError &) = delete;
    PgError &operator=(const PgError &) = delete;
    ~PgError() override;

    int sqlstate() const noexcept { return data_ ? data_->sqlerrcode : ERRCODE_OUT_OF_MEMORY; }
    std::string sqlstate_text() const;
    const char *what() const noexcept override;
    const ErrorData *data() const noexcept { return data_; }
    // Hands the error to new_parent (freed with it) and leaves this object empty.
    ErrorData *release_to(MemoryContext new_parent) noexcept;

  private:
    MemoryContext context_;
    ErrorData *data_;
};

namespace detail {

// What a server error unwinds to; plain data only.
struct Landing {
    sigjmp_buf buffer;
    sigjmp_buf *outer;
    ErrorContextCallback *context_stack;
    MemoryContext memory;

    void enter() noexcept {
        outer = PG_exception_stack;
        context_stack = error_context_stack;
        memory = CurrentMemoryContext;
    }
    void leave() noexcept {
        PG_exception_stack = outer;
        error_context_stack = context_stack;
    }
};

[[noreturn]] void throw_pending_error(MemoryContext memory);

} // namespace detail

// f: one server call or a short C-style sequence; captures plain values by reference, owns nothing
// that has a destructor. Costs about 13 ns (the signal mask is not saved). Throws PgError.
template <class F> auto call(F &&f) -> std::invoke_result_t<F> {
    using Result = std::invoke_result_t<F>;
    static_assert(std::is_void_v<Result> || std::is_trivially_destructible_v<Result>,
                  "a server error would skip the result's destructor");
    detail::Landing landing;
    landing.enter();
    if (sigsetjmp(landing.buffer, 0) == 0) {
        PG_exception_stack = &landing.buffer;
        try {
            if constexpr (std::is_void_v<Result>) {
                f();
                landing.leave();
                return;
            } else {
                Result result = f();
                landing.leave();
                return result;
            }
        } catch (...) {
            landing.leave();
            throw;
        }
    }
    landing.leave();
    detail::throw_pending_error(landing.memory);
}

// CHECK_FOR_INTERRUPTS as an exception: cancel arrives as PgError, terminate ends the process.
inline void check_for_interrupts() {
    if (INTERRUPTS_PENDING_CONDITION()) {
        call([] { CHECK_FOR_INTERRUPTS(); });
    }
}

class Args;
using SqlBody = Datum (*)(Args &);
Datum sql_entry(FunctionCallInfo fcinfo, SqlBody body);

// Runs the body of a background worker, or of a hook. What leaves it is raised at `elevel`.
void worker_entry(void (*body)());

} // namespace billstack::pg

// Defines the SQL-callable C function `name` with the C++ body that follows; `args` is its
// argument.
#define BILLSTACK_SQL_FUNCTION(name)                                                               \
    static Datum name##_body(billstack::pg::Args &args);                                           \
    _Pragma("GCC visibility push(default)") extern "C" {                                           \
        PG_FUNCTION_INFO_V1(name);                                                                 \
        Datum name(PG_FUNCTION_ARGS) {                                                             \
            return billstack::pg::sql_entry(fcinfo, name##_body);                                  \
        }                                                                                          \
    }                                                                                              \
    _Pragma("GCC visibility pop") static Datum name##_body(                                        \
        [[maybe_unused]] billstack::pg::Args &args)

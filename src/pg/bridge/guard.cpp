// The border's machinery: copying a server error out, and raising what left a C++ body once the
// catch block has ended (a longjmp out of a catch leaves the C++ runtime's state dirty for good).
#include "pg/bridge/guard.hpp"

#include "pg/bridge/datum.hpp"
#include "pg/bridge/error.hpp"

namespace billstack::pg {

PgError::~PgError() {
    if (context_ != nullptr) {
        MemoryContextDelete(context_);
    }
}

const char *PgError::what() const noexcept {
    return data_ != nullptr && data_->message != nullptr ? data_->message : "out of memory";
}

std::string PgError::sqlstate_text() const {
    return unpack_sql_state(sqlstate());
}

ErrorData *PgError::release_to(MemoryContext new_parent) noexcept {
    if (context_ != nullptr) {
        MemoryContextSetParent(context_, new_parent);
    }
    context_ = nullptr;
    return std::exchange(data_, nullptr);
}

namespace detail {

namespace {

struct Copied {
    MemoryContext context;
    ErrorData *data;
};

// The copy is made in a context of its own: one made in the current context would be freed by the
// abort that follows. Running out of memory here must not jump over the caller. Results go through
// `copied`, not through locals, which a longjmp may leave with old values.
void copy_pending_error(Copied *copied) {
    sigjmp_buf *outer = PG_exception_stack;
    ErrorContextCallback *context_stack = error_context_stack;
    sigjmp_buf buffer;
    if (sigsetjmp(buffer, 0) == 0) {
        PG_exception_stack = &buffer;
        copied->context =
            AllocSetContextCreate(TopMemoryContext, "billstack error", ALLOCSET_SMALL_SIZES);
        MemoryContextSwitchTo(copied->context);
        copied->data = CopyErrorData();
    }
    PG_exception_stack = outer;
    error_context_stack = context_stack;
}

} // namespace

void throw_pending_error(MemoryContext memory) {
    Copied copied{nullptr, nullptr};
    MemoryContextSwitchTo(memory); // CopyErrorData refuses ErrorContext
    copy_pending_error(&copied);
    MemoryContextSwitchTo(memory);
    FlushErrorState();
    throw PgError(copied.context, copied.data);
}

} // namespace detail

namespace {

// Everything that has to survive the end of the catch block. Fixed buffers: nothing can fail
// between the catch and the ereport.
struct Pending {
    bool any = false;
    ErrorData *server_error = nullptr;
    Report report;
};
static_assert(std::is_trivially_destructible_v<Pending>);

// Fills pending from the exception in flight. Called inside a catch block only.
void capture(Pending &pending, MemoryContext caller) noexcept {
    pending.any = true;
    try {
        throw;
    } catch (PgError &error) {
        pending.server_error = error.release_to(caller);
        if (pending.server_error == nullptr) {
            pending.report.fill_out_of_memory();
        }
    } catch (const core::Error &error) {
        pending.report.fill(error);
    } catch (const std::bad_alloc &) {
        pending.report.fill_out_of_memory();
    } catch (const std::exception &error) {
        pending.report.fill_internal(error.what());
    } catch (...) {
        pending.report.fill_internal("unknown exception");
    }
}

[[noreturn]] void raise(const Pending &pending) {
    if (pending.server_error != nullptr) {
        ReThrowError(pending.server_error);
    }
    raise_report(pending.report);
}

} // namespace

Datum sql_entry(FunctionCallInfo fcinfo, SqlBody body) {
    Pending pending;
    MemoryContext caller = CurrentMemoryContext;
    try {
        Args args(fcinfo);
        return body(args);
    } catch (...) {
        capture(pending, caller);
    }
    MemoryContextSwitchTo(caller);
    raise(pending);
}

void worker_entry(void (*body)()) {
    Pending pending;
    MemoryContext caller = CurrentMemoryContext;
    try {
        body();
        return;
    } catch (...) {
        capture(pending, caller);
    }
    MemoryContextSwitchTo(caller);
    raise(pending);
}

} // namespace billstack::pg

// SQL functions that raise in every way there is, each over live C++ objects.
#include "live.hpp"

#include "pg/bridge/datum.hpp"
#include "pg/bridge/scope.hpp"

#include <dirent.h>
#include <sys/resource.h>

using namespace billstack;
using namespace billstack::pg;
using bridge_test::Live;
using bridge_test::live_objects;
using bridge_test::raise_in_server;

#pragma GCC visibility push(default)
extern "C" {
PG_MODULE_MAGIC;
}
#pragma GCC visibility pop

namespace {

long resident_kib() {
    long pages = 0;
    std::FILE *file = std::fopen("/proc/self/statm", "r");
    if (file == nullptr || std::fscanf(file, "%*d %ld", &pages) != 1) {
        pages = -1;
    }
    if (file != nullptr) {
        std::fclose(file);
    }
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

int open_files() {
    int count = 0;
    DIR *dir = opendir("/proc/self/fd");
    while (dir != nullptr && readdir(dir) != nullptr) {
        ++count;
    }
    if (dir != nullptr) {
        closedir(dir);
    }
    return count;
}

// One error of the server and one of ours, each trapped and rolled back; the Subtransactions are
// gone when the catch begins.
void trap_two_errors() {
    try {
        Subtransaction sub;
        std::vector<Live> objects(3);
        call([] { raise_in_server("trapped"); });
    } catch (const PgError &error) {
        if (error.sqlstate() != ERRCODE_UNIQUE_VIOLATION) {
            throw;
        }
    }
    try {
        Subtransaction sub;
        std::vector<Live> objects(3);
        throw core::Error(core::Code::in_use, "trapped", "detail", "hint");
    } catch (const core::Error &) {
    }
}

// Memory that can be had beyond what the process has now, while an object of this type lives.
class MemoryLimit {
  public:
    MemoryLimit() { getrlimit(RLIMIT_AS, &before_); }
    ~MemoryLimit() { setrlimit(RLIMIT_AS, &before_); }
    // Returns 0: it is called among the arguments of ereport, after the message has been made.
    static int set_now() {
        long pages = 0;
        std::FILE *file = std::fopen("/proc/self/statm", "r");
        if (file != nullptr && std::fscanf(file, "%ld", &pages) == 1) {
            struct rlimit limit;
            getrlimit(RLIMIT_AS, &limit);
            limit.rlim_cur = static_cast<rlim_t>(pages) * sysconf(_SC_PAGESIZE) + (8UL << 20);
            setrlimit(RLIMIT_AS, &limit);
        }
        if (file != nullptr) {
            std::fclose(file);
        }
        return 0;
    }

  private:
    struct rlimit before_;
};

} // namespace

BILLSTACK_SQL_FUNCTION(bridge_live) {
    return Int32GetDatum(live_objects);
}

// The C++ runtime's own state: nothing is being handled between two calls.
BILLSTACK_SQL_FUNCTION(bridge_runtime_clean) {
    return BoolGetDatum(std::current_exception() == nullptr && std::uncaught_exceptions() == 0);
}

BILLSTACK_SQL_FUNCTION(bridge_server_error) {
    Live one;
    std::vector<Live> more(3);
    call([] { raise_in_server("raised by the server"); });
    return BoolGetDatum(true);
}

BILLSTACK_SQL_FUNCTION(bridge_throw) {
    Live one;
    std::vector<Live> more(3);
    std::string kind = args.text(0, "kind");
    if (kind == "core") {
        throw core::Error(core::Code::dependents_exist, "the message", "the detail", "the hint");
    }
    if (kind == "stripe") {
        throw core::Error(core::Code::stripe_key_rejected, "the message");
    }
    if (kind == "long") {
        std::string letters;
        for (int i = 0; i < 2000; ++i) {
            letters += "\xC3\xA4"; // two bytes each: the cut must not fall between them
        }
        throw core::Error(core::Code::not_ready, "x" + letters, letters, letters);
    }
    if (kind == "bad_alloc") {
        std::vector<char> enormous(std::size_t{1} << 62);
        return Int32GetDatum(static_cast<int>(enormous.size()));
    }
    if (kind == "std") {
        throw std::out_of_range("a standard exception");
    }
    throw 42;
}

// An error two calls deep comes out with its own SQLSTATE, and the outer call has put everything
// back on its way.
BILLSTACK_SQL_FUNCTION(bridge_nested) {
    Live one;
    sigjmp_buf *stack = PG_exception_stack;
    ErrorContextCallback *contexts = error_context_stack;
    try {
        call([] { call([] { raise_in_server("two calls deep"); }); });
    } catch (const PgError &) {
        if (PG_exception_stack != stack || error_context_stack != contexts) {
            throw core::Error(core::Code::internal, "a call left its landing behind");
        }
        throw;
    }
    return BoolGetDatum(false);
}

// Traps errors and goes on in the same transaction.
BILLSTACK_SQL_FUNCTION(bridge_swallow) {
    int count = DatumGetInt32(args.info()->args[0].value);
    MemoryContext context = CurrentMemoryContext;
    ResourceOwner owner = CurrentResourceOwner;
    for (int i = 0; i < count; ++i) {
        trap_two_errors();
    }
    return BoolGetDatum(CurrentMemoryContext == context && CurrentResourceOwner == owner);
}

// What `count` rounds of two trapped errors leave behind, after a warm-up.
BILLSTACK_SQL_FUNCTION(bridge_flat) {
    int count = DatumGetInt32(args.info()->args[0].value);
    for (int i = 0; i < 2000; ++i) {
        trap_two_errors();
    }
    long memory = resident_kib();
    int files = open_files();
    for (int i = 0; i < count; ++i) {
        trap_two_errors();
    }
    return text_datum(std::to_string(resident_kib() - memory) + " " +
                      std::to_string(open_files() - files) + " " + std::to_string(live_objects));
}

BILLSTACK_SQL_FUNCTION(bridge_resident_kib) {
    return Int64GetDatum(resident_kib());
}
BILLSTACK_SQL_FUNCTION(bridge_open_files) {
    return Int32GetDatum(open_files());
}

// The error is too large to be copied with the memory that is left.
BILLSTACK_SQL_FUNCTION(bridge_copy_fails) {
    Live one;
    MemoryLimit limit;
    std::string large(64UL << 20, 'x');
    const char *message = large.c_str();
    call([&] {
        ereport(ERROR, (errcode(ERRCODE_UNIQUE_VIOLATION), errmsg_internal("%s", message),
                        MemoryLimit::set_now()));
    });
    return BoolGetDatum(false);
}

// Ended by cancel, statement_timeout or terminate while inside a server call.
BILLSTACK_SQL_FUNCTION(bridge_sleep) {
    Live one;
    call([] { DirectFunctionCall1(pg_sleep, Float8GetDatum(600)); });
    return BoolGetDatum(false);
}

BILLSTACK_SQL_FUNCTION(bridge_fatal) {
    Live one;
    call([] { ereport(FATAL, (errmsg("the end of the backend"))); });
    return BoolGetDatum(false);
}

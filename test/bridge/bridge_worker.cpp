// Background workers that meet errors: one goes on, one lets an exception out, one ends by FATAL.
#include "live.hpp"

#include "pg/bridge/datum.hpp"
#include "pg/bridge/scope.hpp"
#include "pg/bridge/spi.hpp"

#include <fcntl.h>

using namespace billstack;
using namespace billstack::pg;
using bridge_test::Live;
using bridge_test::live_objects;
using bridge_test::raise_in_server;

namespace {

// Where the data directory is the current folder, as for every process of the server.
constexpr const char *exit_record = "bridge_exit";

void note(const std::string &what) {
    Transaction transaction;
    {
        SpiSession spi;
        run_once("INSERT INTO public.bridge_log (what, live) VALUES ($1, $2)",
                 {param(what), param(static_cast<std::int32_t>(live_objects))});
    }
    transaction.commit();
}

void survive() {
    try {
        Transaction transaction;
        Live one;
        call([] { raise_in_server("in a worker"); });
    } catch (const PgError &error) {
        note("server error " + error.sqlstate_text());
    }
    try {
        Transaction transaction;
        Live one;
        throw std::out_of_range("in a worker");
    } catch (const std::exception &) {
        note("C++ exception");
    }
    try {
        Transaction transaction;
        Live one;
        {
            SpiSession spi;
            run_once("INSERT INTO public.bridge_deferred (id) VALUES (1), (1)");
        }
        transaction.commit(); // the deferred constraint fails here
    } catch (const PgError &error) {
        note("failed commit " + error.sqlstate_text());
    }
    note("still here");
}

void let_out() {
    Transaction transaction;
    Live one;
    throw core::Error(core::Code::cap_reached, "left the worker's body", "the detail");
}

// FATAL unwinds nothing: the object still counts when the callback runs, and only the callback can
// give back what lies outside the process.
void record_exit(int, Datum) noexcept {
    int file = open(exit_record, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    char digit = static_cast<char>('0' + live_objects);
    if (file >= 0) {
        [[maybe_unused]] ssize_t written = write(file, &digit, 1);
        close(file);
    }
}

void end_by_fatal() {
    before_shmem_exit(record_exit, 0);
    Live one;
    call([] { ereport(FATAL, (errmsg("the end of the worker"))); });
}

} // namespace

#pragma GCC visibility push(default)
extern "C" void bridge_worker_main(Datum argument) {
    BackgroundWorkerUnblockSignals();
    Oid database;
    std::memcpy(&database, MyBgworkerEntry->bgw_extra, sizeof(database));
    BackgroundWorkerInitializeConnectionByOid(database, InvalidOid, 0);
    switch (DatumGetInt32(argument)) {
    case 0:
        worker_entry(survive);
        break;
    case 1:
        worker_entry(let_out);
        break;
    default:
        worker_entry(end_by_fatal);
        break;
    }
}
#pragma GCC visibility pop

// bridge_start_worker(kind integer): registers it and waits until it has ended.
BILLSTACK_SQL_FUNCTION(bridge_run_worker) {
    BackgroundWorker worker = {};
    worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
    worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
    worker.bgw_restart_time = BGW_NEVER_RESTART;
    worker.bgw_notify_pid = MyProcPid;
    worker.bgw_main_arg = args.info()->args[0].value;
    strlcpy(worker.bgw_library_name, "bridge_test", sizeof(worker.bgw_library_name));
    strlcpy(worker.bgw_function_name, "bridge_worker_main", sizeof(worker.bgw_function_name));
    strlcpy(worker.bgw_name, "bridge test worker", sizeof(worker.bgw_name));
    std::memcpy(worker.bgw_extra, &MyDatabaseId, sizeof(MyDatabaseId));
    BackgroundWorkerHandle *handle = nullptr;
    bool registered = call([&] { return RegisterDynamicBackgroundWorker(&worker, &handle); });
    if (!registered) {
        throw core::Error(core::Code::cap_reached, "no place for a background worker");
    }
    BgwHandleStatus status = call([&] { return WaitForBackgroundWorkerShutdown(handle); });
    return BoolGetDatum(status == BGWH_STOPPED);
}

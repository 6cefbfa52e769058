// backfill, run_backfill and cancel_backfill. They only write and read the table of runs: copying
// is the worker's work.
#include "pg/access/access.hpp"
#include "pg/access/internal_access.hpp"
#include "pg/access/team_access.hpp"
#include "pg/backfill/backfill_store.hpp"
#include "pg/bridge/log.hpp"
#include "pg/mirror/mirror_admin.hpp"
#include "pg/team/integration_store.hpp"
#include "pg/worker/shared_state.hpp"
#include "pg/worker/wake.hpp"

namespace billstack::pg {

namespace {

constexpr long look_every_ms = 100;    // at the state of the run
constexpr int notice_every_looks = 10; // progress at most once a second

std::vector<std::string> default_objects() {
    std::vector<std::string> names;
    for (const stripe::Kind *kind : stripe::all_kinds()) {
        if (kind->is_default) {
            names.emplace_back(kind->name);
        }
    }
    return names;
}

std::string list_of_kinds() {
    std::string text;
    for (const stripe::Kind *kind : stripe::all_kinds()) {
        if (!kind->list_path.empty()) {
            text += (text.empty() ? "" : ", ") + std::string(kind->name);
        }
    }
    return text;
}

// In the catalogue's order, each once.
std::vector<std::string> check_objects(const std::optional<std::vector<std::string>> &asked) {
    if (!asked) {
        return default_objects();
    }
    if (asked->empty()) {
        throw core::Error(core::Code::bad_argument, "argument \"objects\" must not be empty", "",
                          "Leave it out to copy the default kinds.");
    }
    std::set<std::string> names;
    for (const std::string &name : *asked) {
        const stripe::Kind *kind = stripe::find_kind(name);
        if (name == "all") {
            if (asked->size() > 1) {
                throw core::Error(core::Code::bad_argument, "object kind \"all\" must stand alone");
            }
            for (const stripe::Kind *each : stripe::all_kinds()) {
                if (!each->list_path.empty()) {
                    names.emplace(each->name);
                }
            }
            continue;
        }
        if (kind == nullptr || kind->list_path.empty()) {
            throw core::Error(core::Code::bad_argument, "object kind \"" + name + "\" is unknown",
                              "Kinds that can be copied are: " + list_of_kinds() + ".",
                              "Names are singular; 'all' stands alone and means every kind.");
        }
        names.insert(name);
    }
    std::vector<std::string> ordered;
    for (const stripe::Kind *kind : stripe::all_kinds()) {
        if (names.contains(std::string(kind->name))) {
            ordered.emplace_back(kind->name);
        }
    }
    return ordered;
}

bool asks_for_all(const std::optional<std::vector<std::string>> &asked) {
    return asked && asked->size() == 1 && asked->front() == "all";
}

bool covers_default(const std::vector<std::string> &objects) {
    std::vector<std::string> wanted = default_objects();
    return std::all_of(wanted.begin(), wanted.end(), [&](const std::string &name) {
        return std::find(objects.begin(), objects.end(), name) != objects.end();
    });
}

struct Started {
    std::int64_t run_id = 0;
    Integration integration;
    std::vector<std::string> objects;
};

core::Error already_running(const Integration &integration, std::int64_t run_id) {
    return core::Error(
        core::Code::in_use, "a backfill of team \"" + integration.team + "\" is already running",
        "runId " + std::to_string(run_id) + ", integration \"" + integration.name + "\".",
        "Wait for it, or stop it with billstack.cancel_backfill().");
}

DatabaseEntry *look_for_entry() {
    SharedState &state = require_shared_state();
    SpinGuard guard(state);
    return find_entry(state, MyDatabaseId);
}

// Tables of kinds that are not default ones are made when they are first asked for.
void make_tables(const Integration &integration, const std::vector<std::string> &objects) {
    std::vector<const stripe::Kind *> kinds;
    for (const std::string &name : objects) {
        kinds.push_back(stripe::find_kind(name));
    }
    if (!add_mirror_kinds(integration, kinds).empty()) {
        apply_access_to_schema(integration.team, integration.schema_name);
    }
}

// Arguments of both: team, objects, created_after, integration.
Started start_run(Args &args) {
    std::string team = args.text(0, "team");
    std::vector<std::string> objects = check_objects(args.optional_text_array(1));
    std::optional<TimestampTz> created_after = args.optional_timestamp(2);
    if (created_after && TIMESTAMP_NOT_FINITE(*created_after)) {
        throw core::Error(core::Code::bad_argument,
                          "argument \"created_after\" must be a finite time");
    }
    require_writable("billstack.backfill()");
    require_shared_state();
    Started started;
    started.integration = require_integration(team, args.text(3, "integration"), Need::act);
    require_armed(started.integration);
    started.objects = std::move(objects);
    make_tables(started.integration, started.objects);
    std::string role = current_role_name();
    bool complete = !created_after && covers_default(started.objects);
    bool every_kind = asks_for_all(args.optional_text_array(1));
    {
        InternalAccess access;
        std::optional<std::int64_t> made = insert_run(started.integration.id, started.objects,
                                                      created_after, complete, every_kind, role);
        if (!made) {
            throw already_running(started.integration,
                                  find_open_run(started.integration.id).value_or(0));
        }
        started.run_id = *made;
    }
    wake_worker_at_commit();
    if (look_for_entry() == nullptr) {
        wake_launcher_at_commit(); // it does not know this database yet
    }
    return started;
}

json::Node counts_of(const std::vector<std::string> &objects) {
    json::Node result = json::Node::object();
    for (const std::string &object : objects) {
        json::Node count = json::Node::object();
        count.set("synced", std::int64_t{0});
        result.set(object.c_str(), std::move(count));
    }
    return result;
}

json::Node started_answer(const Started &started) {
    json::Node answer = json::Node::object();
    answer.set("success", true);
    answer.set("message", "Backfill started");
    answer.set("syncStatus", "syncing");
    answer.set("runId", started.run_id);
    answer.set("result", counts_of(started.objects));
    return answer;
}

json::Node finished_answer(const Started &started, const RunProgress &progress,
                           const std::string &sync_status) {
    json::Node answer = json::Node::object();
    bool done = progress.state == "done";
    answer.set("success", done);
    answer.set("message", done ? "Backfill finished" : "Backfill canceled");
    answer.set("syncStatus", std::string_view(sync_status));
    answer.set("runId", started.run_id);
    if (done && !progress.error.empty()) { // what the run has not waited for
        answer.set("warning", progress.error + ". " + progress.hint);
    }
    json::Node result = json::Node::object();
    json::Node skipped = json::Node::object();
    for (const RunProgress::Object &object : progress.objects) {
        if (object.state == "skipped") {
            skipped.set(object.object.c_str(), object.error);
            continue;
        }
        json::Node count = json::Node::object();
        count.set("synced", object.synced);
        result.set(object.object.c_str(), std::move(count));
    }
    answer.set("result", std::move(result)).set("skipped", std::move(skipped));
    return answer;
}

void tell_progress(const RunProgress &progress, std::map<std::string, std::string> &told) {
    for (const RunProgress::Object &object : progress.objects) {
        std::string line = object.object + ": " + std::to_string(object.synced);
        if (object.state == "done") {
            line += " (done)";
        } else if (object.state == "skipped") {
            line = object.object + ": skipped, " + object.error;
        } else if (object.estimated_total && *object.estimated_total > 0) {
            line += " of about " + std::to_string(*object.estimated_total) + " (" +
                    std::to_string(
                        std::min<std::int64_t>(99, object.synced * 100 / *object.estimated_total)) +
                    "%)";
        }
        if (object.synced > 0 || object.state != "queued") {
            std::string &last = told[object.object];
            if (last != line) {
                log(NOTICE, line);
                last = line;
            }
        }
    }
}

// A look at the run in a short transaction of its own: nothing is held while waiting.
std::optional<RunProgress> look(std::int64_t run_id) {
    std::optional<RunProgress> progress;
    {
        UserContext user(extension_owner(), UserContext::Rights::plain);
        progress = read_progress(run_id);
    }
    call([] { SPI_commit(); });
    return progress;
}

void wait_a_moment() {
    static uint32 event = 0;
    call([&] {
        if (event == 0) {
            event = wait_event("BillstackBackfill");
        }
        WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, look_every_ms, event);
        ResetLatch(MyLatch);
        CHECK_FOR_INTERRUPTS();
    });
}

// Until the run has ended. The run goes on when this wait is canceled.
RunProgress wait_for_end(const Started &started) {
    std::map<std::string, std::string> told;
    for (int turn = 1;; ++turn) {
        std::optional<RunProgress> progress = look(started.run_id);
        if (!progress) {
            throw core::Error(core::Code::unknown_object, "the backfill's integration is gone",
                              "It was disconnected while the backfill ran.");
        }
        bool ended = progress->state != "queued" && progress->state != "running";
        if (ended || turn % notice_every_looks == 0) {
            tell_progress(*progress, told);
        }
        if (ended) {
            return std::move(*progress);
        }
        wait_a_moment();
    }
}

// The SQLSTATE of what ended the run, so that a caller can tell a key from a trigger.
StateError failure_of(const Started &started, const RunProgress &progress) {
    int sqlstate = sqlstate_of(core::Code::internal);
    if (progress.error_code.size() == 5) {
        const char *c = progress.error_code.c_str();
        sqlstate = MAKE_SQLSTATE(c[0], c[1], c[2], c[3], c[4]);
    }
    return {sqlstate, "backfill of team \"" + started.integration.team + "\" failed",
            progress.error, progress.hint + " billstack.sync_progress shows each kind."};
}

void require_nonatomic(FunctionCallInfo info) {
    bool atomic = true;
    if (info->context != nullptr && IsA(info->context, CallContext)) {
        atomic = reinterpret_cast<CallContext *>(info->context)->atomic;
    }
    if (atomic) {
        throw core::Error(core::Code::in_transaction_block,
                          "billstack.run_backfill() cannot run inside a transaction block",
                          "It waits for the worker, which sees the run only once it is committed.",
                          "CALL it by itself, or use billstack.backfill().");
    }
}

Datum one_column_record(FunctionCallInfo info, Datum value) {
    return call([&] {
        TupleDesc descriptor = nullptr;
        if (get_call_result_type(info, nullptr, &descriptor) != TYPEFUNC_COMPOSITE) {
            return static_cast<Datum>(0);
        }
        bool is_null = false;
        HeapTuple tuple = heap_form_tuple(BlessTupleDesc(descriptor), &value, &is_null);
        return HeapTupleGetDatum(tuple);
    });
}

} // namespace

} // namespace billstack::pg

using namespace billstack;
using namespace billstack::pg;

BILLSTACK_SQL_FUNCTION(billstack_backfill) {
    return return_jsonb(started_answer(start_run(args)));
}

BILLSTACK_SQL_FUNCTION(billstack_run_backfill) {
    require_nonatomic(args.info());
    Started started = start_run(args);
    // Not a SpiSession: the level must survive the commits, and is closed by hand.
    call([] { SPI_connect_ext(SPI_OPT_NONATOMIC); });
    call([] { SPI_commit(); });
    RunProgress progress = wait_for_end(started);
    call([] { SPI_finish(); });
    if (progress.state == "failed") {
        throw failure_of(started, progress);
    }
    Integration now =
        require_integration(started.integration.team, started.integration.name, Need::act);
    std::string answer = finished_answer(started, progress, now.shown_sync_status()).dump();
    return one_column_record(args.info(), jsonb_datum(answer));
}

BILLSTACK_SQL_FUNCTION(billstack_cancel_backfill) {
    std::string team = args.text(0, "team");
    require_writable("billstack.cancel_backfill()");
    Integration integration = require_integration(team, args.text(1, "integration"), Need::act);
    bool canceled = cancel_open_run(integration.id, "canceled by " + current_role_name());
    if (canceled) {
        wake_worker_at_commit();
    }
    json::Node answer = json::Node::object();
    answer.set("success", true);
    answer.set("canceled", canceled);
    answer.set("message", canceled ? "Backfill canceled" : "No backfill was running");
    return return_jsonb(answer);
}

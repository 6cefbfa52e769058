#include "pg/worker/requests.hpp"

#include "pg/bridge/scope.hpp"
#include "pg/bridge/slot_codec.hpp"
#include "pg/worker/shared_state.hpp"

namespace billstack::pg {

namespace {

// How long a function waits for a worker that is on its way (server just started, extension just
// created, worker restarting).
constexpr int worker_start_patience_ms = 10000;

// What keeps the worker from recording an outcome keeps nobody's answer.
constexpr int outcome_patience_ms = 1000;

bool exit_callback_registered = false;

void give_back(SharedState &state, RequestSlot &slot) noexcept {
    core::wipe_memory(slot.answer, slot.answer_length); // it may hold a secret
    SpinGuard guard(state);
    slot.state = SlotState::free;
}

// Gives back what this process holds. A slot the worker has is freed by the worker, who learns that
// nobody waits any more.
void release_own_slots() noexcept {
    SharedState *state = shared_state();
    if (state == nullptr) {
        return;
    }
    int worker = -1;
    for (RequestSlot &slot : state->slots) {
        {
            SpinGuard guard(*state);
            if (slot.state == SlotState::free || slot.state == SlotState::abandoned ||
                slot.backend_pid != MyProcPid) {
                continue;
            }
            if (slot.state == SlotState::taken) {
                slot.state = SlotState::abandoned;
                DatabaseEntry *entry = find_entry(*state, slot.database);
                worker = entry != nullptr && entry->worker_pid != 0 ? entry->worker_procno : -1;
                continue;
            }
            slot.state = SlotState::filling; // nobody else touches it
        }
        core::wipe_memory(slot.request, slot.request_length);
        give_back(*state, slot);
    }
    set_latch_of(worker);
}

void at_exit(int, Datum) {
    release_own_slots();
}

// Gives the slots of one ask_stripe() call back, however the call ends.
struct SlotLease {
    ~SlotLease() { release_own_slots(); }
};

RequestSlot *claim_slot(SharedState &state) {
    SpinGuard guard(state);
    for (RequestSlot &slot : state.slots) {
        if (slot.state == SlotState::free) {
            slot.state = SlotState::filling;
            slot.database = MyDatabaseId;
            slot.backend_pid = MyProcPid;
            slot.backend_procno = own_procno();
            slot.request_length = 0;
            slot.answer_length = 0;
            ++slot.generation;
            return &slot;
        }
    }
    return nullptr;
}

void fill(RequestSlot &slot, const StripeRequest &request) {
    SlotWriter writer(slot.request, slot_request_size);
    writer.text(request.key->view());
    slot.request_length = writer.length(); // so that the key is wiped whatever follows
    writer.text(request.account);
    writer.text(request.method).text(request.path).text(request.idempotency_key);
    writer.number(request.body_wanted ? 1 : 0).number(request.secret_answer ? 1 : 0);
    writer.number(request.intent ? 1 : 0);
    if (request.intent) {
        const RequestIntent &intent = *request.intent;
        writer.number(intent.integration_id).text(intent.operation).text(intent.project_id);
        writer.text(intent.kind).number(intent.creates ? 1 : 0).number(intent.caller_named ? 1 : 0);
        writer.text(intent.object_id).text(intent.digest).text(intent.caller);
        writer.text(intent.caller_key);
    }
    writer.number(static_cast<std::int64_t>(request.params.size()));
    for (const auto &[name, value] : request.params) {
        writer.text(name).text(value);
    }
    slot.request_length = writer.length();
    if (!writer.fits()) {
        throw core::Error(core::Code::bad_argument, "request to Stripe is too large",
                          "A request may hold " + std::to_string(slot_request_size) +
                              " bytes of parameters.");
    }
}

StripeAnswer read_answer(const RequestSlot &slot, bool secret) {
    SlotReader reader(slot.answer, slot.answer_length);
    StripeAnswer answer;
    answer.status = static_cast<stripe::CallStatus>(reader.number());
    answer.http_status = static_cast<int>(reader.number());
    answer.attempts = static_cast<int>(reader.number());
    answer.window_start = reader.number();
    answer.window_end = reader.number();
    answer.request_id = reader.text();
    answer.failure_text = reader.text();
    answer.error.type = reader.text();
    answer.error.code = reader.text();
    answer.error.param = reader.text();
    answer.error.message = reader.text();
    answer.error.decline_code = reader.text();
    if (secret) {
        answer.secret_body =
            std::make_shared<const core::SecretBytes>(core::SecretBytes::copy_of(reader.text()));
    } else {
        answer.body = reader.text();
    }
    answer.unsent = static_cast<Unsent>(reader.number());
    answer.repeated = reader.number() != 0;
    answer.current_body = reader.text();
    answer.outcome = static_cast<std::uint64_t>(reader.number());
    return answer;
}

// Waits for the own latch, at most timeout_ms (-1: without end). Cancel raises here, terminate ends
// the process here, whatever the network does.
void wait_for_latch(long timeout_ms) {
    static uint32 event = 0;
    call([&] {
        if (event == 0) {
            event = wait_event("BillstackStripeAnswer");
        }
        int wake = WL_LATCH_SET | WL_EXIT_ON_PM_DEATH | (timeout_ms >= 0 ? WL_TIMEOUT : 0);
        WaitLatch(MyLatch, wake, timeout_ms, event);
        ResetLatch(MyLatch);
        CHECK_FOR_INTERRUPTS();
    });
}

enum class WorkerPresence { running, on_its_way, none };

WorkerPresence look_for_worker(SharedState &state, std::string &last_error) {
    char error[sizeof(DatabaseEntry::last_error)] = "";
    WorkerPresence presence = WorkerPresence::none;
    {
        SpinGuard guard(state);
        DatabaseEntry *entry = find_entry(state, MyDatabaseId);
        if (entry != nullptr) {
            std::memcpy(error, entry->last_error, sizeof(error));
            if (entry->state == DatabaseState::running) {
                presence = WorkerPresence::running;
            } else if (!entry->extension_missing || entry->rescan) {
                presence = WorkerPresence::on_its_way;
            }
        } else if (state.launcher_pid == 0 || !state.scouted) {
            presence = WorkerPresence::on_its_way; // the launcher itself is starting
        }
    }
    last_error = error;
    return presence;
}

// What waits in the worker for the worker waits for ever.
void refuse_in_worker(SharedState &state) {
    bool is_worker = false;
    {
        SpinGuard guard(state);
        if (const DatabaseEntry *entry = find_entry(state, MyDatabaseId)) {
            is_worker = entry->worker_pid == MyProcPid;
            for (const BackfillWorkerEntry &worker : entry->backfill_worker) {
                is_worker = is_worker || worker.pid == MyProcPid;
            }
        }
    }
    if (is_worker) {
        throw core::Error(core::Code::not_ready,
                          "a handler or trigger that the billstack worker runs cannot call Stripe",
                          "The worker makes the calls, and is busy with the handler until it ends.",
                          "Note in a table what is to be done, and do it from a session.");
    }
}

// The worker's last error may name what belongs to another team.
bool may_read_errors() {
    Oid owner = extension_owner();
    return call([&] { return has_privs_of_role(GetUserId(), owner); });
}

void require_worker(SharedState &state) {
    TimestampTz give_up =
        TimestampTzPlusMilliseconds(GetCurrentTimestamp(), worker_start_patience_ms);
    std::string last_error;
    while (true) {
        WorkerPresence presence = look_for_worker(state, last_error);
        if (presence == WorkerPresence::running) {
            return;
        }
        if (presence == WorkerPresence::none || GetCurrentTimestamp() >= give_up) {
            throw core::Error(
                core::Code::not_ready, "the billstack worker of this database is not running",
                last_error.empty() || !may_read_errors()
                    ? "The launcher starts one for each database that has the "
                      "extension, once CREATE EXTENSION has committed."
                    : "Its last error was: " + last_error,
                "Commit CREATE EXTENSION first; SELECT * FROM billstack.health() tells more.");
        }
        wait_for_latch(20);
    }
}

void nudge_worker(SharedState &state) {
    int worker = -1;
    {
        SpinGuard guard(state);
        DatabaseEntry *entry = find_entry(state, MyDatabaseId);
        worker = entry != nullptr && entry->worker_pid != 0 ? entry->worker_procno : -1;
    }
    set_latch_of(worker);
}

void queue(SharedState &state, RequestSlot &slot) {
    {
        SpinGuard guard(state);
        slot.state = SlotState::queued;
    }
    nudge_worker(state);
}

bool is_answered(SharedState &state, const RequestSlot &slot) {
    SpinGuard guard(state);
    return slot.state == SlotState::answered;
}

struct OpenRequest {
    RequestSlot *slot;
    bool secret_answer;
};

StripeAnswer wait_for_answer(SharedState &state, const OpenRequest &open) {
    RequestSlot &slot = *open.slot;
    while (!is_answered(state, slot)) {
        // A worker that dies answers its slots first; the timeout covers one that could not.
        wait_for_latch(1000);
        if (!is_answered(state, slot)) {
            require_worker(state);
            nudge_worker(state);
        }
    }
    StripeAnswer answer = read_answer(slot, open.secret_answer);
    give_back(state, slot);
    return answer;
}

bool outcome_is_settled(SharedState &state, std::uint64_t outcome) {
    SpinGuard guard(state);
    const DatabaseEntry *entry = find_entry(state, MyDatabaseId);
    return entry == nullptr || entry->worker_pid == 0 || entry->outcomes_done >= outcome;
}

// While no slot is free the own answers are taken first: a caller that only held on to its slots
// and waited for more could wait for another that does the same.
RequestSlot *claim_or_collect(SharedState &state, const std::vector<OpenRequest> &open,
                              std::vector<StripeAnswer> &answers) {
    RequestSlot *slot = claim_slot(state);
    while (slot == nullptr) {
        if (answers.size() < open.size()) {
            answers.push_back(wait_for_answer(state, open[answers.size()]));
        } else {
            wait_for_latch(10);
        }
        slot = claim_slot(state);
    }
    return slot;
}

} // namespace

std::vector<StripeAnswer> ask_stripe(const std::vector<StripeRequest> &requests) {
    if (RecoveryInProgress()) {
        throw core::Error(core::Code::in_recovery, "cannot call Stripe during recovery",
                          "A standby server sends no requests.", "Connect to the primary server.");
    }
    SharedState &state = require_shared_state();
    refuse_in_worker(state);
    if (!exit_callback_registered) {
        call([] { before_shmem_exit(at_exit, 0); });
        exit_callback_registered = true;
    }
    require_worker(state);
    SlotLease lease;
    std::vector<OpenRequest> open;
    std::vector<StripeAnswer> answers;
    for (const StripeRequest &request : requests) {
        RequestSlot *slot = claim_or_collect(state, open, answers);
        fill(*slot, request);
        queue(state, *slot);
        open.push_back({slot, request.secret_answer});
    }
    while (answers.size() < open.size()) {
        answers.push_back(wait_for_answer(state, open[answers.size()]));
    }
    return answers;
}

void wait_for_outcome(const StripeAnswer &answer) {
    SharedState &state = require_shared_state();
    TimestampTz give_up = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), outcome_patience_ms);
    while (answer.outcome != 0 && !outcome_is_settled(state, answer.outcome) &&
           GetCurrentTimestamp() < give_up) {
        wait_for_latch(20);
    }
}

} // namespace billstack::pg

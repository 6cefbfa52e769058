// DROP DATABASE, RENAME, SET TABLESPACE and CREATE DATABASE ... TEMPLATE fail while anybody is
// connected; DROP and ALTER EXTENSION lock tables the worker reads, in an order of their own, and
// would be the victims of a deadlock. The hook asks the workers of that database to leave, keeps
// them away until the command's transaction has ended, and lets the launcher look again then,
// whether the command succeeded or not.
#include "pg/worker/ddl_hook.hpp"

#include "pg/worker/shared_state.hpp"
#include "pg/worker/wake.hpp"

namespace billstack::pg {

namespace {

// The worker leaves within milliseconds; past this the command goes on and reports what it finds.
constexpr int leave_patience_ms = 3000;

ProcessUtility_hook_type previous_hook = nullptr;
bool callbacks_registered = false;
bool holding = false;

// Without the option, or with DEFAULT, the server copies template1.
const char *template_of(const CreatedbStmt *statement) {
    ListCell *cell = nullptr;
    foreach (cell, statement->options) {
        auto *option = static_cast<DefElem *>(lfirst(cell));
        if (strcmp(option->defname, "template") == 0 && option->arg != nullptr) {
            return defGetString(option);
        }
    }
    return "template1";
}

bool sets_tablespace(const AlterDatabaseStmt *statement) {
    ListCell *cell = nullptr;
    foreach (cell, statement->options) {
        if (strcmp(static_cast<DefElem *>(lfirst(cell))->defname, "tablespace") == 0) {
            return true;
        }
    }
    return false;
}

// The database the command needs for itself, nullptr for any other command.
const char *database_wanted(Node *tree, bool &only_read) {
    only_read = false;
    switch (nodeTag(tree)) {
    case T_DropdbStmt:
        return reinterpret_cast<DropdbStmt *>(tree)->dbname;
    case T_RenameStmt: {
        auto *statement = reinterpret_cast<RenameStmt *>(tree);
        return statement->renameType == OBJECT_DATABASE ? statement->subname : nullptr;
    }
    case T_AlterDatabaseStmt: {
        auto *statement = reinterpret_cast<AlterDatabaseStmt *>(tree);
        return sets_tablespace(statement) ? statement->dbname : nullptr;
    }
    case T_CreatedbStmt:
        only_read = true;
        return template_of(reinterpret_cast<CreatedbStmt *>(tree));
    default:
        return nullptr;
    }
}

bool is_template(Oid database) {
    HeapTuple tuple = SearchSysCache1(DATABASEOID, ObjectIdGetDatum(database));
    if (!HeapTupleIsValid(tuple)) {
        return false;
    }
    bool answer = reinterpret_cast<Form_pg_database>(GETSTRUCT(tuple))->datistemplate;
    ReleaseSysCache(tuple);
    return answer;
}

// Who may not run the command shall not disturb the worker with it either.
bool may_run(Oid database, bool only_read) {
    bool owner = owns_database(database, GetUserId());
    return only_read ? have_createdb_privilege() && (owner || is_template(database)) : owner;
}

void release_all(int, Datum) {
    SharedState *state = shared_state();
    int launcher = -1;
    holding = false;
    {
        SpinGuard guard(*state);
        for (DatabaseEntry &entry : state->databases) {
            if (entry.held_by == MyProcPid) {
                entry.held_by = 0;
                if (entry.worker_pid == 0 && entry.state != DatabaseState::starting) {
                    entry.state = DatabaseState::absent;
                }
                entry.retry_at = 0;
            }
        }
        launcher = state->launcher_procno;
    }
    set_latch_of(launcher);
}

// Not before: until then the launcher would see the database as it was before the command.
void at_transaction_end(XactEvent event, void *) {
    bool end =
        event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE;
    if (end && holding) {
        release_all(0, 0);
    }
}

bool workers_have_left(SharedState *state, Oid database) {
    SpinGuard guard(*state);
    DatabaseEntry *entry = find_entry(*state, database);
    return entry == nullptr || (!has_workers(*entry) && entry->state != DatabaseState::starting);
}

void hold(Oid database) {
    SharedState *state = shared_state();
    WorkerLatches workers;
    {
        SpinGuard guard(*state);
        DatabaseEntry *entry = find_entry(*state, database);
        if (entry == nullptr) {
            return;
        }
        holding = true;
        entry->held_by = MyProcPid;
        entry->holder_procno = own_procno();
        entry->leave = true;
        entry->backfill_workers = 0;
        workers.add(entry->worker_procno);
        for (const BackfillWorkerEntry &worker : entry->backfill_worker) {
            if (worker.pid != 0) {
                workers.add(worker.procno);
            }
        }
    }
    workers.set();
    TimestampTz give_up = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), leave_patience_ms);
    while (!workers_have_left(state, database) && GetCurrentTimestamp() < give_up) {
        WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, 10, PG_WAIT_EXTENSION);
        ResetLatch(MyLatch);
        CHECK_FOR_INTERRUPTS();
    }
}

bool touches_extension(Node *tree) {
    switch (nodeTag(tree)) {
    case T_DropStmt:
        return reinterpret_cast<DropStmt *>(tree)->removeType == OBJECT_EXTENSION;
    case T_DropOwnedStmt:
    case T_AlterExtensionStmt:
        return true;
    default:
        return false;
    }
}

// DROP or ALTER of our own extension, by somebody who may do it.
bool changes_billstack(Node *tree) {
    bool named = false;
    if (nodeTag(tree) == T_DropStmt && touches_extension(tree)) {
        ListCell *cell = nullptr;
        foreach (cell, reinterpret_cast<DropStmt *>(tree)->objects) {
            named = named || strcmp(strVal(lfirst(cell)), "billstack") == 0;
        }
    } else if (nodeTag(tree) == T_AlterExtensionStmt) {
        named = strcmp(reinterpret_cast<AlterExtensionStmt *>(tree)->extname, "billstack") == 0;
    }
    Oid extension = named ? get_extension_oid("billstack", true) : InvalidOid;
    return OidIsValid(extension) && owns_extension(extension, GetUserId());
}

// The database whose worker has to leave for the command; InvalidOid: none.
Oid database_to_hold(Node *tree) {
    bool template_only = false;
    const char *name = database_wanted(tree, template_only);
    if (name == nullptr) {
        return changes_billstack(tree) ? MyDatabaseId : InvalidOid;
    }
    Oid database = get_database_oid(name, true);
    return OidIsValid(database) && may_run(database, template_only) ? database : InvalidOid;
}

void run_next(PlannedStmt *statement, const char *text, bool read_only,
              ProcessUtilityContext context, ParamListInfo params, QueryEnvironment *environment,
              DestReceiver *receiver, QueryCompletion *completion) {
    auto *next = previous_hook != nullptr ? previous_hook : standard_ProcessUtility;
    next(statement, text, read_only, context, params, environment, receiver, completion);
}

// Plain C shape throughout: the server raises through this frame.
void process_utility(PlannedStmt *statement, const char *text, bool read_only,
                     ProcessUtilityContext context, ParamListInfo params,
                     QueryEnvironment *environment, DestReceiver *receiver,
                     QueryCompletion *completion) {
    Oid database = database_to_hold(statement->utilityStmt);
    if (!OidIsValid(database)) {
        run_next(statement, text, read_only, context, params, environment, receiver, completion);
        if (touches_extension(statement->utilityStmt)) {
            worker_entry([] { wake_worker_at_commit(); });
        }
        return;
    }
    if (!callbacks_registered) {
        before_shmem_exit(release_all, 0);
        RegisterXactCallback(at_transaction_end, nullptr);
        callbacks_registered = true;
    }
    PG_TRY();
    {
        hold(database);
        run_next(statement, text, read_only, context, params, environment, receiver, completion);
        if (touches_extension(statement->utilityStmt)) {
            worker_entry([] { wake_worker_at_commit(); });
        }
    }
    PG_CATCH();
    {
        release_all(0, 0);
        PG_RE_THROW();
    }
    PG_END_TRY();
}

} // namespace

void install_ddl_hook() {
    previous_hook = ProcessUtility_hook;
    ProcessUtility_hook = process_utility;
}

} // namespace billstack::pg

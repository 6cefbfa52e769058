#include "pg/bridge/scope.hpp"

namespace billstack::pg {

namespace {

constexpr const char *pinned_path = "pg_catalog, pg_temp";

std::uint64_t transactions_begun = 0;

// The answer of extension_owner(): a catalogue without a cache. It holds for one transaction, and
// there until the transaction itself has written something.
struct KnownOwner {
    LocalTransactionId transaction;
    CommandId command;
    Oid owner;
};
KnownOwner known_owner{InvalidLocalTransactionId, 0, InvalidOid};

// Undoing failed: the process state is not worth continuing with.
[[noreturn]] void end_process(const char *what) noexcept {
    ereport(FATAL, (errcode(ERRCODE_INTERNAL_ERROR), errmsg_internal("%s", what)));
    pg_unreachable();
}

} // namespace

std::uint64_t Transaction::begun() noexcept {
    return transactions_begun;
}

Transaction::Transaction() : outer_(CurrentMemoryContext) {
    ++transactions_begun;
    call([] {
        SetCurrentStatementStartTimestamp();
        StartTransactionCommand();
        PushActiveSnapshot(GetTransactionSnapshot());
    });
}

Transaction::~Transaction() {
    if (open_) {
        try {
            call([] { AbortCurrentTransaction(); });
        } catch (...) {
            end_process("could not abort a transaction");
        }
    }
    MemoryContextSwitchTo(outer_);
}

void Transaction::commit() {
    call([] {
        PopActiveSnapshot();
        CommitTransactionCommand();
    });
    open_ = false;
    MemoryContextSwitchTo(outer_);
    call([] { pgstat_report_stat(false); });
}

Subtransaction::Subtransaction() : outer_(CurrentMemoryContext), owner_(CurrentResourceOwner) {
    call([] { BeginInternalSubTransaction(nullptr); });
    MemoryContextSwitchTo(outer_);
}

Subtransaction::~Subtransaction() {
    if (open_) {
        try {
            call([] { RollbackAndReleaseCurrentSubTransaction(); });
        } catch (...) {
            end_process("could not roll back a subtransaction");
        }
        MemoryContextSwitchTo(outer_);
        CurrentResourceOwner = owner_;
    }
}

void Subtransaction::commit() {
    call([] { ReleaseCurrentSubTransaction(); });
    open_ = false;
    MemoryContextSwitchTo(outer_);
    CurrentResourceOwner = owner_;
}

SpiSession::SpiSession() : exceptions_(std::uncaught_exceptions()) {
    call([] { SPI_connect(); });
}

SpiSession::~SpiSession() {
    if (std::uncaught_exceptions() > exceptions_) {
        return; // a nested level may still be open; the rollback that follows closes all
    }
    try {
        call([] { SPI_finish(); });
    } catch (...) {
        end_process("could not leave SPI");
    }
}

MemoryScope::MemoryScope(const char *name, MemoryContext parent) : outer_(CurrentMemoryContext) {
    context_ =
        call([&] { return AllocSetContextCreateInternal(parent, name, ALLOCSET_DEFAULT_SIZES); });
    MemoryContextSwitchTo(context_);
}

MemoryScope::~MemoryScope() {
    MemoryContextSwitchTo(outer_);
    MemoryContextDelete(context_);
}

UserContext::UserContext(Oid role, Rights rights)
    : exceptions_(std::uncaught_exceptions()), settings_level_(NewGUCNestLevel()) {
    // As a rule it is pinned already, by the SQL function or for the worker's session.
    if (std::strcmp(namespace_search_path, pinned_path) != 0) {
        call([] {
            (void)set_config_option("search_path", pinned_path, PGC_USERSET, PGC_S_SESSION,
                                    GUC_ACTION_SAVE, true, 0, false);
        });
    }
    GetUserIdAndSecContext(&role_, &flags_);
    int flags = flags_ | SECURITY_LOCAL_USERID_CHANGE;
    if (rights == Rights::restricted) {
        flags |= SECURITY_RESTRICTED_OPERATION;
    }
    SetUserIdAndSecContext(role, flags);
}

UserContext::~UserContext() {
    SetUserIdAndSecContext(role_, flags_);
    if (std::uncaught_exceptions() == exceptions_) {
        AtEOXact_GUC(false, settings_level_);
    }
}

namespace {

constexpr int patience_ms = 10000; // with those who trap the cancel
bool last_resort_known = false;
TimeoutId last_resort;

// In a signal handler: as SIGTERM does.
void end_when_possible() {
    ProcDiePending = true;
    InterruptPending = true;
    SetLatch(MyLatch);
}

} // namespace

TimeLimit::TimeLimit(int milliseconds) {
    call([&] {
        if (!last_resort_known) {
            last_resort = RegisterTimeout(USER_TIMEOUT, end_when_possible);
            last_resort_known = true;
        }
        enable_timeout_after(STATEMENT_TIMEOUT, milliseconds);
        enable_timeout_after(last_resort, milliseconds + patience_ms);
    });
}

TimeLimit::~TimeLimit() {
    disable_timeout(last_resort, false);
    disable_timeout(STATEMENT_TIMEOUT, true);
    if (get_timeout_indicator(STATEMENT_TIMEOUT, true)) {
        QueryCancelPending = false;
    }
}

Oid extension_owner() {
    LocalTransactionId transaction = own_local_transaction();
    CommandId command = GetCurrentCommandId(false);
    if (transaction != InvalidLocalTransactionId && known_owner.transaction == transaction &&
        known_owner.command == command) {
        return known_owner.owner;
    }
    Oid owner = call([] {
        Relation relation = table_open(ExtensionRelationId, AccessShareLock);
        ScanKeyData key;
        ScanKeyInit(&key, Anum_pg_extension_extname, BTEqualStrategyNumber, F_NAMEEQ,
                    CStringGetDatum("billstack"));
        SysScanDesc scan =
            systable_beginscan(relation, ExtensionNameIndexId, true, nullptr, 1, &key);
        HeapTuple tuple = systable_getnext(scan);
        Oid found = InvalidOid;
        if (HeapTupleIsValid(tuple)) {
            found = reinterpret_cast<Form_pg_extension>(GETSTRUCT(tuple))->extowner;
        }
        systable_endscan(scan);
        table_close(relation, AccessShareLock);
        return found;
    });
    if (!OidIsValid(owner)) {
        throw core::Error(core::Code::not_ready, "extension \"billstack\" is not installed here");
    }
    known_owner = {transaction, command, owner};
    return owner;
}

} // namespace billstack::pg

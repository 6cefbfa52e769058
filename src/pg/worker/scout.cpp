// The scout: reads which databases carry the mark of CREATE EXTENSION (a setting of the database,
// kept in a shared catalog) and makes their entries. Lives for milliseconds, in any database.
#include "pg/bridge/scope.hpp"
#include "pg/worker/shared_state.hpp"

namespace billstack::pg {

namespace {

bool has_mark(Datum settings) {
    Datum *items = nullptr;
    int count = 0;
    deconstruct_array(DatumGetArrayTypeP(settings), TEXTOID, -1, false, TYPALIGN_INT, &items,
                      nullptr, &count);
    for (int i = 0; i < count; ++i) {
        if (strcmp(TextDatumGetCString(items[i]), "billstack.enabled=on") == 0) {
            return true;
        }
    }
    return false;
}

// Databases whose own settings (role 0) hold the mark. Fills at most max_databases.
int find_marked(Oid (&found)[max_databases]) {
    int count = 0;
    Relation relation = table_open(DbRoleSettingRelationId, AccessShareLock);
    TableScanDesc scan = table_beginscan_catalog(relation, 0, nullptr);
    HeapTuple tuple;
    while (count < max_databases && (tuple = heap_getnext(scan, ForwardScanDirection)) != nullptr) {
        bool is_null = true;
        Form_pg_db_role_setting form = reinterpret_cast<Form_pg_db_role_setting>(GETSTRUCT(tuple));
        Datum settings = heap_getattr(tuple, Anum_pg_db_role_setting_setconfig,
                                      RelationGetDescr(relation), &is_null);
        if (!is_null && OidIsValid(form->setdatabase) && !OidIsValid(form->setrole) &&
            has_mark(settings)) {
            found[count++] = form->setdatabase;
        }
    }
    table_endscan(scan);
    table_close(relation, AccessShareLock);
    return count;
}

void run_scout() {
    SharedState &state = require_shared_state();
    Oid marked[max_databases];
    int count = 0;
    {
        Transaction transaction;
        call([&] { count = find_marked(marked); });
        transaction.commit();
    }
    int launcher = -1;
    {
        SpinGuard guard(state);
        for (int i = 0; i < count; ++i) {
            find_or_make_entry(state, marked[i]);
        }
        state.scouted = true;
        launcher = state.launcher_procno;
    }
    set_latch_of(launcher);
}

} // namespace

} // namespace billstack::pg

#pragma GCC visibility push(default)
extern "C" void billstack_scout(Datum argument) {
    pqsignal(SIGTERM, die);
    BackgroundWorkerUnblockSignals();
    BackgroundWorkerInitializeConnectionByOid(DatumGetObjectId(argument), InvalidOid, 0);
    billstack::pg::worker_entry(billstack::pg::run_scout);
    proc_exit(0);
}
#pragma GCC visibility pop

// billstack.health(): the checks as rows.
#include "pg/access/principal.hpp"
#include "pg/bridge/datum.hpp"
#include "pg/team/health.hpp"

namespace billstack::pg {

namespace {

void put_row(ReturnSetInfo *result, const HealthCheck &check) {
    Datum values[4] = {text_datum(check.name), text_datum(check.status), text_datum(check.detail),
                       check.hint ? text_datum(*check.hint) : static_cast<Datum>(0)};
    bool nulls[4] = {false, false, false, !check.hint};
    call([&] { tuplestore_putvalues(result->setResult, result->setDesc, values, nulls); });
}

} // namespace

} // namespace billstack::pg

BILLSTACK_SQL_FUNCTION(billstack_health) {
    using namespace billstack::pg;
    refuse_principal();
    FunctionCallInfo info = args.info();
    call([&] { InitMaterializedSRF(info, 0); });
    auto *result = reinterpret_cast<ReturnSetInfo *>(info->resultinfo);
    for (const HealthCheck &check : server_health()) {
        put_row(result, check);
    }
    for (const HealthCheck &check : integration_health()) {
        put_row(result, check);
    }
    return static_cast<Datum>(0);
}

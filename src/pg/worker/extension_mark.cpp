#include "pg/worker/extension_mark.hpp"

#include "pg/bridge/scope.hpp"
#include "pg/bridge/spi.hpp"
#include "pg/worker/wake.hpp"

namespace billstack::pg {

void set_extension_mark() {
    char *database = call([] { return get_database_name(MyDatabaseId); });
    if (database == nullptr) {
        throw core::Error(core::Code::not_ready, "the database has just been dropped");
    }
    const char *quoted = call([&] { return quote_identifier(database); });
    SpiSession spi;
    run_once(std::string("ALTER DATABASE ") + quoted + " SET billstack.enabled = 'on'");
    wake_launcher_at_commit();
}

} // namespace billstack::pg

BILLSTACK_SQL_FUNCTION(billstack_note_installed) {
    billstack::pg::set_extension_mark();
    return static_cast<Datum>(0);
}

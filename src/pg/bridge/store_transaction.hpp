// A transaction of the worker on the extension's own tables, as their owner, with SPI open. Aborts
// unless committed. Throws core::Error(not_ready) when the extension has gone.
#pragma once
#include "pg/bridge/scope.hpp"

namespace billstack::pg {

class StoreTransaction {
  public:
    StoreTransaction() {
        user_.emplace(extension_owner(), UserContext::Rights::plain);
        spi_.emplace();
    }
    void commit() {
        spi_.reset();
        user_.reset();
        transaction_.commit();
    }
    // On disk when it returns, whatever the database's setting.
    void commit_durably() {
        spi_.reset();
        user_.reset();
        if (synchronous_commit == SYNCHRONOUS_COMMIT_OFF) {
            call([] {
                (void)set_config_option("synchronous_commit", "local", PGC_USERSET, PGC_S_SESSION,
                                        GUC_ACTION_LOCAL, true, 0, false);
            });
        }
        transaction_.commit();
    }
    // For what a crash loses as a whole and is then done again: no wait for the disk.
    // The setting comes last: leaving the user's context undoes what was set inside it.
    void commit_without_waiting() {
        spi_.reset();
        user_.reset();
        call([] {
            (void)set_config_option("synchronous_commit", "off", PGC_USERSET, PGC_S_SESSION,
                                    GUC_ACTION_LOCAL, true, 0, false);
        });
        transaction_.commit();
    }

  private:
    Transaction transaction_;
    std::optional<UserContext> user_;
    std::optional<SpiSession> spi_;
};

} // namespace billstack::pg

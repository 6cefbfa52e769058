// A transaction of the worker on the extension's own tables, as their owner, with SPI open. Aborts
// unless committed. Throws core::Error(not_ready) when the extension has gone.
#pragma once
#include "pg/scope.hpp"

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

  private:
    Transaction transaction_;
    std::optional<UserContext> user_;
    std::optional<SpiSession> spi_;
};

} // namespace billstack::pg

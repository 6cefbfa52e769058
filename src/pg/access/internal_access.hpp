// The scope in which the stores touch billstack_internal: as the extension's owner, because nobody
// else has rights there, with SPI open. What a caller may do is decided before, in team_access.
#pragma once
#include "pg/bridge/scope.hpp"

namespace billstack::pg {

class InternalAccess {
  public:
    InternalAccess() : user_(extension_owner(), UserContext::Rights::plain) {}

  private:
    UserContext user_;
    SpiSession spi_; // left before the user changes back
};

// A setting that holds for one scope, as SET LOCAL in a block of its own. After an exception the
// rollback that must follow restores it.
class LocalSetting {
  public:
    LocalSetting(const char *name, const char *value)
        : exceptions_(std::uncaught_exceptions()), level_(NewGUCNestLevel()) {
        call([&] {
            (void)set_config_option(name, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true,
                                    0, false);
        });
    }
    ~LocalSetting() {
        if (std::uncaught_exceptions() == exceptions_) {
            AtEOXact_GUC(true, level_);
        }
    }
    LocalSetting(const LocalSetting &) = delete;
    LocalSetting &operator=(const LocalSetting &) = delete;

  private:
    int exceptions_;
    int level_;
};

} // namespace billstack::pg

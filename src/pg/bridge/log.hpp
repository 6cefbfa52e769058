// Log lines below ERROR. Texts hold no secret and no body of an answer.
#pragma once
#include "pg/bridge/guard.hpp"

namespace billstack::pg {

// level: LOG, WARNING or NOTICE (NOTICE goes to the client).
inline void log(int level, const std::string &text) {
    const char *message = text.c_str();
    call([&] { ereport(level, (errmsg_internal("%s", message))); });
}

} // namespace billstack::pg

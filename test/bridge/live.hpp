// Counts objects that live: what a longjmp skips stays counted for good.
#pragma once
#include "pg/bridge/guard.hpp"

namespace bridge_test {

inline int live_objects = 0;

class Live {
  public:
    Live() : memory_(64, 'x') { ++live_objects; }
    Live(const Live &other) : memory_(other.memory_) { ++live_objects; }
    Live &operator=(const Live &) = default;
    ~Live() { --live_objects; }

  private:
    std::string memory_;
};

// Raises as the server does: with all the texts, from C code that knows nothing of C++.
inline void raise_in_server(const char *message) {
    ereport(ERROR, (errcode(ERRCODE_UNIQUE_VIOLATION), errmsg("%s", message),
                    errdetail("the detail of the server"), errhint("the hint of the server"),
                    errcontext("the context of the server")));
}

} // namespace bridge_test

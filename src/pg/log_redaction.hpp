// Masks key-shaped text before a message reaches the server log (docs/security.md, "The log").
// Keys passed as SQL values are logged by log_statement, by slow statement logging with bind
// parameters and by any error that quotes them; nothing but a hook stops that.
#pragma once
#include "pg/bridge/guard.hpp"

namespace billstack::pg {

// Puts the hook in front of those already there. In _PG_init only.
void install_log_redaction();

// Overwrites with '*' what follows sk_live_, sk_test_, rk_live_, rk_test_, whsec_ and bs_ (the last
// only before 16 hex digits or more). Keeps the length. True when something was found.
// Exported for the hook's tests; calls nothing of the server.
bool mask_keys(char *text) noexcept;
// The same question without changing the text.
bool holds_key(const char *text) noexcept;

} // namespace billstack::pg

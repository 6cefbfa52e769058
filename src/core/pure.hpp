// First include of every header outside src/pg: keeps the server's headers out of the pure part.
// A std header read after postgres.h silently loses the server's printf replacements, and a pure
// file that sees Datum soon needs a server to be tested. Files of src/pg get the pure headers they
// use through pg/server.hpp, which includes them before postgres.h.
#pragma once

#ifdef POSTGRES_H
#error "a pure header after postgres.h: name it in pg/server.hpp instead"
#endif

// The settings (GUCs) of the library, docs/settings.md. Values are the server's own variables: read
// them where needed, they change on SIGHUP.
#pragma once
#include "pg/guard.hpp"

namespace billstack::pg::config {

// Defines every setting. In _PG_init only; `preloading` also defines those that fix shared memory.
void define_settings(bool preloading);

const char *api_base();
const char *api_version();
// The file named by billstack.master_key_file, or the default path beside the data directory.
std::string master_key_file();
bool master_key_file_in_data_directory();
const char *ca_file();
const char *public_url(); // without a trailing slash; "" when unset
int http_timeout_ms();
int max_requests();
int rate_limit();          // -1 by the key's mode; kept for the rate limiter
int endpoint_rate_limit(); // -1 = 25
int worker_count();
bool redact_log();

} // namespace billstack::pg::config

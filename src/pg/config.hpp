// The settings (GUCs) of the library, docs/settings.md. Values are the server's own variables: read
// them where needed, they change on SIGHUP.
#pragma once
#include "pg/bridge/guard.hpp"

namespace billstack::pg::config {

// Defines every setting and reserves the prefix. In _PG_init only.
void define_settings();

const char *api_base();
const char *api_version();
const char *ca_file();     // "": the system's bundle
bool enabled();            // the mark of CREATE EXTENSION (pg/extension_mark.hpp)
int endpoint_rate_limit(); // requests/s; 0: unlimited, -1: what Stripe publishes
int handler_timeout_ms();
int http_timeout_ms();
// Of one integration; dead letters and events of bodies as they came count, compressed or not.
std::int64_t inbox_max_bytes();
std::int64_t inbox_max_rows();
std::int64_t inbox_retention_s();
// Absolute; by default billstack-<system identifier>.keys beside the data directory.
std::string master_key_file();
// Links are followed: true also when the folder is one to the data directory.
bool master_key_file_in_data_directory();
int max_attempts();
int max_requests();
const char *public_url(); // without a trailing slash; "" when unset
int rate_limit();         // of an account; as endpoint_rate_limit()
int reconcile_after_ms();
bool redact_log();
int refetch_delay_ms();
int workers(); // of a database while a backfill runs; 1 without preloading

} // namespace billstack::pg::config

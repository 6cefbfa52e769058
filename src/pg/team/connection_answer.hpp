// JSON and addresses that several connection functions return.
#pragma once
#include "pg/bridge/datum.hpp"

namespace billstack::pg {

struct Integration;

// <public_url>/api/webhooks/stripe/<team>[/<integration>]; nullopt while public_url is empty.
std::optional<std::string> webhook_url_of(const std::string &team, const std::string &integration);

// ISO-8601 in UTC with Z.
std::optional<std::string> json_time(const std::optional<TimestampTz> &at);

// What connect and rotate_keys answer (sql-api.md, Connections).
json::Node connection_answer(const Integration &integration);

// NOTIFY billstack with {"event","team","integration"}, of link and unlink also "project";
// delivered at commit.
void notify_change(const char *event, const Integration &integration,
                   const std::string *project_id = nullptr);

} // namespace billstack::pg

// A piece of SQL that the stores share which answer with JSON.
#pragma once

// A timestamptz as ISO 8601 in UTC with Z, NULL for NULL.
#define BILLSTACK_JSON_TIME(column)                                                                \
    "to_char(" column " AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"

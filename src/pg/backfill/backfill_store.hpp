// The tables of backfills: runs and ranges. Every function needs an open transaction and SpiSession
// and acts with the rights of the extension's owner (the caller sets the UserContext).
#pragma once
#include "pg/backfill/backfill_outcome.hpp"
#include "pg/bridge/spi.hpp"

namespace billstack::pg {

// A run as the worker needs it.
struct OpenRun {
    std::int64_t id = 0;
    std::int32_t integration_id = 0;
    std::string team;
    std::string integration;
    std::string owner_name;
    std::string schema_name;
    Oid schema_oid = InvalidOid;
    bool armed = false; // the integration belongs to this very database
    int mirror_version = 0;
    bool complete = false;
    bool every_kind = false; // kinds the key may not read are skipped
    bool start_known = false;
    std::vector<std::string> objects;
    std::optional<std::int64_t> created_after; // unix seconds
    std::string fingerprint;                   // of the root key that sealed the secret key
    std::string sealed_key;
    std::string account_id; // "": not known
    bool livemode = false;
};

std::vector<OpenRun> load_open_runs();

// One range per kind when the run has none yet.
void make_ranges(const OpenRun &run);

// False when the run is no longer open (canceled, or its integration disconnected). Locks the run
// against its deletion until the transaction ends.
bool lock_open_run(std::int64_t run_id);
// False when the run is no longer open.
bool store_run_start(std::int64_t run_id, const sync::BackfillRun::Start &start);
// What the whole run waits for just now, "" for nothing; shown in sync_progress.
void note_run_trouble(std::int64_t run_id, const std::string &error);

struct RangeAdvance {
    std::int64_t run_id;
    const char *object;
    int range_no;
    const sync::PendingPage *page;
    std::int64_t synced;
    std::int64_t changed;
    std::optional<std::vector<std::string>> edge_ids; // of the cursor's second, where all are known
};
// False: the range is not open any more.
bool advance_range(const RangeAdvance &advance);
struct RangeNote {
    std::string object;
    int no = 0;
    const char *state; // open (waiting, will go on), failed or skipped
    std::string error; // "" clears it
    Trouble trouble;
};
void note_range_error(std::int64_t run_id, const RangeNote &note);

// Ends the run: done when every range is done or skipped, else failed with the reasons of its
// ranges. Sets the integration's sync_status, last_error and, for a rejected key that is still the
// stored one, key_valid. False: a range is still open, and nothing has changed.
bool finish_run(const OpenRun &run, const std::optional<core::Error> &fatal);

// For the functions. nullopt: a run is open already, possibly of a transaction that ended just now.
std::optional<std::int64_t> insert_run(std::int32_t integration_id,
                                       const std::vector<std::string> &objects,
                                       std::optional<TimestampTz> created_after, bool complete,
                                       bool every_kind, const std::string &requested_by);
std::optional<std::int64_t> find_open_run(std::int32_t integration_id);

struct RunProgress {
    std::string state;
    std::string error;
    std::string error_code; // SQLSTATE
    std::string hint;
    struct Object {
        std::string object;
        std::int64_t synced = 0;
        std::optional<std::int64_t> estimated_total;
        std::string state;
        std::string error;
    };
    std::vector<Object> objects;
};
std::optional<RunProgress> read_progress(std::int64_t run_id);

} // namespace billstack::pg

#include "pg/backfill_service.hpp"

#include "pg/config.hpp"
#include "pg/log.hpp"
#include "pg/mirror_access.hpp"
#include "pg/projection.hpp"

namespace billstack::pg {

namespace {

constexpr int most_write_failures = 5;
// A user's trigger may take its time, but not the worker's: other teams wait for it.
constexpr int longest_page_ms = 30000;

} // namespace

bool BackfillService::refresh_due() const {
    return refresh_at_ && clock_.mono() >= *refresh_at_;
}

void BackfillService::refresh() {
    refresh_at_.reset();
    std::vector<OpenRun> open;
    {
        StoreTransaction transaction;
        open = load_open_runs();
        transaction.commit();
    }
    // A run whose key or owner has changed goes on with the new one from where its ranges stand.
    std::erase_if(runs_, [&](const auto &active) {
        return std::none_of(open.begin(), open.end(), [&](const OpenRun &run) {
            return run.id == active->run.id && run.sealed_key == active->run.sealed_key &&
                   run.owner_name == active->run.owner_name;
        });
    });
    for (OpenRun &run : open) {
        bool known = std::any_of(runs_.begin(), runs_.end(),
                                 [&](const auto &active) { return active->run.id == run.id; });
        if (!known) {
            activate(std::move(run));
        }
    }
}

void BackfillService::activate(OpenRun run) {
    if (!run.armed || run.mirror_version < stripe::mirror_version) {
        return; // silent until arm(); waits until its mirror is upgraded
    }
    try {
        auto active = std::make_unique<Active>();
        std::vector<sync::RangeSpec> ranges;
        {
            StoreTransaction transaction;
            active->owner = require_mirror_owner(run.owner_name, run.schema_name, run.schema_oid);
            ranges = load_or_make_ranges(run);
            transaction.commit();
        }
        sync::BackfillOptions options;
        options.walker.key =
            open_sealed_key({run.team, run.integration, run.fingerprint, run.sealed_key});
        options.walker.account =
            stripe::rate_account(run.account_id, run.livemode, options.walker.key->view());
        options.walker.timeout = core::Milliseconds(config::http_timeout_ms());
        stripe::RateLimits limits = stripe::limits_of(
            {options.walker.account, {}}, config::rate_limit(), config::endpoint_rate_limit());
        options.total_rate = limits.account;
        options.endpoint_rate = limits.endpoint;
        active->start_stored = run.start_known;
        active->mirror = std::make_unique<SpiMirrorStore>(MirrorTarget{
            run.integration_id, run.team, run.integration, run.schema_name, run.schema_oid});
        active->backfill = std::make_unique<sync::BackfillRun>(caller_, clock_, std::move(options),
                                                               std::move(ranges), run.start_known);
        active->run = std::move(run);
        runs_.push_back(std::move(active));
    } catch (const core::Error &error) {
        reject(run, error);
    } catch (const PgError &error) {
        if (!is_lock_trouble(error)) {
            throw;
        }
        refresh_at_ = clock_.mono() + std::chrono::seconds(1);
    }
}

void BackfillService::reject(const OpenRun &run, const core::Error &error) {
    StoreTransaction transaction;
    finish_run(run, error);
    transaction.commit();
}

bool BackfillService::owns(stripe::CallId id) const {
    return std::any_of(runs_.begin(), runs_.end(),
                       [&](const auto &active) { return active->backfill->owns(id); });
}

void BackfillService::on_result(stripe::CallResult result) {
    for (auto &active : runs_) {
        if (active->backfill->owns(result.id)) {
            active->backfill->on_result(std::move(result));
            return;
        }
    }
}

void BackfillService::work() {
    for (auto &active : runs_) {
        try {
            work_on(*active);
        } catch (const PgError &error) {
            // A row of this run or its integration that somebody has locked: this run waits, the
            // others and the network go on.
            if (!is_lock_trouble(error)) {
                throw;
            }
            pause(*active, error.what());
        }
    }
    std::erase_if(runs_, [](const auto &active) { return active->gone; });
}

void BackfillService::pause(Active &active, const std::string &reason) {
    int seconds = std::min(30, 1 << std::min(active.pauses++, 5));
    active.paused = clock_.mono() + std::chrono::seconds(seconds);
    log(LOG, "billstack backfill of " + active.run.schema_name + " pauses for " +
                 std::to_string(seconds) + " s: " + reason);
}

bool BackfillService::busy() const {
    return std::any_of(runs_.begin(), runs_.end(),
                       [&](const auto &active) { return is_busy(*active); });
}

bool BackfillService::is_busy(const Active &active) const {
    if (active.paused && clock_.mono() < *active.paused) {
        return false;
    }
    using Phase = sync::BackfillRun::Phase;
    Phase phase = active.backfill->phase();
    return active.backfill->has_ready() || phase == Phase::finished ||
           (phase == Phase::copying && !active.start_stored);
}

void BackfillService::work_on(Active &active) {
    if (active.paused) {
        if (clock_.mono() < *active.paused) {
            return;
        }
        active.paused.reset();
    }
    active.backfill->advance();
    if (!active.start_stored && active.backfill->phase() != sync::BackfillRun::Phase::opening &&
        !active.backfill->fatal()) {
        note_start(active);
    }
    if (sync::RangeWalker *walker = active.backfill->next_ready()) {
        write_page(active, *walker);
        active.backfill->advance(); // it may have been the run's last
    }
    note_errors(active);
    if (active.backfill->phase() == sync::BackfillRun::Phase::finished && !active.gone) {
        finish(active);
    }
}

void BackfillService::note_start(Active &active) {
    StoreTransaction transaction;
    active.gone = !lock_open_run(active.run.id);
    active.gone = active.gone || !store_run_start(active.run.id, active.backfill->start());
    transaction.commit();
    active.start_stored = true;
    active.trouble.clear();
}

// What a range waits for, or why it failed, is for the DBA to see while it lasts. One write a
// change, not one a try.
void BackfillService::note_errors(Active &active) {
    using State = sync::RangeWalker::State;
    if (!active.start_stored && !active.gone) {
        note_trouble(active, active.backfill->opening_error());
    }
    for (const auto &walker : active.backfill->walkers()) {
        std::string &noted = active.noted[walker.get()];
        bool failed = walker->state() == State::failed;
        bool waits = walker->state() == State::waiting || walker->is_put_off();
        if ((!failed && !waits) || noted == walker->error() || active.gone) {
            continue;
        }
        StoreTransaction transaction;
        if (lock_open_run(active.run.id)) {
            note_range_error(active.run.id, std::string(walker->kind().name), walker->range_no(),
                             failed ? "failed" : "open", walker->error());
        }
        transaction.commit();
        noted = walker->error();
    }
}

void BackfillService::note_trouble(Active &active, const std::string &trouble) {
    if (trouble == active.trouble) {
        return;
    }
    StoreTransaction transaction;
    note_run_trouble(active.run.id, trouble);
    transaction.commit();
    active.trouble = trouble;
}

// Trouble with a lock, a trigger or the disk concerns this range alone: its page is kept and
// written later. A page that cannot be read as objects is fetched again.
void BackfillService::write_page(Active &active, sync::RangeWalker &walker) {
    try {
        write_in_transaction(active, walker);
        active.pauses = 0;
    } catch (const PgError &error) {
        active.mirror->forget_tables();
        int &failures = active.write_failures[&walker];
        if (!is_lock_trouble(error) && ++failures >= most_write_failures) {
            walker.give_up("writing " + std::string(walker.kind().table) +
                           " failed: " + error.what() + " (" + error.sqlstate_text() + ")");
            return;
        }
        core::Milliseconds delay = walker.put_off("writing waits: " + std::string(error.what()));
        log(LOG, "billstack backfill of " + active.run.schema_name + " waits with " +
                     std::string(walker.kind().table) + " for " +
                     std::to_string(delay.count() / 1000) + " s: " + error.what());
    } catch (const core::Error &error) {
        if (error.code == core::Code::changed_meanwhile) {
            return; // a user's call has written one of the objects: the page is decided anew
        }
        if (error.code != core::Code::stripe_unreachable) {
            throw; // not about the page: the extension has gone, for one
        }
        walker.page_unreadable(error.message);
    }
}

void BackfillService::project_page(const Active &active, const sync::FetchedPage &page) {
    TouchedObjects touched;
    for (const sync::Row &row : page.rows) {
        touched[page.kind].emplace(row.id);
    }
    const OpenRun &run = active.run;
    TimeLimit limit(longest_page_ms);
    project_objects(
        {run.integration_id, run.team, run.integration, run.schema_name, run.schema_oid},
        active.owner, touched);
}

void BackfillService::write_in_transaction(Active &active, sync::RangeWalker &walker) {
    sync::PendingPage &page = *walker.ready_page();
    {
        StoreTransaction transaction;
        active.gone = !lock_open_run(active.run.id);
        if (active.gone) {
            return;
        }
        sync::ApplyReport report;
        {
            TimeLimit limit(longest_page_ms);
            UserContext owner(active.owner, UserContext::Rights::restricted);
            active.mirror->ensure_table(walker.kind());
            report = sync::apply_page(*active.mirror, *page.fetched, sync::Source::backfill,
                                      config::api_version());
        }
        project_page(active, *page.fetched);
        std::string object(walker.kind().name);
        advance_range(
            {active.run.id, object.c_str(), walker.range_no(), &page, report.read, report.changed});
        // A page and its range's advance are lost together in a crash and read again.
        transaction.commit_without_waiting();
    }
    active.noted[&walker].clear();
    active.write_failures.erase(&walker);
    walker.page_written();
}

bool BackfillService::take_refetches_asked() {
    bool asked = false;
    for (const auto &active : runs_) {
        asked |= active->mirror->take_refetches_asked();
    }
    return asked;
}

void BackfillService::finish(Active &active) {
    StoreTransaction transaction;
    finish_run(active.run, active.backfill->fatal());
    transaction.commit();
    active.gone = true;
}

std::optional<core::MonoTime> BackfillService::next_retry() const {
    std::optional<core::MonoTime> earliest = refresh_at_;
    for (const auto &active : runs_) {
        auto at = active->paused ? active->paused : active->backfill->next_retry();
        if (at && (!earliest || *at < *earliest)) {
            earliest = at;
        }
    }
    return earliest;
}

} // namespace billstack::pg

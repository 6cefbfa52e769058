#include "pg/backfill/backfill_service.hpp"

#include "pg/bridge/log.hpp"
#include "pg/config.hpp"
#include "pg/mirror/mirror_access.hpp"
#include "pg/projects/projection.hpp"
#include "sync/page_part.hpp"

namespace billstack::pg {

namespace {

constexpr int most_write_failures = 5;
constexpr int most_repeats = 3; // of a page at once, when another worker wrote the same rows
// A user's trigger may take its time, but not the worker's: other teams wait for it.
constexpr int longest_page_ms = 30000;

// Silent until arm(), and until its mirror is upgraded.
bool can_be_walked(const OpenRun &run) {
    return run.armed && run.mirror_version >= stripe::mirror_version;
}

} // namespace

bool BackfillService::refresh_due() const {
    return refresh_at_ && clock_.mono() >= *refresh_at_;
}

void BackfillService::refresh() {
    refresh_at_.reset();
    renew_claims();
    std::vector<OpenRun> open;
    {
        StoreTransaction transaction;
        open = load_open_runs();
        transaction.commit();
    }
    // A run whose key or owner has changed goes on with the new one from where its ranges stand.
    for (auto &active : runs_) {
        active->gone = std::none_of(open.begin(), open.end(), [&](const OpenRun &run) {
            return run.id == active->run.id && run.sealed_key == active->run.sealed_key &&
                   run.owner_name == active->run.owner_name;
        });
    }
    forget_gone();
    if (colleagues_.is_sync_worker()) {
        colleagues_.want(std::any_of(open.begin(), open.end(), can_be_walked));
    }
    for (OpenRun &run : open) {
        auto known = std::find_if(runs_.begin(), runs_.end(),
                                  [&](const auto &active) { return active->run.id == run.id; });
        if (known == runs_.end()) {
            activate(std::move(run));
        } else {
            (*known)->ranges_wanted = true;
        }
    }
}

void BackfillService::forget_gone() {
    for (const auto &active : runs_) {
        if (active->gone) {
            claims_.release_run(active->run.id);
        }
    }
    std::erase_if(runs_, [](const auto &active) { return active->gone; });
    colleagues_.note_ranges(claims_.count());
}

void BackfillService::forget_runs() {
    for (auto &active : runs_) {
        active->gone = true;
    }
    forget_gone();
    if (colleagues_.is_sync_worker()) {
        colleagues_.want(false);
    }
}

void BackfillService::activate(OpenRun run) {
    bool opens = colleagues_.is_sync_worker(); // others wait until the start is stored
    if (!can_be_walked(run) || (!run.start_known && !opens)) {
        return;
    }
    try {
        auto active = std::make_unique<Active>();
        {
            StoreTransaction transaction;
            active->owner = require_mirror_owner(run.owner_name, run.schema_name, run.schema_oid);
            if (opens) {
                make_ranges(run);
            }
            transaction.commit();
        }
        sync::BackfillOptions options;
        options.walker.key =
            open_sealed_key({run.team, run.integration, run.fingerprint, run.sealed_key});
        options.walker.account =
            stripe::rate_account(run.account_id, run.livemode, options.walker.key->view());
        options.walker.timeout = core::Milliseconds(config::http_timeout_ms());
        options.walker.budget = page_budget_;
        stripe::RateLimits limits = stripe::limits_of(
            {options.walker.account, {}}, config::rate_limit(), config::endpoint_rate_limit());
        options.total_rate = limits.account;
        options.endpoint_rate = limits.endpoint;
        active->start_stored = run.start_known;
        MirrorTarget target{run.integration_id, run.team, run.integration, run.schema_name,
                            run.schema_oid};
        active->mirror = std::make_unique<SpiMirrorStore>(target);
        active->vanished = std::make_unique<VanishedCheck>(run.id, std::move(target));
        settle_vanished(*active, run);
        active->backfill = std::make_unique<sync::BackfillRun>(
            caller_, clock_, std::move(options), std::vector<sync::RangeSpec>(), run.start_known);
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

// Tables that cannot be looked at now are told of by the first page that is written to them.
void BackfillService::settle_vanished(Active &active, const OpenRun &run) {
    try {
        StoreTransaction transaction;
        // The run before the tables, as who disconnects takes them.
        if (!lock_open_run(run.id)) {
            return;
        }
        {
            TimeLimit limit(longest_page_ms);
            active.vanished->settle_kinds(run.objects, active.owner);
        }
        transaction.commit();
    } catch (const PgError &error) {
        if (is_lock_trouble(error)) {
            StoreTransaction transaction;
            active.vanished->assume_kinds(run.objects);
            transaction.commit();
            return;
        }
        log(LOG, "billstack backfill of " + run.schema_name +
                     " does not look for vanished objects: " + error.what());
    }
}

void BackfillService::reject(const OpenRun &run, const core::Error &error) {
    StoreTransaction transaction;
    (void)finish_run(run, error);
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

void BackfillService::work(std::size_t most_rows, const std::function<void()> &between) {
    most_rows_ = most_rows;
    ++turn_;
    renew_claims();
    for (std::size_t i = 0; i < runs_.size(); ++i) {
        auto &active = runs_[(turn_ + i) % runs_.size()];
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
        if (active->gone) {
            active->backfill->stop(); // nothing of it is sent any more
        }
        between();
    }
    if (std::any_of(runs_.begin(), runs_.end(), [](const auto &active) { return active->gone; })) {
        forget_gone();
        look_again(); // perhaps no run is left, or this one has another key now
    }
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
    return active.ranges_wanted || active.backfill->has_ready() ||
           (phase == Phase::finished && !active.others_walk) ||
           (phase == Phase::copying && !active.start_stored);
}

void BackfillService::work_on(Active &active) {
    if (active.paused) {
        if (clock_.mono() < *active.paused) {
            return;
        }
        active.paused.reset();
    }
    if (active.ranges_wanted || (active.ranges_at && clock_.mono() >= *active.ranges_at)) {
        take_ranges(active);
    }
    active.backfill->advance();
    if (!active.start_stored && active.backfill->phase() != sync::BackfillRun::Phase::opening &&
        !active.backfill->fatal()) {
        note_start(active);
    }
    cut_ranges(active);
    if (sync::RangeWalker *walker = active.backfill->next_ready()) {
        write_page(active, *walker);
        active.backfill->advance(); // it may have been the run's last
    }
    note_errors(active);
    if (active.backfill->phase() == sync::BackfillRun::Phase::finished && !active.gone &&
        !active.ranges_wanted && !active.others_walk) {
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
    colleagues_.wake(); // they may begin
}

// A run of every kind takes what the key may read, and what the account has been set up for. What
// has begun is no longer a matter of that, and the default kinds are there for every account.
bool BackfillService::is_skipped(const Active &active, const sync::RangeWalker &walker) {
    bool refused = walker.error_code() == core::Code::not_allowed ||
                   (walker.error_code() == core::Code::stripe_refused && !walker.kind().is_default);
    return active.run.every_kind && refused && !walker.has_read();
}

// What a range waits for, or why it failed, is for the DBA to see while it lasts. One write a
// change, not one a try.
void BackfillService::note_errors(Active &active) {
    using State = sync::RangeWalker::State;
    if (!active.start_stored && !active.gone) {
        note_trouble(active, active.backfill->opening_error());
    }
    for (const auto &walker : active.backfill->walkers()) {
        std::string &noted = active.noted[key_of(*walker)];
        bool failed = walker->state() == State::failed;
        bool waits = walker->state() == State::waiting || walker->is_put_off();
        if ((!failed && !waits) || noted == walker->error() || active.gone) {
            continue;
        }
        const char *state = !failed ? "open" : is_skipped(active, *walker) ? "skipped" : "failed";
        StoreTransaction transaction;
        if (lock_open_run(active.run.id)) {
            note_range_error(
                active.run.id,
                {std::string(walker->kind().name), walker->range_no(), state, walker->error(),
                 trouble_of(walker->error_code(), active.write_states[key_of(*walker)], failed)});
        }
        transaction.commit();
        noted = walker->error();
        if (failed) {
            end_range(active, *walker);
        }
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

// Rows that another worker has just written or holds in another order are met by doing it again.
void BackfillService::write_page(Active &active, sync::RangeWalker &walker) {
    RangeName name{active.run.id, std::string(walker.kind().name), walker.range_no()};
    for (int i = 1; claims_.has(name) && !try_page(active, walker, i < most_repeats); ++i) {
        check_for_interrupts();
        renew_claims(); // the walker has gone with a claim that is lost
    }
}

// A row that waits for somebody else's lock is given up after a second: so long takes only what the
// rows themselves set off, a user's trigger.
bool BackfillService::is_too_slow(const PgError &error, core::MonoTime began) const {
    return error.sqlstate() == ERRCODE_QUERY_CANCELED &&
           clock_.mono() - began >= core::Milliseconds(longest_page_ms);
}

std::size_t BackfillService::rows_at_once(const Active &active,
                                          const sync::RangeWalker &walker) const {
    auto found = active.most_rows.find(key_of(walker));
    std::size_t most = found == active.most_rows.end() ? 0 : found->second;
    bool free = most == 0 || (most_rows_ != 0 && most_rows_ < most);
    return walker.writable_rows(free ? most_rows_ : most);
}

// A quarter, so that the last of the tries is with one row.
void BackfillService::write_fewer(Active &active, sync::RangeWalker &walker) {
    std::size_t rows = sync::PagePart(*walker.ready_page(), rows_at_once(active, walker)).rows();
    active.most_rows[key_of(walker)] = std::max<std::size_t>(1, rows / 4);
}

// False: to be done again at once. Trouble with a lock, a trigger or the disk concerns this range
// alone: its page is kept and written later. A page that cannot be read as objects is fetched
// again.
bool BackfillService::try_page(Active &active, sync::RangeWalker &walker, bool may_repeat) {
    core::MonoTime began = clock_.mono();
    try {
        write_in_transaction(active, walker);
        active.pauses = 0;
    } catch (const PgError &error) {
        active.mirror->forget_tables();
        if (may_repeat && error.sqlstate() == ERRCODE_T_R_DEADLOCK_DETECTED) {
            return false;
        }
        active.write_states[key_of(walker)] = error.sqlstate_text();
        int &failures = active.write_failures[key_of(walker)];
        bool slow = is_too_slow(error, began);
        if ((slow || !is_lock_trouble(error)) && ++failures >= most_write_failures) {
            walker.give_up("writing " + std::string(walker.kind().table) +
                           " failed: " + error.what() + " (" + error.sqlstate_text() + ")");
            return true;
        }
        if (slow) {
            write_fewer(active, walker);
        }
        put_off(active, walker, error.what());
    } catch (const core::Error &error) {
        if (error.code == core::Code::changed_meanwhile) {
            if (may_repeat) {
                return false;
            }
            put_off(active, walker, error.message);
            return true;
        }
        if (error.code != core::Code::stripe_unreachable) {
            throw; // not about the page: the extension has gone, for one
        }
        walker.page_unreadable(error.message);
    }
    return true;
}

void BackfillService::put_off(Active &active, sync::RangeWalker &walker,
                              const std::string &reason) {
    core::Milliseconds delay = walker.put_off("writing waits: " + reason);
    log(LOG, "billstack backfill of " + active.run.schema_name + " waits with " +
                 std::string(walker.kind().table) + " for " + std::to_string(delay.count() / 1000) +
                 " s: " + reason);
}

// Only what the page has changed: the project rows of the rest were made when that was written.
// Customers and prices all the same: rows that wait for a project hang on them.
void BackfillService::project_page(const Active &active, const sync::FetchedPage &page,
                                   const sync::ApplyReport &report) {
    const stripe::Kind *kind = page.only_list != nullptr ? page.only_list->kind : page.kind;
    std::set<std::string> changed(report.touched.begin(), report.touched.end());
    TouchedObjects touched;
    if (!changed.empty()) {
        touched[kind] = changed;
    }
    if (page.only_list == nullptr && (kind->name == "customer" || kind->name == "price")) {
        for (const sync::Row &row : page.rows) {
            touched[kind].emplace(row.id);
        }
    }
    KnownBytes known; // of the objects that the mirror has from this page
    for (const sync::Row &row : page.rows) {
        if (page.only_list == nullptr && changed.contains(std::string(row.id))) {
            known.emplace(row.id, row.raw);
        }
    }
    const OpenRun &run = active.run;
    TimeLimit limit(longest_page_ms);
    project_objects(
        {run.integration_id, run.team, run.integration, run.schema_name, run.schema_oid},
        active.owner, touched, known);
}

void BackfillService::write_in_transaction(Active &active, sync::RangeWalker &walker) {
    std::size_t rows = 0;
    bool rest = true;
    bool moved = false;
    {
        sync::PagePart part(*walker.ready_page(), rows_at_once(active, walker));
        StoreTransaction transaction;
        active.gone = !lock_open_run(active.run.id);
        if (active.gone) {
            transaction.commit();
            return;
        }
        sync::ApplyReport report;
        sync::ListEdge edge;
        bool asked_all = false;
        {
            TimeLimit limit(longest_page_ms);
            UserContext owner(active.owner, UserContext::Rights::restricted);
            active.mirror->ensure_table(walker.kind());
            asked_all = active.vanished->find_missing(walker, *walker.ready_page(), part);
            if (asked_all) {
                report = sync::apply_page(*active.mirror, *part.page().fetched,
                                          sync::Source::backfill, config::api_version());
                edge = active.vanished->ask_for_missing(walker.kind());
            }
        }
        if (!asked_all) { // the page is ready again at once
            transaction.commit_without_waiting();
            active.vanished->asked_some(walker);
            return;
        }
        project_page(active, *part.page().fetched, report);
        std::string object(walker.kind().name);
        moved = advance_range({active.run.id, object.c_str(), walker.range_no(), &part.page(),
                               report.read, report.changed, std::move(edge)});
        if (moved) {
            // A page and its range's advance are lost together in a crash and read again.
            transaction.commit_without_waiting();
        }
        rows = part.rows();
        rest = part.is_rest();
    }
    if (!moved) {
        lose_range(active,
                   walker); // after the part, which gives its rows back to the walker's page
        return;
    }
    active.vanished->written(walker);
    active.noted[key_of(walker)].clear();
    active.write_failures.erase(key_of(walker));
    active.write_states.erase(key_of(walker));
    if (rest) {
        walker.page_written();
    } else {
        walker.part_written(rows);
    }
    if (walker.state() == sync::RangeWalker::State::done) {
        end_range(active, walker);
    }
}

bool BackfillService::take_refetches_asked() {
    bool asked = false;
    for (const auto &active : runs_) {
        asked |= active->mirror->take_refetches_asked();
        asked |= active->vanished->take_asked();
    }
    return asked;
}

std::optional<core::MonoTime> BackfillService::next_retry() const {
    std::optional<core::MonoTime> earliest = refresh_at_;
    for (const auto &active : runs_) {
        auto at = active->paused ? active->paused : active->backfill->next_retry();
        for (auto next : {at, active->paused ? std::nullopt : active->ranges_at}) {
            if (next && (!earliest || *next < *earliest)) {
                earliest = next;
            }
        }
    }
    return earliest;
}

} // namespace billstack::pg

#include "pg/inbox/event_service.hpp"

#include "pg/bridge/log.hpp"
#include "pg/config.hpp"
#include "pg/handlers/handler_store.hpp"
#include "pg/inbox/inbox_counters.hpp"
#include "pg/mirror/mirror_access.hpp"
#include "pg/projects/projection.hpp"
#include "sync/event_batch.hpp"

#include <algorithm>

namespace billstack::pg {

namespace {

constexpr int batch_size = 500;
constexpr int retry_batch_size = 50;
// A pass that never ends would never see a row that committed late.
constexpr int longest_pass = 100; // batches
// A user's trigger may take its time, but not the worker's: other teams wait for it.
constexpr int longest_batch_ms = 10000;
constexpr core::Milliseconds lock_delay{2000};
constexpr core::Milliseconds again_delay{100}; // another session has written the same objects
constexpr std::int64_t least_retry_ms = 100;   // a due row may be locked by somebody
constexpr core::Milliseconds no_mirror_delay{30000};
constexpr auto slow_time = std::chrono::seconds(60); // one by one for so long

// The same event is in the ledger already: the subtransaction is undone and the copy dropped.
struct AlreadyDone {};

core::Milliseconds retry_delay(int attempts) {
    return std::chrono::seconds(std::min(3600, 1 << std::min(attempts, 12)));
}

} // namespace

struct EventService::Work {
    InboxEvent row;
    stripe::Event event;
    sync::EventResult result;
    bool twin = false;
    std::string project;
    std::string_view routing;
};

struct EventService::Group {
    EventTarget target;
    Oid owner = InvalidOid;
    bool has_projects = false;
    std::vector<std::unique_ptr<Work>> works;
    std::vector<FailedEvent> failed;
    std::int64_t taken_rows = 0;
    std::int64_t taken_bytes = 0;

    void take(const Work &work) {
        ++taken_rows;
        taken_bytes += work.row.size;
    }
};

void EventService::rescan() {
    wanted_ = true;
    retries_ = true;
    pass_open_ = false;
    position_ = {};
    resting_.clear();
    mirrors_.clear();
    twins_.reset();
}

std::vector<InboxEvent> EventService::claim(std::size_t most, bool &more) {
    int size = most == 0 ? batch_size : std::min(batch_size, static_cast<int>(most));
    // By turns: what is put off again and again must not hold up what is new.
    due_turn_ = !due_turn_;
    if (retry_due() && due_turn_) {
        std::vector<InboxEvent> due = claim_due(std::min(retry_batch_size, size), resting_);
        if (!due.empty()) {
            more = true;
            return due;
        }
        retry_at_.reset();
        retries_ = true;
    }
    if (!pass_open_) {
        pass_floor_ = oldest_running_transaction();
        pass_open_ = true;
        woken_ = false;
        pass_batches_ = 0;
    }
    std::vector<InboxEvent> events = claim_new(position_, size, resting_);
    more = !events.empty(); // a full batch, or one cut short by its size; the next one tells
    if (!events.empty()) {
        position_ = {events.back().inserted_by, events.back().id};
    }
    // The next pass begins at the oldest row that this one may have missed.
    if (!more) {
        position_ = {pass_floor_, -1};
        pass_open_ = false;
        more = woken_;
    } else if (++pass_batches_ >= longest_pass) {
        position_ = {std::min(pass_floor_, position_.inserted_by), -1};
        pass_open_ = false;
    }
    return events;
}

SpiMirrorStore &EventService::mirror_of(const EventTarget &target) {
    auto &[schema, mirror] = mirrors_[target.integration_id];
    if (mirror == nullptr || schema != target.schema_name) {
        schema = target.schema_name;
        mirror = std::make_unique<SpiMirrorStore>(
            MirrorTarget{target.integration_id, target.team, target.integration, target.schema_name,
                         target.schema_oid});
    }
    return *mirror;
}

EventTurn EventService::work(std::size_t most) {
    EventTurn turn;
    if (!busy()) {
        return turn;
    }
    std::vector<std::unique_ptr<Group>> groups;
    InboxMove move;
    try {
        StoreTransaction transaction;
        for (InboxEvent &row : claim(most, turn.more)) {
            auto found = std::find_if(groups.begin(), groups.end(), [&](const auto &group) {
                return group->target.integration_id == row.integration_id;
            });
            if (found == groups.end()) {
                groups.push_back(std::make_unique<Group>());
                groups.back()->target.integration_id = row.integration_id;
                found = groups.end() - 1;
            }
            (*found)->works.push_back(std::make_unique<Work>());
            (*found)->works.back()->row = std::move(row);
        }
        for (const auto &group : groups) {
            process(*group, turn);
        }
        plan_retry();
        transaction.commit_without_waiting();
    } catch (...) {
        rescan();
        throw;
    }
    wanted_ = turn.more;
    call([] { LockReleaseSession(USER_LOCKMETHOD); }); // what a trigger has left in the session
    for (const auto &group : groups) {
        note_taken(group->target.integration_id, group->taken_rows, group->taken_bytes);
    }
    return turn;
}

void EventService::process(Group &group, EventTurn &turn) {
    std::int32_t id = group.target.integration_id;
    group.target = load_event_target(id);
    if (!group.target.found) {
        std::vector<std::string> places;
        for (const auto &work : group.works) {
            places.push_back(work->row.place);
            group.take(*work);
        }
        (void)drop_events(places);
        return;
    }
    if (!group.target.ready) {
        resting_.push_back(id); // its rows stay; rescan() asks again
        return;
    }
    Works readable;
    read(group, readable);
    try {
        group.owner = require_mirror_owner(group.target.owner_name, group.target.schema_name,
                                           group.target.schema_oid);
        if (!hold_links(id)) {
            put_off_linking(group, readable);
            readable.clear();
        }
        group.has_projects = has_projects(id);
        find_twins_of(group, readable);
        if (is_slow(id)) {
            apply_alone(group, readable, turn);
        } else {
            apply(group, readable, turn);
        }
    } catch (const core::Error &error) {
        if (error.code != core::Code::not_ready) {
            throw;
        }
        for (const Work *work : readable) {
            group.failed.push_back({work->row.place, false, false, no_mirror_delay, error.message});
        }
    }
    if (!group.failed.empty()) {
        put_off_events(group.failed);
        retries_ = true;
    }
}

// Somebody links a project just now and reads all of the mirror.
void EventService::put_off_linking(Group &group, const Works &works) {
    for (const Work *work : works) {
        group.failed.push_back({work->row.place, false, false, lock_delay, ""});
    }
}

// A body that is no event is a dead letter at once: no later try reads it better.
void EventService::read(Group &group, Works &readable) {
    for (const auto &work : group.works) {
        try {
            if (work->row.payload.empty() && work->row.size > 0) {
                throw core::Error(core::Code::bad_argument, "the body is larger than 1 MiB");
            }
            work->event = stripe::parse_event(work->row.payload);
            readable.push_back(work.get());
        } catch (const core::Error &error) {
            group.failed.push_back({work->row.place, true, true, {}, error.message});
        }
    }
}

// A thin event and its snapshot tell of one change: the second to come has no effect.
void EventService::find_twins_of(Group &group, Works &works) {
    bool thin = std::any_of(works.begin(), works.end(),
                            [](const Work *work) { return !work->event.snapshot_event.empty(); });
    if (!twins_) {
        twins_ = has_twins();
    }
    if (!thin && !*twins_) {
        return;
    }
    twins_ = true;
    std::vector<std::string> places;
    std::vector<std::string> snapshots;
    for (const Work *work : works) {
        places.push_back(work->row.place);
        snapshots.emplace_back(work->event.snapshot_event);
    }
    std::vector<std::int64_t> done = find_twins(places, snapshots);
    for (Work *work : works) {
        std::string_view snapshot = work->event.snapshot_event;
        bool in_batch =
            !snapshot.empty() && std::any_of(works.begin(), works.end(), [&](const Work *other) {
                return other->row.event_id == snapshot;
            });
        work->twin = in_batch || std::find(done.begin(), done.end(), work->row.id) != done.end();
    }
    (void)group;
}

bool EventService::is_slow(std::int32_t integration_id) {
    auto found = slow_.find(integration_id);
    if (found != slow_.end() && clock_.mono() >= found->second) {
        slow_.erase(found);
        return false;
    }
    return found != slow_.end();
}

// One by one while there is time; the rest comes again.
void EventService::apply_alone(Group &group, const Works &works, EventTurn &turn) {
    core::MonoTime end = clock_.mono() + std::chrono::seconds(1);
    for (Work *work : works) {
        if (clock_.mono() < end) {
            apply(group, {work}, turn);
        } else {
            group.failed.push_back({work->row.place, false, false, again_delay, ""});
        }
    }
}

void EventService::apply(Group &group, const Works &works, EventTurn &turn) {
    if (works.empty()) {
        return;
    }
    try {
        apply_at_once(group, works, turn);
    } catch (const AlreadyDone &) {
        mirror_of(group.target).forget_tables();
        drop_done(group, works, turn);
    } catch (const PgError &error) {
        mirror_of(group.target).forget_tables();
        if (error.sqlstate() == ERRCODE_QUERY_CANCELED) {
            put_off_slow(group, works, error.what());
        } else if (is_lock_trouble(error)) {
            put_off_locked(group, works, error, turn);
        } else {
            split(group, works, std::string(error.what()) + " (" + error.sqlstate_text() + ")",
                  turn);
        }
    } catch (const core::Error &error) {
        mirror_of(group.target).forget_tables();
        if (error.code == core::Code::not_ready) {
            throw;
        }
        if (error.code == core::Code::changed_meanwhile) {
            for (const Work *work : works) {
                group.failed.push_back({work->row.place, false, false, again_delay, error.message});
            }
            return;
        }
        split(group, works, error.message, turn);
    }
}

// Mirror, ledger and handler calls together, or nothing of them.
void EventService::apply_at_once(Group &group, const Works &works, EventTurn &turn) {
    Subtransaction subtransaction;
    std::vector<const stripe::Event *> events;
    Works applied;
    for (Work *work : works) {
        if (!work->twin) {
            events.push_back(&work->event);
            applied.push_back(work);
        }
    }
    sync::EventOptions options;
    options.late_delay = core::Milliseconds(config::refetch_delay_ms());
    std::vector<sync::EventResult> results;
    {
        SpiSession spi;
        TimeLimit limit(longest_batch_ms);
        {
            UserContext owner(group.owner, UserContext::Rights::restricted);
            results = sync::apply_events(mirror_of(group.target), events,
                                         {group.target.account_id, group.target.livemode}, options);
        }
        for (std::size_t i = 0; i < applied.size(); ++i) {
            applied[i]->result = results[i];
        }
        if (group.has_projects) {
            project(group, applied);
        }
    }
    finish(group, works, turn);
    subtransaction.commit();
    turn.refetches_asked |= mirror_of(group.target).take_refetches_asked();
    for (const Work *work : works) {
        group.take(*work);
    }
}

// Objects that the batch has not changed too: an event that is replayed is routed once more.
void EventService::project(const Group &group, const Works &applied) {
    MirrorTarget target{group.target.integration_id, group.target.team, group.target.integration,
                        group.target.schema_name, group.target.schema_oid};
    using Outcome = sync::EventOutcome;
    TouchedObjects touched;
    for (Work *work : applied) {
        const sync::EventResult &result = work->result;
        if (result.kind != nullptr) {
            touched[result.kind].emplace(result.object_id);
            // What is read from Stripe later is routed then.
            work->routing = result.outcome == Outcome::refetch ? "" : "unrouted";
        }
    }
    project_objects(target, group.owner, touched);
    std::map<std::pair<std::string_view, std::string_view>, std::string_view> projects;
    std::vector<ObjectRoute> routes = object_routes(target, group.owner, touched);
    for (const ObjectRoute &route : routes) {
        projects[{route.kind, route.id}] = route.project ? std::string_view(*route.project) : "";
    }
    for (Work *work : applied) {
        if (work->result.kind == nullptr) {
            continue;
        }
        auto found = projects.find({work->result.kind->name, work->result.object_id});
        if (found != projects.end()) {
            work->project = found->second;
            work->routing = work->project.empty() ? "unrouted" : "routed";
        }
    }
}

void EventService::finish(const Group &group, const Works &works, EventTurn &turn) {
    SpiSession spi;
    std::vector<FinishedEvent> finished;
    for (const Work *work : works) {
        const sync::EventResult &result = work->result;
        finished.push_back({work->row.place, result.kind != nullptr ? result.kind->name : "",
                            result.object_id,
                            work->twin ? "twin" : sync::outcome_name(result.outcome),
                            work->event.snapshot_event, work->project, work->routing});
    }
    auto count = static_cast<std::int64_t>(works.size());
    if (finish_events(finished) != count) {
        throw AlreadyDone();
    }
    count_processed(group.target.integration_id, count, 0);
    std::vector<DoneEvent> told;
    for (const Work *work : works) {
        using Outcome = sync::EventOutcome;
        bool ours = !work->twin && work->result.outcome != Outcome::other_account &&
                    work->result.outcome != Outcome::other_mode;
        if (ours) {
            told.push_back({group.target.integration_id, work->event.id, work->event.created,
                            work->event.type});
        }
    }
    turn.handlers_queued |= enqueue_handler_calls(told) > 0;
}

void EventService::drop_done(Group &group, const Works &works, EventTurn &turn) {
    std::vector<std::string> places;
    for (const Work *work : works) {
        places.push_back(work->row.place);
    }
    std::vector<std::int64_t> done = find_done(places);
    Works rest;
    places.clear();
    for (Work *work : works) {
        if (std::find(done.begin(), done.end(), work->row.id) == done.end()) {
            rest.push_back(work);
        } else {
            places.push_back(work->row.place);
            group.take(*work);
        }
    }
    if (places.empty()) {
        throw core::Error(core::Code::internal, "an event could not be entered in the ledger");
    }
    (void)drop_events(places);
    count_processed(group.target.integration_id, 0, static_cast<std::int64_t>(places.size()));
    apply(group, rest, turn);
}

// A table that somebody has locked concerns its own events: the others go on, and these are tried
// again, as often as it takes.
void EventService::put_off_locked(Group &group, const Works &works, const PgError &error,
                                  EventTurn &turn) {
    const std::string &table = mirror_of(group.target).last_table();
    auto touches = [&](const Work *work) {
        const stripe::Kind *kind = stripe::find_kind_by_object(work->event.object_type);
        if (kind == nullptr) {
            return false;
        }
        return kind->table == table ||
               std::any_of(kind->children.begin(), kind->children.end(),
                           [&](const auto &list) { return list.kind->table == table; });
    };
    Works others;
    for (Work *work : works) {
        if (!touches(work)) {
            others.push_back(work);
        }
    }
    bool all = others.size() == works.size(); // not a table we know of: everybody waits
    for (Work *work : works) {
        if (all || touches(work)) {
            group.failed.push_back(
                {work->row.place, false, false, lock_delay, short_text(error.what())});
        }
    }
    if (!all) {
        apply(group, others, turn);
    }
}

// The time limit, or somebody's cancel. Of many events nobody knows which is slow: they are tried
// one by one later. One alone has had its attempt.
void EventService::put_off_slow(Group &group, const Works &works, const std::string &error) {
    if (works.size() == 1) {
        fail(group, *works.front(), error);
        return;
    }
    slow_[group.target.integration_id] = clock_.mono() + slow_time;
    for (const Work *work : works) {
        group.failed.push_back({work->row.place, false, false, again_delay, short_text(error)});
    }
}

void EventService::split(Group &group, const Works &works, const std::string &error,
                         EventTurn &turn) {
    if (works.size() == 1) {
        fail(group, *works.front(), error);
        return;
    }
    auto middle = works.begin() + static_cast<std::ptrdiff_t>(works.size() / 2);
    apply(group, Works(works.begin(), middle), turn);
    apply(group, Works(middle, works.end()), turn);
}

void EventService::fail(Group &group, Work &work, const std::string &error) {
    int attempts = work.row.attempts + 1;
    bool dead = attempts >= config::max_attempts();
    group.failed.push_back({work.row.place, true, dead, retry_delay(attempts), short_text(error)});
    if (dead) {
        log(LOG, "billstack: event " + work.row.event_id + " of team \"" + group.target.team +
                     "\" is a dead letter: " + error);
    }
}

void EventService::plan_retry() {
    if (!retries_) {
        return;
    }
    retries_ = false;
    retry_at_.reset();
    if (std::optional<TimestampTz> at = next_try_at(resting_)) {
        std::int64_t ms = std::max(least_retry_ms, (*at - GetCurrentTimestamp()) / 1000 + 1);
        retry_at_ = clock_.mono() + std::chrono::milliseconds(ms);
    }
}

} // namespace billstack::pg

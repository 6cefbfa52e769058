#include "pg/calls/intent_reconcile.hpp"

#include "pg/bridge/log.hpp"
#include "pg/config.hpp"
#include "pg/inbox/event_store.hpp"
#include "pg/mirror/event_mark_store.hpp"
#include "pg/mirror/mirror_access.hpp"
#include "sync/object_fold.hpp"

namespace billstack::pg {

namespace {

constexpr std::size_t most_searches = 2; // of an integration one at a time
constexpr int most_intents = 200;
constexpr std::int64_t clock_margin_s = 3600;
constexpr auto purge_interval = std::chrono::hours(1);
constexpr auto first_rest = std::chrono::seconds(30);
constexpr int most_doublings = 6;

bool is_searchable(const OpenIntent &intent) {
    const stripe::Kind *kind = stripe::find_kind(intent.kind);
    return intent.creates && kind != nullptr && sync::IntentSearch::can_search(*kind);
}

// Looked for in another account it would not be found, whatever became of it.
bool is_of_another(const OpenIntent &intent, const EventTarget &target) {
    return !intent.account.empty() && !target.account_id.empty() &&
           intent.account != stripe::rate_account(target.account_id, target.livemode, "");
}

std::int64_t unix_of(TimestampTz at) {
    return unix_us_from_timestamp(at) / USECS_PER_SEC;
}

} // namespace

struct IntentReconcile::Search {
    std::int32_t integration_id = 0;
    const stripe::Kind *kind = nullptr;
    std::vector<OpenIntent> intents;
    std::unique_ptr<sync::IntentSearch> search;
    bool ended = false;
};

IntentReconcile::IntentReconcile(stripe::Caller &caller, const core::Clock &clock,
                                 IntentService &intents)
    : caller_(caller), clock_(clock), intents_(intents) {}

IntentReconcile::~IntentReconcile() = default;

void IntentReconcile::rescan() {
    wanted_ = true;
    rests_.clear();
}

bool IntentReconcile::owns(stripe::CallId id) const {
    return std::any_of(searches_.begin(), searches_.end(),
                       [&](const auto &search) { return search->search->owns(id); });
}

void IntentReconcile::on_result(stripe::CallResult result) {
    for (const auto &search : searches_) {
        if (search->search->owns(result.id)) {
            search->search->on_result(std::move(result));
            return;
        }
    }
}

bool IntentReconcile::busy() const {
    bool due = wanted_ || (look_at_ && clock_.mono() >= *look_at_);
    return due || std::any_of(searches_.begin(), searches_.end(), [](const auto &search) {
               return search->search->state() != sync::IntentSearch::State::reading;
           });
}

void IntentReconcile::work() {
    for (const auto &search : searches_) {
        if (search->search->state() != sync::IntentSearch::State::reading) {
            search->ended = true;
            finish(*search);
            wanted_ = true;
            break;
        }
    }
    std::erase_if(searches_, [](const auto &search) { return search->ended; });
    if (intents_.take_left_open()) {
        wanted_ = true; // to know when it will be due
    }
    if (wanted_ || (look_at_ && clock_.mono() >= *look_at_)) {
        look();
    }
    if (clock_.mono() >= purge_at_) {
        purge();
    }
}

IntentsLeftOut IntentReconcile::left_out() const {
    IntentsLeftOut out;
    for (const auto &[group, rest] : rests_) {
        if (clock_.mono() < rest.until) {
            out.kinds.push_back(group);
        }
    }
    for (const auto &search : searches_) {
        out.integrations.push_back(search->integration_id);
    }
    out.rows = intents_.open_rows();
    return out;
}

bool IntentReconcile::is_searched(std::int32_t integration_id) const {
    return std::any_of(searches_.begin(), searches_.end(), [&](const auto &search) {
        return search->integration_id == integration_id;
    });
}

void IntentReconcile::look() {
    wanted_ = false;
    look_at_.reset();
    for (const auto &[group, rest] : rests_) {
        if (clock_.mono() < rest.until && (!look_at_ || rest.until < *look_at_)) {
            look_at_ = rest.until;
        }
    }
    if (searches_.size() >= most_searches) {
        return; // the end of one looks again
    }
    core::Milliseconds age(config::reconcile_after_ms());
    Groups groups;
    StoreTransaction transaction;
    for (OpenIntent &intent : load_open_intents(age, most_intents, left_out())) {
        EventTarget target = load_event_target(intent.integration_id);
        if (target.found && is_of_another(intent, target)) {
            settle_moved(intent);
        } else if (target.found && is_searchable(intent)) {
            groups[{intent.integration_id, intent.kind}].push_back(std::move(intent));
        } else {
            settle_unsearchable(intent, target.found);
        }
    }
    std::optional<TimestampTz> oldest = oldest_open_intent(left_out());
    transaction.commit();
    start(std::move(groups));
    if (wanted_ || !oldest) {
        return;
    }
    std::int64_t waited_ms = std::max<std::int64_t>(0, GetCurrentTimestamp() - *oldest) / 1000;
    core::MonoTime due = clock_.mono() +
                         std::max(age - core::Milliseconds(waited_ms), core::Milliseconds(0)) +
                         core::Milliseconds(10);
    if (!look_at_ || due < *look_at_) {
        look_at_ = due;
    }
}

void IntentReconcile::start(Groups groups) {
    for (auto &[group, intents] : groups) {
        if (searches_.size() < most_searches && !is_searched(group.first)) {
            start(group.first, std::move(intents));
            wanted_ = true; // others may be due as well
        }
    }
}

// No list tells of it: the object itself is read again, for the mirror.
void IntentReconcile::settle_unsearchable(const OpenIntent &intent, bool found) {
    const stripe::Kind *kind = stripe::find_kind(intent.kind);
    settle_intent(intent, stripe::IntentState::unknown, "",
                  found ? "the answer was lost" : "the integration was disconnected");
    if (found && kind != nullptr && !intent.object_id.empty() && !kind->retrieve_path.empty()) {
        request_refetches(intent.integration_id,
                          {{kind, intent.object_id, "call", core::Milliseconds(0)}});
        refetches_asked_ = true;
    }
}

void IntentReconcile::settle_moved(const OpenIntent &intent) {
    settle_intent(intent, stripe::IntentState::unknown, "",
                  "the answer was lost, and the integration has come to another account");
}

void IntentReconcile::start(std::int32_t integration_id, std::vector<OpenIntent> intents) {
    Group group{integration_id, intents.front().kind};
    auto search = std::make_unique<Search>();
    search->integration_id = integration_id;
    search->kind = stripe::find_kind(intents.front().kind);
    sync::SoughtObjects sought;
    sought.kind = search->kind;
    sought.created_from = intents.front().created_at;
    for (const OpenIntent &intent : intents) {
        sought.keys.insert(intent.key);
        sought.created_from = std::min(sought.created_from, intent.created_at);
        sought.created_until = std::max(sought.created_until, unix_of(intent.last_sent_at));
    }
    sought.created_from -= clock_margin_s;
    sought.created_until += clock_margin_s;
    search->intents = std::move(intents);
    try {
        StoreTransaction transaction;
        EventTarget target = load_event_target(integration_id);
        if (!target.ready) {
            transaction.commit();
            rest(group, "the integration is not ready");
            return;
        }
        if (std::any_of(search->intents.begin(), search->intents.end(),
                        [&](const auto &intent) { return is_of_another(intent, target); })) {
            transaction.commit(); // since they were loaded: the next look settles them
            return;
        }
        sync::ReadOptions options;
        options.key = open_sealed_key(
            {target.team, target.integration, target.fingerprint, target.sealed_key});
        transaction.commit();
        options.account =
            stripe::rate_account(target.account_id, target.livemode, options.key->view());
        options.timeout = core::Milliseconds(config::http_timeout_ms());
        search->search = std::make_unique<sync::IntentSearch>(caller_, std::move(sought), options);
        searches_.push_back(std::move(search));
    } catch (const core::Error &error) {
        rest(group, error.message); // the key cannot be opened
    }
}

void IntentReconcile::finish(Search &search) {
    if (search.search->state() == sync::IntentSearch::State::failed) {
        rest({search.integration_id, std::string(search.kind->name)},
             sync::describe_failure("looking for lost writes", search.search->failure()));
        return;
    }
    rests_.erase({search.integration_id, std::string(search.kind->name)});
    const auto &found = search.search->found();
    std::vector<sync::RefetchRequest> refetches;
    StoreTransaction transaction;
    for (const OpenIntent &intent : search.intents) {
        auto object = found.find(intent.key);
        if (object == found.end()) {
            settle_intent(intent, stripe::IntentState::nothing, "", "");
            continue;
        }
        settle_intent(intent, stripe::IntentState::done, object->second.id, "");
        if (!search.kind->retrieve_path.empty()) {
            refetches.push_back({search.kind, object->second.id, "call", core::Milliseconds(0)});
        }
    }
    if (!refetches.empty()) {
        request_refetches(search.integration_id, refetches);
        refetches_asked_ = true;
    }
    transaction.commit();
}

void IntentReconcile::rest(const Group &group, const std::string &reason) {
    Rest &rest = rests_[group];
    rest.until = clock_.mono() + first_rest * (1 << rest.failures);
    rest.failures = std::min(rest.failures + 1, most_doublings);
    log(LOG, "billstack: writes with a lost answer are looked for later: " + short_text(reason));
}

// At most once an hour, in pieces.
void IntentReconcile::purge() {
    StoreTransaction transaction;
    std::int64_t gone = purge_intents();
    transaction.commit();
    purge_at_ =
        clock_.mono() + (gone > 0 ? core::Milliseconds(1000) : core::Milliseconds(purge_interval));
    if (gone > 0 && (!look_at_ || purge_at_ < *look_at_)) {
        look_at_ = purge_at_;
    }
}

} // namespace billstack::pg

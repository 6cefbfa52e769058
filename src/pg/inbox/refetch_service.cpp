#include "pg/inbox/refetch_service.hpp"

#include "pg/backfill/vanished_store.hpp"
#include "pg/bridge/log.hpp"
#include "pg/config.hpp"
#include "pg/mirror/mirror_access.hpp"
#include "pg/projects/projection.hpp"
#include "pg/team/integration_store.hpp"
#include "sync/object_fold.hpp"
#include "sync/object_read.hpp"

#include <algorithm>

namespace billstack::pg {

namespace {

// A backfill and users' calls share the worker's requests.
constexpr std::size_t most_reads = 16;
constexpr int longest_write_ms = 10000;
constexpr core::Milliseconds lock_delay{2000};
constexpr core::Milliseconds refused_delay{3600 * 1000}; // the key may not read it
constexpr int most_late_reads = 3;
constexpr auto rest_time = std::chrono::seconds(10);

core::Milliseconds retry_delay(int attempts) {
    return std::chrono::seconds(std::min(300, 1 << std::min(attempts, 9)));
}

bool is_denied(const stripe::CallResult &result) {
    using stripe::CallStatus;
    return result.status == CallStatus::forbidden || result.status == CallStatus::key_rejected ||
           result.status == CallStatus::refused;
}

// Of a kind that cannot be read alone the id is that of its customer.
bool reads_list(const stripe::Kind &kind) {
    return kind.list_parent != nullptr && kind.retrieve_path.empty();
}

} // namespace

struct RefetchService::Read {
    DueRefetch due;
    EventTarget target;
    const stripe::Kind *kind = nullptr;
    std::int64_t sent_at = 0; // version of the stored row when the request was sent
    std::shared_ptr<SpiMirrorStore> mirror;
    std::unique_ptr<sync::ObjectRead> read;
    bool ended = false;
};

RefetchService::RefetchService(stripe::Caller &caller, const core::Clock &clock)
    : caller_(caller), clock_(clock) {}

RefetchService::~RefetchService() = default;

void RefetchService::rescan() {
    wanted_ = true;
    resting_.clear();
    keys_.clear();
    mirrors_.clear();
}

void RefetchService::forget() {
    reads_.clear();
    rescan();
}

bool RefetchService::owns(stripe::CallId id) const {
    return std::any_of(reads_.begin(), reads_.end(),
                       [&](const auto &read) { return read->read->owns(id); });
}

void RefetchService::on_result(stripe::CallResult result) {
    for (const auto &read : reads_) {
        if (read->read->owns(result.id)) {
            read->read->on_result(std::move(result));
            return;
        }
    }
}

bool RefetchService::is_open(const DueRefetch &due) const {
    return std::any_of(reads_.begin(), reads_.end(), [&](const auto &read) {
        return read->due.integration_id == due.integration_id && read->due.kind == due.kind &&
               read->due.object_id == due.object_id;
    });
}

bool RefetchService::busy() const {
    bool due = (wanted_ || (look_at_ && clock_.mono() >= *look_at_)) && reads_.size() < most_reads;
    return due || std::any_of(reads_.begin(), reads_.end(), [](const auto &read) {
               return read->read->state() != sync::ObjectRead::State::reading;
           });
}

void RefetchService::work() {
    for (const auto &read : reads_) {
        if (read->read->state() != sync::ObjectRead::State::reading) {
            read->ended = true;
            finish(*read);
            wanted_ = true; // there may be room for more now
            break;
        }
    }
    std::erase_if(reads_, [](const auto &read) { return read->ended; });
    bool due = wanted_ || (look_at_ && clock_.mono() >= *look_at_);
    if (due && reads_.size() < most_reads) {
        look();
    }
}

void RefetchService::look() {
    if (rest_until_ && clock_.mono() >= *rest_until_) {
        rest_until_.reset();
        resting_.clear();
    }
    wanted_ = false;
    look_at_.reset();
    std::vector<DueRefetch> due;
    std::optional<TimestampTz> next;
    {
        StoreTransaction transaction;
        // Those that are on their way are still in the table.
        due = load_due_refetches(static_cast<int>(most_reads + reads_.size()), resting_);
        std::erase_if(due, [&](const DueRefetch &each) { return is_open(each); });
        next = next_refetch_at(resting_);
        transaction.commit();
    }
    for (DueRefetch &each : due) {
        if (reads_.size() < most_reads) {
            start(std::move(each));
        }
    }
    if (next) {
        std::int64_t us = std::max<std::int64_t>(0, *next - GetCurrentTimestamp());
        look_at_ = clock_.mono() + std::chrono::milliseconds(us / 1000 + 1);
    }
    if (rest_until_ && (!look_at_ || *rest_until_ < *look_at_)) {
        look_at_ = rest_until_;
    }
    // More may be due than were loaded; with no room the end of a read looks again.
    wanted_ = !due.empty() && reads_.size() < most_reads;
}

// The stored row is looked at before the request is sent: what it holds then is older than the
// answer. A failure is told of when the transaction it broke is over.
void RefetchService::start(DueRefetch due) {
    auto read = std::make_unique<Read>();
    read->kind = stripe::find_kind(due.kind);
    read->due = std::move(due);
    std::string reason;
    bool counts = read->due.reason == "vanished"; // a backfill waits for it
    try {
        if (!prepare(*read)) {
            resting_.push_back(read->due.integration_id);
            return;
        }
        submit(*read);
        reads_.push_back(std::move(read));
        return;
    } catch (const core::Error &error) {
        reason = error.message; // the mirror's owner or schema has gone, the key cannot be opened
    } catch (const PgError &error) {
        reason = error.what(); // a table that is locked, gone or not the owner's any more
        counts = counts && !is_lock_trouble(error);
    }
    mirrors_.erase(read->due.integration_id);
    if (counts) {
        put_off(*read, false, reason);
    } else {
        rest(read->due, reason);
    }
}

// False: the integration cannot be read now.
bool RefetchService::prepare(Read &read) {
    StoreTransaction transaction;
    read.target = load_event_target(read.due.integration_id);
    if (!read.target.ready || read.kind == nullptr) {
        transaction.commit();
        return false;
    }
    Oid owner = require_mirror_owner(read.target.owner_name, read.target.schema_name,
                                     read.target.schema_oid);
    read.mirror = mirror_of(read.target);
    auto &key = keys_[read.due.integration_id];
    if (key == nullptr) {
        key = open_sealed_key({read.target.team, read.target.integration, read.target.fingerprint,
                               read.target.sealed_key});
    }
    {
        TimeLimit limit(longest_write_ms);
        UserContext user(owner, UserContext::Rights::restricted);
        read.mirror->ensure_table(*read.kind);
        if (!reads_list(*read.kind)) {
            read.sent_at = read.mirror->stored_states(*read.kind, {read.due.object_id})[0].version;
        }
    }
    transaction.commit();
    return true;
}

void RefetchService::submit(Read &read) {
    sync::ReadOptions options;
    options.key = keys_[read.due.integration_id];
    options.account =
        stripe::rate_account(read.target.account_id, read.target.livemode, options.key->view());
    options.timeout = core::Milliseconds(config::http_timeout_ms());
    using What = sync::ObjectRead::What;
    read.read = std::make_unique<sync::ObjectRead>(
        caller_, *read.kind, reads_list(*read.kind) ? What::parent_list : What::object,
        read.due.object_id, options);
}

// Reads of the integration wait a little; nothing of it is written down.
void RefetchService::rest(const DueRefetch &due, const std::string &reason) {
    log(LOG, "billstack: reading " + due.kind + " once more waits: " + short_text(reason));
    resting_.push_back(due.integration_id);
    rest_until_ = clock_.mono() + rest_time;
}

// Its plans are kept from read to read.
std::shared_ptr<SpiMirrorStore> RefetchService::mirror_of(const EventTarget &target) {
    auto &[schema, mirror] = mirrors_[target.integration_id];
    if (mirror == nullptr || schema != target.schema_oid) {
        schema = target.schema_oid;
        mirror = std::make_shared<SpiMirrorStore>(
            MirrorTarget{target.integration_id, target.team, target.integration, target.schema_name,
                         target.schema_oid});
    }
    return mirror;
}

void RefetchService::finish(Read &read) {
    try {
        if (read.read->state() == sync::ObjectRead::State::failed) {
            store_failure(read);
        } else {
            store(read);
        }
    } catch (const PgError &error) {
        read.mirror->forget_tables();
        bool slow = error.sqlstate() == ERRCODE_QUERY_CANCELED;
        put_off(read, is_lock_trouble(error) && !slow, error.what());
    } catch (const core::Error &error) {
        read.mirror->forget_tables();
        put_off(read, error.code == core::Code::changed_meanwhile, error.message);
    }
}

// A lock, a user's trigger, an answer that cannot be read: the row stays, and is read again.
void RefetchService::put_off(const Read &read, bool lock, const std::string &reason) {
    int attempts = read.due.attempts + (lock ? 0 : 1);
    try {
        StoreTransaction transaction;
        delay_refetch(read.due, lock ? lock_delay : retry_delay(attempts), attempts,
                      short_text(reason));
        transaction.commit();
    } catch (const PgError &error) {
        rest(read.due, error.what()); // the row itself is locked: it stands as it was
    }
}

// False: the answer says nothing certain.
bool RefetchService::write(Read &read, bool &still_late) {
    TimeLimit limit(longest_write_ms);
    bool certain = true;
    Oid owner = require_mirror_owner(read.target.owner_name, read.target.schema_name,
                                     read.target.schema_oid);
    {
        UserContext user(owner, UserContext::Rights::restricted);
        if (read.read->state() == sync::ObjectRead::State::gone && read.read->is_parent_list()) {
            sync::apply_parent_gone(*read.mirror, *stripe::parent_list(*read.kind),
                                    read.due.object_id, read.read->gone_at());
        } else if (read.read->state() == sync::ObjectRead::State::gone) {
            certain = sync::apply_gone(*read.mirror, *read.kind, read.due.object_id, read.sent_at,
                                       read.read->gone_at());
        } else if (read.read->is_parent_list()) {
            sync::apply_parent_list(*read.mirror, *stripe::parent_list(*read.kind),
                                    read.due.object_id, read.read->list_pages(),
                                    config::api_version());
        } else {
            sync::ApplyReport report = sync::apply_refetched(*read.mirror, read.read->page(),
                                                             read.sent_at, config::api_version());
            certain = report.unclear == 0;
            still_late = report.read == 1 &&
                         sync::waits_for_late_member(*read.kind, read.read->page().rows[0].raw);
        }
    }
    const EventTarget &target = read.target;
    project_objects({target.integration_id, target.team, target.integration, target.schema_name,
                     target.schema_oid},
                    owner, {{read.kind, {read.due.object_id}}});
    return certain;
}

void RefetchService::store(Read &read) {
    StoreTransaction transaction;
    bool asked_again = false;
    if (!lock_refetch(read.due, asked_again)) {
        transaction.commit();
        return; // disconnected meanwhile
    }
    bool still_late = false;
    bool certain = write(read, still_late);
    if (certain && read.due.reason == "vanished" &&
        read.read->state() == sync::ObjectRead::State::ready) {
        note_unlisted(read.due.integration_id, read.due.kind, read.due.object_id);
    }
    if (asked_again || !certain) {
        delay_refetch(read.due, asked_again ? core::Milliseconds(0) : sync::tie_delay, 0, "");
    } else if (still_late && read.due.late_reads + 1 < most_late_reads) {
        // The first look was for another reason, perhaps: the member has its time from now on.
        int factor = read.due.late_reads == 0 ? 1 : 10;
        delay_late_refetch(read.due, core::Milliseconds(config::refetch_delay_ms()) * factor);
    } else {
        delete_refetch(read.due);
    }
    transaction.commit_without_waiting();
}

void RefetchService::store_failure(Read &read) {
    const stripe::CallResult &failure = read.read->failure();
    std::string reason = sync::describe_failure("reading " + read.due.kind + " once more", failure);
    bool denied = is_denied(failure);
    int attempts = read.due.attempts + 1;
    StoreTransaction transaction;
    delay_refetch(read.due, denied ? refused_delay : retry_delay(attempts), attempts, reason);
    if (denied) {
        store_last_error(read.due.integration_id, reason);
    }
    transaction.commit();
}

} // namespace billstack::pg

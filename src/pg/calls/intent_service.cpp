#include "pg/calls/intent_service.hpp"

#include "pg/bridge/store_transaction.hpp"
#include "pg/calls/mirror_answer.hpp"
#include "pg/mirror/mirror_access.hpp"

namespace billstack::pg {

namespace {

using stripe::CallStatus;
using stripe::IntentState;
using stripe::IntentStep;
using stripe::IntentVerdict;

// How far Stripe's clock and ours may be apart when objects are looked for by their time.
constexpr std::int64_t clock_margin_s = 3600;
// Stripe calls the portal's pages short-lived and does not say how long they last
// (docs.stripe.com/api/customer_portal/sessions): a cautious guess.
constexpr std::int64_t page_lifetime_s = 240;

bool is_missing(const stripe::CallResult &result) {
    return result.status == CallStatus::refused && result.http_status == 404;
}

// A page that nobody can pay at any more: Stripe gives it no URL.
bool is_over(const stripe::Kind &kind, std::string_view body) {
    if (kind.name != "checkout_session") {
        return false;
    }
    static constexpr std::string_view paths[] = {"status"};
    std::array<json::Token, 1> found;
    json::PathReader(paths).read(body, found);
    return found[0].kind == json::TokenKind::string && found[0].text != "open";
}

std::string error_text(const stripe::CallResult &result) {
    const std::string &said =
        result.error.message.empty() ? result.failure_text : result.error.message;
    std::string text = result.error.code.empty() ? said : result.error.code + ": " + said;
    return short_text(text);
}

StripeAnswer unsent_answer(Unsent unsent, const std::string &text) {
    StripeAnswer answer;
    answer.status = CallStatus::refused;
    answer.unsent = unsent;
    answer.failure_text = text;
    return answer;
}

} // namespace

struct IntentService::Open {
    std::vector<Waiter> waiters;
    stripe::Call call; // idempotency_key: that of round 0
    RequestIntent intent;
    const stripe::Kind *kind = nullptr;
    IntentRow row;
    Stage stage = Stage::queued;
    IntentStep step = IntentStep::send_again;
    bool key_used = false;    // for something else
    bool renewed = false;     // a new round was begun because the key was spent
    bool renewal_due = false; // the next turn in the queue begins it
    bool unresolved = false;  // sent with this key before
    bool answered = false;
    stripe::CallId call_id = 0;
    std::unique_ptr<sync::IntentSearch> search;
    std::optional<stripe::CallResult> written; // the write's own answer, while the object is read

    bool readable() const { return kind != nullptr && !kind->retrieve_path.empty(); }
    bool searchable() const {
        return intent.creates && kind != nullptr && sync::IntentSearch::can_search(*kind);
    }
    // Both change the object of this path.
    bool changes_same_as(const Open &other) const {
        return !intent.creates && !other.intent.creates && call.path == other.call.path &&
               intent.integration_id == other.intent.integration_id;
    }
};

IntentService::IntentService(stripe::Caller &caller) : caller_(caller) {}

IntentService::~IntentService() = default;

void IntentService::add(Waiter waiter, stripe::Call call, RequestIntent intent) {
    auto open = std::make_unique<Open>();
    open->waiters.push_back(waiter);
    open->kind = stripe::find_kind(intent.kind);
    open->call = std::move(call);
    open->intent = std::move(intent);
    for (auto other = open_.rbegin(); other != open_.rend(); ++other) {
        if ((*other)->call.idempotency_key == open->call.idempotency_key) {
            if ((*other)->intent.digest == open->intent.digest) {
                (*other)->waiters.push_back(waiter);
            } else {
                answers_.push_back(
                    {waiter, unsent_answer(Unsent::key_used, (*other)->intent.operation)});
            }
            return;
        }
        if ((*other)->changes_same_as(*open)) {
            break; // comes after that one, whatever was the same before it
        }
    }
    queue_.push_back(open.get());
    open_.push_back(std::move(open));
}

namespace {

// "" when it went well. Alone in a subtransaction: what it has done is undone when it fails, and
// the rest of the transaction goes on.
template <class Do> std::string try_alone(Do run) {
    try {
        Subtransaction subtransaction;
        {
            SpiSession spi;
            run();
        }
        subtransaction.commit();
        return {};
    } catch (const PgError &error) {
        return error.what();
    } catch (const core::Error &error) {
        return error.message;
    }
}

} // namespace

// A change that an earlier one overtook while it was tried again would be undone by it.
bool IntentService::must_wait(const Open &open) const {
    for (const auto &other : open_) {
        if (other.get() == &open) {
            return false;
        }
        if (!other->answered && other->changes_same_as(open)) {
            return true;
        }
    }
    return false;
}

void IntentService::send_queued() {
    std::vector<Open *> batch;
    for (Open *open : std::exchange(queue_, {})) {
        (must_wait(*open) ? waiting_ : batch).push_back(open);
    }
    if (batch.empty()) {
        return;
    }
    std::vector<std::pair<Open *, std::string>> refused;
    std::vector<Open *> ready;
    try {
        StoreTransaction transaction;
        bool recorded = outcomes_.empty() || try_alone([&] { store_outcomes(); }).empty();
        bool single = batch.size() == 1 && outcomes_.empty(); // undone with the transaction
        for (Open *open : batch) {
            std::string reason;
            if (single) {
                prepare(*open);
            } else {
                reason = try_alone([&] { prepare(*open); });
            }
            if (reason.empty()) {
                ready.push_back(open);
            } else {
                refused.emplace_back(open, reason);
            }
        }
        transaction.commit_durably();
        if (recorded) {
            outcomes_.clear();
        }
    } catch (const PgError &error) {
        refuse(batch, error.what());
        return;
    } catch (const core::Error &error) {
        refuse(batch, error.message);
        return;
    }
    for (Open *open : ready) {
        go(*open);
    }
    for (const auto &[open, reason] : refused) {
        refuse({open}, reason);
    }
    remove_answered();
}

void IntentService::store_outcomes() const {
    for (const IntentOutcome &outcome : outcomes_) {
        store_outcome(outcome);
    }
}

void IntentService::refuse_queued(const std::string &reason) {
    refuse(std::exchange(queue_, {}), reason);
}

void IntentService::refuse(const std::vector<Open *> &batch, const std::string &reason) {
    for (Open *open : batch) {
        answer(*open, unsent_answer(Unsent::not_noted, short_text(reason)));
    }
    remove_answered();
}

// In the transaction. What is sent has its row before; may run once only for each turn in the
// queue.
void IntentService::prepare(Open &open) {
    if (open.renewal_due) {
        open.renewal_due = false;
        open.renewed = true;
        open.step = IntentStep::send_anew;
    } else {
        open.row = note_intent(open.intent, open.call.idempotency_key, open.call);
        if (open.row.is_new) {
            open.step = IntentStep::send_again;
            return;
        }
        prepare_known(open);
    }
    if (open.key_used || open.step == IntentStep::read || open.step == IntentStep::search) {
        return;
    }
    if (open.step == IntentStep::send_anew) {
        ++open.row.round;
        open.row.object_id = open.intent.object_id;
        open.unresolved = false;
    }
    note_sent_again(open.row.id, open.row.round, open.call);
}

void IntentService::prepare_known(Open &open) {
    open.key_used = open.row.digest != open.intent.digest;
    if (open.row.object_id.empty()) {
        open.row.object_id = open.intent.object_id;
    }
    stripe::KnownIntent known;
    known.state = open.row.state;
    known.creates = open.intent.creates;
    known.object_known = !open.row.object_id.empty();
    known.readable = open.readable();
    known.searchable = open.searchable();
    known.age_s = open.row.age_s;
    bool change = !open.intent.creates && open.call.method == "POST"; // a DELETE has no key there
    bool page = open.intent.creates && !known.readable && !known.searchable;
    bool page_over = page && (known.state == IntentState::done || known.age_s >= page_lifetime_s);
    std::string account = known_account(open.call.account);
    bool moved = !account.empty() && !open.row.account.empty() && account != open.row.account;
    // The caller's own key stands for one time.
    known.replaces = !open.intent.caller_named && (change || page_over || moved);
    open.step = stripe::next_step(known);
    open.unresolved = true;
}

void IntentService::go(Open &open) {
    if (open.key_used) {
        answer(open, unsent_answer(Unsent::key_used, open.row.operation));
    } else if (open.step == IntentStep::read) {
        read(open);
    } else if (open.step == IntentStep::search) {
        search(open);
    } else {
        send(open);
    }
}

void IntentService::send(Open &open) {
    stripe::Call call = open.call;
    call.idempotency_key = stripe::round_key(open.call.idempotency_key, open.row.round);
    try {
        open.call_id = caller_.submit(std::move(call));
        open.stage = Stage::sending;
    } catch (const core::Error &error) {
        stripe::CallResult refused;
        refused.status = CallStatus::refused;
        refused.error.message = error.message;
        note(open, IntentState::refused, refused);
        answer(open, {refused});
    }
}

void IntentService::read(Open &open) {
    stripe::Call call;
    call.path = sync::replace_id(open.kind->retrieve_path, open.row.object_id);
    call.key = open.call.key;
    call.account = open.call.account;
    call.priority = stripe::Priority::user;
    call.timeout = open.call.timeout;
    open.call_id = caller_.submit(std::move(call));
    open.stage = Stage::reading;
}

void IntentService::search(Open &open) {
    sync::SoughtObjects sought;
    sought.kind = open.kind;
    sought.keys.insert(open.call.idempotency_key);
    sought.created_from = open.row.created_at - clock_margin_s;
    sought.created_until = open.row.last_sent_at + clock_margin_s;
    sought.priority = stripe::Priority::user;
    sync::ReadOptions options;
    options.key = open.call.key;
    options.account = open.call.account;
    options.timeout = open.call.timeout;
    open.search = std::make_unique<sync::IntentSearch>(caller_, std::move(sought), options);
    open.stage = Stage::searching;
}

// Nothing comes of the key any more: the write is made with another one.
void IntentService::renew(Open &open) {
    open.renewal_due = true;
    open.stage = Stage::queued;
    open.search.reset();
    open.written.reset();
    queue_.push_back(&open);
}

IntentService::Open *IntentService::find(stripe::CallId id) const {
    for (const auto &open : open_) {
        bool calling = open->stage == Stage::sending || open->stage == Stage::reading;
        if ((calling && open->call_id == id) || (open->search && open->search->owns(id))) {
            return open.get();
        }
    }
    return nullptr;
}

bool IntentService::owns(stripe::CallId id) const {
    return find(id) != nullptr;
}

void IntentService::on_result(stripe::CallResult result) {
    Open &open = *find(result.id);
    try {
        if (open.stage == Stage::searching) {
            open.search->on_result(std::move(result));
            if (open.search->state() != sync::IntentSearch::State::reading) {
                on_searched(open);
            }
        } else if (open.stage == Stage::reading) {
            on_read(open, std::move(result));
        } else {
            on_sent(open, std::move(result));
        }
    } catch (const core::Error &error) { // a body that is no JSON, an id that is none
        stripe::CallResult unreadable;
        unreadable.status = CallStatus::bad_answer;
        unreadable.failure_text = error.message;
        leave_open(open, std::move(unreadable));
    }
    remove_answered();
}

void IntentService::on_sent(Open &open, stripe::CallResult result) {
    bool repeated = open.unresolved || result.attempts > 1;
    // An earlier attempt has ended the object: of another round, for a DELETE has no key, or one
    // that libcurl repeated by itself, on another connection. Or it was gone before, then the read
    // says so.
    if (open.call.method == "DELETE" && is_missing(result) && open.readable() &&
        !open.row.object_id.empty()) {
        open.written = std::move(result);
        read(open);
        return;
    }
    switch (stripe::judge(result, repeated)) {
    case IntentVerdict::done:
        if (std::string id = look_at_object(result.body).id; !id.empty()) {
            open.row.object_id = id;
        }
        note(open, IntentState::done, result);
        // Stripe may have repeated its first answer, and the object have changed since.
        if ((repeated || result.replayed) && open.readable() && !open.row.object_id.empty()) {
            open.written = std::move(result);
            read(open);
            return;
        }
        answer(open, {std::move(result)});
        return;
    case IntentVerdict::refused:
        note(open, IntentState::refused, result);
        answer(open, {std::move(result)});
        return;
    case IntentVerdict::key_spent:
        on_spent(open, std::move(result));
        return;
    case IntentVerdict::open:
        leave_open(open, std::move(result));
        return;
    }
}

void IntentService::on_spent(Open &open, stripe::CallResult result) {
    if (open.renewed) {
        leave_open(open, std::move(result)); // once a call is enough
    } else if (open.searchable()) {
        search(open);
    } else {
        renew(open);
    }
}

void IntentService::on_read(Open &open, stripe::CallResult result) {
    bool read = result.status == CallStatus::ok;
    bool gone = is_missing(result) ||
                (read && (look_at_object(result.body).deleted || is_over(*open.kind, result.body)));
    bool write_refused = open.written && open.written->status != CallStatus::ok;
    if (write_refused) { // a DELETE
        note(open, read ? IntentState::done : IntentState::refused, *open.written);
        answer(open, {read ? std::move(result) : std::move(*open.written)});
    } else if (gone && open.intent.creates && !open.intent.caller_named && !open.row.is_new &&
               !open.renewed) {
        renew(open); // what was made by a call that was rolled back is gone: it is made anew
    } else if (open.written) {
        StripeAnswer last{std::move(*open.written)};
        last.repeated = true;
        if (read) {
            last.current_body = std::move(result.body);
            last.window_start = result.window_start;
            last.window_end = result.window_end;
        }
        answer(open, last);
    } else {
        answer(open, {std::move(result)});
    }
}

void IntentService::on_searched(Open &open) {
    if (open.search->state() == sync::IntentSearch::State::failed) {
        leave_open(open, open.search->failure());
        return;
    }
    const auto &found = open.search->found();
    if (found.empty()) {
        renew(open);
        return;
    }
    const sync::FoundObject &object = found.begin()->second;
    StripeAnswer last;
    last.status = CallStatus::ok;
    last.http_status = 200;
    last.body = object.body;
    last.window_start = object.as_of.start;
    last.window_end = object.as_of.end;
    open.row.object_id = object.id;
    note(open, IntentState::done, last);
    answer(open, last);
}

void IntentService::leave_open(Open &open, stripe::CallResult result) {
    note(open, std::nullopt, result);
    left_open_ = true;
    answer(open, {std::move(result)});
}

void IntentService::note(Open &open, std::optional<IntentState> state,
                         const stripe::CallResult &result) {
    bool done = state == IntentState::done;
    outcomes_.push_back({open.row.id, state, open.row.object_id, result.request_id,
                         result.http_status, done ? std::string() : error_text(result)});
}

void IntentService::answer(Open &open, const StripeAnswer &answer) {
    for (Waiter waiter : open.waiters) {
        answers_.push_back({waiter, answer});
    }
    open.answered = true;
}

void IntentService::remove_answered() {
    bool gone = std::erase_if(open_, [](const auto &open) { return open->answered; }) > 0;
    if (gone) { // those that must wait for another one are told so again
        queue_.insert(queue_.begin(), waiting_.begin(), waiting_.end());
        waiting_.clear();
    }
}

std::vector<std::int64_t> IntentService::open_rows() const {
    std::vector<std::int64_t> rows;
    for (const auto &open : open_) {
        if (open->row.id != 0) {
            rows.push_back(open->row.id);
        }
    }
    for (const IntentOutcome &outcome : outcomes_) {
        rows.push_back(outcome.id);
    }
    return rows;
}

bool IntentService::record() {
    if (outcomes_.empty()) {
        return true;
    }
    try {
        StoreTransaction transaction;
        store_outcomes();
        transaction.commit_without_waiting(); // what a crash loses is looked for
        outcomes_.clear();
        return true;
    } catch (const PgError &error) {
        if (!is_lock_trouble(error)) {
            throw;
        }
        return false;
    }
}

} // namespace billstack::pg

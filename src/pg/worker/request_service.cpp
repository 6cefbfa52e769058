#include "pg/worker/request_service.hpp"

#include "pg/bridge/slot_codec.hpp"
#include "pg/config.hpp"

namespace billstack::pg {

namespace {

constexpr auto use_lasts = std::chrono::milliseconds(100);

void write_answer(RequestSlot &slot, const StripeAnswer &result, std::string_view body) {
    SlotWriter writer(slot.answer, slot_answer_size);
    writer.number(static_cast<std::int64_t>(result.status)).number(result.http_status);
    writer.number(result.attempts).number(result.window_start).number(result.window_end);
    writer.text(result.request_id).text(result.failure_text).text(result.error.type);
    writer.text(result.error.code).text(result.error.param).text(result.error.message);
    writer.text(result.error.decline_code).text(body);
    writer.number(static_cast<std::int64_t>(result.unsent)).number(result.repeated ? 1 : 0);
    writer.text(result.current_body).number(static_cast<std::int64_t>(result.outcome));
    slot.answer_length = writer.length();
}

std::optional<RequestIntent> read_intent(SlotReader &reader) {
    if (reader.number() == 0) {
        return std::nullopt;
    }
    RequestIntent intent;
    intent.integration_id = static_cast<std::int32_t>(reader.number());
    intent.operation = reader.text();
    intent.project_id = reader.text();
    intent.kind = reader.text();
    intent.creates = reader.number() != 0;
    intent.caller_named = reader.number() != 0;
    intent.object_id = reader.text();
    intent.digest = reader.text();
    intent.caller = reader.text();
    intent.caller_key = reader.text();
    return intent;
}

} // namespace

bool RequestService::in_use() const {
    return !calls_.empty() || !writes_.empty() ||
           (last_answer_ && clock_.mono() - *last_answer_ < use_lasts);
}

void RequestService::look_at_slots() {
    for (RequestSlot &slot : state_.slots) {
        SlotState seen;
        {
            SpinGuard guard(state_);
            seen = slot.database == MyDatabaseId ? slot.state : SlotState::free;
            if (seen == SlotState::queued) {
                slot.state = SlotState::taken;
            }
        }
        if (seen == SlotState::queued) {
            take(slot);
        } else if (seen == SlotState::abandoned) {
            abandon(slot);
        }
    }
}

// A read nobody waits for is of no use; a write goes on, and its outcome is recorded.
void RequestService::abandon(RequestSlot &slot) {
    std::erase_if(calls_, [&](const auto &open) {
        if (open.second.slot != &slot) {
            return false;
        }
        caller_.cancel(open.first);
        return true;
    });
    std::erase_if(writes_, [&](const auto &open) { return open.second.slot == &slot; });
    SpinGuard guard(state_);
    slot.state = SlotState::free;
}

void RequestService::take(RequestSlot &slot) {
    SlotReader reader(slot.request, slot.request_length);
    stripe::Call request;
    request.key =
        std::make_shared<const core::SecretBytes>(core::SecretBytes::copy_of(reader.text()));
    request.account = reader.text();
    request.method = reader.text();
    request.path = reader.text();
    request.idempotency_key = reader.text();
    bool body_wanted = reader.number() != 0;
    request.secret_answer = reader.number() != 0;
    std::optional<RequestIntent> intent = read_intent(reader);
    std::int64_t params = reader.number();
    for (std::int64_t i = 0; i < params; ++i) {
        std::string name(reader.text());
        request.params.emplace_back(std::move(name), std::string(reader.text()));
    }
    core::wipe_memory(slot.request, slot.request_length);
    request.priority = stripe::Priority::user;
    request.timeout = core::Milliseconds(config::http_timeout_ms());
    Open open{&slot, slot.generation, body_wanted};
    if (intent) {
        writes_.emplace(next_waiter_, open);
        intents_.add(next_waiter_++, std::move(request), std::move(*intent));
        return;
    }
    try {
        calls_.emplace(caller_.submit(std::move(request)), open);
    } catch (const core::Error &error) {
        StripeAnswer refused;
        refused.status = stripe::CallStatus::refused;
        refused.error.message = error.message;
        answer(open, refused);
    }
}

void RequestService::on_result(const stripe::CallResult &result) {
    auto found = calls_.find(result.id);
    Open open = found->second;
    calls_.erase(found);
    answer(open, {result});
}

void RequestService::answer_writes(bool outcomes_follow) {
    std::uint64_t outcome = 0;
    if (outcomes_follow) {
        SpinGuard guard(state_);
        DatabaseEntry *entry = find_entry(state_, MyDatabaseId);
        outcome = entry != nullptr ? ++entry->outcomes_begun : 0;
    }
    for (IntentService::Answer &each : intents_.take_answers()) {
        if (auto found = writes_.find(each.waiter); found != writes_.end()) {
            Open open = found->second;
            writes_.erase(found);
            each.answer.outcome = outcome;
            if (outcome != 0) {
                outcome_waiters_.push_back(open.slot->backend_procno);
            }
            answer(open, each.answer);
        }
    }
}

void RequestService::outcomes_settled() {
    {
        SpinGuard guard(state_);
        if (DatabaseEntry *entry = find_entry(state_, MyDatabaseId)) {
            entry->outcomes_done = entry->outcomes_begun;
        }
    }
    for (int backend : std::exchange(outcome_waiters_, {})) {
        set_latch_of(backend);
    }
}

void RequestService::answer(const Open &open, const StripeAnswer &result) {
    last_answer_ = clock_.mono();
    RequestSlot &slot = *open.slot;
    std::string_view whole = result.secret_body ? result.secret_body->view() : result.body;
    std::string_view body = open.body_wanted ? whole : std::string_view();
    // The slot is the worker's own while it is taken; written first, published under the lock.
    if (body.size() + result.current_body.size() + 16 * 1024 > slot_answer_size) {
        StripeAnswer too_large = result;
        too_large.status = stripe::CallStatus::bad_answer;
        too_large.failure_text =
            "the answer is larger than " + std::to_string(slot_answer_size / 1024) + " kB";
        too_large.current_body.clear();
        write_answer(slot, too_large, {});
    } else {
        write_answer(slot, result, body);
    }
    int backend = -1;
    {
        SpinGuard guard(state_);
        if (slot.state == SlotState::taken && slot.generation == open.generation) {
            slot.state = SlotState::answered;
            backend = slot.backend_procno;
        }
    }
    if (backend < 0) {
        core::wipe_memory(slot.answer, slot.answer_length); // nobody waits for it any more
        SpinGuard guard(state_);
        if (slot.state == SlotState::abandoned) {
            slot.state = SlotState::free;
        }
    }
    set_latch_of(backend);
}

void fail_taken_slots(Oid database, const char *reason) noexcept {
    SharedState *state = shared_state();
    if (state == nullptr) {
        return;
    }
    for (RequestSlot &slot : state->slots) {
        int backend = -1;
        {
            SpinGuard guard(*state);
            if (slot.database != database) {
                continue;
            }
            if (slot.state == SlotState::abandoned) {
                slot.state = SlotState::free;
            }
            if (slot.state != SlotState::taken) {
                continue;
            }
        }
        SlotWriter writer(slot.answer, slot_answer_size);
        writer.number(static_cast<std::int64_t>(stripe::CallStatus::unreachable));
        writer.number(0).number(0).number(0).number(0).text("").text(reason);
        slot.answer_length = writer.length();
        {
            SpinGuard guard(*state);
            if (slot.state == SlotState::taken) {
                slot.state = SlotState::answered;
                backend = slot.backend_procno;
            } else if (slot.state == SlotState::abandoned) {
                slot.state = SlotState::free;
            }
        }
        set_latch_of(backend);
    }
}

} // namespace billstack::pg

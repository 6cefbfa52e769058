// The queue of calls to Stripe. Each call is queued, sent or backing off; every arrow between the
// three is one function of State. docs/architecture.md, "Calling Stripe", draws them.
#include "stripe/caller.hpp"

#include "core/error.hpp"
#include "core/text.hpp"
#include "stripe/call_lanes.hpp"
#include "stripe/retry.hpp"
#include "json/card_numbers.hpp"

#include <algorithm>
#include <cmath>
#include <deque>
#include <map>
#include <random>

#ifndef BILLSTACK_VERSION
#define BILLSTACK_VERSION "dev"
#endif

namespace billstack::stripe {

namespace {

constexpr int extra_user_slots = 4;
// What Stripe takes from an account in a second (docs.stripe.com/rate-limits), and some to spare:
// at a latency of l seconds l times as many in flight use it, and more only come in bursts.
constexpr double most_per_second = 120;
constexpr int least_in_flight = 20;

enum class Phase { queued, sent, backing_off };

struct Job {
    Call call;
    CallLane *lane = nullptr;
    core::MonoTime submitted;
    Phase phase = Phase::queued;
    int attempts = 0;
    http::RequestId request = 0;
    core::MonoTime due{};         // of the next attempt, while backing off
    core::MonoTime sent{};        // of the last attempt
    std::int64_t stripe_time = 0; // lower bound when it was sent, 0 if unknown
    CallResult last;              // of the last attempt, for a call that may not start again
};

[[noreturn]] void refuse(const std::string &rule) {
    throw core::Error(core::Code::bad_argument, "the call to Stripe is not valid", rule);
}

bool is_encoded_path(const std::string &path) {
    static constexpr std::string_view others = "-._~/%";
    const bool bytes_good = std::all_of(path.begin(), path.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               others.find(c) != std::string_view::npos;
    });
    if (!bytes_good || !path.starts_with('/'))
        return false;
    const std::string closed = path + "/";
    for (const char *step : {"//", "/./", "/../"})
        if (closed.find(step) != std::string::npos)
            return false;
    return true;
}

void check(const Call &call) {
    if (call.method != "GET" && call.method != "POST" && call.method != "DELETE")
        refuse("The method is GET, POST or DELETE.");
    if (!is_encoded_path(call.path))
        refuse("The path starts with \"/\", its segments are percent-encoded and not empty.");
    if (!call.key || call.key->empty())
        refuse("Every call carries a key.");
    if (call.method == "POST" && call.idempotency_key.empty())
        refuse("A POST carries an idempotency key: without one it could not be repeated.");
    if (call.idempotency_key.size() > 255 ||
        !std::all_of(call.idempotency_key.begin(), call.idempotency_key.end(),
                     [](char c) { return c > 0x20 && c < 0x7f; }))
        refuse("An idempotency key has at most 255 printable ASCII characters.");
}

http::Request request_of(const Call &call, const std::string &api_version) {
    http::Request request;
    request.method = call.method;
    request.target = call.path;
    request.headers = {{"Accept", "application/json"},
                       {"User-Agent", "billstack/" BILLSTACK_VERSION}};
    if (!api_version.empty())
        request.headers.emplace_back("Stripe-Version", api_version);
    if (!call.idempotency_key.empty())
        request.headers.emplace_back("Idempotency-Key", call.idempotency_key);
    if (call.method == "POST") {
        request.headers.emplace_back("Content-Type", "application/x-www-form-urlencoded");
        request.body = encode_form(call.params);
    } else if (!call.params.empty()) {
        request.target += "?" + encode_form(call.params);
    }
    request.bearer = call.key;
    request.secret_answer = call.secret_answer;
    request.timeout = call.timeout;
    return request;
}

CallStatus status_of(const http::Response &response) {
    using http::Failure;
    if (response.failure == Failure::too_large || response.failure == Failure::bad_response)
        return CallStatus::bad_answer;
    if (response.failure != Failure::none)
        return CallStatus::unreachable;
    const int status = response.status;
    if (status >= 200 && status < 300)
        return looks_like_object(response.content()) ? CallStatus::ok : CallStatus::bad_answer;
    if (status == 401)
        return CallStatus::key_rejected;
    if (status == 403)
        return CallStatus::forbidden;
    if (status == 429)
        return CallStatus::rate_limited;
    if (status == 409 || status >= 500)
        return CallStatus::unreachable;
    // Stripe refuses with a reason; without one it was cut on the way, or somebody else answered.
    bool refused = status >= 400 && looks_like_object(response.content());
    return refused ? CallStatus::refused : CallStatus::bad_answer;
}

} // namespace

struct Caller::State {
    http::Transport &transport;
    const core::Clock &clock;
    CallerOptions options;
    std::mt19937_64 random;
    StripeClock stripe_clock;
    CallerStats stats;
    CallId next_id = 1;
    std::map<CallId, Job> jobs;
    CallLanes lanes;
    std::multimap<core::MonoTime, CallId> backing_off;
    std::map<http::RequestId, CallId> sent;
    double latency = 0; // seconds, smoothed

    void note_latency(const Job &job, const http::Response &response);
    int background_slots() const;
    bool admitted(CallLane &lane);
    void tell_gate(const Job &job, const http::Response *response, const CallResult *result);
    bool has_slot(Priority priority) const;
    void wake_due();
    void start_queued(std::vector<CallResult> &out);
    bool start_next(Priority priority, std::vector<CallResult> &out);
    bool expire(CallId id, Job &job, std::vector<CallResult> &out);
    std::optional<core::Milliseconds> next_token() const;
    void send(CallId id, Job &job);
    void on_completion(http::Completion completion, std::vector<CallResult> &out);
    CallResult result_of(CallId id, const Job &job, http::Response &response);
    void set_window(CallResult &result, const Job &job, const http::Response &response);
    void forget(CallId id);
};

bool Caller::State::has_slot(Priority priority) const {
    const int limit =
        priority == Priority::user ? options.max_in_flight + extra_user_slots : background_slots();
    return static_cast<int>(sent.size()) < limit;
}

int Caller::State::background_slots() const {
    const double wanted = std::ceil(most_per_second * latency) * lanes.accounts();
    return std::min(options.max_in_flight,
                    std::max(least_in_flight, static_cast<int>(std::min(wanted, 1e6))));
}

void Caller::State::note_latency(const Job &job, const http::Response &response) {
    if (response.failure != http::Failure::none || response.status >= 400)
        return;
    const double seconds = std::chrono::duration<double>(clock.mono() - job.sent).count();
    latency += (seconds - latency) / 16;
}

// backing off -> queued, at the front: it has waited already.
void Caller::State::wake_due() {
    const core::MonoTime now = clock.mono();
    while (!backing_off.empty() && backing_off.begin()->first <= now) {
        const CallId id = backing_off.begin()->second;
        Job &job = jobs.at(id);
        job.lane->waiting.push_front(id);
        job.phase = Phase::queued;
        backing_off.erase(backing_off.begin());
    }
}

void Caller::State::start_queued(std::vector<CallResult> &out) {
    while (start_next(Priority::user, out)) {
    }
    while (start_next(Priority::background, out)) {
    }
}

bool Caller::State::admitted(CallLane &lane) {
    if (options.gate == nullptr)
        return true;
    const auto wait = options.gate->admit(lane.key, lane.priority);
    if (wait)
        lane.not_before = clock.mono() + std::max(*wait, core::Milliseconds(1));
    return !wait;
}

// A user's call does not wait for ever. A background call may wait for its turn as long as it
// takes: its time starts when it is sent.
bool Caller::State::expire(CallId id, Job &job, std::vector<CallResult> &out) {
    const bool background = job.call.priority == Priority::background;
    if ((job.attempts == 0 && background) || clock.mono() - job.submitted <= job.call.retry.total)
        return false;
    CallResult expired = std::move(job.last);
    expired.id = id;
    if (job.attempts == 0)
        expired.failure_text = "the call waited too long for its turn";
    out.push_back(std::move(expired));
    forget(id);
    return true;
}

// False when nothing of that priority can start now.
bool Caller::State::start_next(Priority priority, std::vector<CallResult> &out) {
    CallLane *lane = has_slot(priority) ? lanes.next(priority, clock.mono()) : nullptr;
    if (lane == nullptr)
        return false;
    const CallId id = lane->waiting.front();
    Job &job = jobs.at(id);
    if (expire(id, job, out) || !admitted(*lane))
        return true;
    if (job.attempts == 0 && priority == Priority::background)
        job.submitted = clock.mono();
    try {
        send(id, job);
    } catch (...) {
        tell_gate(job, nullptr, nullptr);
        throw;
    }
    lane->waiting.pop_front();
    return true;
}

// Whatever becomes of an admitted call: its answer, or nullptr.
void Caller::State::tell_gate(const Job &job, const http::Response *response,
                              const CallResult *result) {
    if (options.gate == nullptr)
        return;
    RateGate::Answer answer;
    answer.latency = std::chrono::duration_cast<core::Milliseconds>(clock.mono() - job.sent);
    if (response != nullptr && response->failure == http::Failure::none) {
        answer.http_status = response->status;
        if (response->status == 429) {
            if (const std::string *reason = response->header("stripe-rate-limited-reason"))
                answer.limited_reason = *reason;
            else if (result->error.code == "rate_limit")
                answer.limited_reason = "global-rate"; // it does not say which
            answer.retry_after = retry_after(*response);
        }
    }
    options.gate->answered(job.lane->key, answer);
    job.lane->not_before = core::MonoTime{}; // what it waited for may have come
}

// queued -> sent. Throws only before anything has changed.
void Caller::State::send(CallId id, Job &job) {
    const auto place = sent.emplace(0, id).first; // the node is ready before the request leaves
    auto node = sent.extract(place);
    job.request = transport.start(request_of(job.call, options.api_version));
    node.key() = job.request;
    sent.insert(std::move(node));
    job.sent = clock.mono();
    job.stripe_time = stripe_clock.lower_bound(job.sent);
    job.phase = Phase::sent;
    ++job.attempts;
    ++stats.requests;
    if (job.attempts > 1)
        ++stats.retries;
}

// sent -> backing off, or the end.
void Caller::State::on_completion(http::Completion completion, std::vector<CallResult> &out) {
    const auto found = sent.find(completion.id);
    if (found == sent.end())
        return;
    const CallId id = found->second;
    Job &job = jobs.at(id);
    http::Response &response = completion.response;
    const core::MonoTime now = clock.mono();
    if (response.failure == http::Failure::none && response.status == 429)
        ++stats.rate_limited;
    const bool again = should_retry(response, job.call.method, job.attempts, job.call.retry);
    CallResult result = result_of(id, job, response);
    note_latency(job, response);
    sent.erase(found);
    tell_gate(job, &response, &result);
    if (again) {
        const double unit = std::uniform_real_distribution<double>(0.0, 1.0)(random);
        job.due = now + retry_delay(response, job.attempts, unit);
        if (job.due - job.submitted <= job.call.retry.total) {
            job.last = std::move(result);
            backing_off.emplace(job.due, id);
            job.phase = Phase::backing_off;
            return;
        }
    }
    out.push_back(std::move(result));
    lanes.leave(*job.lane);
    jobs.erase(id);
}

CallResult Caller::State::result_of(CallId id, const Job &job, http::Response &response) {
    CallResult result;
    result.id = id;
    result.status = status_of(response);
    result.http_status = response.status;
    result.attempts = job.attempts;
    result.latency = std::chrono::duration_cast<core::Milliseconds>(clock.mono() - job.sent);
    result.failure_text = harmless_text(response.failure_text);
    result.too_large = response.failure == http::Failure::too_large;
    if (const std::string *request_id = response.header("request-id"))
        result.request_id = harmless_text(*request_id);
    if (const std::string *replayed = response.header("idempotent-replayed"))
        result.replayed = *replayed == "true";
    set_window(result, job, response);
    if (result.status == CallStatus::ok) {
        result.body = std::move(response.body);
        if (json::may_hold_card_data(result.body))
            (void)json::mask_card_data(result.body);
        result.secret_body = std::move(response.secret_body);
    } else if (response.status >= 400) {
        result.error = parse_api_error(response.content());
    }
    return result;
}

void Caller::State::set_window(CallResult &result, const Job &job, const http::Response &response) {
    const std::string *header = response.header("date");
    const auto date = header != nullptr ? core::parse_http_date(*header) : std::nullopt;
    if (!date)
        return;
    const core::MonoTime now = clock.mono();
    result.window_end = *date + 1; // the header is cut to a whole second
    if (job.stripe_time > 0)       // later than the answer only if Stripe's machines disagree
        result.window_start = std::min(job.stripe_time, *date);
    else
        result.window_start =
            *date - std::chrono::ceil<std::chrono::seconds>(now - job.sent).count() - 1;
    if (response.status < 500) // a 5xx may come from a machine in between
        stripe_clock.observe(*date, now);
}

// The only way out of any phase but a completion's.
void Caller::State::forget(CallId id) {
    const auto found = jobs.find(id);
    if (found == jobs.end())
        return;
    Job &job = found->second;
    if (job.phase == Phase::queued) {
        std::erase(job.lane->waiting, id);
    } else if (job.phase == Phase::sent) {
        transport.cancel(job.request);
        sent.erase(job.request);
        tell_gate(job, nullptr, nullptr);
    } else {
        const auto [first, last] = backing_off.equal_range(job.due);
        const auto entry =
            std::find_if(first, last, [&](const auto &item) { return item.second == id; });
        if (entry != last)
            backing_off.erase(entry);
    }
    lanes.leave(*job.lane);
    jobs.erase(found);
}

Caller::Caller(http::Transport &transport, const core::Clock &clock, CallerOptions options,
               std::uint64_t jitter_seed)
    : state_(new State{transport,
                       clock,
                       std::move(options),
                       std::mt19937_64(jitter_seed),
                       {},
                       {},
                       1,
                       {},
                       {},
                       {},
                       {}}) {}

// What is in flight must not complete into a transport that outlives this object.
Caller::~Caller() {
    for (const auto &[request, id] : state_->sent) {
        state_->transport.cancel(request);
        state_->tell_gate(state_->jobs.at(id), nullptr, nullptr);
    }
}

CallId Caller::submit(Call call) {
    check(call);
    const CallId id = state_->next_id++;
    Job job;
    if (call.account.empty()) {
        const std::string_view key = call.key->view();
        call.account = rate_account("", key.find("_live_") != std::string_view::npos, key);
    }
    job.call = std::move(call);
    job.submitted = state_->clock.mono();
    const Priority priority = job.call.priority;
    RateKey key{job.call.account, endpoint_of(job.call.method, job.call.path)};
    Job &stored = state_->jobs.emplace(id, std::move(job)).first->second;
    try {
        stored.lane = &state_->lanes.join(priority, std::move(key));
        stored.lane->waiting.push_back(id);
    } catch (...) {
        state_->jobs.erase(id);
        throw;
    }
    return id;
}

void Caller::cancel(CallId id) {
    state_->forget(id);
}

void Caller::step(std::vector<CallResult> &out) {
    state_->wake_due();
    state_->start_queued(out);
    std::vector<http::Completion> done;
    state_->transport.step(done);
    for (http::Completion &completion : done)
        state_->on_completion(std::move(completion), out);
    if (!done.empty())
        state_->start_queued(out); // slots have become free
}

// When the first lane of those that have a slot may go; nullopt: none has.
std::optional<core::Milliseconds> Caller::State::next_token() const {
    std::optional<core::MonoTime> earliest;
    for (const Priority priority : {Priority::user, Priority::background}) {
        const auto time = has_slot(priority) ? lanes.next_time(priority) : std::nullopt;
        if (time)
            earliest = std::min(earliest.value_or(*time), *time);
    }
    if (!earliest)
        return std::nullopt;
    const auto left = std::chrono::ceil<core::Milliseconds>(*earliest - clock.mono());
    return std::max(left, core::Milliseconds(0));
}

std::optional<core::Milliseconds> Caller::next_timeout() const {
    const State &state = *state_;
    const std::optional<core::Milliseconds> token = state.next_token();
    if (token == core::Milliseconds(0))
        return token;
    std::optional<core::Milliseconds> timeout = state.transport.next_timeout();
    if (token)
        timeout = std::min(timeout.value_or(*token), *token);
    if (!state.backing_off.empty()) {
        const auto left = std::chrono::ceil<core::Milliseconds>(state.backing_off.begin()->first -
                                                                state.clock.mono());
        timeout = std::min(timeout.value_or(left), std::max(left, core::Milliseconds(0)));
    }
    return timeout;
}

std::size_t Caller::pending() const {
    return state_->jobs.size();
}

const CallerStats &Caller::stats() const {
    return state_->stats;
}

const char *Caller::phase(CallId id) const {
    const auto found = state_->jobs.find(id);
    if (found == state_->jobs.end())
        return "unknown";
    switch (found->second.phase) {
    case Phase::queued:
        return "queued";
    case Phase::sent:
        return "sent";
    case Phase::backing_off:
        return "backing off";
    }
    return "unknown";
}

} // namespace billstack::stripe

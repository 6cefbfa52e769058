// See ledger.hpp.
#include "ledger.hpp"

#include "api.hpp"
#include "api_error.hpp"
#include "json_util.hpp"

#include <chrono>

namespace stripe_sim {

static void add_text(std::string &out, std::string_view name, std::string_view value) {
    out += ",\"";
    out += name;
    out += "\":";
    if (value.empty())
        out += "null";
    else
        append_quoted(out, value);
}

static std::string target_of(const Request &request) {
    return request.query.empty() ? request.path : request.path + "?" + request.query;
}

// [[name, value], ...] of query and body, in the order given.
static void add_parameters(std::string &out, const Request &request) {
    out += ",\"params\":[";
    const char *separator = "";
    for (const std::string &part : {request.query, request.body})
        for (const Parameter &one : parse_query(part)) {
            out += separator;
            out += "[" + quoted(one.full_name) + "," + quoted(one.value) + "]";
            separator = ",";
        }
    out += ']';
}

// The status a client saw: 0 when it saw none.
static int seen_status(const Response &response) {
    bool none = response.hang || response.cut == Response::Cut::before ||
                response.cut == Response::Cut::headers;
    return none ? 0 : response.status;
}

void Ledger::record(const Request &request, const Response &response, const std::string &fault,
                    const std::string &account) {
    uint64_t sequence = next_++;
    auto now = std::chrono::duration_cast<std::chrono::milliseconds>(
                   std::chrono::system_clock::now().time_since_epoch())
                   .count();
    int status = seen_status(response);
    std::string line =
        "{\"sequence\":" + std::to_string(sequence) + ",\"time_ms\":" + std::to_string(now);
    add_text(line, "method", request.method);
    add_text(line, "target", target_of(request));
    line += ",\"status\":" + std::to_string(status);
    std::string key = caller_key(request);
    add_text(line, "key", key.empty() ? "" : mask_key(key));
    add_text(line, "account", account);
    add_text(line, "idempotency_key", request.header("idempotency-key"));
    add_text(line, "user_agent", request.header("user-agent"));
    add_text(line, "stripe_version", request.header("stripe-version"));
    add_text(line, "stripe_account", request.header("stripe-account"));
    add_text(line, "client_user_agent", request.header("x-stripe-client-user-agent"));
    add_text(line, "accept_encoding", request.header("accept-encoding"));
    add_text(line, "content_type", request.header("content-type"));
    bool replayed = false;
    for (const auto &[name, value] : response.headers)
        if (name == "Request-Id")
            add_text(line, "request_id", value);
        else if (name == "Idempotent-Replayed")
            replayed = true;
    line += replayed ? ",\"replayed\":true" : ",\"replayed\":false";
    add_parameters(line, request);
    add_text(line, "fault", fault);
    line += ",\"request_bytes\":" + std::to_string(request.body.size());
    line += ",\"response_bytes\":" + std::to_string(response.body.size()) + "}\n";
    if (log_ != nullptr) {
        std::fwrite(line.data(), 1, line.size(), log_);
        std::fflush(log_);
    }
    ++requests_;
    body_bytes_ += response.body.size();
    ++by_path_[request.method + " " + path_template(request.path)];
    ++by_status_[std::to_string(status)];
    if (!fault.empty())
        ++by_fault_[fault];
    entries_.push_back({sequence, request.method != "GET", std::move(line)});
    if (entries_.size() > kept)
        entries_.pop_front();
}

std::string Ledger::lines_since(uint64_t since, bool writes_only) const {
    std::string out;
    for (const Entry &entry : entries_)
        if (entry.sequence > since && (entry.writes || !writes_only))
            out += entry.line;
    return out;
}

static void add_counts(std::string &out, std::string_view name,
                       const std::map<std::string, uint64_t> &counts) {
    out += ",\n  \"";
    out += name;
    out += "\": {";
    bool first = true;
    for (const auto &[key, count] : counts) {
        out += first ? "\n    " : ",\n    ";
        append_quoted(out, key);
        out += ": " + std::to_string(count);
        first = false;
    }
    out += first ? "}" : "\n  }";
}

std::string Ledger::statistics() const {
    std::string out = "\"requests\": " + std::to_string(requests_) +
                      ",\n  \"last_sequence\": " + std::to_string(next_ - 1) +
                      ",\n  \"body_bytes\": " + std::to_string(body_bytes_);
    add_counts(out, "by_path", by_path_);
    add_counts(out, "by_status", by_status_);
    add_counts(out, "by_fault", by_fault_);
    return out;
}

void Ledger::reset() {
    entries_.clear();
    requests_ = body_bytes_ = 0;
    by_path_.clear();
    by_status_.clear();
    by_fault_.clear();
}

} // namespace stripe_sim

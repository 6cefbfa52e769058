// What was asked and what was answered: the ledger of requests and the statistics over them.
// Control requests are not in it. Times are Unix milliseconds.
#pragma once

#include "request.hpp"
#include "response.hpp"

#include <cstdint>
#include <cstdio>
#include <deque>
#include <map>
#include <string>

namespace stripe_sim {

class Ledger {
  public:
    /// Records an answered request; `fault` names the fault that was played, or is empty.
    void record(const Request &request, const Response &response, const std::string &fault,
                const std::string &account);
    /// One JSON object per line for every entry with a sequence above `since`. The oldest entries
    /// are dropped beyond `kept`.
    std::string lines_since(uint64_t since, bool writes_only = false) const;
    /// The members "requests", "by_path", "by_status", "by_fault", "body_bytes" of the statistics.
    std::string statistics() const;
    void reset();
    /// Lines are written to this file as well. Not owned; null for none.
    void set_log(std::FILE *log) { log_ = log; }

    static constexpr size_t kept = 200000;

  private:
    struct Entry {
        uint64_t sequence;
        bool writes;
        std::string line;
    };
    std::deque<Entry> entries_;
    uint64_t next_ = 1;
    uint64_t requests_ = 0;
    uint64_t body_bytes_ = 0;
    std::map<std::string, uint64_t> by_path_;
    std::map<std::string, uint64_t> by_status_;
    std::map<std::string, uint64_t> by_fault_;
    std::FILE *log_ = nullptr;
};

} // namespace stripe_sim

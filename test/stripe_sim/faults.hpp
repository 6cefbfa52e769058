// Faults by script: an ordered list of rules, each matching requests and playing an action. The
// first rule that matches and is due wins. Deterministic: whether a rule with a probability fires
// depends on the seed and on how many requests it has matched.
#pragma once

#include "json_util.hpp"
#include "request.hpp"
#include "response.hpp"

#include <cstdint>
#include <optional>
#include <regex>
#include <string>
#include <vector>

namespace stripe_sim {

class Faults {
  public:
    explicit Faults(uint64_t seed) : seed_{seed} {}

    /// Replaces or (append) extends the script: an array of rules, or {"seed": n, "rules": [...]}.
    /// Throws JsonError and leaves the script as it was.
    void load(const json_t *script, bool append);
    void clear() { rules_.clear(); }

    /// The name and action of the rule that fires for this request, if any. Counts the request for
    /// the rules it matches.
    struct Fired {
        std::string name;
        const json_t *action; ///< owned by the rule
        uint64_t draw;        ///< for actions that choose at random
    };
    std::optional<Fired> next(const Request &request);

    /// The answer is replaced only after the request had its effect.
    static bool has_effect(const Fired &fired);
    /// The answer is kept under the idempotency key and replayed, as Stripe keeps a 500.
    static bool is_stored(const Fired &fired);
    /// True when the request is not to be handled: `response` is the whole answer.
    static bool replace_answer(const Fired &fired, const Request &request, Response &response);
    /// Changes a finished answer: delay, slowness, cuts, wrong lengths.
    static void bend_answer(const Fired &fired, Response &response);

    /// The rules with the number of requests each has matched and fired for, as JSON.
    std::string report() const;

  private:
    struct Rule {
        std::string method;
        std::optional<std::regex> path;
        std::optional<std::regex> query;
        std::optional<std::regex> body; ///< decoded
        double probability = 1.0;
        int64_t count = -1; ///< times to fire; -1 without end
        int64_t after = 0;  ///< matching requests let through first
        Json action;
        std::string name;
        uint64_t matched = 0;
        uint64_t fired = 0;
    };
    static Rule read_rule(const json_t *node);
    bool fires(Rule &rule, size_t position, uint64_t &draw) const;

    uint64_t seed_;
    std::vector<Rule> rules_;
};

} // namespace stripe_sim

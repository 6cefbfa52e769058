// The rules: reading them, matching, counting.
#include "faults.hpp"

#include "rng.hpp"

#include <algorithm>

namespace stripe_sim {

static constexpr std::string_view action_names[] = {
    "status",         "cut",      "slow_body", "hang",       "delay_ms", "garbage",
    "oversize_bytes", "redirect", "echo_key",  "bad_length", "random"};
static constexpr std::string_view modifiers[] = {"body",          "headers", "retry_after",
                                                 "reason",        "code",    "message",
                                                 "no_request_id", "effect",  "stored"};

static std::string check_action(const json_t *action) {
    std::string name;
    const char *key;
    json_t *value;
    json_object_foreach(const_cast<json_t *>(action), key, value) {
        std::string_view word = key;
        if (std::find(std::begin(action_names), std::end(action_names), word) !=
            std::end(action_names))
            name += (name.empty() ? "" : "+") + std::string{word};
        else if (std::find(std::begin(modifiers), std::end(modifiers), word) == std::end(modifiers))
            throw JsonError{"unknown member of an action: " + std::string{word}};
    }
    if (name.empty())
        throw JsonError{"an action needs one of status, cut, slow_body, hang, delay_ms, garbage, "
                        "oversize_bytes, redirect, echo_key, bad_length, random"};
    if (const json_t *garbage = json_object_get(action, "garbage"))
        if (!json_is_string(garbage))
            throw JsonError{"garbage must be a string"};
    if (json_object_get(action, "cut") != nullptr) {
        std::string cut = get_string(action, "cut");
        if (cut != "request" && cut != "before" && cut != "headers" && cut != "body")
            throw JsonError{"cut must be request, before, headers or body"};
    }
    return name;
}

static std::optional<std::regex> read_regex(const json_t *match, const char *name) {
    std::string text = get_string(match, name);
    if (text.empty())
        return std::nullopt;
    try {
        return std::regex{text, std::regex::ECMAScript | std::regex::optimize};
    } catch (const std::regex_error &) {
        throw JsonError{std::string{name} + " is not a regular expression: " + text};
    }
}

Faults::Rule Faults::read_rule(const json_t *node) {
    const char *key;
    json_t *value;
    json_object_foreach(const_cast<json_t *>(node), key, value) {
        std::string_view word = key;
        if (word != "match" && word != "probability" && word != "count" && word != "after" &&
            word != "action" && word != "random" && word != "name")
            throw JsonError{"unknown member of a rule: " + std::string{word}};
    }
    Rule rule;
    const json_t *match = json_object_get(node, "match");
    rule.method = get_string(match, "method");
    rule.path = read_regex(match, "path");
    rule.query = read_regex(match, "query");
    rule.body = read_regex(match, "body");
    if (const json_t *share = json_object_get(node, "probability"))
        rule.probability = json_number_value(share);
    rule.count = get_int(node, "count", -1);
    rule.after = get_int(node, "after", 0);
    if (const json_t *share = json_object_get(node, "random")) {
        rule.probability = json_number_value(share);
        rule.action = parse_json("{\"random\": true}");
    } else {
        const json_t *action = json_object_get(node, "action");
        if (!json_is_object(action))
            throw JsonError{"a rule needs an action"};
        rule.action = Json{json_deep_copy(action)};
    }
    std::string name = check_action(rule.action.get());
    rule.name = get_string(node, "name", name);
    return rule;
}

void Faults::load(const json_t *script, bool append) {
    const json_t *list = json_is_object(script) ? json_object_get(script, "rules") : script;
    if (!json_is_array(list))
        throw JsonError{"faults are an array of rules, or an object with rules"};
    std::vector<Rule> rules;
    size_t i;
    json_t *node;
    json_array_foreach(const_cast<json_t *>(list), i, node) {
        if (!json_is_object(node))
            throw JsonError{"a rule must be an object"};
        rules.push_back(read_rule(node));
    }
    if (json_is_object(script))
        seed_ = static_cast<uint64_t>(get_int(script, "seed", static_cast<int64_t>(seed_)));
    if (!append)
        rules_.clear();
    std::move(rules.begin(), rules.end(), std::back_inserter(rules_));
}

// Counts the match and tells whether the rule is due.
bool Faults::fires(Rule &rule, size_t position, uint64_t &draw) const {
    uint64_t nth = rule.matched++;
    if (static_cast<int64_t>(nth) < rule.after)
        return false;
    if (rule.count >= 0 && static_cast<int64_t>(rule.fired) >= rule.count)
        return false;
    Rng rng{mix64(mix64(seed_, position), nth)};
    double dice = static_cast<double>(rng.next() >> 12) * 0x1p-52;
    if (dice >= rule.probability)
        return false;
    ++rule.fired;
    draw = rng.next();
    return true;
}

std::optional<Faults::Fired> Faults::next(const Request &request) {
    for (size_t i = 0; i < rules_.size(); ++i) {
        Rule &rule = rules_[i];
        if (!rule.method.empty() && rule.method != request.method)
            continue;
        if (rule.path && !std::regex_search(request.path, *rule.path))
            continue;
        if (rule.query && !std::regex_search(request.query, *rule.query) &&
            !std::regex_search(percent_decode(request.query, true), *rule.query))
            continue;
        if (rule.body && !std::regex_search(percent_decode(request.body, true), *rule.body))
            continue;
        uint64_t draw = 0;
        if (fires(rule, i, draw))
            return Fired{rule.name, rule.action.get(), draw};
    }
    return std::nullopt;
}

std::string Faults::report() const {
    std::string out = "[";
    for (const Rule &rule : rules_) {
        out += out.size() > 1 ? ",\n  " : "\n  ";
        out += "{\"name\": " + quoted(rule.name) +
               ", \"matched\": " + std::to_string(rule.matched) +
               ", \"fired\": " + std::to_string(rule.fired) +
               ", \"action\": " + compact(rule.action.get()) + "}";
    }
    return out + (out.size() > 1 ? "\n]\n" : "]\n");
}

} // namespace stripe_sim

// One HTTP request and its query parameters.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace stripe_sim {

struct Request {
    std::string method;
    std::string path;  ///< still percent-encoded, without the query
    std::string query; ///< still percent-encoded, without the question mark
    std::vector<std::pair<std::string, std::string>> headers; ///< names in lower case
    std::string body;
    bool http_1_0 = false;

    /// Empty when absent. `name` in lower case.
    std::string_view header(std::string_view name) const;
    bool wants_close() const;
};

/// A query parameter: `created[gte]=5` has name "created", key "gte"; `ids[]=x` and `ids[0]=x` have
/// name "ids", key "" and is_list set.
struct Parameter {
    std::string full_name;
    std::string name;
    std::string key;
    bool is_list = false;
    std::string value;
};

/// Decodes %xx and, when `plus_is_space`, '+'. Bad escapes stay as they are.
std::string percent_decode(std::string_view text, bool plus_is_space);
std::vector<Parameter> parse_query(std::string_view query);

/// Takes one complete request off the front of `input`.
enum class ParseState { incomplete, complete, bad };
/// `expects_continue` is set when the head asks for "100 Continue" and the body is not there yet.
ParseState take_request(std::string &input, Request &request, bool &expects_continue);

} // namespace stripe_sim

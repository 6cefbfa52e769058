// See request.hpp. Only what clients of the simulator send: no chunked request bodies.
#include "request.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>

namespace stripe_sim {

std::string_view Request::header(std::string_view name) const {
    for (const auto &[key, value] : headers)
        if (key == name)
            return value;
    return {};
}

static std::string lower(std::string_view text) {
    std::string out{text};
    for (char &c : out)
        c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return out;
}

bool Request::wants_close() const {
    std::string connection = lower(header("connection"));
    return connection == "close" || (http_1_0 && connection != "keep-alive");
}

static int hex_value(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

std::string percent_decode(std::string_view text, bool plus_is_space) {
    std::string out;
    for (size_t i = 0; i < text.size(); ++i) {
        int high = -1;
        int low = -1;
        if (text[i] == '%' && i + 2 < text.size()) {
            high = hex_value(text[i + 1]);
            low = hex_value(text[i + 2]);
        }
        if (high >= 0 && low >= 0) {
            out += static_cast<char>(high * 16 + low);
            i += 2;
        } else {
            out += text[i] == '+' && plus_is_space ? ' ' : text[i];
        }
    }
    return out;
}

static Parameter make_parameter(std::string_view pair) {
    size_t equals = pair.find('=');
    Parameter out;
    out.full_name = percent_decode(pair.substr(0, equals), true);
    if (equals != std::string_view::npos)
        out.value = percent_decode(pair.substr(equals + 1), true);
    size_t bracket = out.full_name.find('[');
    out.name = out.full_name.substr(0, bracket);
    if (bracket != std::string::npos && out.full_name.back() == ']') {
        out.key = out.full_name.substr(bracket + 1, out.full_name.size() - bracket - 2);
        out.is_list = out.key.find_first_not_of("0123456789") == std::string::npos;
        if (out.is_list)
            out.key.clear();
    } else if (bracket != std::string::npos) {
        out.name = out.full_name; // an unclosed bracket: no known name
    }
    return out;
}

std::vector<Parameter> parse_query(std::string_view query) {
    std::vector<Parameter> out;
    while (!query.empty()) {
        size_t end = query.find('&');
        std::string_view pair = query.substr(0, end);
        if (!pair.empty())
            out.push_back(make_parameter(pair));
        if (end == std::string_view::npos)
            break;
        query.remove_prefix(end + 1);
    }
    return out;
}

static bool parse_request_line(std::string_view line, Request &request) {
    size_t first = line.find(' ');
    size_t last = line.rfind(' ');
    if (first == std::string_view::npos || first == last)
        return false;
    request.method = line.substr(0, first);
    std::string_view target = line.substr(first + 1, last - first - 1);
    std::string_view version = line.substr(last + 1);
    request.http_1_0 = version == "HTTP/1.0";
    if (version.substr(0, 7) != "HTTP/1." || target.empty() || target[0] != '/')
        return false;
    size_t question = target.find('?');
    request.path = target.substr(0, question);
    if (question != std::string_view::npos)
        request.query = target.substr(question + 1);
    return true;
}

static bool parse_headers(std::string_view head, Request &request) {
    size_t line_end = head.find("\r\n");
    if (!parse_request_line(head.substr(0, line_end), request))
        return false;
    while (line_end != std::string_view::npos) {
        head.remove_prefix(line_end + 2);
        line_end = head.find("\r\n");
        std::string_view line = head.substr(0, line_end);
        size_t colon = line.find(':');
        if (colon == std::string_view::npos)
            return false;
        size_t value = line.find_first_not_of(" \t", colon + 1);
        size_t value_end = line.find_last_not_of(" \t");
        request.headers.emplace_back(lower(line.substr(0, colon)),
                                     value == std::string_view::npos
                                         ? std::string{}
                                         : std::string{line.substr(value, value_end - value + 1)});
    }
    return true;
}

ParseState take_request(std::string &input, Request &request, bool &expects_continue) {
    static constexpr size_t head_limit = 64 * 1024;
    static constexpr size_t body_limit = 64 * 1024 * 1024;
    expects_continue = false;
    size_t head_end = input.find("\r\n\r\n");
    if (head_end == std::string::npos)
        return input.size() > head_limit ? ParseState::bad : ParseState::incomplete;
    request = Request{};
    if (!parse_headers(std::string_view{input}.substr(0, head_end), request))
        return ParseState::bad;
    if (!request.header("transfer-encoding").empty())
        return ParseState::bad;
    size_t length = 0;
    if (std::string_view text = request.header("content-length"); !text.empty()) {
        auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), length);
        if (error != std::errc{} || end != text.data() + text.size() || length > body_limit)
            return ParseState::bad;
    }
    size_t body_start = head_end + 4;
    if (input.size() - body_start < length) {
        expects_continue = lower(request.header("expect")) == "100-continue";
        return ParseState::incomplete;
    }
    request.body = input.substr(body_start, length);
    input.erase(0, body_start + length);
    return ParseState::complete;
}

} // namespace stripe_sim

// Key-shaped text: a known prefix and the run of key characters after it.
#include "stripe/scrub.hpp"

#include <algorithm>

namespace billstack::stripe {

namespace {

struct Shape {
    std::string_view prefix;
    bool inside_words;     // is found in the middle of a word too
    std::size_t least_run; // characters after the prefix that make it a key
};

// The longer prefix of a family first. Those without a mode are ordinary syllables ("task_id"), so
// they count only at the start of a word and with a run that is no English word.
constexpr Shape shapes[] = {
    {"sk_test_", true, 1}, {"sk_live_", true, 1}, {"rk_test_", true, 1}, {"rk_live_", true, 1},
    {"pk_test_", true, 1}, {"pk_live_", true, 1}, {"whsec_", true, 1},   {"sk_", false, 10},
    {"rk_", false, 10},    {"pk_", false, 10},    {"bs_", false, 10},
};

bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

// Base64 and base64url characters belong to webhook secrets.
bool is_key_character(char c) {
    return is_word(c) || c == '*' || c == '+' || c == '/' || c == '=' || c == '-';
}

// Four stars or more in a row and at most eight characters left in clear.
bool is_masked(std::string_view run) {
    const auto stars = static_cast<std::size_t>(std::count(run.begin(), run.end(), '*'));
    return run.find("****") != std::string_view::npos && run.size() - stars <= 8;
}

const Shape *shape_at(std::string_view text, std::size_t at) {
    const bool after_word = at > 0 && is_word(text[at - 1]);
    for (const Shape &shape : shapes)
        if (text.substr(at).starts_with(shape.prefix) && (shape.inside_words || !after_word))
            return &shape;
    return nullptr;
}

} // namespace

std::string scrub_keys(std::string_view text) {
    std::string clean;
    clean.reserve(text.size());
    std::size_t at = 0;
    while (at < text.size()) {
        const Shape *shape = shape_at(text, at);
        if (shape == nullptr) {
            clean += text[at++];
            continue;
        }
        const std::size_t start = at + shape->prefix.size();
        std::size_t end = start;
        while (end < text.size() && is_key_character(text[end]))
            ++end;
        const std::string_view run = text.substr(start, end - start);
        clean += shape->prefix;
        if (run.size() < shape->least_run || is_masked(run))
            clean += run;
        else
            clean += "***";
        at = end;
    }
    return clean;
}

} // namespace billstack::stripe

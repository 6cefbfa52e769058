// Asks verify_signature(): each line of stdin is a case as a JSON object with header, body, secrets
// (an array), now and tolerance; each line of stdout is the verdict of one. Ends with 1 at a line
// that is no case.
#include "stripe/webhook_signature.hpp"

#include <cstdio>
#include <iostream>
#include <jansson.h>
#include <memory>
#include <string>
#include <vector>

namespace {

using billstack::stripe::SignatureVerdict;

const char *name_of(SignatureVerdict verdict) {
    switch (verdict) {
    case SignatureVerdict::valid:
        return "valid";
    case SignatureVerdict::empty_header:
        return "empty_header";
    case SignatureVerdict::malformed:
        return "malformed";
    case SignatureVerdict::no_timestamp:
        return "no_timestamp";
    case SignatureVerdict::no_v1:
        return "no_v1";
    case SignatureVerdict::mismatch:
        return "mismatch";
    case SignatureVerdict::too_old:
        return "too_old";
    case SignatureVerdict::too_new:
        return "too_new";
    }
    return "?";
}

// Of a string that may hold zeros.
std::string_view text_of(const json_t *value) {
    return {json_string_value(value), json_string_length(value)};
}

bool answer(const std::string &line) {
    const std::unique_ptr<json_t, decltype(&json_decref)> root(
        json_loadb(line.data(), line.size(), JSON_ALLOW_NUL, nullptr), json_decref);
    const json_t *header = json_object_get(root.get(), "header");
    const json_t *body = json_object_get(root.get(), "body");
    const json_t *list = json_object_get(root.get(), "secrets");
    const json_t *now = json_object_get(root.get(), "now");
    const json_t *tolerance = json_object_get(root.get(), "tolerance");
    if (!json_is_string(header) || !json_is_string(body) || !json_is_array(list) ||
        !json_is_integer(now) || !json_is_integer(tolerance))
        return false;
    std::vector<std::string_view> secrets;
    for (std::size_t i = 0; i < json_array_size(list); ++i)
        secrets.push_back(text_of(json_array_get(list, i)));
    std::puts(name_of(billstack::stripe::verify_signature(text_of(header), text_of(body), secrets,
                                                          json_integer_value(now),
                                                          json_integer_value(tolerance))));
    return true;
}

} // namespace

int main() {
    std::ios::sync_with_stdio(false);
    for (std::string line; std::getline(std::cin, line);) {
        if (!answer(line)) {
            std::fputs("not a case\n", stderr);
            return 1;
        }
    }
}

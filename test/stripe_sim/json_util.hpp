// jansson behind an owning pointer, and the few text operations on JSON the simulator needs.
// Objects themselves are kept as text; jansson is for configuration, control and fixtures.
#pragma once

#include <jansson.h>

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

namespace stripe_sim {

struct JsonFree {
    void operator()(json_t *node) const { json_decref(node); }
};
/// Owns one reference.
using Json = std::unique_ptr<json_t, JsonFree>;

struct JsonError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// Parses any JSON value; \u0000 is allowed. Throws JsonError.
Json parse_json(std::string_view text);

/// Two-space pretty print in insertion order, as Stripe answers.
std::string pretty(const json_t *node);
std::string compact(const json_t *node);

/// Drops the line breaks and indentation of pretty-printed text; every other byte stays. Valid
/// because JSON strings hold no raw line break.
void append_one_line(std::string &out, std::string_view pretty_text);

/// `text` as a JSON string token with its quotes.
void append_quoted(std::string &out, std::string_view text);
std::string quoted(std::string_view text);

/// RFC 7396 on `target` in place; null removes a member.
void merge_patch(json_t *target, const json_t *patch);

/// Sets the value at a dotted path ("address.city"), making missing objects on the way.
/// Takes over the reference of `value`.
void set_path(json_t *root, std::string_view path, json_t *value);
void drop_path(json_t *root, std::string_view path);

/// A member as a string or integer, with a default when absent or null. Throws JsonError naming the
/// member when it has another type.
std::string get_string(const json_t *object, const char *name, const std::string &fallback = {});
int64_t get_int(const json_t *object, const char *name, int64_t fallback);
bool get_bool(const json_t *object, const char *name, bool fallback);

/// Stripe's example of an object, by its "object" member, from fixtures.json. Throws JsonError for
/// an unknown one.
Json fixture(const std::string &object);

} // namespace stripe_sim

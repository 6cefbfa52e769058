// See json_util.hpp.
#include "json_util.hpp"

#include <cstdlib>

namespace stripe_sim {

Json parse_json(std::string_view text) {
    json_error_t error;
    Json node{json_loadb(text.data(), text.size(), JSON_DECODE_ANY | JSON_ALLOW_NUL, &error)};
    if (!node)
        throw JsonError{std::string{"invalid JSON: "} + error.text + " at line " +
                        std::to_string(error.line)};
    return node;
}

static std::string dump(const json_t *node, size_t flags) {
    // 15 digits: what came as 33.3 stays 33.3.
    char *text = json_dumps(node, flags | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
    if (text == nullptr)
        throw JsonError{"value cannot be written as JSON"};
    std::string out{text};
    free(text);
    return out;
}

std::string pretty(const json_t *node) {
    return dump(node, JSON_INDENT(2));
}

std::string compact(const json_t *node) {
    return dump(node, JSON_COMPACT);
}

void append_one_line(std::string &out, std::string_view pretty_text) {
    size_t at = 0;
    while (at < pretty_text.size()) {
        size_t line_end = pretty_text.find('\n', at);
        if (line_end == std::string_view::npos)
            line_end = pretty_text.size();
        out.append(pretty_text.substr(at, line_end - at));
        at = pretty_text.find_first_not_of(" \t\r\n", line_end);
        if (at == std::string_view::npos)
            break;
    }
}

void append_quoted(std::string &out, std::string_view text) {
    static const char hex[] = "0123456789abcdef";
    out += '"';
    for (char raw : text) {
        auto byte = static_cast<unsigned char>(raw);
        if (byte == '"' || byte == '\\') {
            out += '\\';
            out += raw;
        } else if (byte == '\n') {
            out += "\\n";
        } else if (byte == '\t') {
            out += "\\t";
        } else if (byte < 0x20) {
            out += "\\u00";
            out += hex[byte >> 4];
            out += hex[byte & 15];
        } else {
            out += raw;
        }
    }
    out += '"';
}

std::string quoted(std::string_view text) {
    std::string out;
    append_quoted(out, text);
    return out;
}

void merge_patch(json_t *target, const json_t *patch) {
    const char *name;
    json_t *value;
    json_object_foreach(const_cast<json_t *>(patch), name, value) {
        json_t *old = json_object_get(target, name);
        if (json_is_null(value)) {
            json_object_del(target, name);
        } else if (json_is_object(value)) {
            if (!json_is_object(old)) {
                json_object_set_new(target, name, json_object());
                old = json_object_get(target, name);
            }
            merge_patch(old, value);
        } else {
            json_object_set(target, name, value);
        }
    }
}

// The object that holds the last member of `path`; the member's name goes to `last`.
static json_t *walk_to(json_t *root, std::string_view path, std::string &last, bool make) {
    json_t *node = root;
    for (;;) {
        size_t dot = path.find('.');
        last = std::string{path.substr(0, dot)};
        if (dot == std::string_view::npos)
            return node;
        json_t *next = json_object_get(node, last.c_str());
        if (!json_is_object(next)) {
            if (!make)
                return nullptr;
            json_object_set_new(node, last.c_str(), json_object());
            next = json_object_get(node, last.c_str());
        }
        node = next;
        path.remove_prefix(dot + 1);
    }
}

void set_path(json_t *root, std::string_view path, json_t *value) {
    std::string last;
    json_t *holder = walk_to(root, path, last, true);
    json_object_set_new(holder, last.c_str(), value);
}

void drop_path(json_t *root, std::string_view path) {
    std::string last;
    if (json_t *node = walk_to(root, path, last, false))
        json_object_del(node, last.c_str());
}

std::string get_string(const json_t *object, const char *name, const std::string &fallback) {
    const json_t *value = json_object_get(object, name);
    if (value == nullptr || json_is_null(value))
        return fallback;
    if (!json_is_string(value))
        throw JsonError{std::string{name} + " must be a string"};
    return {json_string_value(value), json_string_length(value)};
}

int64_t get_int(const json_t *object, const char *name, int64_t fallback) {
    const json_t *value = json_object_get(object, name);
    if (value == nullptr || json_is_null(value))
        return fallback;
    if (!json_is_integer(value))
        throw JsonError{std::string{name} + " must be an integer"};
    return json_integer_value(value);
}

bool get_bool(const json_t *object, const char *name, bool fallback) {
    const json_t *value = json_object_get(object, name);
    if (value == nullptr || json_is_null(value))
        return fallback;
    if (!json_is_boolean(value))
        throw JsonError{std::string{name} + " must be true or false"};
    return json_is_true(value);
}

} // namespace stripe_sim

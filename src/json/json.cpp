// jansson behind Node. Limits are checked before jansson sees the text: its own depth limit is 2048
// and it recurses.
#include "json/json.hpp"

#include "core/error.hpp"
#include "core/text.hpp"

#include <charconv>
#include <jansson.h>
#include <utility>

namespace billstack::json {

namespace {

constexpr std::size_t max_size = 4U << 20;
constexpr int max_depth = 64;

[[noreturn]] void refuse(const std::string &reason) {
    throw core::Error(core::Code::bad_argument, "the JSON document cannot be read",
                      "It " + reason + ".", "Send one JSON object or array in UTF-8.");
}

// Brackets outside strings; the parser judges everything else.
bool too_deep(std::string_view text) {
    int depth = 0;
    bool in_string = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (in_string) {
            if (c == '\\')
                ++i;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '[' || c == '{') {
            if (++depth > max_depth)
                return true;
        } else if (c == ']' || c == '}') {
            --depth;
        }
    }
    return false;
}

// A step into an array is its index in decimal.
const json_t *item_of(const json_t *array, std::string_view index) {
    std::size_t at = 0;
    const auto [end, error] = std::from_chars(index.data(), index.data() + index.size(), at);
    const bool whole = error == std::errc() && end == index.data() + index.size();
    return whole ? json_array_get(array, at) : nullptr;
}

const json_t *find(const json_t *node, std::string_view dotted_path) {
    while (node != nullptr) {
        const std::size_t dot = dotted_path.find('.');
        const std::string key(dotted_path.substr(0, dot));
        node = json_is_array(node) ? item_of(node, key)
                                   : json_object_get(node, key.c_str()); // nullptr when no object
        if (dot == std::string_view::npos)
            break;
        dotted_path.remove_prefix(dot + 1);
    }
    return node;
}

json_t *made(json_t *node) {
    if (node == nullptr)
        throw core::Error(core::Code::out_of_memory, "out of memory while building JSON");
    return node;
}

json_t *text_node(std::string_view text) {
    const std::string clean = core::valid_utf8(text);
    return made(json_stringn(clean.data(), clean.size()));
}

// Takes the value over, on failure too.
void put(json_t *object, const char *key, json_t *value) {
    if (!json_is_object(object)) {
        json_decref(value);
        throw core::Error(core::Code::internal, "a JSON key was set on what is not an object");
    }
    if (json_object_set_new(object, key, value) != 0)
        throw core::Error(core::Code::out_of_memory, "out of memory while building JSON");
}

void add(json_t *array, json_t *value) {
    if (!json_is_array(array)) {
        json_decref(value);
        throw core::Error(core::Code::internal,
                          "a JSON value was appended to what is not an array");
    }
    if (json_array_append_new(array, value) != 0)
        throw core::Error(core::Code::out_of_memory, "out of memory while building JSON");
}

} // namespace

Node Node::parse(std::string_view text) {
    if (text.size() > max_size)
        refuse("is larger than 4 MiB");
    if (too_deep(text))
        refuse("is nested deeper than 64 levels");
    json_error_t error{};
    json_t *node =
        json_loadb(text.data(), text.size(), JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    if (node != nullptr)
        return Node(node);
    if (json_error_code(&error) == json_error_out_of_memory)
        throw core::Error(core::Code::out_of_memory, "out of memory while reading JSON");
    if (json_error_code(&error) == json_error_duplicate_key)
        refuse("has the same key twice in one object");
    refuse("is malformed at byte " + std::to_string(error.position));
}

// Not json_object(): the server exports a function of that name, and the dynamic linker would take
// the server's. The library calls its own inside.
Node Node::object() {
    return Node(made(json_loadb("{}", 2, 0, nullptr)));
}
Node Node::array() {
    return Node(made(json_array()));
}

Node::Node(Node &&other) noexcept : node_(std::exchange(other.node_, nullptr)) {}

Node &Node::operator=(Node &&other) noexcept {
    if (this != &other) {
        json_decref(node_);
        node_ = std::exchange(other.node_, nullptr);
    }
    return *this;
}

Node::~Node() {
    json_decref(node_);
}

bool Node::is_object() const {
    return json_is_object(node_);
}

std::optional<std::string> Node::text_at(std::string_view dotted_path) const {
    const json_t *found = find(node_, dotted_path);
    if (!json_is_string(found))
        return std::nullopt;
    return core::valid_utf8({json_string_value(found), json_string_length(found)});
}

std::optional<std::int64_t> Node::integer_at(std::string_view dotted_path) const {
    const json_t *found = find(node_, dotted_path);
    if (!json_is_integer(found))
        return std::nullopt;
    return json_integer_value(found);
}

std::optional<bool> Node::boolean_at(std::string_view dotted_path) const {
    const json_t *found = find(node_, dotted_path);
    if (!json_is_boolean(found))
        return std::nullopt;
    return json_is_true(found);
}

Node &Node::set(const char *key, std::string_view text) {
    put(node_, key, text_node(text));
    return *this;
}

Node &Node::set(const char *key, const std::string &text) {
    return set(key, std::string_view(text));
}

Node &Node::set(const char *key, const char *text) {
    return text == nullptr ? set_null(key) : set(key, std::string_view(text));
}

Node &Node::set(const char *key, const std::optional<std::string> &text) {
    return text ? set(key, std::string_view(*text)) : set_null(key);
}

Node &Node::set(const char *key, std::int64_t number) {
    put(node_, key, made(json_integer(number)));
    return *this;
}

Node &Node::set(const char *key, int number) {
    return set(key, std::int64_t{number});
}

Node &Node::set(const char *key, std::optional<std::int64_t> number) {
    return number ? set(key, *number) : set_null(key);
}

Node &Node::set(const char *key, bool value) {
    put(node_, key, json_boolean(value));
    return *this;
}

Node &Node::set(const char *key, std::optional<bool> value) {
    return value ? set(key, *value) : set_null(key);
}

Node &Node::set(const char *key, Node value) {
    put(node_, key, std::exchange(value.node_, nullptr));
    return *this;
}

Node &Node::set_null(const char *key) {
    put(node_, key, json_null());
    return *this;
}

Node &Node::append(Node value) {
    add(node_, std::exchange(value.node_, nullptr));
    return *this;
}

Node &Node::append(std::string_view text) {
    add(node_, text_node(text));
    return *this;
}

std::string Node::dump() const {
    std::string text;
    const auto take = [](const char *bytes, std::size_t size, void *out) -> int {
        try {
            static_cast<std::string *>(out)->append(bytes, size);
        } catch (...) {
            return -1;
        }
        return 0;
    };
    if (json_dump_callback(node_, take, &text, JSON_COMPACT | JSON_ENCODE_ANY) != 0)
        throw core::Error(core::Code::out_of_memory, "out of memory while writing JSON");
    return text;
}

} // namespace billstack::json

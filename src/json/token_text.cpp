// See token_text.hpp.
#include "json/token_text.hpp"

#include <cstdint>
#include <cstring>
#include <simdjson.h>

namespace billstack::json {

namespace {

constexpr std::size_t max_number_size = 100;
constexpr int max_exponent = 100;
constexpr int max_jsonb_depth = 64;
constexpr std::size_t max_jsonb_size = 1 << 20;
constexpr std::uint32_t replacement = 0xfffd;

std::uint32_t hex_unit(const char *digits) {
    std::uint32_t unit = 0;
    for (int i = 0; i < 4; ++i) {
        char digit = digits[i];
        std::uint32_t value = digit <= '9' ? static_cast<std::uint32_t>(digit - '0')
                                           : static_cast<std::uint32_t>((digit | 0x20) - 'a' + 10);
        unit = unit * 16 + value;
    }
    return unit;
}

bool is_high(std::uint32_t unit) {
    return unit >= 0xd800 && unit < 0xdc00;
}
bool is_low(std::uint32_t unit) {
    return unit >= 0xdc00 && unit < 0xe000;
}

// One \uXXXX escape, or two that form a pair.
struct CodePoint {
    std::uint32_t value;
    std::size_t size; // bytes of escape text
};

CodePoint read_escape(std::string_view text, std::size_t at) {
    std::uint32_t unit = hex_unit(text.data() + at + 2);
    if (is_high(unit) && text.size() - at >= 12 && text[at + 6] == '\\' && text[at + 7] == 'u') {
        std::uint32_t low = hex_unit(text.data() + at + 8);
        if (is_low(low))
            return {0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00), 12};
    }
    if (unit == 0 || is_high(unit) || is_low(unit))
        return {replacement, 6};
    return {unit, 6};
}

char *put_utf8(char *out, std::uint32_t code) {
    auto put = [&out](std::uint32_t byte) { *out++ = static_cast<char>(byte); };
    if (code < 0x80) {
        put(code);
    } else if (code < 0x800) {
        put(0xc0 | (code >> 6));
        put(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
        put(0xe0 | (code >> 12));
        put(0x80 | ((code >> 6) & 0x3f));
        put(0x80 | (code & 0x3f));
    } else {
        put(0xf0 | (code >> 18));
        put(0x80 | ((code >> 12) & 0x3f));
        put(0x80 | ((code >> 6) & 0x3f));
        put(0x80 | (code & 0x3f));
    }
    return out;
}

char plain_escape(char letter) {
    switch (letter) {
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    default:
        return letter; // quote, backslash, slash
    }
}

} // namespace

std::size_t unescape(std::string_view escaped, char *out) {
    char *start = out;
    std::size_t at = 0;
    while (at < escaped.size()) {
        std::size_t slash = escaped.find('\\', at);
        if (slash == std::string_view::npos)
            slash = escaped.size();
        std::memcpy(out, escaped.data() + at, slash - at);
        out += slash - at;
        at = slash;
        if (at == escaped.size())
            break;
        if (escaped[at + 1] == 'u') {
            CodePoint code = read_escape(escaped, at);
            out = put_utf8(out, code.value);
            at += code.size;
        } else {
            *out++ = plain_escape(escaped[at + 1]);
            at += 2;
        }
    }
    return static_cast<std::size_t>(out - start);
}

std::string unescaped(std::string_view escaped) {
    std::string result(escaped.size(), '\0');
    result.resize(unescape(escaped, result.data()));
    return result;
}

bool is_sane_number(std::string_view number) {
    if (number.size() > max_number_size)
        return false;
    std::size_t mark = number.find_first_of("eE");
    if (mark == std::string_view::npos)
        return true;
    int exponent = 0;
    for (char byte : number.substr(mark + 1)) {
        if (byte < '0' || byte > '9')
            continue;
        exponent = exponent * 10 + (byte - '0');
        if (exponent > max_exponent)
            return false;
    }
    return true;
}

bool fits_jsonb(std::string_view value) {
    if (value.size() > max_jsonb_size)
        return false;
    int depth = 0;
    for (std::size_t at = 0; at < value.size(); ++at) {
        char byte = value[at];
        if (byte == '"') {
            for (++at; value[at] != '"'; ++at)
                if (value[at] == '\\')
                    ++at;
        } else if (byte == '{' || byte == '[') {
            if (++depth > max_jsonb_depth)
                return false;
        } else if (byte == '}' || byte == ']') {
            --depth;
        } else if (byte == '-' || (byte >= '0' && byte <= '9')) {
            std::size_t end = value.find_first_not_of("0123456789+-.eE", at);
            end = end == std::string_view::npos ? value.size() : end;
            if (!is_sane_number(value.substr(at, end - at)))
                return false;
            at = end - 1;
        }
    }
    return true;
}

bool needs_cleaning(std::string_view value) {
    for (std::size_t at = value.find('\\'); at != std::string_view::npos;
         at = value.find('\\', at)) {
        if (value[at + 1] != 'u') {
            at += 2;
            continue;
        }
        CodePoint code = read_escape(value, at);
        if (code.value == replacement)
            return true;
        at += code.size;
    }
    return false;
}

void clean_json(std::string_view value, char *out) {
    std::memcpy(out, value.data(), value.size());
    for (std::size_t at = value.find('\\'); at != std::string_view::npos;
         at = value.find('\\', at)) {
        if (value[at + 1] != 'u') {
            at += 2;
            continue;
        }
        CodePoint code = read_escape(value, at);
        if (code.value == replacement)
            std::memcpy(out + at, "\\ufffd", 6);
        at += code.size;
    }
}

bool is_utf8(std::string_view bytes) {
    return simdjson::validate_utf8(bytes.data(), bytes.size());
}

} // namespace billstack::json

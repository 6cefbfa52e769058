// A strict reader of JSON text, one value at a time, for the files of json/: it accepts what
// PostgreSQL's json type accepts and nothing more, so bytes it has passed may be stored unchecked.
// UTF-8 is not checked here. Inline: it is the inner loop of the page path.
#pragma once
#include "core/pure.hpp"

#include <cstring>
#include <string_view>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace billstack::json {

enum class TokenKind : unsigned char { absent, null, boolean, number, string, object, array };

// A value as it stands in the text. Of a string: what is between the quotes, escapes and all.
struct Token {
    TokenKind kind = TokenKind::absent;
    bool escaped = false; // a string with at least one backslash
    std::string_view text;
};

// Deepest nesting of one object. Stripe's own reach about 15; PostgreSQL's reader ends by stack.
inline constexpr int max_depth = 256;

// Throws core::Error(stripe_unreachable); never quotes what was read.
[[noreturn]] void refuse_json();

class Scanner {
  public:
    explicit Scanner(std::string_view text) : at_(text.data()), end_(text.data() + text.size()) {}

    const char *at() const { return at_; }
    bool at_end() const { return at_ == end_; }
    // The byte here; '\0', which no JSON text holds, at the end.
    char peek() const { return at_ == end_ ? '\0' : *at_; }
    void expect(char byte) {
        if (at_ == end_ || *at_ != byte)
            refuse_json();
        ++at_;
    }
    bool accept(char byte) {
        if (at_ == end_ || *at_ != byte)
            return false;
        ++at_;
        return true;
    }

    void skip_space() {
        while (at_ != end_ && static_cast<unsigned char>(*at_) <= ' ') {
            if (*at_ != ' ' && *at_ != '\n' && *at_ != '\r' && *at_ != '\t')
                return; // the caller refuses it
            ++at_;
#ifdef __SSE2__
            // Stripe indents its answers: after a line's end come blanks by the dozen.
            while (end_ - at_ >= 16 && *at_ == ' ') {
                __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i *>(at_));
                unsigned other = 0xffffu & ~static_cast<unsigned>(_mm_movemask_epi8(
                                               _mm_cmpeq_epi8(block, _mm_set1_epi8(' '))));
                if (other != 0) {
                    at_ += __builtin_ctz(other);
                    break;
                }
                at_ += 16;
            }
#endif
        }
    }

    // At an opening quote.
    Token scan_string() {
        expect('"');
        const char *start = at_;
        bool escaped = false;
        for (;;) {
            at_ = find_special(at_);
            if (at_ == end_ || static_cast<unsigned char>(*at_) < 0x20)
                refuse_json();
            if (*at_ == '"')
                break;
            escaped = true;
            skip_escape();
        }
        Token token{TokenKind::string, escaped, {start, static_cast<std::size_t>(at_ - start)}};
        ++at_;
        return token;
    }

    // Any value; depth is that of the value itself, the outermost 1.
    Token scan_value(int depth) {
        const char *start = at_;
        switch (peek()) {
        case '"':
            return scan_string();
        case '{':
            skip_object(depth);
            return {TokenKind::object, false, since(start)};
        case '[':
            skip_array(depth);
            return {TokenKind::array, false, since(start)};
        case 't':
            scan_word("true");
            return {TokenKind::boolean, false, since(start)};
        case 'f':
            scan_word("false");
            return {TokenKind::boolean, false, since(start)};
        case 'n':
            scan_word("null");
            return {TokenKind::null, false, since(start)};
        default:
            scan_number();
            return {TokenKind::number, false, since(start)};
        }
    }

    std::string_view since(const char *start) const {
        return {start, static_cast<std::size_t>(at_ - start)};
    }

    // At a member's name: the name; afterwards at the value.
    Token scan_name() {
        Token name = scan_string();
        skip_space();
        expect(':');
        skip_space();
        return name;
    }

    // After a member or element: true when another follows, which is then here.
    bool next_item(char close) {
        skip_space();
        if (accept(',')) {
            skip_space();
            return true;
        }
        expect(close);
        return false;
    }

    // At an opening bracket: true when there is a first item, which is then here.
    bool enter(char open, char close, int depth) {
        if (depth > max_depth)
            refuse_json();
        expect(open);
        skip_space();
        return !accept(close);
    }

  private:
    void skip_object(int depth) {
        if (!enter('{', '}', depth))
            return;
        do {
            scan_name();
            scan_value(depth + 1);
        } while (next_item('}'));
    }

    void skip_array(int depth) {
        if (!enter('[', ']', depth))
            return;
        do {
            scan_value(depth + 1);
        } while (next_item(']'));
    }

    void scan_word(std::string_view word) {
        if (static_cast<std::size_t>(end_ - at_) < word.size() ||
            std::memcmp(at_, word.data(), word.size()) != 0)
            refuse_json();
        at_ += word.size();
    }

    bool at_digit() const {
        return at_ != end_ && *at_ >= '0' && *at_ <= '9';
    }

    void scan_digits() {
        if (!at_digit())
            refuse_json();
        while (at_digit())
            ++at_;
    }

    void scan_number() {
        accept('-');
        if (!accept('0'))
            scan_digits();
        if (accept('.'))
            scan_digits();
        if (accept('e') || accept('E')) {
            if (!accept('+'))
                accept('-');
            scan_digits();
        }
    }

    void skip_escape() {
        ++at_;
        char byte = peek();
        if (byte == '\0' || std::strchr("\"\\/bfnrtu", byte) == nullptr)
            refuse_json();
        ++at_;
        if (byte != 'u')
            return;
        for (int i = 0; i < 4; ++i) {
            char digit = peek();
            if (!((digit >= '0' && digit <= '9') || (digit >= 'a' && digit <= 'f') ||
                  (digit >= 'A' && digit <= 'F')))
                refuse_json();
            ++at_;
        }
    }

    // The first quote, backslash or control byte.
    const char *find_special(const char *byte) const {
#ifdef __SSE2__
        while (end_ - byte >= 16) {
            __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i *>(byte));
            __m128i special = _mm_or_si128(_mm_cmpeq_epi8(block, _mm_set1_epi8('"')),
                                           _mm_cmpeq_epi8(block, _mm_set1_epi8('\\')));
            __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(block, _mm_set1_epi8(0x1f)), block);
            int hits = _mm_movemask_epi8(_mm_or_si128(special, low));
            if (hits != 0)
                return byte + __builtin_ctz(static_cast<unsigned>(hits));
            byte += 16;
        }
#endif
        while (byte != end_ && *byte != '"' && *byte != '\\' &&
               static_cast<unsigned char>(*byte) >= 0x20)
            ++byte;
        return byte;
    }

    const char *at_;
    const char *end_;
};

} // namespace billstack::json

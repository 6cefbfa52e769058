// Runs inside elog's own machinery: no allocation, no server call, no error, and each text is
// changed in place with its length kept. All texts of an ErrorData were formatted or copied into
// its own memory context (elog.c of 15 to 18), so none of them is a constant; the client is sent
// the same masked text.
#include "pg/log_redaction.hpp"

#include "pg/config.hpp"

namespace billstack::pg {

namespace {

emit_log_hook_type previous_hook = nullptr;

bool is_word(char c) noexcept {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

bool is_hex(char c) noexcept {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

// What a webhook secret may hold besides (sql-api.md, Connections).
bool is_secret_byte(char c) noexcept {
    return is_word(c) || c == '+' || c == '/' || c == '=' || c == '-';
}

using Belongs = bool (*)(char) noexcept;

struct Shape {
    const char *before;       // the text up to and including an underscore
    const char *after;        // the text that must follow it
    Belongs belongs;          // bytes of the secret part
    std::size_t least;        // this many of them make a key
    std::size_t least_inside; // ... when the prefix stands inside a word, such as task_test_...
};

constexpr Shape shapes[] = {
    {"sk_", "live_", is_word, 1, 16},      {"sk_", "test_", is_word, 1, 16},
    {"rk_", "live_", is_word, 1, 16},      {"rk_", "test_", is_word, 1, 16},
    {"whsec_", "", is_secret_byte, 1, 16}, {"bs_", "", is_hex, 16, 32},
};

// `\n`, `\t` and `%3D` before a prefix are no part of a word.
bool stands_inside_word(const char *text, const char *start) noexcept {
    if (start == text || !is_word(start[-1])) {
        return false;
    }
    if (start - text >= 2 && start[-2] == '\\') {
        return false;
    }
    return !(start - text >= 3 && start[-3] == '%' && is_hex(start[-2]) && is_hex(start[-1]));
}

// The secret part of a key whose first underscore is at `underscore`; length 0 when there is none.
std::size_t secret_at(const char *text, const char *underscore, const char **secret) noexcept {
    for (const Shape &shape : shapes) {
        std::size_t before = std::strlen(shape.before);
        std::size_t after = std::strlen(shape.after);
        if (static_cast<std::size_t>(underscore - text) + 1 < before) {
            continue;
        }
        const char *start = underscore + 1 - before;
        if (std::memcmp(start, shape.before, before) != 0 ||
            std::strncmp(underscore + 1, shape.after, after) != 0) {
            continue;
        }
        *secret = underscore + 1 + after;
        std::size_t length = 0;
        while (shape.belongs((*secret)[length])) {
            ++length;
        }
        if (length >= (stands_inside_word(text, start) ? shape.least_inside : shape.least)) {
            return length;
        }
    }
    return 0;
}

// The next secret part at or after `from`; nullptr when there is none.
const char *next_secret(const char *text, const char *from, std::size_t *length) noexcept {
    for (const char *at = std::strchr(from, '_'); at != nullptr; at = std::strchr(at + 1, '_')) {
        const char *secret = nullptr;
        *length = secret_at(text, at, &secret);
        if (*length > 0) {
            return secret;
        }
    }
    return nullptr;
}

void redact(ErrorData *error) noexcept {
    for (char *text : {error->message, error->detail, error->detail_log, error->hint,
                       error->context, error->internalquery}) {
        mask_keys(text);
    }
    // The statement is not ours to change: it is still being executed.
    if (!error->hide_stmt && holds_key(debug_query_string)) {
        error->hide_stmt = true;
    }
}

void log_hook(ErrorData *error) {
    if (config::redact_log()) {
        redact(error);
    }
    if (previous_hook != nullptr) {
        (*previous_hook)(error);
    }
}

} // namespace

bool mask_keys(char *text) noexcept {
    if (text == nullptr) {
        return false;
    }
    bool found = false;
    std::size_t length = 0;
    const char *from = text;
    while (const char *secret = next_secret(text, from, &length)) {
        std::memset(text + (secret - text), '*', length);
        from = secret + length;
        found = true;
    }
    return found;
}

bool holds_key(const char *text) noexcept {
    std::size_t length = 0;
    return text != nullptr && next_secret(text, text, &length) != nullptr;
}

void install_log_redaction() {
    previous_hook = emit_log_hook;
    emit_log_hook = log_hook;
}

} // namespace billstack::pg

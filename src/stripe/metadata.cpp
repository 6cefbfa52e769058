#include "stripe/metadata.hpp"

#include "core/error.hpp"
#include "json/card_numbers.hpp"
#include "json/scanner.hpp"
#include "json/token_text.hpp"

#include <algorithm>

namespace billstack::stripe {

namespace {

constexpr std::size_t most_keys = 48;
constexpr std::size_t longest_key = 40;
constexpr std::size_t longest_value = 500;

[[noreturn]] void refuse(const std::string &message, const std::string &rule) {
    throw core::Error(core::Code::bad_argument, message, rule);
}

// Of valid UTF-8: characters, not bytes.
std::size_t length_of(std::string_view text) {
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
        return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
    }));
}

// A key as it may be shown in a message.
std::string shown(const std::string &key) {
    return "\"" + (length_of(key) > longest_key ? key.substr(0, 20) + "..." : key) + "\"";
}

void check_key(const std::string &key) {
    if (key.empty() || length_of(key) > longest_key) {
        refuse(key.empty() ? "a metadata key is empty" : "a metadata key is too long",
               "Keys have 1 to 40 characters.");
    }
    if (key.find_first_of("[]") != std::string::npos) {
        refuse("metadata key " + shown(key) + " has a bracket",
               "Stripe's form encoding uses them.");
    }
    if (key == project_key || key == intent_key) {
        refuse("metadata key " + shown(key) + " is reserved",
               "billstack writes project_id and billstack_intent itself.");
    }
}

void check_value(const std::string &key, const std::string &value) {
    if (length_of(value) > longest_value) {
        refuse("the value of metadata key " + shown(key) + " is too long",
               "Values have 500 characters at most.");
    }
}

// Calls visit(name, token) for each member; false when the text is no object.
template <class Visit> bool visit_members(std::string_view json_text, Visit visit) {
    json::Scanner scanner(json_text);
    scanner.skip_space();
    if (scanner.peek() != '{') {
        return false;
    }
    if (scanner.enter('{', '}', 1)) {
        do {
            const json::Token name = scanner.scan_name();
            visit(json::unescaped(name.text), scanner.scan_value(2));
        } while (scanner.next_item('}'));
    }
    return true;
}

std::string text_of(const std::string &key, const json::Token &token) {
    switch (token.kind) {
    case json::TokenKind::string:
        return token.escaped ? json::unescaped(token.text) : std::string(token.text);
    case json::TokenKind::number:
    case json::TokenKind::boolean:
        return std::string(token.text);
    default:
        refuse("the value of metadata key " + shown(key) + " is no string, number or boolean",
               "Stripe's metadata is flat: texts by key.");
    }
}

} // namespace

void refuse_card_number(std::string_view argument, std::string_view text) {
    if (json::holds_card_number(text)) {
        refuse("argument \"" + std::string(argument) + "\" holds what looks like a card number",
               "Card numbers belong to Stripe's own forms and are stored nowhere else.");
    }
}

Metadata check_metadata(std::string_view json_text) {
    Metadata metadata;
    const bool is_object =
        visit_members(json_text, [&](const std::string &key, const json::Token &token) {
            refuse_card_number("metadata", key);
            check_key(key);
            std::string value = text_of(key, token);
            refuse_card_number("metadata", value);
            check_value(key, value);
            metadata.emplace_back(key, std::move(value));
        });
    if (!is_object) {
        refuse("argument \"metadata\" must be a JSON object", "");
    }
    if (metadata.size() > most_keys) {
        refuse("argument \"metadata\" has too many keys",
               "Stripe keeps 50 keys, two of which are billstack's.");
    }
    return metadata;
}

std::vector<std::string> metadata_keys(std::string_view json_text) {
    std::vector<std::string> keys;
    visit_members(json_text,
                  [&](const std::string &key, const json::Token &) { keys.push_back(key); });
    return keys;
}

void append_metadata(Params &params, const Metadata &metadata, std::string_view prefix) {
    for (const auto &[key, value] : metadata) {
        params.emplace_back(std::string(prefix) + "[" + key + "]", value);
    }
}

void append_metadata_change(Params &params, const Metadata &metadata,
                            const std::vector<std::string> &old_keys) {
    append_metadata(params, metadata);
    for (const std::string &key : old_keys) {
        const bool kept = std::any_of(metadata.begin(), metadata.end(),
                                      [&](const auto &pair) { return pair.first == key; });
        if (!kept && key != project_key && key != intent_key) {
            params.emplace_back("metadata[" + key + "]", "");
        }
    }
}

} // namespace billstack::stripe

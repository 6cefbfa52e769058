// See previous_attributes.hpp. Every doubt ends in unclear, which costs one request to Stripe.
#include "sync/previous_attributes.hpp"

#include "core/error.hpp"
#include "json/scanner.hpp"
#include "json/token_text.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <string>
#include <vector>

namespace billstack::sync {

namespace {

using json::Scanner;
using json::Token;
using json::TokenKind;

struct Member {
    std::string name;
    Token value;
};

// Sorted by name; of a name that is there twice the last.
std::vector<Member> members_of(std::string_view object) {
    std::vector<Member> members;
    Scanner scanner(object);
    if (scanner.enter('{', '}', 1)) {
        do {
            const Token name = scanner.scan_name();
            members.push_back({name.escaped ? json::unescaped(name.text) : std::string(name.text),
                               scanner.scan_value(2)});
        } while (scanner.next_item('}'));
    }
    std::stable_sort(members.begin(), members.end(),
                     [](const Member &a, const Member &b) { return a.name < b.name; });
    const auto kept =
        std::unique(members.rbegin(), members.rend(),
                    [](const Member &a, const Member &b) { return a.name == b.name; });
    members.erase(members.begin(), kept.base());
    return members;
}

std::vector<Token> elements_of(std::string_view array) {
    std::vector<Token> elements;
    Scanner scanner(array);
    if (scanner.enter('[', ']', 1)) {
        do {
            elements.push_back(scanner.scan_value(2));
        } while (scanner.next_item(']'));
    }
    return elements;
}

// 0.<digits> * 10^exponent, without zeros at either end; no digits for 0.
struct Number {
    bool negative = false;
    std::string digits;
    std::int64_t exponent = 0;
    bool operator==(const Number &) const = default;
};

// False when the exponent is beyond all reason.
bool read_number(std::string_view text, Number &number) {
    number.negative = text[0] == '-';
    if (number.negative)
        text.remove_prefix(1);
    const std::size_t mark = text.find_first_of("eE");
    if (mark != std::string_view::npos) {
        std::string_view exponent = text.substr(mark + 1);
        if (exponent[0] == '+')
            exponent.remove_prefix(1);
        const char *end = exponent.data() + exponent.size();
        if (exponent.size() > 15 ||
            std::from_chars(exponent.data(), end, number.exponent).ec != std::errc())
            return false;
        text = text.substr(0, mark);
    }
    const std::size_t point = text.find('.');
    number.digits = std::string(text.substr(0, point));
    number.exponent += static_cast<std::int64_t>(number.digits.size());
    if (point != std::string_view::npos)
        number.digits += text.substr(point + 1);
    const std::size_t first = number.digits.find_first_not_of('0');
    if (first == std::string::npos) {
        number = {};
        return true;
    }
    number.digits.erase(0, first);
    number.exponent -= static_cast<std::int64_t>(first);
    number.digits.erase(number.digits.find_last_not_of('0') + 1);
    return true;
}

bool same_number(std::string_view a, std::string_view b) {
    if (a == b)
        return true;
    Number first;
    Number second;
    return read_number(a, first) && read_number(b, second) && first == second;
}

bool same_text(const Token &a, const Token &b) {
    if (!a.escaped && !b.escaped)
        return a.text == b.text;
    return json::unescaped(a.text) == json::unescaped(b.text);
}

bool is_nothing(const Token &token) {
    return token.kind == TokenKind::absent || token.kind == TokenKind::null;
}

bool same(const Token &a, const Token &b);

bool same_members(std::string_view a, std::string_view b) {
    const std::vector<Member> first = members_of(a);
    const std::vector<Member> second = members_of(b);
    auto at = first.begin();
    auto other = second.begin();
    while (at != first.end() || other != second.end()) {
        if (other == second.end() || (at != first.end() && at->name < other->name)) {
            if (!is_nothing((at++)->value))
                return false;
        } else if (at == first.end() || other->name < at->name) {
            if (!is_nothing((other++)->value))
                return false;
        } else if (!same((at++)->value, (other++)->value)) {
            return false;
        }
    }
    return true;
}

bool same_elements(std::string_view a, std::string_view b) {
    const std::vector<Token> first = elements_of(a);
    const std::vector<Token> second = elements_of(b);
    return std::equal(first.begin(), first.end(), second.begin(), second.end(), same);
}

bool same(const Token &a, const Token &b) {
    if (is_nothing(a) || is_nothing(b))
        return is_nothing(a) && is_nothing(b);
    if (a.kind != b.kind)
        return false;
    switch (a.kind) {
    case TokenKind::number:
        return same_number(a.text, b.text);
    case TokenKind::string:
        return same_text(a, b);
    case TokenKind::object:
        return a.text == b.text || same_members(a.text, b.text);
    case TokenKind::array:
        return a.text == b.text || same_elements(a.text, b.text);
    default:
        return a.text == b.text; // true, false
    }
}

// What the values compared so far say.
struct Evidence {
    bool all_old = true;
    bool all_new = true;
};

Token find(const std::vector<Member> &members, const std::string &name) {
    const auto found = std::lower_bound(
        members.begin(), members.end(), name,
        [](const Member &member, const std::string &wanted) { return member.name < wanted; });
    return found != members.end() && found->name == name ? found->value : Token{};
}

bool can_have_members(const Token &token) {
    return token.kind == TokenKind::object || is_nothing(token);
}

std::vector<Member> members_if_any(const Token &token) {
    return token.kind == TokenKind::object ? members_of(token.text) : std::vector<Member>{};
}

void weigh(const Token &stored, const Token &now, const Token &old, Evidence &evidence) {
    if (old.kind == TokenKind::object && can_have_members(stored) && can_have_members(now)) {
        const std::vector<Member> old_members = members_of(old.text);
        const std::vector<Member> new_members = members_if_any(now);
        const std::vector<Member> stored_members = members_if_any(stored);
        for (const Member &member : old_members)
            weigh(find(stored_members, member.name), find(new_members, member.name), member.value,
                  evidence);
        return;
    }
    evidence.all_old = evidence.all_old && same(stored, old);
    evidence.all_new = evidence.all_new && same(stored, now);
}

} // namespace

Follows follows(std::string_view stored_raw, std::string_view object_raw,
                std::string_view previous_raw) {
    if (previous_raw.empty() || stored_raw.empty() || object_raw.empty())
        return Follows::unclear;
    try {
        const auto whole = [](std::string_view raw) {
            Scanner scanner(raw);
            scanner.skip_space();
            return scanner.scan_value(1);
        };
        const Token stored = whole(stored_raw);
        const Token now = whole(object_raw);
        const Token old = whole(previous_raw);
        if (stored.kind != TokenKind::object || now.kind != TokenKind::object ||
            old.kind != TokenKind::object)
            return Follows::unclear;
        Evidence evidence;
        weigh(stored, now, old, evidence);
        if (evidence.all_old == evidence.all_new) // both where no value changed
            return Follows::unclear;
        return evidence.all_old ? Follows::yes : Follows::already_in;
    } catch (const core::Error &) { // a stored object that someone has changed by hand
        return Follows::unclear;
    }
}

} // namespace billstack::sync

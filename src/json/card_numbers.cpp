#include "json/card_numbers.hpp"

#include <array>
#include <cstring>
#include <utility>
#include <vector>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace billstack::json {

namespace {

constexpr std::size_t shortest = 14;
constexpr std::size_t longest = 19;
constexpr std::size_t digits_shown = 4;

bool is_digit(char byte) {
    return byte >= '0' && byte <= '9';
}

bool is_separator(char byte) {
    return byte == ' ' || byte == '-' || byte == '.' || byte == '_' || byte == '/';
}

// --- what a card number is -----------------------------------------------------------------------

// Numbers from first to last, compared with as many leading digits as they have.
struct IssuerRange {
    int first;
    int last;
    int digits;
    int lengths; // bit n: a number may have n digits
};
constexpr int only(int length) {
    return 1 << length;
}
constexpr int from_16_to_19 = only(16) | only(17) | only(18) | only(19);
// Visa's 13 digits are out of use and look like telephone numbers.
constexpr IssuerRange issuers[] = {
    {4, 4, 1, only(16) | only(19)},       // Visa
    {51, 55, 2, only(16)},                // Mastercard
    {2221, 2720, 4, only(16)},            // Mastercard
    {34, 34, 2, only(15)},                // American Express
    {37, 37, 2, only(15)},                // American Express
    {300, 305, 3, only(14) | only(16)},   // Diners Club
    {36, 36, 2, only(14) | only(16)},     // Diners Club
    {38, 39, 2, only(14) | only(16)},     // Diners Club
    {6011, 6011, 4, only(16) | only(19)}, // Discover
    {644, 649, 3, only(16) | only(19)},   // Discover
    {65, 65, 2, only(16) | only(19)},     // Discover, RuPay
    {60, 60, 2, only(16)},                // RuPay
    {3528, 3589, 4, only(16) | only(19)}, // JCB
    {62, 62, 2, from_16_to_19},           // UnionPay
    {81, 81, 2, from_16_to_19},           // UnionPay, RuPay
    {2200, 2204, 4, from_16_to_19},       // Mir
    {5018, 5018, 4, from_16_to_19},       // Maestro, this and the following
    {5020, 5020, 4, from_16_to_19},
    {5038, 5038, 4, from_16_to_19},
    {5893, 5893, 4, from_16_to_19},
    {6304, 6304, 4, from_16_to_19},
    {6759, 6759, 4, from_16_to_19},
    {6761, 6763, 4, from_16_to_19},
    {5067, 5067, 4, only(16)}, // Elo
    {5090, 5090, 4, only(16)}, // Elo
    {9792, 9792, 4, only(16)}, // Troy
};

bool has_issuer(const char *digits, std::size_t count) {
    for (const IssuerRange &range : issuers) {
        int prefix = 0;
        for (int i = 0; i < range.digits; ++i)
            prefix = prefix * 10 + (digits[i] - '0');
        if (prefix >= range.first && prefix <= range.last && (range.lengths >> count & 1) != 0)
            return true;
    }
    return false;
}

bool has_check_digit(const char *digits, std::size_t count) {
    int sum = 0;
    for (std::size_t i = 0; i < count; ++i) {
        int digit = digits[count - 1 - i] - '0';
        if (i % 2 == 1)
            digit = digit * 2 > 9 ? digit * 2 - 9 : digit * 2;
        sum += digit;
    }
    return sum % 10 == 0;
}

bool is_card_number(const char *digits, std::size_t count) {
    return count >= shortest && count <= longest && has_issuer(digits, count) &&
           has_check_digit(digits, count);
}

// --- runs of digits in a text --------------------------------------------------------------------

struct Unit {
    char byte = 0;
    std::size_t at = 0;    // in the text
    std::size_t width = 1; // 6: written as \u0034
};

// The next byte of a JSON string's inside, with \u00XX resolved where it is ASCII.
Unit unit_at(std::string_view text, std::size_t at, bool escapes) {
    Unit unit{text[at], at, 1};
    if (!escapes || text[at] != '\\' || at + 1 >= text.size())
        return unit;
    unit = {'\0', at, 2};
    if (text[at + 1] != 'u' || at + 6 > text.size())
        return unit;
    int value = 0;
    for (std::size_t i = at + 2; i < at + 6; ++i) {
        const char c = text[i];
        const int lower = c | 0x20;
        const int digit = is_digit(c)                    ? c - '0'
                          : lower >= 'a' && lower <= 'f' ? lower - 'a' + 10
                                                         : -1;
        if (digit < 0)
            return unit;
        value = value * 16 + digit;
    }
    return {value < 128 ? static_cast<char>(value) : '\0', at, 6};
}

// Digits that stand together, in groups with one separator between.
struct Run {
    std::vector<Unit> digits;
    std::string text;                // the digits alone
    std::vector<std::size_t> groups; // where each group begins in digits
    bool telephone = false;

    void clear() {
        digits.clear();
        text.clear();
        groups.clear();
        telephone = false;
    }
};

// Calls found(first, count) for each card number made of whole groups of the run.
template <class Found> void find_in_run(const Run &run, Found found) {
    if (run.telephone || run.digits.size() < shortest)
        return;
    for (std::size_t i = 0; i < run.groups.size(); ++i) {
        for (std::size_t j = i + 1; j <= run.groups.size(); ++j) {
            const std::size_t begin = run.groups[i];
            const std::size_t end = j < run.groups.size() ? run.groups[j] : run.digits.size();
            if (end - begin > longest)
                break;
            if (is_card_number(run.text.data() + begin, end - begin))
                found(begin, end - begin);
        }
    }
}

// Calls visit(run) for each run of digits of text[from, to).
template <class Visit>
void visit_runs(std::string_view text, std::size_t from, std::size_t to, bool escapes,
                Visit visit) {
    Run run;
    bool in_group = false;
    char before = '\0'; // what stands before the run
    std::string_view inside = text.substr(0, to);
    for (std::size_t at = from; at < to;) {
        const Unit unit = unit_at(inside, at, escapes);
        at += unit.width;
        if (is_digit(unit.byte)) {
            if (!in_group) {
                if (run.digits.empty())
                    run.telephone = before == '+';
                run.groups.push_back(run.digits.size());
            }
            in_group = true;
            run.digits.push_back(unit);
            run.text += unit.byte;
            continue;
        }
        if (in_group && is_separator(unit.byte)) {
            in_group = false;
            before = unit.byte;
            continue;
        }
        if (!run.digits.empty()) {
            visit(run);
            run.clear();
        }
        in_group = false;
        before = unit.byte;
    }
    if (!run.digits.empty())
        visit(run);
}

// --- masking -------------------------------------------------------------------------------------

void put_star(std::string &json, const Unit &digit) {
    if (digit.width == 6)
        json.replace(digit.at, 6, "\\u002a");
    else
        json[digit.at] = '*';
}

void hide(std::string &json, const Run &run, std::size_t first, std::size_t count,
          std::size_t shown) {
    for (std::size_t i = first; i + shown < first + count; ++i)
        put_star(json, run.digits[i]);
}

// Members whose digits are hidden whatever they are, and how many at the end are shown.
struct SecretMember {
    std::string_view name;
    std::size_t shown;
};
constexpr SecretMember secret_members[] = {
    {"cvc", 0},
    {"cvv", 0},
    {"cvc2", 0},
    {"cvv2", 0},
    {"card_cvc", 0},
    {"card_cvv", 0},
    {"security_code", 0},
    {"pan", digits_shown},
    {"card_number", digits_shown},
    {"account_number", digits_shown},
    {"iban", digits_shown},
};

const SecretMember *find_secret_member(std::string_view name) {
    for (const SecretMember &member : secret_members) {
        if (member.name == name)
            return &member;
    }
    return nullptr;
}

class Masker {
  public:
    explicit Masker(std::string &json) : json_(json) {}

    std::size_t run() {
        while (at_ < json_.size()) {
            const char byte = json_[at_];
            if (byte == '"')
                string();
            else if (is_digit(byte))
                number();
            else
                other(byte);
        }
        return changed_;
    }

  private:
    void string() {
        const std::size_t from = ++at_;
        std::size_t digits = 0; // of escapes too: enough to know that there are few
        for (; at_ < json_.size() && json_[at_] != '"'; at_ += json_[at_] == '\\' ? 2 : 1)
            digits += is_digit(json_[at_]) ? 1 : 0;
        const std::size_t to = std::min(at_, json_.size());
        at_ = to + 1;
        last_string_.assign(json_, from, to - from); // before it is masked: it may be a name
        const SecretMember *const member = std::exchange(member_, nullptr);
        if (digits < (member != nullptr ? 3 : shortest))
            return;
        const std::size_t before = changed_;
        visit_runs(json_, from, to, true, [&](const Run &run) {
            find_in_run(run, [&](std::size_t first, std::size_t count) {
                hide(json_, run, first, count, digits_shown);
                changed_ = before + 1;
            });
        });
        if (member != nullptr && changed_ == before)
            hide_member(*member, from, to);
    }

    // The digits of all runs count as one number.
    void hide_member(const SecretMember &member, std::size_t from, std::size_t to) {
        std::vector<Unit> digits;
        visit_runs(json_, from, to, true, [&](const Run &run) {
            digits.insert(digits.end(), run.digits.begin(), run.digits.end());
        });
        if (digits.size() < 3 || digits.size() <= member.shown)
            return;
        for (std::size_t i = 0; i + member.shown < digits.size(); ++i)
            put_star(json_, digits[i]);
        ++changed_;
    }

    // Separators other than a decimal point stand here in text that is no JSON only.
    void number() {
        const std::size_t from = at_;
        while (at_ < json_.size() && (is_digit(json_[at_]) || is_separator(json_[at_])))
            ++at_;
        const std::string_view text = std::string_view(json_).substr(from, at_ - from);
        const bool plain = text.find('.') == std::string_view::npos &&
                           (from == 0 || json_[from - 1] != '.') &&
                           (at_ == json_.size() || (json_[at_] | 0x20) != 'e');
        if ((plain && holds_card_number(text)) || (member_ != nullptr && text.size() >= 3)) {
            for (std::size_t i = from; i < at_; ++i)
                json_[i] = is_digit(json_[i]) ? '9' : json_[i];
            ++changed_;
        }
        member_ = nullptr;
    }

    void other(char byte) {
        if (byte == ':')
            member_ = find_secret_member(last_string_);
        else if (static_cast<unsigned char>(byte) > ' ' && byte != '-' && byte != '[')
            member_ = nullptr;
        ++at_;
    }

    std::string &json_;
    std::size_t at_ = 0;
    std::size_t changed_ = 0;
    std::string last_string_;
    const SecretMember *member_ = nullptr; // of the value that comes
};

// --- the quick look ------------------------------------------------------------------------------

// Every run of 14 digits, separators included or not, has a digit or separator at one of two places
// 13 apart; so most of a text is passed over in steps of 13.
bool may_hold_run(std::string_view text) {
    constexpr std::size_t step = shortest - 1;
    for (std::size_t at = step; at < text.size();) {
        if (!is_digit(text[at]) && !is_separator(text[at])) {
            at += step;
            continue;
        }
        std::size_t first = at;
        while (first > 0 && (is_digit(text[first - 1]) ||
                             (is_separator(text[first - 1]) && is_digit(text[first]))))
            --first;
        std::size_t digits = 0;
        std::size_t end = first;
        while (end < text.size() &&
               (is_digit(text[end]) ||
                (is_separator(text[end]) && (end == first || is_digit(text[end - 1]))))) {
            digits += is_digit(text[end]) ? 1 : 0;
            ++end;
        }
        if (digits >= shortest)
            return true;
        at = std::max(end, at + 1) + (digits == 0 ? 0 : step - 1);
    }
    return false;
}

bool ends_secret_name(std::string_view text, std::size_t quote) {
    if (quote == 0 || std::strchr("cv2nre", text[quote - 1]) == nullptr)
        return false;
    for (const SecretMember &member : secret_members) {
        const std::size_t size = member.name.size();
        if (quote > size && text[quote - size - 1] == '"' &&
            text.substr(quote - size, size) == member.name)
            return true;
    }
    return false;
}

// Digits and separators written as escapes hide from the steps.
bool has_escaped_units(std::string_view text) {
    std::size_t at = text.find("\\u00");
    while (at != std::string_view::npos && at + 6 <= text.size()) {
        const bool digit = text[at + 4] == '3' && is_digit(text[at + 5]);
        const bool separator =
            text[at + 4] == '2' && std::strchr("0dDeEfF", text[at + 5]) != nullptr;
        if (digit || separator)
            return true;
        at = text.find("\\u00", at + 6);
    }
    return false;
}

bool has_secret_name(std::string_view text) {
    std::size_t at = 0;
#ifdef __SSE2__
    const __m128i quotes = _mm_set1_epi8('"');
    const __m128i colons = _mm_set1_epi8(':');
    const __m128i blanks = _mm_set1_epi8(' ');
    for (; at + 17 <= text.size(); at += 16) {
        const __m128i here = _mm_loadu_si128(reinterpret_cast<const __m128i *>(&text[at]));
        const __m128i next = _mm_loadu_si128(reinterpret_cast<const __m128i *>(&text[at + 1]));
        // ":" or white space after the quote
        const __m128i after =
            _mm_or_si128(_mm_cmpeq_epi8(next, colons),
                         _mm_cmplt_epi8(next, _mm_add_epi8(blanks, _mm_set1_epi8(1))));
        auto hits = static_cast<unsigned>(
            _mm_movemask_epi8(_mm_and_si128(_mm_cmpeq_epi8(here, quotes), after)));
        for (; hits != 0; hits &= hits - 1) {
            if (ends_secret_name(text, at + static_cast<unsigned>(__builtin_ctz(hits))))
                return true;
        }
    }
#endif
    for (; at < text.size(); ++at) {
        if (text[at] == '"' && ends_secret_name(text, at))
            return true;
    }
    return false;
}

} // namespace

bool holds_card_number(std::string_view text) {
    bool found = false;
    visit_runs(text, 0, text.size(), false, [&](const Run &run) {
        find_in_run(run, [&](std::size_t, std::size_t) { found = true; });
    });
    return found;
}

std::size_t mask_card_numbers(std::string &text) {
    std::size_t changed = 0;
    visit_runs(text, 0, text.size(), false, [&](const Run &run) {
        find_in_run(run, [&](std::size_t first, std::size_t count) {
            hide(text, run, first, count, digits_shown);
            ++changed;
        });
    });
    return changed;
}

bool may_hold_card_data(std::string_view json) {
    return may_hold_run(json) || has_secret_name(json) || has_escaped_units(json);
}

std::size_t mask_card_data(std::string &json) {
    return Masker(json).run();
}

} // namespace billstack::json

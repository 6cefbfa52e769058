// See event.hpp. parse_event() walks every object itself, since names that are there twice must be
// found at any depth; read_event_head() lets the scanner skip what lies below the first level.
#include "stripe/event.hpp"

#include "core/error.hpp"
#include "core/text.hpp"
#include "crypto/sha256.hpp"
#include "json/member_names.hpp"
#include "json/scanner.hpp"
#include "json/token_text.hpp"

#include <charconv>
#include <chrono>

namespace billstack::stripe {

namespace {

using json::Scanner;
using json::Token;
using json::TokenKind;

constexpr std::size_t max_name = 255;              // Stripe's longest id or type
constexpr std::int64_t last_second = 253402300799; // the end of the year 9999
constexpr std::string_view thin_object = "v2.core.event";

[[noreturn]] void refuse(const char *reason) {
    throw core::Error(core::Code::bad_argument, reason,
                      "The body of an event is one JSON object in UTF-8 with an id, a type and a "
                      "created time: at most 1 MiB, nested at most 64 deep, no member name twice.",
                      "Check what changes the body between Stripe and the inbox.");
}

bool is_printable(std::string_view text) {
    if (text.empty() || text.size() > max_name)
        return false;
    for (char byte : text)
        if (byte <= ' ' || byte > '~')
            return false;
    return true;
}

// Takes exactly so many digits off the text; false when they are not there.
bool take_number(std::string_view &text, std::size_t digits, int &number) {
    if (text.size() < digits)
        return false;
    const char *end = text.data() + digits;
    auto [stop, error] = std::from_chars(text.data(), end, number);
    if (error != std::errc() || stop != end || number < 0 || text[0] == '-')
        return false;
    text.remove_prefix(digits);
    return true;
}

bool take(std::string_view &text, char byte) {
    if (text.empty() || text[0] != byte)
        return false;
    text.remove_prefix(1);
    return true;
}

// The rest after the seconds: a fraction that is dropped, then Z or an offset, in seconds.
bool take_zone(std::string_view &text, std::int64_t &offset) {
    if (take(text, '.')) {
        const std::size_t end = text.find_first_not_of("0123456789");
        if (end == 0 || end == std::string_view::npos)
            return false;
        text.remove_prefix(end);
    }
    if (take(text, 'Z'))
        return true;
    const bool negative = !text.empty() && text[0] == '-';
    int hours = 0;
    int minutes = 0;
    if (!(take(text, '+') || take(text, '-')) || !take_number(text, 2, hours) || !take(text, ':') ||
        !take_number(text, 2, minutes) || hours > 23 || minutes > 59)
        return false;
    offset = (hours * 60 + minutes) * (negative ? -60 : 60);
    return true;
}

// RFC 3339, "2026-09-30T12:00:00.123Z".
std::optional<std::int64_t> parse_time(std::string_view text) {
    int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
    std::int64_t offset = 0;
    if (!take_number(text, 4, year) || !take(text, '-') || !take_number(text, 2, month) ||
        !take(text, '-') || !take_number(text, 2, day) || !take(text, 'T') ||
        !take_number(text, 2, hour) || !take(text, ':') || !take_number(text, 2, minute) ||
        !take(text, ':') || !take_number(text, 2, second) || !take_zone(text, offset) ||
        !text.empty())
        return std::nullopt;
    const std::chrono::year_month_day date(std::chrono::year(year),
                                           std::chrono::month(static_cast<unsigned>(month)),
                                           std::chrono::day(static_cast<unsigned>(day)));
    if (!date.ok() || hour > 23 || minute > 59 || second > 60)
        return std::nullopt;
    const std::int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
    return days * 86400 + hour * 3600 + minute * 60 + second - offset;
}

std::optional<std::int64_t> read_created(const Token &token) {
    std::optional<std::int64_t> created;
    if (token.kind == TokenKind::string)
        created = token.escaped ? parse_time(json::unescaped(token.text)) : parse_time(token.text);
    if (token.kind == TokenKind::number) {
        std::int64_t number = 0;
        const char *end = token.text.data() + token.text.size();
        auto [stop, error] = std::from_chars(token.text.data(), end, number);
        if (error == std::errc() && stop == end)
            created = number;
    }
    if (created && (*created < 0 || *created > last_second))
        return std::nullopt;
    return created;
}

// The values an event is made of, as they stand in the body.
struct Tokens {
    Token id, type, created, object, api_version, account, context, livemode, snapshot_event;
    Token data_object, previous, object_id, object_type, deleted, test_clock, customer;
    Token related_id, related_type;
};

class Reader {
  public:
    explicit Reader(std::string_view body) : scanner_(body) {}

    void read(Tokens &tokens) {
        scanner_.skip_space();
        walk_object(1, [&](std::string_view name) { read_top(name, tokens); });
        scanner_.skip_space();
        if (!scanner_.at_end())
            json::refuse_json();
    }

  private:
    // At a value.
    Token walk(int depth) {
        const char byte = scanner_.peek();
        if (byte == '{')
            return walk_object(depth, [&](std::string_view) { walk(depth + 1); });
        if (byte == '[')
            return walk_array(depth);
        return scanner_.scan_value(depth);
    }

    // At an opening brace. on_member is called at each value and must read it.
    template <class OnMember> Token walk_object(int depth, OnMember on_member) {
        const char *start = scanner_.at();
        check_depth(depth);
        if (scanner_.enter('{', '}', depth)) {
            const json::MemberNames::Mark mark = names_.open();
            do {
                on_member(names_.add(scanner_.scan_name()));
            } while (scanner_.next_item('}'));
            if (!names_.close(mark))
                refuse("a member name is there twice");
        }
        return {TokenKind::object, false, scanner_.since(start)};
    }

    Token walk_array(int depth) {
        const char *start = scanner_.at();
        check_depth(depth);
        if (scanner_.enter('[', ']', depth)) {
            do {
                walk(depth + 1);
            } while (scanner_.next_item(']'));
        }
        return {TokenKind::array, false, scanner_.since(start)};
    }

    static void check_depth(int depth) {
        if (depth > max_event_depth)
            refuse("the body is nested more than 64 deep");
    }

    void read_top(std::string_view name, Tokens &tokens) {
        const bool is_object = scanner_.peek() == '{';
        if (is_object && name == "data") {
            walk_object(2, [&](std::string_view member) { read_data(member, tokens); });
            return;
        }
        if (is_object && name == "related_object") {
            walk_object(2, [&](std::string_view member) { read_related(member, tokens); });
            return;
        }
        const Token value = walk(2);
        if (name == "id")
            tokens.id = value;
        else if (name == "type")
            tokens.type = value;
        else if (name == "created")
            tokens.created = value;
        else if (name == "object")
            tokens.object = value;
        else if (name == "api_version")
            tokens.api_version = value;
        else if (name == "account")
            tokens.account = value;
        else if (name == "context")
            tokens.context = value;
        else if (name == "livemode")
            tokens.livemode = value;
        else if (name == "snapshot_event")
            tokens.snapshot_event = value;
    }

    void read_data(std::string_view name, Tokens &tokens) {
        if (name == "object" && scanner_.peek() == '{') {
            tokens.data_object =
                walk_object(3, [&](std::string_view member) { read_object(member, tokens); });
            return;
        }
        const Token value = walk(3);
        if (name == "previous_attributes" && value.kind == TokenKind::object)
            tokens.previous = value;
    }

    void read_object(std::string_view name, Tokens &tokens) {
        if (name == "customer" && scanner_.peek() == '{') {
            walk_object(4, [&](std::string_view member) {
                const Token value = walk(5);
                if (member == "id")
                    tokens.customer = value;
            });
            return;
        }
        const Token value = walk(4);
        if (name == "id")
            tokens.object_id = value;
        else if (name == "object")
            tokens.object_type = value;
        else if (name == "customer")
            tokens.customer = value;
        else if (name == "deleted")
            tokens.deleted = value;
        else if (name == "test_clock")
            tokens.test_clock = value;
    }

    void read_related(std::string_view name, Tokens &tokens) {
        const Token value = walk(3);
        if (name == "id")
            tokens.related_id = value;
        else if (name == "type")
            tokens.related_type = value;
    }

    Scanner scanner_;
    json::MemberNames names_;
};

Tokens read_tokens(std::string_view body) {
    Tokens tokens;
    try {
        Reader(body).read(tokens);
    } catch (const core::Error &error) {
        if (error.code == core::Code::bad_argument)
            throw;
        refuse("the body is not one valid JSON object"); // the scanner speaks of Stripe's answers
    }
    return tokens;
}

std::string_view text_of(const Token &token, std::vector<std::unique_ptr<char[]>> &arena) {
    if (token.kind != TokenKind::string)
        return {};
    if (!token.escaped)
        return token.text;
    arena.push_back(std::make_unique<char[]>(token.text.size()));
    return {arena.back().get(), json::unescape(token.text, arena.back().get())};
}

} // namespace

Event parse_event(std::string_view body) {
    if (body.size() > max_event_size)
        refuse("the body is larger than 1 MiB");
    if (!json::is_utf8(body))
        refuse("the body is not valid UTF-8");
    const Tokens tokens = read_tokens(body);
    Event event;
    const auto text = [&](const Token &token) { return text_of(token, event.arena); };
    event.id = text(tokens.id);
    if (!is_printable(event.id))
        refuse("the event has no usable id");
    event.type = text(tokens.type);
    if (!is_printable(event.type))
        refuse("the event has no usable type");
    const std::optional<std::int64_t> created = read_created(tokens.created);
    if (!created)
        refuse("the event has no usable created time");
    event.created = *created;
    event.thin = text(tokens.object) == thin_object;
    if (!event.thin && tokens.data_object.text.empty())
        refuse("the event has no data.object");
    event.api_version = text(tokens.api_version);
    event.account = text(tokens.account);
    event.context = text(tokens.context);
    event.snapshot_event = text(tokens.snapshot_event);
    if (tokens.livemode.kind == TokenKind::boolean)
        event.livemode = tokens.livemode.text == "true";
    event.object_raw = tokens.data_object.text;
    event.previous_raw = tokens.previous.text;
    event.object_type = text(event.thin ? tokens.related_type : tokens.object_type);
    event.object_id = text(event.thin ? tokens.related_id : tokens.object_id);
    event.customer = text(tokens.customer);
    event.object_deleted =
        tokens.deleted.text == "true" && tokens.deleted.kind == TokenKind::boolean;
    event.has_test_clock =
        tokens.test_clock.kind != TokenKind::absent && tokens.test_clock.kind != TokenKind::null;
    return event;
}

namespace {

struct HeadTokens {
    Token id, type, created;
};

// False when one of the three is there twice; throws what the scanner throws.
bool scan_head(std::string_view body, HeadTokens &tokens) {
    Scanner scanner(body);
    scanner.skip_space();
    if (!scanner.enter('{', '}', 1))
        return false;
    do {
        const Token name = scanner.scan_name();
        const Token value = scanner.scan_value(2);
        std::string resolved;
        std::string_view text = name.text;
        if (name.escaped)
            text = resolved = json::unescaped(name.text);
        Token *place = text == "id"        ? &tokens.id
                       : text == "type"    ? &tokens.type
                       : text == "created" ? &tokens.created
                                           : nullptr;
        if (place == nullptr)
            continue;
        if (place->kind != TokenKind::absent)
            return false;
        *place = value;
    } while (scanner.next_item('}'));
    scanner.skip_space();
    return scanner.at_end();
}

std::string plain_text(const Token &token) {
    if (token.kind != TokenKind::string)
        return {};
    return token.escaped ? json::unescaped(token.text) : std::string(token.text);
}

} // namespace

EventHead read_event_head(std::string_view body) {
    HeadTokens tokens;
    bool scanned = json::is_utf8(body);
    try {
        scanned = scanned && scan_head(body, tokens);
    } catch (const core::Error &) {
        scanned = false;
    }
    EventHead head;
    if (scanned) {
        head.id = plain_text(tokens.id);
        head.type = plain_text(tokens.type);
        const std::optional<std::int64_t> created = read_created(tokens.created);
        head.created = created.value_or(0);
        head.readable = created && is_printable(head.id) && is_printable(head.type);
    }
    if (!head.readable)
        head = {"unreadable_" + core::to_hex(crypto::sha256(body)).substr(0, 32), {}, 0, false};
    return head;
}

} // namespace billstack::stripe

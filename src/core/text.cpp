// Small text tools, independent of locale.
#include "core/text.hpp"

#include "core/secret_bytes.hpp"

#include <array>
#include <chrono>
#include <cstdio>

namespace billstack::core {

namespace {

int hex_digit(char c) noexcept {
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

// Length of the well-formed sequence at the start of text, 0 if it is malformed. RFC 3629
// section 4.
std::size_t utf8_length(std::string_view text) {
    const auto byte = [&](std::size_t i) {
        return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
    };
    const auto tail = [&](std::size_t i) { return (byte(i) & 0xC0U) == 0x80U; };
    const unsigned first = byte(0);
    if (first < 0x80)
        return 1;
    if (first >= 0xC2 && first <= 0xDF)
        return tail(1) ? 2 : 0;
    if (first >= 0xE0 && first <= 0xEF) {
        const unsigned low = first == 0xE0 ? 0xA0 : 0x80;
        const unsigned high = first == 0xED ? 0x9F : 0xBF;
        return byte(1) >= low && byte(1) <= high && tail(2) ? 3 : 0;
    }
    if (first >= 0xF0 && first <= 0xF4) {
        const unsigned low = first == 0xF0 ? 0x90 : 0x80;
        const unsigned high = first == 0xF4 ? 0x8F : 0xBF;
        return byte(1) >= low && byte(1) <= high && tail(2) && tail(3) ? 4 : 0;
    }
    return 0;
}

// Unsigned decimal of exactly the given bytes; -1 when one is no digit.
int decimal(std::string_view text) {
    int value = 0;
    for (const char c : text) {
        if (c < '0' || c > '9')
            return -1;
        value = value * 10 + (c - '0');
    }
    return value;
}

} // namespace

std::string to_hex(std::span<const unsigned char> bytes) {
    static constexpr char digits[] = "0123456789abcdef";
    std::string text;
    text.reserve(bytes.size() * 2);
    for (const unsigned char byte : bytes) {
        text += digits[byte >> 4];
        text += digits[byte & 15];
    }
    return text;
}

std::string to_hex(std::string_view bytes) {
    return to_hex(std::span(reinterpret_cast<const unsigned char *>(bytes.data()), bytes.size()));
}

bool from_hex(std::string_view text, std::span<unsigned char> out) noexcept {
    bool good = text.size() == out.size() * 2;
    for (std::size_t i = 0; good && i < out.size(); ++i) {
        const int high = hex_digit(text[2 * i]);
        const int low = hex_digit(text[2 * i + 1]);
        good = high >= 0 && low >= 0;
        if (good)
            out[i] = static_cast<unsigned char>(high * 16 + low);
    }
    if (!good)
        wipe_memory(out.data(), out.size());
    return good;
}

bool equal_constant_time(std::string_view a, std::string_view b) noexcept {
    if (a.size() != b.size())
        return false;
    volatile unsigned char difference = 0; // volatile: the loop may not end early
    for (std::size_t i = 0; i < a.size(); ++i)
        difference = static_cast<unsigned char>(difference | (a[i] ^ b[i]));
    return difference == 0;
}

std::string iso8601_utc(std::int64_t unix_us) {
    using namespace std::chrono;
    const sys_time<microseconds> time{microseconds(unix_us)};
    const auto day = floor<days>(time);
    const year_month_day date{day};
    const hh_mm_ss<microseconds> clock{time - day};
    std::array<char, 64> text{};
    std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d",
                  static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                  static_cast<unsigned>(date.day()), static_cast<int>(clock.hours().count()),
                  static_cast<int>(clock.minutes().count()),
                  static_cast<int>(clock.seconds().count()));
    std::string result = text.data();
    const auto fraction = static_cast<int>(clock.subseconds().count());
    if (fraction != 0) {
        const bool whole_ms = fraction % 1000 == 0;
        std::snprintf(text.data(), text.size(), whole_ms ? ".%03d" : ".%06d",
                      whole_ms ? fraction / 1000 : fraction);
        result += text.data();
    }
    return result + "Z";
}

std::optional<std::int64_t> parse_http_date(std::string_view text) {
    using namespace std::chrono;
    static constexpr std::string_view months = "JanFebMarAprMayJunJulAugSepOctNovDec";
    static constexpr std::string_view shape = "???, ?? ??? ???? ??:??:?? GMT";
    if (text.size() != shape.size())
        return std::nullopt;
    for (std::size_t i = 0; i < shape.size(); ++i)
        if (shape[i] != '?' && shape[i] != text[i])
            return std::nullopt;
    const std::size_t at = months.find(text.substr(8, 3));
    const int day_number = decimal(text.substr(5, 2));
    const int year_number = decimal(text.substr(12, 4));
    const int hour = decimal(text.substr(17, 2));
    const int minute = decimal(text.substr(20, 2));
    const int second = decimal(text.substr(23, 2));
    if (at == std::string_view::npos || at % 3 != 0 || day_number < 1 || year_number < 1 ||
        hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60)
        return std::nullopt;
    const year_month_day date{year(year_number), month(static_cast<unsigned>(at / 3 + 1)),
                              day(static_cast<unsigned>(day_number))};
    if (!date.ok())
        return std::nullopt;
    const auto time = sys_days(date) + hours(hour) + minutes(minute) + seconds(second);
    return duration_cast<seconds>(time.time_since_epoch()).count();
}

std::string valid_utf8(std::string_view text) {
    std::string result;
    result.reserve(text.size());
    while (!text.empty()) {
        const std::size_t length = text[0] == '\0' ? 0 : utf8_length(text);
        if (length > 0)
            result += text.substr(0, length);
        else
            result += "\xEF\xBF\xBD";
        text.remove_prefix(length > 0 ? length : 1);
    }
    return result;
}

} // namespace billstack::core

// See ids.hpp.
#include "ids.hpp"

#include "rng.hpp"

#include <cstring>

namespace stripe_sim {

static constexpr char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
static constexpr size_t code_digits = 9; // 62^9 > 2^48
static constexpr uint64_t half_mask = 0xffffff;

IdCodec::IdCodec(uint64_t account_tag) : tag_{account_tag} {
    Rng rng{mix64(account_tag, 0x7461)};
    for (char &c : tail_)
        c = digits[rng.below(62)];
}

// Four Feistel rounds over two halves of 24 bits.
uint64_t IdCodec::permute(uint64_t key, uint64_t index) const {
    uint64_t left = (index >> 24) & half_mask;
    uint64_t right = index & half_mask;
    for (uint64_t round = 0; round < 4; ++round) {
        uint64_t next = left ^ (mix64(key + round, right) & half_mask);
        left = right;
        right = next;
    }
    return (left << 24) | right;
}

uint64_t IdCodec::unpermute(uint64_t key, uint64_t code) const {
    uint64_t left = (code >> 24) & half_mask;
    uint64_t right = code & half_mask;
    for (uint64_t round = 4; round-- > 0;) {
        uint64_t previous = right ^ (mix64(key + round, left) & half_mask);
        right = left;
        left = previous;
    }
    return (left << 24) | right;
}

void IdCodec::append_code(std::string &out, size_t length, uint64_t code) const {
    // Long ids look like Stripe's: a 1, the code, the account's tail.
    if (length > 14)
        out += '1';
    char text[code_digits];
    for (size_t i = code_digits; i-- > 0; code /= 62)
        text[i] = digits[code % 62];
    out.append(text, code_digits);
    out.append(tail_, length - code_digits - (length > 14 ? 1 : 0));
}

void IdCodec::append(std::string &out, Kind kind, uint64_t index) const {
    const KindInfo &of = info(kind);
    out += of.prefix;
    append_code(out, of.id_length, permute(mix64(tag_, kind_number(kind)), index));
}

std::string IdCodec::encode(Kind kind, uint64_t index) const {
    std::string out;
    append(out, kind, index);
    return out;
}

void IdCodec::append_foreign(std::string &out, std::string_view prefix, size_t length,
                             uint64_t index) const {
    uint64_t name = 0;
    for (char c : prefix)
        name = name * 131 + static_cast<unsigned char>(c);
    out += prefix;
    append_code(out, length, permute(mix64(tag_, name), index));
}

static int digit_value(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'Z')
        return c - 'A' + 10;
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 36;
    return -1;
}

std::optional<uint64_t> IdCodec::decode(Kind kind, std::string_view id) const {
    const KindInfo &of = info(kind);
    if (id.size() != of.prefix.size() + of.id_length || id.substr(0, of.prefix.size()) != of.prefix)
        return std::nullopt;
    id.remove_prefix(of.prefix.size());
    if (of.id_length > 14) {
        if (id[0] != '1')
            return std::nullopt;
        id.remove_prefix(1);
    }
    uint64_t code = 0;
    for (size_t i = 0; i < code_digits; ++i) {
        int value = digit_value(id[i]);
        if (value < 0)
            return std::nullopt;
        code = code * 62 + static_cast<uint64_t>(value);
    }
    id.remove_prefix(code_digits);
    if (code >> 48 != 0 || std::memcmp(id.data(), tail_, id.size()) != 0)
        return std::nullopt;
    return unpermute(mix64(tag_, kind_number(kind)), code);
}

} // namespace stripe_sim

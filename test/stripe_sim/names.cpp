// See names.hpp.
#include "names.hpp"

#include <cctype>
#include <iterator>

namespace stripe_sim {

static constexpr std::string_view first_names[] = {
    "Jenny", "Ada",   "Grace", "Linus",  "Maria", "Omar",  "Yuki", "Noah", "Olivia",
    "Chen",  "Fatou", "Ivan",  "Amelia", "Diego", "Priya", "Tom",  "Ruth", "Sven"};
static constexpr std::string_view last_names[] = {
    "Rosen", "Lovelace", "Hopper", "Smith", "Garcia", "Haddad", "Tanaka", "Brown", "Wilson",
    "Wei",   "Diallo",   "Petrov", "Clark", "Lopez",  "Nair",   "Baker",  "Klein", "Berg"};
// JSON text: raw UTF-8, escapes of the same characters, quotes, slashes, surrogate pairs.
static constexpr std::string_view odd_names[] = {"José Álvarez",
                                                 "Jos\\u00e9 \\u00c1lvarez",
                                                 "Zoë O'Brien",
                                                 "Łukasz Żółć",
                                                 "李小龙",
                                                 "Þórr \\\"Thunder\\\" Óðinsson",
                                                 "Back\\\\slash \\/ Sons",
                                                 "Party Co \\ud83c\\udf89",
                                                 "Party Co 🎉",
                                                 "  Spaces  around  ",
                                                 "Tab\\tand\\nnewline",
                                                 "'; DROP TABLE customers; --",
                                                 "NULL",
                                                 "مرحبا بالعالم",
                                                 "e\\u0301 combining",
                                                 "zero\\u200bwidth"};
static constexpr std::string_view products[] = {"Starter plan",
                                                "Team plan",
                                                "Business plan",
                                                "Enterprise",
                                                "Extra seat",
                                                "Storage",
                                                "API calls",
                                                "Onboarding",
                                                "Support",
                                                "T-shirt",
                                                "Café crème",
                                                "Na\\u00efve",
                                                "\\\"Quoted\\\" goods",
                                                "Gift card \\ud83c\\udf81"};

template <size_t n> static std::string_view pick(Rng &rng, const std::string_view (&from)[n]) {
    return from[rng.below(n)];
}

std::string customer_email(Rng rng, uint64_t index) {
    uint64_t share = rng.below(100);
    if (share < 8)
        return {};
    if (share < 11) // several customers with one address
        return "shared@example.com";
    std::string first{pick(rng, first_names)};
    std::string last{pick(rng, last_names)};
    bool upper = share < 22;
    std::string out =
        first + "." + last + std::to_string(index) + "@example." + (upper ? "COM" : "com");
    if (!upper)
        for (char &c : out)
            c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return out;
}

std::string customer_name(Rng rng) {
    uint64_t share = rng.below(100);
    if (share < 10)
        return {};
    if (share < 24)
        return std::string{pick(rng, odd_names)};
    std::string out{pick(rng, first_names)};
    out += ' ';
    out += pick(rng, last_names);
    return out;
}

std::string_view product_name(Rng rng) {
    return pick(rng, products);
}

void append_metadata(std::string &out, Rng rng, uint64_t index) {
    uint64_t share = rng.below(100);
    if (share < 55) {
        out += "{}";
        return;
    }
    out += "{\n    \"user_id\": \"";
    out += std::to_string(mix64(index) % 1000000);
    out += '"';
    if (share < 70)
        out += ",\n    \"plan\": \"gold\"";
    if (share >= 80)
        out += ",\n    \"source\": \"landing \\\"A\\\" \\u00e9t\\u00e9\"";
    if (share >= 95)
        out += ",\n    \"empty\": \"\",\n    \"json\": \"{\\\"a\\\": [1, 2.50]}\"";
    out += "\n  }";
}

} // namespace stripe_sim

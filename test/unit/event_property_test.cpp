// Random damage to events, compared with jansson's reading, and random names written twice.
#include "event_bodies.hpp"
#include "test_random.hpp"

#include <algorithm>
#include <gtest/gtest.h>
#include <jansson.h>
#include <vector>

namespace billstack::stripe {
namespace {

enum class Taken { yes, no, unknown };

// Unknown: jansson takes numbers only as far as a double goes.
Taken ask_jansson(const std::string &body) {
    json_error_t error;
    json_t *root =
        json_loadb(body.data(), body.size(), JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    const bool taken = json_is_object(root);
    json_decref(root);
    if (root == nullptr && json_error_code(&error) == json_error_numeric_overflow)
        return Taken::unknown;
    return taken ? Taken::yes : Taken::no;
}

TEST(Event, random_damage_is_read_as_jansson_reads_it) {
    test::Random random;
    constexpr std::string_view bytes = "{}[]\",:\\/ \n\t0123456789.eE+-abfnrtul\x01\x7f\xc3\xa9";
    int taken = 0;
    for (int i = 0; i < test::rounds(30000); ++i) {
        std::string body(random.one_in(2) ? snapshot : thin);
        for (std::size_t changes = 1 + random.below(3); changes-- > 0;) {
            const std::size_t at = random.below(body.size());
            const std::size_t size = std::min(random.below(4), body.size() - at);
            const std::string what = random.text_of(bytes, random.below(3));
            if (random.one_in(8)) // a part of it somewhere else
                body.insert(
                    random.below(body.size()),
                    body.substr(at, std::min<std::size_t>(random.below(40), body.size() - at)));
            else
                body.replace(at, size, what);
        }
        const std::string reason = refusal(body);
        const bool is_json = reason != not_json && reason != not_utf8 && reason != twice;
        const Taken other = ask_jansson(body);
        if (other != Taken::unknown) {
            ASSERT_EQ(is_json, other == Taken::yes) << reason << '\n' << body;
        }
        const EventHead head = read_event_head(body);
        if (reason.empty()) {
            const Event event = parse_event(body);
            ASSERT_TRUE(head.readable) << body;
            ASSERT_EQ(head.id, event.id) << body;
            ASSERT_EQ(head.type, event.type) << body;
            ASSERT_EQ(head.created, event.created) << body;
            ++taken;
        } else if (reason == not_json || reason == not_utf8 || reason == no_id) {
            ASSERT_FALSE(head.readable) << body;
        }
    }
    EXPECT_GT(taken, test::rounds(30000) / 20);
}

TEST(Event, a_random_name_written_twice_is_found) {
    test::Random random;
    for (int i = 0; i < test::rounds(2000); ++i) {
        // Few letters and like ends: many names that nearly agree.
        std::vector<std::string> names;
        const std::size_t count = 2 + random.below(random.one_in(20) ? 1000 : 40);
        const std::string end(random.below(10), 'x');
        while (names.size() < count)
            names.push_back(end + random.text_of("ab", 3 + random.below(10)) + end);
        std::sort(names.begin(), names.end());
        names.erase(std::unique(names.begin(), names.end()), names.end());
        for (std::size_t at = names.size(); at > 1; --at)
            std::swap(names[at - 1], names[random.below(at)]);
        const auto write = [&] {
            std::string object;
            for (const std::string &name : names) {
                object += (object.empty() ? "{\"" : ",\"");
                if (random.one_in(10) && name[0] == 'a')
                    object += "\\u0061" + name.substr(1);
                else
                    object += name;
                object += random.one_in(4) ? "\":{\"a\":[{\"a\":1}]}" : "\":1";
            }
            return with_value(object + "}");
        };
        ASSERT_EQ(refusal(write()), "");
        const std::string again = names[random.below(names.size())];
        names.insert(names.begin() + static_cast<long>(random.below(names.size() + 1)), again);
        ASSERT_EQ(refusal(write()), twice) << again;
    }
}

} // namespace
} // namespace billstack::stripe

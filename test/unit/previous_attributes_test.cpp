// What previous_attributes say of two states: the cases one by one, and random objects changed and
// written anew in other words.
#include "sync/previous_attributes.hpp"

#include "test_random.hpp"

#include <algorithm>
#include <gtest/gtest.h>
#include <vector>

namespace billstack::sync {
namespace {

using enum Follows;

TEST(PreviousAttributes, old_values_say_it_follows_new_ones_that_it_is_in) {
    const char *now = R"({"id":"sub_1","status":"active","n":5})";
    const char *previous = R"({"status":"incomplete"})";
    EXPECT_EQ(follows(R"({"id":"sub_1","status":"incomplete","n":5})", now, previous), yes);
    EXPECT_EQ(follows(R"({"status":"incomplete","n":99})", now, previous), yes);
    EXPECT_EQ(follows(R"({"status":"active"})", now, previous), already_in);
    EXPECT_EQ(follows(R"({"status":"canceled"})", now, previous), unclear);
    EXPECT_EQ(follows(R"({})", now, previous), unclear);
}

TEST(PreviousAttributes, all_members_must_agree) {
    const char *now = R"({"a":2,"b":2})";
    const char *previous = R"({"a":1,"b":1})";
    EXPECT_EQ(follows(R"({"a":1,"b":1})", now, previous), yes);
    EXPECT_EQ(follows(R"({"a":2,"b":2})", now, previous), already_in);
    EXPECT_EQ(follows(R"({"a":1,"b":2})", now, previous), unclear);
    EXPECT_EQ(follows(R"({"a":1,"b":3})", now, previous), unclear);
}

TEST(PreviousAttributes, without_a_difference_it_is_unclear) {
    EXPECT_EQ(follows(R"({"a":1})", R"({"a":1})", ""), unclear);
    EXPECT_EQ(follows(R"({"a":1})", R"({"a":1})", "{}"), unclear);
    EXPECT_EQ(follows(R"({"a":1})", R"({"a":1})", R"({"a":1})"), unclear);
    EXPECT_EQ(follows(R"({"a":1})", R"({"a":1.0})", R"({"a":1e0})"), unclear);
    EXPECT_EQ(follows(R"({"a":{"b":1}})", R"({"a":{"b":1}})", R"({"a":{}})"), unclear);
    // A value that did not change still must be the stored one.
    EXPECT_EQ(follows(R"({"a":1,"b":7})", R"({"a":2,"b":8})", R"({"a":1,"b":8})"), unclear);
    EXPECT_EQ(follows(R"({"a":1,"b":8})", R"({"a":2,"b":8})", R"({"a":1,"b":8})"), yes);
}

TEST(PreviousAttributes, absent_is_null) {
    EXPECT_EQ(follows(R"({})", R"({"a":1})", R"({"a":null})"), yes);
    EXPECT_EQ(follows(R"({"a":null})", R"({"a":1})", R"({"a":null})"), yes);
    EXPECT_EQ(follows(R"({"a":1})", R"({"a":1})", R"({"a":null})"), already_in);
    EXPECT_EQ(follows(R"({"a":1})", R"({})", R"({"a":1})"), yes);
    EXPECT_EQ(follows(R"({})", R"({"a":null})", R"({"a":1})"), already_in);
    EXPECT_EQ(follows(R"({"l":[{"x":1,"y":null}]})", R"({"l":[]})", R"({"l":[{"x":1}]})"), yes);
}

TEST(PreviousAttributes, objects_hold_the_changed_members) {
    const char *now = R"({"metadata":{"plan":"pro","seats":"3"}})";
    const char *previous = R"({"metadata":{"plan":"free"}})";
    EXPECT_EQ(follows(R"({"metadata":{"seats":"3","plan":"free"}})", now, previous), yes);
    EXPECT_EQ(follows(R"({"metadata":{"plan":"pro"}})", now, previous), already_in);
    EXPECT_EQ(follows(R"({"metadata":{"plan":"x"}})", now, previous), unclear);
    EXPECT_EQ(follows(R"({"metadata":{}})", now, R"({"metadata":{"plan":null,"seats":null}})"),
              yes);
    EXPECT_EQ(follows(R"({"metadata":null})", now, R"({"metadata":{"plan":null}})"), yes);
    const char *deep = R"({"a":{"b":{"c":2,"d":0}}})";
    EXPECT_EQ(follows(R"({"a":{"b":{"c":1}}})", deep, R"({"a":{"b":{"c":1}}})"), yes);
    EXPECT_EQ(follows(R"({"a":{"b":{"c":2}}})", deep, R"({"a":{"b":{"c":1}}})"), already_in);
}

TEST(PreviousAttributes, objects_that_come_and_go) {
    const char *address = R"({"address":{"city":"Rome","line2":null}})";
    EXPECT_EQ(follows(R"({"address":null})", address, R"({"address":null})"), yes);
    EXPECT_EQ(follows(address, address, R"({"address":null})"), already_in);
    EXPECT_EQ(follows(address, R"({"address":null})", address), yes);
    EXPECT_EQ(follows(R"({"address":null})", R"({"address":null})", address), already_in);
    EXPECT_EQ(follows(R"({"address":"Rome"})", R"({"address":null})", address), unclear);
    EXPECT_EQ(follows(R"({"address":null})", R"({"address":{"city":"Oslo"}})", address), unclear);
    EXPECT_EQ(follows(R"({"customer":{"id":"cus_1"}})", R"({"customer":"cus_2"})",
                      R"({"customer":"cus_1"})"),
              unclear); // stored expanded
}

TEST(PreviousAttributes, arrays_are_compared_whole) {
    const char *now = R"({"l":[1,2,3]})";
    const char *previous = R"({"l":[1,2]})";
    EXPECT_EQ(follows(R"({"l":[ 1, 2 ]})", now, previous), yes);
    EXPECT_EQ(follows(R"({"l":[1,2,3]})", now, previous), already_in);
    for (const char *other : {R"({"l":[2,1]})", R"({"l":[1]})", R"({"l":[]})", R"({"l":null})",
                              R"({"l":{"0":1}})", R"({"l":[1,2,3,4]})"})
        EXPECT_EQ(follows(other, now, previous), unclear) << other;
    EXPECT_EQ(follows(R"({"items":{"data":[{"id":"si_1","q":1}],"has_more":false}})",
                      R"({"items":{"data":[{"id":"si_1","q":2}],"has_more":false}})",
                      R"({"items":{"data":[{"q":1,"id":"si_1"}]}})"),
              yes);
}

TEST(PreviousAttributes, numbers_by_value_and_never_as_doubles) {
    const auto same = [](std::string a, std::string b) {
        // stored a, old value b: yes when they are equal
        return follows("{\"n\":" + a + "}", "{\"n\":\"x\"}", "{\"n\":" + b + "}") == yes;
    };
    for (auto [a, b] : std::vector<std::pair<const char *, const char *>>{
             {"1", "1.0"},
             {"1", "1e0"},
             {"10", "1e1"},
             {"10", "1E+1"},
             {"0.1", "1e-1"},
             {"100", "100"},
             {"-0", "0"},
             {"0.00", "0e5"},
             {"1200", "1.2e3"},
             {"0.012", "12e-3"},
             {"-1.50", "-1.5"},
             {"1e131071", "10e131070"},
             {"12345678901234567.89", "12345678901234567.890"},
             {"1e99999999999999999999", "1e99999999999999999999"}})
        EXPECT_TRUE(same(a, b) && same(b, a)) << a << ' ' << b;
    for (auto [a, b] : std::vector<std::pair<const char *, const char *>>{
             {"1", "-1"},
             {"1", "10"},
             {"1", "0.1"},
             {"12345678901234567.89", "12345678901234568"},
             {"9007199254740993", "9007199254740992"},
             {"1e131071", "1e131070"},
             {"0", "1e-400"},
             {"1e400", "1e401"},
             {"1e99999999999999999999", "1e99999999999999999998"},
             {"1", "\"1\""},
             {"1", "true"},
             {"0", "null"},
             {"0", "false"}})
        EXPECT_FALSE(same(a, b) || same(b, a)) << a << ' ' << b;
    // Exponents beyond all reason are compared as they are written.
    EXPECT_TRUE(same("0.01e-9223372036854775807", "0.01e-9223372036854775807"));
    EXPECT_FALSE(same("0.01e-9223372036854775807", "0.010e-9223372036854775807"));
}

TEST(PreviousAttributes, strings_by_what_they_say) {
    const char *now = R"({"s":"new","\u0074":1})";
    EXPECT_EQ(follows(R"({"s":"caf\u00e9/"})", now, "{\"\\u0073\":\"café\\/\"}"), yes);
    EXPECT_EQ(follows(R"({"s":"Caf\u00e9/"})", now, "{\"s\":\"café\\/\"}"), unclear);
    EXPECT_EQ(follows(R"({"t":0})", now, R"({"t":0})"), yes);
}

TEST(PreviousAttributes, what_cannot_be_read_is_unclear) {
    const char *good = R"({"a":1})";
    for (const char *bad :
         {"", " ", "null", "[]", "1", "{", R"({"a":)", R"({"a":1)", "{]", "\"a\""}) {
        EXPECT_EQ(follows(bad, R"({"a":2})", good), unclear) << bad;
        EXPECT_EQ(follows(good, bad, good), unclear) << bad;
        EXPECT_EQ(follows(good, R"({"a":2})", bad), unclear) << bad;
    }
    EXPECT_EQ(follows(" {\n\"a\" : 1 }", "\t{\"a\":2}", "{ \"a\":1}\n"), yes);
    // Stored by someone's hand: the last of two counts, as for PostgreSQL.
    EXPECT_EQ(follows(R"({"a":7,"a":1})", R"({"a":2})", good), yes);
    const std::string deep = "{\"a\":" + std::string(300, '[') + std::string(300, ']') + "}";
    EXPECT_EQ(follows(deep, R"({"a":2})", good), unclear);
}

TEST(PreviousAttributes, large_objects_take_no_square_of_time) {
    std::string stored = "{\"m\":[{", old, now;
    for (int i = 0; i < 60000; ++i)
        stored += (i == 0 ? "\"k" : ",\"k") + std::to_string(i) + "\":" + std::to_string(i);
    old = stored + "}]}";
    now = stored + ",\"one\":1}]}";
    stored += ",\"none\":null}]}";
    EXPECT_EQ(follows(stored, now, old), yes);
    EXPECT_EQ(follows(now, now, old), already_in);
}

// --- random objects
// --------------------------------------------------------------------------------

struct Model {
    enum { null, boolean, number, text, object, array } form = null;
    int value = 0; // of a boolean, number or text
    std::vector<std::pair<int, Model>> members;
    std::vector<Model> elements;

    bool operator==(const Model &) const = default;
    const Model *find(int name) const {
        for (const auto &[other, model] : members)
            if (other == name)
                return &model;
        return nullptr;
    }
};

class Maker {
  public:
    Model leaf() {
        Model model;
        model.form =
            std::vector{Model::null, Model::boolean, Model::number, Model::text}[random.below(4)];
        model.value = model.form == Model::null      ? 0
                      : model.form == Model::boolean ? static_cast<int>(random.below(2))
                                                     : static_cast<int>(random.below(5));
        return model;
    }

    Model value(int depth) {
        if (depth == 0 || random.one_in(2))
            return leaf();
        Model model;
        model.form = random.one_in(3) ? Model::array : Model::object;
        for (std::size_t i = random.below(4); i-- > 0;) {
            if (model.form == Model::array)
                model.elements.push_back(value(depth - 1));
            else
                model.members.emplace_back(static_cast<int>(i), value(depth - 1));
        }
        return model;
    }

    Model object() {
        Model model;
        model.form = Model::object;
        for (int i = 0; i < 6; ++i)
            model.members.emplace_back(i, value(3));
        return model;
    }

    // Some members another value; at least one, at some level, is another.
    Model change(const Model &before) {
        Model after = before;
        while (after == before)
            for (auto &[name, member] : after.members) {
                if (member.form == Model::object && !member.members.empty() && random.one_in(2))
                    member = change(member);
                else if (random.one_in(4))
                    member = value(2);
            }
        return after;
    }

    // As one of many who write the same.
    std::string write(const Model &model) {
        std::string space = random.one_in(8) ? std::string(1 + random.below(20), ' ') : "";
        std::string out = space;
        std::vector<std::string> items;
        switch (model.form) {
        case Model::null:
            return out + "null";
        case Model::boolean:
            return out + (model.value != 0 ? "true" : "false");
        case Model::number:
            return out + number(model.value);
        case Model::text:
            return out + text(model.value);
        case Model::array:
            for (const Model &element : model.elements)
                items.push_back(write(element));
            return out + "[" + join(items) + space + "]";
        case Model::object:
            break;
        }
        for (const auto &[name, member] : model.members)
            if (member.form != Model::null || !random.one_in(2)) // null may be left out
                items.insert(items.begin() + static_cast<long>(random.below(items.size() + 1)),
                             text(name) + space + ":" + write(member));
        return out + "{" + join(items) + space + "}";
    }

    test::Random random;

  private:
    std::string number(int value) {
        if (value == 0)
            return std::vector<std::string>{"0", "-0", "0.00", "0e7"}[random.below(4)];
        const std::string digits = std::to_string(value);
        return std::vector<std::string>{digits, digits + ".0", digits + "0e-1", digits + "E0",
                                        digits + "000e-003"}[random.below(5)];
    }
    std::string text(int value) {
        return std::vector<std::string>{"\"k" + std::to_string(value) + "/\"",
                                        "\"\\u006b" + std::to_string(value) + "/\"",
                                        "\"k" + std::to_string(value) + "\\/\""}[random.below(3)];
    }
    static std::string join(const std::vector<std::string> &items) {
        std::string joined;
        for (const std::string &item : items)
            joined += (joined.empty() ? "" : ",") + item;
        return joined;
    }
};

// The old values of what changed, as Stripe writes them: objects on both sides member by member.
Model difference(const Model &before, const Model &after) {
    Model old;
    old.form = Model::object;
    for (const auto &[name, member] : before.members) {
        const Model *now = after.find(name);
        if (member == *now)
            continue;
        const bool both = member.form == Model::object && now->form == Model::object;
        if (both && member.members.size() == now->members.size() &&
            std::equal(member.members.begin(), member.members.end(), now->members.begin(),
                       [](const auto &a, const auto &b) { return a.first == b.first; }))
            old.members.emplace_back(name, difference(member, *now));
        else if (both)
            return {}; // members added below: the test takes another change
        else
            old.members.emplace_back(name, member);
    }
    return old;
}

// Null and objects without members may stand for nothing at all.
bool is_hollow(const Model &model) {
    if (model.form == Model::null || (model.form == Model::object && model.members.empty()))
        return true;
    return std::any_of(model.members.begin(), model.members.end(),
                       [](const auto &member) { return is_hollow(member.second); });
}

TEST(PreviousAttributes, random_changes_are_seen_in_any_words) {
    Maker maker;
    int seen = 0;
    for (int i = 0; i < test::rounds(20000); ++i) {
        const Model before = maker.object();
        const Model after = maker.change(before);
        const Model old = difference(before, after);
        if (is_hollow(old))
            continue;
        ++seen;
        const std::string stored_old = maker.write(before);
        const std::string stored_new = maker.write(after);
        const std::string object = maker.write(after);
        const std::string previous = maker.write(old);
        ASSERT_EQ(follows(stored_old, object, previous), yes) << stored_old << '\n'
                                                              << object << '\n'
                                                              << previous;
        ASSERT_EQ(follows(stored_new, object, previous), already_in) << stored_new << '\n'
                                                                     << object << '\n'
                                                                     << previous;
        Model third = after; // a value that neither shows
        for (auto &[name, member] : third.members)
            if (name == old.members[0].first)
                member = {Model::text, 99, {}, {}};
        ASSERT_EQ(follows(maker.write(third), object, previous), unclear);
    }
    EXPECT_GT(seen, test::rounds(20000) / 20);
}

} // namespace
} // namespace billstack::sync

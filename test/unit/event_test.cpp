// What an event holds, what it must hold, and its head. What may be wrong with the JSON:
// event_json_test.cpp.
#include "stripe/event.hpp"

#include "core/error.hpp"
#include "core/text.hpp"
#include "crypto/sha256.hpp"
#include "event_bodies.hpp"

#include <gtest/gtest.h>
#include <vector>

namespace billstack::stripe {
namespace {

TEST(Event, a_snapshot_event) {
    const Event event = parse_event(snapshot);
    EXPECT_EQ(event.id, "evt_1NG8Du2eZvKYlo2CUI79vXWy");
    EXPECT_EQ(event.type, "setup_intent.created");
    EXPECT_EQ(event.api_version, "2019-02-19");
    EXPECT_EQ(event.account, "acct_1");
    EXPECT_EQ(event.context, "");
    EXPECT_EQ(event.created, 1686089970);
    EXPECT_EQ(event.livemode, true);
    EXPECT_EQ(event.object_type, "setup_intent");
    EXPECT_EQ(event.object_id, "seti_1NG8Du2eZvKYlo2C9XMqbR0x");
    EXPECT_EQ(event.object_raw.substr(0, 8), "{\n      ");
    EXPECT_EQ(event.object_raw.back(), '}');
    EXPECT_EQ(event.object_raw.data(), snapshot.data() + snapshot.find("{\n      \"id\""));
    EXPECT_EQ(event.previous_raw, R"({ "status": null })");
    EXPECT_EQ(event.customer, "cus_1");
    EXPECT_FALSE(event.thin || event.object_deleted || event.has_test_clock);
    EXPECT_TRUE(event.arena.empty());
}

TEST(Event, a_thin_event) {
    const Event event = parse_event(thin);
    EXPECT_TRUE(event.thin);
    EXPECT_EQ(event.type, "v1.billing.meter.error_report_triggered");
    EXPECT_EQ(event.object_type, "billing.meter");
    EXPECT_EQ(event.object_id, "mtr_123");
    EXPECT_EQ(event.snapshot_event, "evt_1abc");
    EXPECT_EQ(event.context, "acct_2");
    EXPECT_EQ(event.livemode, false);
    EXPECT_EQ(event.created, 1726554052);
    // Nothing is related to some.
    EXPECT_EQ(parse_event(R"({"id":"e","type":"v2.core.health","created":"2024-09-17T06:20:52Z",
                              "object":"v2.core.event","related_object":null})")
                  .object_id,
              "");
}

TEST(Event, small_differences_of_objects) {
    const auto parse = [](const char *members) {
        static std::string body;
        body =
            std::string(R"({"id":"e","type":"t","created":1,"data":{"object":{)") + members + "}}}";
        return parse_event(body);
    };
    EXPECT_TRUE(parse(R"("deleted":true)").object_deleted);
    EXPECT_FALSE(parse(R"("deleted":"true")").object_deleted);
    EXPECT_TRUE(parse(R"("test_clock":"clock_1")").has_test_clock);
    EXPECT_TRUE(parse(R"("test_clock":{"id":"clock_1"})").has_test_clock);
    EXPECT_EQ(parse(R"("customer":"cus_2")").customer, "cus_2");
    EXPECT_EQ(parse(R"("customer":null)").customer, "");
    EXPECT_EQ(parse(R"("customer":{})").customer, "");
    EXPECT_EQ(parse(R"("customer":[{"id":"cus_3"}])").customer, "");
    EXPECT_EQ(parse(R"("id":7)").object_id, "");
    EXPECT_EQ(parse(R"("data":{"object":{"id":"deeper"}},"id":"o")").object_id, "o");
    EXPECT_EQ(parse("").livemode, std::nullopt);
    EXPECT_EQ(parse("").object_raw, "{}");
    EXPECT_EQ(parse("").previous_raw, "");
}

TEST(Event, escapes_are_resolved_but_in_raw_parts) {
    const std::string body =
        R"({"\u0069d":"evt\u005f1","type":"a\/b","created":1,"account":"\u0000",
        "context":"\ud800","data":{"object":{"id":"caf\u00e9 \ud83d\ude00","x":"\u0000\udfff"}}})";
    const Event event = parse_event(body);
    EXPECT_EQ(event.id, "evt_1");
    EXPECT_EQ(event.type, "a/b");
    EXPECT_EQ(event.account, "\ufffd");
    EXPECT_EQ(event.context, "\ufffd");
    EXPECT_EQ(event.object_id, "café 😀");
    EXPECT_NE(event.object_raw.find(R"("\u0000\udfff")"), std::string_view::npos);
}

TEST(Event, id_type_and_created_must_be_usable) {
    const auto with = [](const char *id, const char *type, const char *created) {
        return refusal(std::string("{\"id\":") + id + ",\"type\":" + type +
                       ",\"created\":" + created + R"(,"data":{"object":{}}})");
    };
    const std::string long_text = "\"" + std::string(255, 'e') + "\"";
    const std::string too_long = "\"" + std::string(256, 'e') + "\"";
    EXPECT_EQ(with(long_text.c_str(), long_text.c_str(), "0"), "");
    EXPECT_EQ(with("\"!~\"", "\"t\"", "253402300799"), "");
    for (const char *bad : {"null", "1", "\"\"", "[\"e\"]", "\"a b\"", "\"a\\u0000\"", "\"\\n\"",
                            "\"é\"", "\"\\u007f\"", too_long.c_str()}) {
        EXPECT_EQ(with(bad, "\"t\"", "1"), no_id) << bad;
        EXPECT_EQ(with("\"e\"", bad, "1"), no_type) << bad;
    }
    for (const char *bad : {"null",
                            "-1",
                            "1.0",
                            "1e3",
                            "253402300800",
                            "9223372036854775808",
                            "1e131071",
                            "\"1\"",
                            "true",
                            "\"\"",
                            "\"2024-09-17\"",
                            "\"2024-09-17T06:20:52\"",
                            "\"2024-09-17 06:20:52Z\"",
                            "\"2024-13-17T06:20:52Z\"",
                            "\"2024-02-30T06:20:52Z\"",
                            "\"2024-09-17T24:20:52Z\"",
                            "\"2024-09-17T06:20:52.Z\"",
                            "\"2024-09-17T06:20:52.1\"",
                            "\"2024-09-17T06:20:52Zx\"",
                            "\"-024-09-17T06:20:52Z\"",
                            "\"2024-09-17T06:20:-2Z\"",
                            "\"1969-12-31T23:59:59Z\"",
                            "\"2024-09-17T06:20:52+1:00\"",
                            "\"2024-09-17T06:20:52+25:00\""})
        EXPECT_EQ(with("\"e\"", "\"t\"", bad), no_created) << bad;
    for (const char *good : {"\"2024-09-17T06:20:52.246813579Z\"", "\"2024-09-17T06:20:52+00:00\"",
                             "\"2024-09-17T08:50:52.9+02:30\"", "\"2024-09-16T23:20:52-07:00\"",
                             "\"2024-09-17T06:20:5\\u0032Z\"", "1726554052"}) {
        const std::string body =
            std::string(R"({"id":"e","type":"t","created":)") + good + R"(,"data":{"object":{}}})";
        EXPECT_EQ(parse_event(body).created, 1726554052) << good;
        EXPECT_EQ(read_event_head(body).created, 1726554052) << good;
    }
    EXPECT_EQ(refusal("{}"), no_id);
    EXPECT_EQ(refusal(R"({"id":"e","created":1})"), no_type);
    EXPECT_EQ(refusal(R"({"id":"e","type":"t"})"), no_created);
}

TEST(Event, a_snapshot_has_an_object) {
    for (const char *data :
         {"", R"(,"data":null)", R"(,"data":{})", R"(,"data":[])", R"(,"data":{"object":null})",
          R"(,"data":{"object":[]})", R"(,"data":{"object":"{}"})", R"(,"object":"v2.core.even")"})
        EXPECT_EQ(refusal(std::string(R"({"id":"e","type":"t","created":1)") + data + "}"),
                  no_object);
}

TEST(EventHead, says_what_the_event_says) {
    for (std::string_view body : {snapshot, thin}) {
        const Event event = parse_event(body);
        const EventHead head = read_event_head(body);
        EXPECT_TRUE(head.readable);
        EXPECT_EQ(head.id, event.id);
        EXPECT_EQ(head.type, event.type);
        EXPECT_EQ(head.created, event.created);
    }
    const EventHead head =
        read_event_head(R"({"\u0069d":"evt\u005f1","typ\u0065":"t","created":5})");
    EXPECT_EQ(head.id, "evt_1");
    EXPECT_EQ(head.type, "t");
    EXPECT_EQ(head.created, 5);
}

TEST(EventHead, what_cannot_be_read_has_an_id_of_its_own) {
    for (const std::string &body :
         {std::string(), std::string("x"), std::string("{}"), std::string("[]"),
          std::string(R"({"id":"e","type":"t"})"), std::string(R"({"id":"e","created":1})"),
          std::string(R"({"type":"t","created":1})"), std::string("\xff"),
          std::string(R"({"id":"e","type":"t","created":1,"id":"f"})"),
          std::string(R"({"id":"e","type":"t","created":1,"i\u0064":"e"})"),
          std::string(R"({"id":null,"id":"e","type":"t","created":1})"),
          std::string(R"({"id":"e","type":"t","created":1}})"),
          std::string(R"({"id":"e e","type":"t","created":1})")}) {
        const EventHead head = read_event_head(body);
        EXPECT_FALSE(head.readable) << body;
        EXPECT_EQ(head.id, "unreadable_" + core::to_hex(crypto::sha256(body)).substr(0, 32));
        EXPECT_EQ(head.type, "");
        EXPECT_EQ(head.created, 0);
    }
    EXPECT_EQ(read_event_head("").id, "unreadable_e3b0c44298fc1c149afbf4c8996fb924");
}

} // namespace
} // namespace billstack::stripe

// A Stripe account in memory for random schedules: objects of four kinds that are made, changed,
// deleted and made again, the event of each change, and reads as of a moment. Its clock has
// quarters of a second, its events only seconds.
#pragma once

#include "fake_transport.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace billstack::test {

// Cheap to seed, and the same on every machine.
class Dice {
  public:
    explicit Dice(std::uint64_t seed) : state_(seed) {}
    std::size_t below(std::size_t limit) { // 0 to limit - 1
        state_ += 0x9E3779B97F4A7C15U;
        std::uint64_t mixed = (state_ ^ (state_ >> 30)) * 0xBF58476D1CE4E5B9U;
        mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBU;
        return (mixed ^ (mixed >> 31)) % limit;
    }
    bool one_in(std::size_t n) { return below(n) == 0; }

  private:
    std::uint64_t state_;
};

struct OracleKind {
    std::string_view name;
    std::string_view object; // Stripe's word
    std::string_view type;   // of its events, before the verb
    std::string_view list;   // member with the children, or empty
    std::string_view child;  // Stripe's word for one
    bool can_go = true;
    bool comes_back = false; // the id is chosen by the user
};

inline constexpr std::array<OracleKind, 4> oracle_kinds{{
    {"customer", "customer", "customer", "", "", true, false},
    {"coupon", "coupon", "coupon", "", "", true, true},
    {"subscription", "subscription", "customer.subscription", "items", "subscription_item", false,
     false},
    {"invoice", "invoice", "invoice", "lines", "line_item", true, false},
}};

class OracleAccount {
  public:
    static constexpr int ticks_a_second = 4;
    static constexpr std::size_t embedded = 2; // children inside a parent; Stripe: ten

    struct Child {
        std::string id;
        std::size_t quantity;
        bool operator==(const Child &) const = default;
    };
    struct Object {
        const OracleKind *kind = nullptr;
        std::string id;
        bool alive = true;
        std::int64_t created = 0;
        std::array<std::size_t, 2> fields{}; // few values: A to B and back is common
        std::vector<Child> children;
    };
    struct Told {
        std::string body; // of the event
        std::string thin; // its thin twin
    };

    OracleAccount(Dice &dice, std::vector<Told> &told) : dice_(dice), told_(told) {}

    std::int64_t second() const { return 1700000000 + tick_ / ticks_a_second; }
    std::int64_t tick() const { return tick_; }
    void pass(std::int64_t ticks) { tick_ += ticks; }

    // quiet: it was there before the account was connected, and has no event.
    void make(const OracleKind &kind, bool quiet) {
        Object object;
        object.kind = &kind;
        object.id = std::string(kind.name.substr(0, 2)) + "_" + std::to_string(objects.size());
        fill(object);
        objects.push_back(object);
        if (!quiet)
            tell("created", objects.back(), nullptr);
    }

    // One change of an object, chosen by the dice.
    void change(Object &object) {
        if (!object.alive) {
            if (object.kind->comes_back) {
                fill(object);
                tell("created", object, nullptr);
            }
            return;
        }
        if (object.kind->can_go && dice_.one_in(object.kind->comes_back ? 3 : 10)) {
            object.alive = false;
            tell("deleted", object, nullptr);
            return;
        }
        Object before = object;
        if (!object.kind->list.empty() && dice_.one_in(2))
            change_children(object);
        if (object.children == before.children || dice_.one_in(3))
            object.fields[dice_.below(2)] = dice_.below(3);
        tell("updated", object, &before);
    }

    // As lists and reads show it.
    static std::string body_of(const Object &object) {
        std::string body = R"({"id":")" + object.id + R"(","object":")" +
                           std::string(object.kind->object) + R"(","created":)" +
                           std::to_string(object.created) + fields_of(object);
        if (!object.kind->list.empty())
            body += "," + children_member(object);
        return body + "}";
    }
    static std::string child_body(const Object &parent, const Child &child) {
        return R"({"id":")" + child.id + R"(","object":")" + std::string(parent.kind->child) +
               R"(","quantity":)" + std::to_string(child.quantity) + "}";
    }
    // The page of children after that one; false when Stripe knows no such child (any more).
    static bool children_after(const Object &parent, const std::string &after, std::string &body) {
        std::vector<std::string> rest;
        bool found = false; // never in a parent that is gone
        for (const Child &child : parent.alive ? parent.children : std::vector<Child>{}) {
            if (found)
                rest.push_back(child_body(parent, child));
            found = found || child.id == after;
        }
        body = list_of(rest, false);
        return found;
    }

    Object &find(const std::string &id) {
        for (Object &object : objects)
            if (object.id == id)
                return object;
        throw std::out_of_range(id);
    }

    std::vector<Object> objects;

  private:
    void fill(Object &object) {
        object.alive = true;
        object.created = second();
        for (std::size_t &field : object.fields)
            field = dice_.below(3);
        object.children.clear();
        if (!object.kind->list.empty())
            for (std::size_t left = dice_.below(5); left > 0; --left)
                object.children.push_back(new_child(object));
    }

    Child new_child(const Object &parent) {
        return {"ch_" + parent.id + "_" + std::to_string(++last_child_), dice_.below(3)};
    }

    void change_children(Object &object) {
        std::vector<Child> &children = object.children;
        std::size_t place = dice_.below(children.size() + 1);
        auto at = children.begin() + static_cast<std::ptrdiff_t>(place);
        std::size_t what = dice_.below(3);
        if (what == 0 && children.size() < 6)
            children.insert(at, new_child(object));
        else if (what == 1 && at != children.end())
            children.erase(at);
        else if (at != children.end())
            at->quantity = dice_.below(3);
    }

    static std::string fields_of(const Object &object) {
        return R"(,"name":")" + std::to_string(object.fields[0]) + R"(","description":")" +
               std::to_string(object.fields[1]) + R"(")";
    }
    static std::string children_member(const Object &object) {
        std::vector<std::string> first;
        for (const Child &child : object.children)
            if (first.size() < embedded)
                first.push_back(child_body(object, child));
        return R"(")" + std::string(object.kind->list) + R"(":)" +
               list_of(first, object.children.size() > embedded);
    }
    static std::string previous_of(const Object &now, const Object &before) {
        std::string previous;
        const char *names[] = {"name", "description"};
        for (std::size_t i = 0; i < now.fields.size(); ++i)
            if (now.fields[i] != before.fields[i])
                previous += std::string(previous.empty() ? "" : ",") + R"(")" + names[i] +
                            R"(":")" + std::to_string(before.fields[i]) + R"(")";
        if (!now.kind->list.empty() && children_member(now) != children_member(before))
            previous += (previous.empty() ? "" : ",") + children_member(before);
        return R"(,"previous_attributes":{)" + previous + "}";
    }

    void tell(std::string_view verb, const Object &object, const Object *before) {
        std::string id = "evt_" + std::to_string(++last_event_);
        std::string type = std::string(object.kind->type) + "." + std::string(verb);
        std::string head = R"({"id":")" + id + R"(","created":)" + std::to_string(second());
        std::string previous = before != nullptr ? previous_of(object, *before) : "";
        told_.push_back({head + R"(,"object":"event","livemode":false,"type":")" + type +
                             R"(","data":{"object":)" + body_of(object) + previous + "}}",
                         R"({"id":"thin_)" + id +
                             R"(","object":"v2.core.event","created":"2024-09-17T06:20:52.246Z",)" +
                             R"("type":"v1.)" + type + R"(","snapshot_event":")" + id +
                             R"(","related_object":{"id":")" + object.id + R"(","type":")" +
                             std::string(object.kind->object) + R"("}})"});
    }

    Dice &dice_;
    std::vector<Told> &told_;
    std::int64_t tick_ = 0;
    int last_child_ = 0;
    int last_event_ = 0;
};

} // namespace billstack::test

// docs/kinds.md against the catalogue and the list of event types: its table has the very row of
// each kind, so that it can be trusted like generated text.
#include "stripe/event_types.hpp"
#include "stripe/object_catalog.hpp"

#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <map>
#include <string>

namespace billstack::stripe {
namespace {

std::string read_document() {
    std::ifstream file(std::string(BILLSTACK_SOURCE_DIR) + "/docs/kinds.md");
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::string code(std::string_view text) {
    return "`" + std::string(text) + "`";
}

void append(std::string &list, std::string_view separator, const std::string &item) {
    list += (list.empty() ? "" : std::string(separator)) + item;
}

// data.object.object of a type, where it is not the type's first words.
std::string object_of(const std::string &words) {
    static const std::map<std::string, std::string> others = {
        {"charge.dispute", "dispute"},
        {"charge.refund", "refund"},
        {"customer.subscription", "subscription"},
        {"customer.tax_id", "tax_id"},
        {"entitlements.active_entitlement_summary", "entitlements.active_entitlement"},
    };
    auto found = others.find(words);
    return found == others.end() ? words : found->second;
}

std::string events_of(const Kind &kind) {
    std::map<std::string, std::string> words; // "charge.dispute" -> "`closed`, `created`"
    for (const EventType &type : event_types()) {
        std::size_t dot = type.name.rfind('.');
        std::string first(type.name.substr(0, dot));
        if (object_of(first) == kind.object)
            append(words[first], ", ", code(type.name.substr(dot + 1)));
    }
    std::string text;
    for (const auto &[first, last] : words)
        append(text, "; ", code(first + ".") + " " + last);
    return text.empty() ? "none" : text;
}

const Kind *parent_of(const Kind &kind) {
    for (const Kind *parent : all_kinds())
        for (const ChildList &list : parent->children)
            if (list.kind == &kind)
                return parent;
    return nullptr;
}

std::string row_of(const Kind &kind) {
    std::string place = code(kind.list_path);
    std::string events = events_of(kind);
    if (const Kind *parent = parent_of(kind)) {
        std::string name(parent->name);
        for (char &byte : name)
            byte = byte == '_' ? ' ' : byte;
        place = "with its " + name;
        events = "those of its " + name;
    }
    if (!kind.list_parent_param.empty())
        place += ", per " + std::string(kind.list_parent->name);
    if (kind.is_default)
        place += ", by default";
    std::string indexes;
    for (const Index &index : kind.indexes) {
        std::string expression(index.expression);
        if (std::size_t at = expression.find("pg_catalog."); at != std::string::npos)
            expression.erase(at, 11);
        append(indexes, ", ", code(expression));
    }
    return "| " + code(kind.table) + " | " + code(kind.name) + " | " + place + " | " + indexes +
           " | " + events + " |\n";
}

TEST(KindsDocument, has_the_row_of_each_kind) {
    std::string document = read_document();
    std::string table;
    for (const Kind *kind : all_kinds()) {
        std::string row = row_of(*kind);
        EXPECT_NE(document.find(row), std::string::npos) << "docs/kinds.md lacks this row:\n"
                                                         << row;
        table += row;
    }
    EXPECT_NE(document.find(table), std::string::npos) << "the order is the catalogue's";
}

} // namespace
} // namespace billstack::stripe

// See row.hpp. Which column takes its value from where is worked out once per kind and process;
// an object is then read in one pass, and each value converted by its column's type.
#include "sync/row.hpp"

#include "core/error.hpp"
#include "crypto/sha256.hpp"
#include "json/object_page.hpp"
#include "json/path_reader.hpp"
#include "json/token_text.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace billstack::sync {

namespace {

using json::Token;
using json::TokenKind;
using stripe::ColumnType;

constexpr int no_slot = -1;

// What timestamptz can hold, in unix seconds: 4714-11-24 BC up to the end of 294276.
constexpr std::int64_t first_second = -210866803200;
constexpr std::int64_t last_second = 9224318015999;

struct Place {
    int slot;    // the value at the path
    int id_slot; // reference only: the id of the object there
};

struct ColumnPlan {
    ColumnType type;
    std::vector<Place> places;
};

struct KindPlan {
    const stripe::Kind *kind;
    std::size_t slots;
    json::PathReader reader;
    std::vector<ColumnPlan> columns;
    int parent_column;             // index of the column that holds the parent's id, or -1
    json::PathReader child_reader; // the members that hold child lists, in catalogue order
};

int slot_of(std::vector<std::string> &paths, std::string path) {
    auto found = std::find(paths.begin(), paths.end(), path);
    if (found == paths.end())
        found = paths.insert(paths.end(), std::move(path));
    return static_cast<int>(found - paths.begin());
}

// The list that has this kind as its elements says which column is the parent's id.
std::string_view parent_column_name(const stripe::Kind &kind) {
    if (kind.list_parent != nullptr)
        return kind.list_parent->name;
    for (const stripe::Kind *parent : stripe::all_kinds())
        for (const stripe::ChildList &list : parent->children)
            if (list.kind == &kind)
                return list.parent_column;
    return {};
}

int find_parent_column(const stripe::Kind &kind) {
    std::string_view name = parent_column_name(kind);
    for (std::size_t i = 0; i < kind.columns.size() && !name.empty(); ++i)
        if (kind.columns[i].name == name)
            return static_cast<int>(i);
    return -1;
}

KindPlan make_plan(const stripe::Kind &kind) {
    std::vector<std::string> paths;
    std::vector<ColumnPlan> columns;
    for (const stripe::Column &column : kind.columns) {
        ColumnPlan plan{column.type, {}};
        for (std::string_view path : column.paths) {
            int slot = slot_of(paths, std::string(path));
            int id_slot = column.type == ColumnType::reference
                              ? slot_of(paths, std::string(path) + ".id")
                              : no_slot;
            plan.places.push_back({slot, id_slot});
        }
        columns.push_back(std::move(plan));
    }
    std::vector<std::string_view> views(paths.begin(), paths.end());
    std::vector<std::string_view> lists;
    for (const stripe::ChildList &list : kind.children)
        lists.push_back(list.field);
    return {&kind,
            paths.size(),
            json::PathReader(views),
            std::move(columns),
            find_parent_column(kind),
            json::PathReader(lists)};
}

std::vector<KindPlan> *make_all_plans() {
    auto *plans = new std::vector<KindPlan>;
    for (const stripe::Kind *kind : stripe::all_kinds())
        plans->push_back(make_plan(*kind));
    return plans;
}

const KindPlan &plan_of(const stripe::Kind &kind) {
    // Never freed: a destructor would run when the backend exits.
    static const std::vector<KindPlan> *const plans = make_all_plans();
    for (const KindPlan &plan : *plans)
        if (plan.kind == &kind)
            return plan;
    throw core::Error(core::Code::internal, "the kind is not in the catalogue");
}

// Bytes for texts that differ from what stands in the object.
char *allocate(RowBatch &batch, std::size_t size) {
    batch.arena.push_back(std::make_unique<char[]>(size));
    return batch.arena.back().get();
}

void set_text(Value &value, std::string_view text) {
    value.is_null = false;
    value.text = text;
}

void convert_string(RowBatch &batch, const Token &token, Value &value) {
    if (token.kind != TokenKind::string)
        return;
    if (!token.escaped)
        return set_text(value, token.text);
    char *bytes = allocate(batch, token.text.size());
    set_text(value, {bytes, json::unescape(token.text, bytes)});
}

// Integers only: 1.0 and 1e3 are not what Stripe writes for an amount, and a double loses cents.
void convert_integer(const Token &token, std::int64_t low, std::int64_t high, Value &value) {
    if (token.kind != TokenKind::number)
        return;
    std::int64_t number = 0;
    const char *end = token.text.data() + token.text.size();
    auto [stop, error] = std::from_chars(token.text.data(), end, number);
    if (error != std::errc() || stop != end || number < low || number > high)
        return;
    value.is_null = false;
    value.number = number;
}

void convert_jsonb(RowBatch &batch, const Token &token, Value &value) {
    if (token.kind != TokenKind::object && token.kind != TokenKind::array)
        return;
    if (!json::fits_jsonb(token.text))
        return;
    if (!json::needs_cleaning(token.text))
        return set_text(value, token.text);
    char *bytes = allocate(batch, token.text.size());
    json::clean_json(token.text, bytes);
    set_text(value, {bytes, token.text.size()});
}

void convert(RowBatch &batch, ColumnType type, const Token &token, const Token &id, Value &value) {
    switch (type) {
    case ColumnType::text:
        return convert_string(batch, token, value);
    case ColumnType::reference:
        return convert_string(batch, token.kind == TokenKind::object ? id : token, value);
    case ColumnType::bigint:
        return convert_integer(token, INT64_MIN, INT64_MAX, value);
    case ColumnType::timestamp:
        return convert_integer(token, first_second, last_second, value);
    case ColumnType::numeric:
        if (token.kind == TokenKind::number && json::is_sane_number(token.text))
            set_text(value, token.text);
        return;
    case ColumnType::boolean:
        if (token.kind == TokenKind::boolean) {
            value.is_null = false;
            value.number = token.text == "true" ? 1 : 0;
        }
        return;
    case ColumnType::jsonb:
        return convert_jsonb(batch, token, value);
    }
}

void fill_row(RowBatch &batch, const KindPlan &plan, std::span<const Token> tokens, Value *values) {
    static constexpr Token none;
    for (std::size_t i = 0; i < plan.columns.size(); ++i) {
        const ColumnPlan &column = plan.columns[i];
        for (const Place &place : column.places) {
            const Token &token = tokens[static_cast<std::size_t>(place.slot)];
            if (token.kind == TokenKind::absent || token.kind == TokenKind::null)
                continue;
            const Token &id =
                place.id_slot == no_slot ? none : tokens[static_cast<std::size_t>(place.id_slot)];
            convert(batch, column.type, token, id, values[i]);
            break;
        }
    }
}

} // namespace

void extract_columns(RowBatch &batch) {
    const KindPlan &plan = plan_of(*batch.kind);
    std::size_t width = plan.columns.size();
    std::vector<Token> tokens(plan.slots);
    batch.values.assign(batch.rows.size() * width, Value{});
    for (std::size_t i = 0; i < batch.rows.size(); ++i) {
        Value *values = batch.values.data() + i * width;
        plan.reader.read(batch.rows[i].raw, tokens);
        fill_row(batch, plan, tokens, values);
        // The row's key is what the page was split by. Another id in its bytes: two members "id".
        if (values[0].is_null || values[0].text != batch.rows[i].id)
            throw core::Error(core::Code::stripe_unreachable, "the answer is not what Stripe sends",
                              "An object has one id.");
        // A child belongs to the parent in whose list it was, whatever it says itself.
        if (plan.parent_column >= 0 && i < batch.parents.size() && !batch.parents[i].empty())
            set_text(values[plan.parent_column], batch.parents[i]);
    }
}

std::vector<ChildRows> read_children(const stripe::Kind &parent, std::string_view parent_id,
                                     std::string_view raw) {
    std::vector<ChildRows> result;
    if (parent.children.empty())
        return result;
    std::vector<Token> tokens(parent.children.size());
    plan_of(parent).child_reader.read(raw, tokens);
    for (std::size_t i = 0; i < tokens.size(); ++i) {
        ChildRows child;
        child.list = &parent.children[i];
        child.parent_id = parent_id;
        json::InnerList list;
        if (tokens[i].kind == TokenKind::object)
            list = json::read_inner_list(tokens[i].text);
        child.present = list.present;
        child.has_more = list.has_more;
        if (!child.list->embedded) {
            // Left out by Stripe unless expanded: all of it is still to be read.
            child.present = true;
            child.has_more = true;
            list.elements.clear();
        }
        child.rows.reserve(list.elements.size());
        for (const json::ListElement &element : list.elements) {
            std::string_view id = element.id;
            if (element.id_escaped) {
                child.arena.push_back(std::make_unique<char[]>(id.size()));
                char *bytes = child.arena.back().get();
                id = {bytes, json::unescape(id, bytes)};
            }
            child.rows.push_back({id, element.raw, {}});
        }
        result.push_back(std::move(child));
    }
    return result;
}

Digest digest_of(std::string_view raw) {
    return crypto::sha256(json::without_space(raw));
}

} // namespace billstack::sync

// Random objects and random damage. extract_columns() is compared with an independent reading by
// jansson; what it accepts must be JSON for jansson too, since it is stored unchecked. The seed is
// printed; BILLSTACK_SEED repeats a run, BILLSTACK_ROUNDS makes it longer.
#include "sync/row.hpp"

#include "core/error.hpp"
#include "test_data.hpp"
#include "json/object_page.hpp"

#include <algorithm>
#include <cstdlib>
#include <gtest/gtest.h>
#include <jansson.h>
#include <memory>
#include <optional>
#include <random>

namespace billstack::sync {
namespace {

using JsonPtr = std::unique_ptr<json_t, decltype(&json_decref)>;
using stripe::ColumnType;

std::uint64_t run_seed() {
    const char *given = std::getenv("BILLSTACK_SEED");
    std::uint64_t seed =
        given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
    std::printf("BILLSTACK_SEED=%llu\n", static_cast<unsigned long long>(seed));
    return seed;
}

int rounds(int usual) {
    const char *given = std::getenv("BILLSTACK_ROUNDS");
    return given != nullptr ? std::atoi(given) : usual;
}

// A JSON value under construction.
struct Model {
    enum { literal, object, array } form = literal;
    std::string text = "null";
    std::vector<std::pair<std::string, Model>> members;
    std::vector<Model> elements;
};

class Generator {
  public:
    explicit Generator(std::uint64_t seed) : random_(seed) {}

    std::size_t below(std::size_t limit) {
        return std::uniform_int_distribution<std::size_t>(0, limit - 1)(random_);
    }
    bool one_in(std::size_t n) { return below(n) == 0; }

    // An object of the kind with some of its columns' paths filled, in random order.
    std::string object(const stripe::Kind &kind, const std::string &id) {
        Model root;
        root.form = Model::object;
        root.members.emplace_back("id", string_literal(id));
        for (const stripe::Column &column : kind.columns)
            for (std::string_view path : column.paths)
                if (path != "id" && !one_in(3))
                    place(root, path, value_for(column.type));
        for (std::size_t i = below(6); i > 0; --i)
            root.members.emplace_back("junk" + std::to_string(below(9)), any_value(3));
        return render(root);
    }

  private:
    // The steps lead through whatever is there already; a literal in the way is replaced.
    void place(Model &node, std::string_view path, Model value) {
        std::size_t dot = path.find('.');
        std::string step(path.substr(0, dot));
        Model *next = nullptr;
        if (step.find_first_not_of("0123456789") == std::string::npos) {
            node.form = Model::array;
            if (node.elements.empty())
                node.elements.emplace_back();
            next = &node.elements[0];
        } else {
            node.form = Model::object;
            for (auto &[name, member] : node.members)
                if (name == step && (path == step || !one_in(20)))
                    next = &member;
            if (next == nullptr)
                next = &node.members.emplace_back(step, Model{}).second;
        }
        if (dot == std::string_view::npos)
            *next = std::move(value);
        else
            place(*next, path.substr(dot + 1), std::move(value));
    }

    Model literal(std::string text) {
        Model model;
        model.text = std::move(text);
        return model;
    }

    Model value_for(ColumnType type) {
        if (one_in(8))
            return any_value(2);
        if (one_in(8))
            return literal("null");
        switch (type) {
        case ColumnType::text:
            return random_string();
        case ColumnType::reference: {
            if (!one_in(3))
                return random_string();
            Model expanded;
            expanded.form = Model::object;
            expanded.members.emplace_back("object", random_string());
            expanded.members.emplace_back("id", random_string());
            return expanded;
        }
        case ColumnType::bigint:
        case ColumnType::timestamp:
        case ColumnType::numeric:
            return random_number();
        case ColumnType::boolean:
            return literal(one_in(2) ? "true" : "false");
        case ColumnType::jsonb:
            break;
        }
        Model metadata;
        metadata.form = Model::object;
        for (std::size_t i = below(5); i > 0; --i)
            metadata.members.emplace_back("key" + std::to_string(i), any_value(2));
        return metadata;
    }

    Model any_value(int depth) {
        Model model;
        switch (below(depth > 0 ? 7 : 5)) {
        case 0:
            return literal("null");
        case 1:
            return literal("true");
        case 2:
        case 3:
            return random_string();
        case 4:
            return random_number();
        case 5:
            model.form = Model::object;
            for (std::size_t i = below(4); i > 0; --i)
                model.members.emplace_back(one_in(3) ? "id" : "m" + std::to_string(i),
                                           any_value(depth - 1));
            return model;
        default:
            model.form = Model::array;
            for (std::size_t i = below(4); i > 0; --i)
                model.elements.push_back(any_value(depth - 1));
            return model;
        }
    }

    Model random_number() {
        static const char *const numbers[] = {"0",
                                              "-0",
                                              "1",
                                              "-1",
                                              "1700000000",
                                              "9007199254740993",
                                              "9223372036854775807",
                                              "-9223372036854775808",
                                              "9224318015999",
                                              "9224318016000",
                                              "1.10",
                                              "-0.5",
                                              "1e3",
                                              "2E-7",
                                              "1.5e+10",
                                              "9223372036854775808",
                                              "-210866803201"};
        if (one_in(2))
            return literal(std::to_string(static_cast<std::int64_t>(random_() >> below(64))));
        return literal(numbers[below(std::size(numbers))]);
    }

    Model string_literal(const std::string &bytes) {
        std::string text = "\"";
        for (char byte : bytes) {
            char buffer[8];
            std::snprintf(buffer, sizeof buffer, "\\u%04X", static_cast<unsigned>(byte));
            text += one_in(20) ? std::string(buffer) : std::string(1, byte);
        }
        return literal(text + "\"");
    }

    Model random_string() {
        static const char *const pieces[] = {"a",
                                             "B7",
                                             " ",
                                             "é",
                                             "€",
                                             "😀",
                                             "\\n",
                                             "\\t",
                                             "\\\"",
                                             "\\\\",
                                             "\\/",
                                             "\\b",
                                             "\\f",
                                             "\\u0000",
                                             "\\u00e9",
                                             "\\uD83D\\uDE00",
                                             "\\ud83d\\ude00",
                                             "\\\\u0000",
                                             "{",
                                             "}",
                                             "[",
                                             ",",
                                             ":",
                                             "null",
                                             "0123456789abcdefghijklmnopqrstuvwxyz"};
        std::string text = "\"";
        for (std::size_t i = below(8); i > 0; --i)
            text += pieces[below(std::size(pieces))];
        return literal(text + "\"");
    }

    std::string space() {
        static const char *const spaces[] = {
            "", "", "", " ", "\n        ", "\r\n", "\t", "\n                                "};
        return spaces[below(std::size(spaces))];
    }

    std::string render(Model &model) {
        if (model.form == Model::literal)
            return model.text;
        std::string text(1, model.form == Model::object ? '{' : '[');
        text += space();
        bool first = true;
        auto separate = [&] {
            if (!first)
                text += "," + space();
            first = false;
        };
        if (model.form == Model::object) {
            std::shuffle(model.members.begin(), model.members.end(), random_);
            for (auto &[name, member] : model.members) {
                separate();
                text +=
                    string_literal(name).text + space() + ":" + space() + render(member) + space();
            }
        } else {
            for (Model &element : model.elements) {
                separate();
                text += render(element) + space();
            }
        }
        return text + (model.form == Model::object ? "}" : "]");
    }

    std::mt19937_64 random_;
};

// --- the independent reading
// ----------------------------------------------------------------------

json_t *walk(json_t *value, std::string_view path) {
    while (value != nullptr && !path.empty()) {
        std::size_t dot = path.find('.');
        std::string step(path.substr(0, dot));
        path = dot == std::string_view::npos ? std::string_view() : path.substr(dot + 1);
        value = step == "0" ? json_array_get(value, 0) : json_object_get(value, step.c_str());
    }
    return value;
}

std::string repaired(json_t *string) {
    std::string text;
    for (std::size_t i = 0; i < json_string_length(string); ++i) {
        char byte = json_string_value(string)[i];
        text += byte == '\0' ? "\ufffd" : std::string(1, byte);
    }
    return text;
}

// What the value should be: nullopt for NULL, else a text that describe() gives as well.
std::optional<std::string> expected(const stripe::Column &column, json_t *object) {
    for (std::string_view path : column.paths) {
        json_t *value = walk(object, path);
        if (value == nullptr || json_is_null(value))
            continue;
        switch (column.type) {
        case ColumnType::reference:
            if (json_is_object(value))
                value = json_object_get(value, "id");
            [[fallthrough]];
        case ColumnType::text:
            return json_is_string(value) ? std::optional(repaired(value)) : std::nullopt;
        case ColumnType::bigint:
        case ColumnType::timestamp: {
            if (!json_is_integer(value))
                return std::nullopt;
            json_int_t number = json_integer_value(value);
            if (column.type == ColumnType::timestamp &&
                (number < -210866803200 || number > 9224318015999))
                return std::nullopt;
            return std::to_string(number);
        }
        case ColumnType::numeric:
            return json_is_number(value)
                       ? std::optional(std::to_string(json_number_value(value) + 0.0))
                       : std::nullopt;
        case ColumnType::boolean:
            return json_is_boolean(value)
                       ? std::optional<std::string>(json_is_true(value) ? "1" : "0")
                       : std::nullopt;
        case ColumnType::jsonb:
            if (!json_is_object(value) && !json_is_array(value))
                return std::nullopt;
            std::unique_ptr<char, decltype(&free)> text(json_dumps(value, JSON_SORT_KEYS), free);
            return text.get();
        }
    }
    return std::nullopt;
}

constexpr std::size_t lenient = JSON_ALLOW_NUL;

// jansson has no integers beyond 64 bits; a real takes their place, which is no integer either.
std::string with_reals(std::string text) {
    for (std::string_view big : {"9223372036854775808"})
        for (std::size_t at = text.find(big); at != std::string::npos; at = text.find(big, at + 1))
            if (at == 0 || text[at - 1] != '-')
                text.insert(at + big.size(), ".0");
    return text;
}

std::optional<std::string> describe(ColumnType type, const Value &value) {
    if (value.is_null)
        return std::nullopt;
    switch (type) {
    case ColumnType::text:
    case ColumnType::reference:
        return std::string(value.text);
    case ColumnType::numeric:
        return std::to_string(std::strtod(std::string(value.text).c_str(), nullptr) + 0.0);
    case ColumnType::jsonb: {
        std::string readable = with_reals(std::string(value.text));
        JsonPtr parsed(json_loadb(readable.data(), readable.size(), lenient, nullptr), json_decref);
        EXPECT_NE(parsed, nullptr) << value.text;
        if (parsed == nullptr)
            return std::nullopt;
        std::unique_ptr<char, decltype(&free)> text(json_dumps(parsed.get(), JSON_SORT_KEYS), free);
        return text.get();
    }
    default:
        return std::to_string(value.number);
    }
}

// In metadata, U+0000 is replaced in the text; do the same before comparing.
std::string with_replacements(std::string text) {
    for (std::size_t at = text.find("\\u0000"); at != std::string::npos;
         at = text.find("\\u0000", at + 1)) {
        std::size_t slashes = 0;
        while (slashes < at && text[at - 1 - slashes] == '\\')
            ++slashes;
        if (slashes % 2 == 0)
            text.replace(at, 6, "\\ufffd");
    }
    return text;
}

TEST(RowProperty, columns_equal_an_independent_reading) {
    Generator generator(run_seed());
    int compared = 0;
    for (int round = rounds(1500); round > 0; --round) {
        const stripe::Kind *kind = stripe::all_kinds()[generator.below(stripe::all_kinds().size())];
        std::string id = "obj_" + std::to_string(generator.below(1000000));
        std::string raw = generator.object(*kind, id);
        std::string readable = with_reals(with_replacements(raw));
        json_error_t error;
        JsonPtr object(json_loadb(readable.data(), readable.size(), lenient, &error), json_decref);
        ASSERT_NE(object, nullptr) << error.text << "\n" << raw;
        std::string body = "{\"data\": [ " + raw + " ], \"has_more\": false}";
        json::ListPage page = json::ListPage::parse(body);
        ASSERT_EQ(page.objects().at(0).raw, raw);
        ASSERT_EQ(page.objects()[0].id, id);
        RowBatch batch;
        batch.kind = kind;
        batch.rows.push_back({page.objects()[0].id, page.objects()[0].raw, Digest{}});
        extract_columns(batch);
        for (std::size_t i = 0; i < kind->columns.size(); ++i) {
            const stripe::Column &column = kind->columns[i];
            std::optional<std::string> value = describe(column.type, batch.values[i]);
            ASSERT_EQ(value, expected(column, object.get()))
                << kind->name << "." << column.name << "\n"
                << raw;
            compared += value.has_value() ? 1 : 0;
        }
    }
    EXPECT_GT(compared, 1000);
}

// jansson refuses these, PostgreSQL and Stripe's JSON allow them.
bool beyond_jansson(const json_error_t &error) {
    enum json_error_code code = json_error_code(&error);
    return code == json_error_numeric_overflow || code == json_error_null_byte_in_key ||
           std::string_view(error.text).find("Unicode") != std::string_view::npos;
}

TEST(RowProperty, damaged_bytes_are_refused_or_still_json) {
    Generator generator(run_seed());
    const stripe::Kind *kind = stripe::find_kind("invoice");
    int accepted = 0;
    int refused = 0;
    for (int round = rounds(2000); round > 0; --round) {
        std::string body = "{\"data\":[" + generator.object(*kind, "in_1") + "," +
                           generator.object(*kind, "in_2") + "],\"has_more\":true}";
        static const char spice[] = "{}[]\",:\\0e-.tu\xff\x00\x01 \n";
        for (std::size_t hits = 1 + generator.below(2); hits > 0; --hits) {
            std::size_t at = generator.below(body.size());
            char byte = generator.one_in(4) ? static_cast<char>(generator.below(256))
                                            : spice[generator.below(sizeof spice)];
            switch (generator.below(5)) {
            case 0:
                body.resize(at + 1);
                break;
            case 1:
                body.erase(at, 1 + generator.below(8));
                body.push_back('}');
                break;
            case 2:
                body.insert(at, 1, byte);
                break;
            default:
                body[at] = byte;
            }
        }
        try {
            json::ListPage page = json::ListPage::parse(body);
            RowBatch batch;
            batch.kind = kind;
            for (const json::ObjectSpan &object : page.objects()) {
                batch.rows.push_back({object.id, object.raw, Digest{}});
                read_children(*kind, object.id, object.raw);
            }
            extract_columns(batch);
            for (const Row &row : batch.rows) {
                json_error_t error;
                JsonPtr object(json_loadb(row.raw.data(), row.raw.size(), lenient, &error),
                               json_decref);
                ASSERT_TRUE(object != nullptr || beyond_jansson(error)) << error.text << "\n"
                                                                        << row.raw;
            }
            ++accepted;
        } catch (const core::Error &error) {
            ASSERT_EQ(error.code, core::Code::stripe_unreachable);
            ++refused;
        }
    }
    std::printf("accepted %d, refused %d\n", accepted, refused);
    EXPECT_GT(accepted, 0);
    EXPECT_GT(refused, 0);
}

} // namespace
} // namespace billstack::sync

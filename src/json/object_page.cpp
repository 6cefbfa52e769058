// See object_page.hpp. Pages are split by simdjson's on-demand reader, which looks at every byte
// once with SIMD and at the members of an object only until id and created are found.
#include "json/object_page.hpp"

#include "core/error.hpp"
#include "json/path_reader.hpp"

#include <array>
#include <simdjson.h>

namespace billstack::json {

namespace {

namespace ondemand = simdjson::ondemand;

[[noreturn]] void refuse_page(const char *rule) {
    throw core::Error(core::Code::stripe_unreachable, "the answer is not what Stripe sends", rule,
                      "Check that nothing between this server and Stripe changes its answers.");
}

// One parser a thread, kept for its buffers and never freed: a global with a destructor would run
// at backend exit. Its buffers grow to the largest page, which the response cap bounds.
ondemand::parser &thread_parser() {
    thread_local ondemand::parser *parser = new ondemand::parser;
    return *parser;
}

// The page's bytes at a stable address with the padding that simdjson reads behind them.
std::unique_ptr<std::string> pad(std::string body, std::size_t &size) {
    size = body.size();
    body.append(simdjson::SIMDJSON_PADDING, ' ');
    return std::make_unique<std::string>(std::move(body));
}

// The result's own value() means the value of the field.
ondemand::field take_field(simdjson::simdjson_result<ondemand::field> &result) {
    ondemand::field field;
    if (auto error = std::move(result).get(field); error != simdjson::SUCCESS)
        throw simdjson::simdjson_error(error);
    return field;
}

// raw_json() ends at the next token: blanks between are not part of the object.
std::string_view trim(std::string_view raw) {
    while (!raw.empty() && raw.back() != '}')
        raw.remove_suffix(1);
    return raw;
}

std::optional<std::int64_t> read_second(ondemand::value value) {
    std::int64_t second = 0;
    ondemand::json_type type = value.type();
    bool whole =
        type == ondemand::json_type::number && value.get_int64().get(second) == simdjson::SUCCESS;
    return whole ? std::optional(second) : std::nullopt;
}

// Invoice items call it date. Objects that have both have created first.
ObjectSpan read_span(ondemand::object object) {
    ObjectSpan span;
    bool has_id = false;
    bool has_created = false;
    for (auto result : object) {
        ondemand::field field = take_field(result);
        std::string_view key = field.unescaped_key();
        if (key == "id") {
            std::string_view id = field.value().get_string();
            span.id.assign(id);
            has_id = true;
        } else if (key == "created") {
            has_created = true;
            span.created = read_second(field.value());
        } else if (key == "date" && !has_created) {
            span.created = read_second(field.value());
        }
        if (has_id && has_created)
            break;
    }
    if (!has_id || span.id.empty() || span.id.find('\0') != std::string::npos)
        refuse_page("Every object of a list has an id.");
    std::string_view raw = object.raw_json();
    span.raw = trim(raw);
    if (span.raw.empty())
        refuse_page("A list holds objects.");
    return span;
}

// has_more and data may come in any order, data once.
void read_list(ondemand::object list, std::vector<ObjectSpan> &objects, bool &has_more) {
    bool has_data = false;
    bool has_flag = false;
    for (auto result : list) {
        ondemand::field field = take_field(result);
        std::string_view key = field.unescaped_key();
        if (key == "data") {
            if (has_data)
                refuse_page("A list has one member data.");
            has_data = true;
            for (auto element : field.value().get_array())
                objects.push_back(read_span(element.get_object()));
        } else if (key == "has_more") {
            has_more = field.value().get_bool();
            has_flag = true;
        }
    }
    // Without has_more an unread rest would pass for the end.
    if (!has_data || !has_flag)
        refuse_page("A list has the members data and has_more.");
}

} // namespace

ListPage ListPage::parse(std::string body) {
    ListPage page;
    std::size_t size = 0;
    page.body_ = pad(std::move(body), size);
    try {
        ondemand::document document =
            thread_parser().iterate(page.body_->data(), size, page.body_->size());
        read_list(document.get_object(), page.objects_, page.has_more_);
        if (document.current_location().error() != simdjson::OUT_OF_BOUNDS)
            refuse_page("An answer is one JSON object.");
    } catch (const simdjson::simdjson_error &) {
        refuse_page("A list answer is a JSON object with an array of objects.");
    }
    return page;
}

ListPage ListPage::parse_object(std::string body) {
    ListPage page;
    std::size_t size = 0;
    page.body_ = pad(std::move(body), size);
    try {
        ondemand::document document =
            thread_parser().iterate(page.body_->data(), size, page.body_->size());
        page.objects_.push_back(read_span(document.get_object()));
        if (document.current_location().error() != simdjson::OUT_OF_BOUNDS)
            refuse_page("An answer is one JSON object.");
    } catch (const simdjson::simdjson_error &) {
        refuse_page("The answer is a JSON object.");
    }
    return page;
}

namespace {

// The id of one element; the whole element is walked, so its end is known and its inside valid.
ListElement read_element(Scanner &scanner) {
    const char *start = scanner.at();
    ListElement element;
    if (!scanner.enter('{', '}', 1))
        refuse_page("Every object of a list has an id.");
    do {
        Token name = scanner.scan_name();
        Token value = scanner.scan_value(2);
        if (name.text == "id" && value.kind == TokenKind::string) {
            element.id = value.text;
            element.id_escaped = value.escaped;
        }
    } while (scanner.next_item('}'));
    if (element.id.empty())
        refuse_page("Every object of a list has an id.");
    element.raw = scanner.since(start);
    return element;
}

} // namespace

InnerList read_inner_list(std::string_view raw) {
    InnerList list;
    Scanner scanner(raw);
    if (scanner.peek() != '{' || !scanner.enter('{', '}', 1))
        return list;
    do {
        Token name = scanner.scan_name();
        if (name.text == "data" && scanner.peek() == '[') {
            list.present = true;
            list.elements.clear();
            if (!scanner.enter('[', ']', 1))
                continue;
            do {
                list.elements.push_back(read_element(scanner));
            } while (scanner.next_item(']'));
            continue;
        }
        Token value = scanner.scan_value(2);
        if (name.text == "has_more")
            list.has_more = value.text == "true";
    } while (scanner.next_item('}'));
    return list;
}

std::string_view without_space(std::string_view text) {
    // Never freed, like the parser. Bounded by the largest object.
    thread_local auto *const buffer = new std::string;
    if (buffer->size() < text.size()) {
        buffer->resize(text.size());
    }
    std::size_t size = 0;
    if (simdjson::minify(text.data(), text.size(), buffer->data(), size) != simdjson::SUCCESS) {
        return text;
    }
    return {buffer->data(), size};
}

} // namespace billstack::json

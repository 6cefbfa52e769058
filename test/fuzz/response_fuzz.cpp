// The readers of Stripe's answers: a page of a list, a single object, and of each object the
// columns and children of every kind. They may refuse, with an error of ours, and nothing else.
#include "fuzz_target.hpp"

#include "core/error.hpp"
#include "stripe/object_catalog.hpp"
#include "sync/row.hpp"
#include "json/object_page.hpp"

#include <string>

using namespace billstack;

namespace {

// What columns were read from must be text that PostgreSQL stores: no zero byte, values in order.
void read_as(const stripe::Kind &kind, const json::ObjectSpan &object) {
    const fuzz::ExactCopy raw(object.raw);
    try {
        sync::RowBatch batch;
        batch.kind = &kind;
        batch.rows.push_back({object.id, raw.view(), sync::digest_of(raw.view())});
        sync::extract_columns(batch);
        fuzz::require(batch.values.size() == kind.columns.size(), "a value for every column");
        fuzz::require(batch.values[0].text == object.id, "the first column is the id");
        for (const sync::Value &value : batch.values)
            fuzz::require(value.text.find('\0') == std::string_view::npos, "no text holds a zero");
        for (const sync::ChildRows &children : sync::read_children(kind, object.id, raw.view()))
            for (const sync::Row &row : children.rows)
                fuzz::require(!row.id.empty() && !row.raw.empty(), "a child has an id and bytes");
    } catch (const core::Error &) {
    }
}

void read_page(json::ListPage (*parse)(std::string), std::string_view body) {
    try {
        const json::ListPage page = parse(std::string(body));
        std::size_t left = 4; // of a long page the rest is like the first
        for (const json::ObjectSpan &object : page.objects()) {
            fuzz::require(!object.id.empty() && object.raw.front() == '{' &&
                              object.raw.back() == '}',
                          "an object has an id and its braces");
            for (const stripe::Kind *kind : stripe::all_kinds())
                read_as(*kind, object);
            if (--left == 0)
                break;
        }
    } catch (const core::Error &) {
    }
}

} // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
    const std::string_view body = fuzz::text_of(data, size);
    read_page(json::ListPage::parse, body);
    read_page(json::ListPage::parse_object, body);
    return 0;
}

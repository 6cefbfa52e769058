// A mirror row as the store writes it: the exact bytes, what they are as of, and the typed columns
// of the catalogue. Shared by backfill, reads and events.
#pragma once
#include "stripe/object_catalog.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace billstack::sync {

// SHA-256 of the raw bytes without the white space between tokens: lists, events and single answers
// indent one object differently.
using Digest = std::array<unsigned char, 32>;

// What a state is as of, on Stripe's clock, unix seconds (sync.md section 2): the second of an
// event twice, or the window of the read it came from.
struct AsOf {
    std::int64_t start = 0;
    std::int64_t end = 0;
};

enum class Source { backfill, read, event, call }; // stored in _source by these names

// A column's value; type by the catalogue. text points into the page or into the batch's arena.
struct Value {
    bool is_null = true;
    std::int64_t number = 0; // bigint, timestamp (unix seconds), boolean (0 or 1)
    std::string_view text;   // text, reference, numeric (as written), jsonb (as written, cleaned)
};

struct Row {
    std::string_view id;
    std::string_view raw;
    Digest digest;
};

// Where a row's state comes from, and which version of the stored row it replaces.
struct RowOrigin {
    AsOf as_of;
    std::string_view api_version; // the bytes are written in
    bool deleted = false;         // the row is written as a tombstone
    // StoredState::version of the row that was looked at; 0: there was none. Another version in the
    // table by now means that somebody else has written: the batch must be decided anew.
    std::int64_t replaces = 0;
};

// Rows of one kind. origins holds one entry a row; values holds rows.size() * kind->columns.size()
// entries, row by row, and is empty until extract_columns() has filled it.
struct RowBatch {
    const stripe::Kind *kind = nullptr;
    Source source = Source::backfill;
    std::vector<Row> rows;
    std::vector<RowOrigin> origins;
    std::vector<Value> values;
    std::vector<std::unique_ptr<char[]>> arena; // unescaped strings
    // For children and kinds with a list_parent: the id of the parent of each row, else empty.
    // Where it is given it goes into the parent column, whatever the child's own bytes say.
    std::vector<std::string_view> parents;
};

// Fills batch.values from the raw bytes of each row in one pass over each object. A value of the
// wrong type becomes NULL (the bytes stay in _raw); U+0000 and lone surrogates become U+FFFD.
// All of each object is checked, so what this has passed may be stored as json unchecked. Throws
// core::Error(stripe_unreachable) when a row is not one valid JSON object whose id is the row's.
void extract_columns(RowBatch &batch);

// A child list found inside a parent's bytes.
struct ChildRows {
    const stripe::ChildList *list = nullptr;
    std::string_view parent_id;
    std::vector<Row> rows; // digests left out: most lists are found equal with their parent
    // The member was there and is a list object; always true, with has_more and
    // no rows, for one that is not embedded.
    bool present = false;
    bool has_more = false; // the rest must be read from more_path after the last row's id
    std::vector<std::unique_ptr<char[]>> arena; // ids that were written with escapes
};

// The child lists of one parent object, in catalogue order.
std::vector<ChildRows> read_children(const stripe::Kind &parent, std::string_view parent_id,
                                     std::string_view raw);

Digest digest_of(std::string_view raw);

} // namespace billstack::sync

// The catalogue of mirrored kinds: the one table that says where a kind is listed, which columns
// its table has and where in the object their values are found, and which lists inside it are
// children with a table of their own. Adding a kind is adding an entry here.
#pragma once
#include "core/pure.hpp"

#include <span>
#include <string_view>

namespace billstack::stripe {

enum class ColumnType {
    text,
    bigint,
    numeric,
    boolean,
    timestamp, // unix seconds in JSON, timestamptz in the mirror
    reference, // an id, or an object whose "id" is taken; text in the mirror
    jsonb      // metadata only: nested values otherwise stay in _raw
};

struct Column {
    std::string_view name;
    ColumnType type;
    // Dotted paths, tried in order; the first that is present and not null wins. A number as path
    // step indexes an array. Stripe moves fields between API versions, hence several.
    std::span<const std::string_view> paths;
};

// The expression is over columns, e.g. "lower(email)"; kind of index is btree.
struct Index {
    std::string_view suffix; // index name: <table>_<suffix>_idx
    std::string_view expression;
};

struct Kind;

struct ChildList {
    std::string_view field;         // member of the parent that holds the list object
    const Kind *kind;               // of the elements
    std::string_view parent_column; // column of the child's table that holds the parent's id
    // Where the rest is read when has_more: "{id}" is replaced by the parent's id.
    std::string_view more_path;  // "/v1/invoices/{id}/lines"
    std::string_view more_param; // query parameter carrying the parent's id, or empty
    // false: Stripe leaves the member out unless asked to expand it, so the children are always
    // read by more_path, from the first on.
    bool embedded = true;
};

struct Kind {
    std::string_view name;   // "customer": name in `objects`
    std::string_view object; // Stripe's own word, the member "object": "checkout.session"
    std::string_view table;  // "customers"
    // "/v1/customers"; empty for children; with "{id}" where it hangs on list_parent.
    std::string_view list_path = "";
    std::string_view list_params = ""; // fixed query, e.g. "status=all"
    // Where one object is read, "{id}" replaced: "/v1/customers/{id}". Empty where Stripe has no
    // such place, and for children, which are read with their parent.
    std::string_view retrieve_path = "";
    // Not null: there is a list per object of this kind only. Its id goes into "{id}" of list_path,
    // or into the query parameter list_parent_param; a column of the parent kind's name holds it.
    const Kind *list_parent = nullptr;
    std::string_view list_parent_param = "";
    // An object can leave its parent's list and still be there, as a detached payment method does.
    bool outlives_list = false;
    // The list leaves some objects out that a read by id finds: inline prices.
    bool hides_some = false;
    bool filters_by_created = false; // the list takes created[gte] and created[lte]
    bool is_default = false;         // one of the six copied by a plain backfill
    bool reusable_ids = false;       // the user chooses the ids: one may return after its deletion
    // The member that Stripe fills some time after the event, without another event for sure.
    std::string_view late_member = "";
    std::span<const Column> columns; // the first is id
    std::span<const Index> indexes = {};
    std::span<const ChildList> children = {};
};

// Every kind, parents before their children, in the fixed order in which rows are written.
std::span<const Kind *const> all_kinds();
// nullptr when there is none of that name.
const Kind *find_kind(std::string_view name);
// By the member "object" of an object, children included. nullptr: not mirrored.
const Kind *find_kind_by_object(std::string_view object);
// The list of a kind with a list_parent as one of the parent's, never embedded; nullptr for others.
// Lives as long as the process.
const ChildList *parent_list(const Kind &kind);
// The version of the mirror's layout; raised whenever a table that mirrors have already must
// change, or a default kind is added. Tables of other kinds are made on first use.
inline constexpr int mirror_version = 3;

} // namespace billstack::stripe

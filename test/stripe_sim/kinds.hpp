// The kinds of objects and what the API says about each: one table, used by routes, lists, store
// and generator alike.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace stripe_sim {

enum class Kind : unsigned char {
    customer,
    product,
    price,
    subscription,
    invoice,
    charge,
    event,
    // Children live in their parent and have no store of their own.
    subscription_item,
    invoice_line_item,
};
constexpr size_t stored_kinds = 7;
constexpr size_t all_kinds = 9;

struct KindInfo {
    Kind kind;
    std::string_view name;                   ///< as in /_sim/objects/{name} and in "No such {name}"
    std::string_view path;                   ///< plural, as in /v1/{path}
    std::string_view prefix;                 ///< of ids, with the underscore
    size_t id_length;                        ///< characters after the prefix
    std::array<std::string_view, 7> filters; ///< accepted beside the paging parameters
};

const KindInfo &info(Kind kind);
/// Null when there is no such kind.
const KindInfo *find_kind(std::string_view name);
const KindInfo *find_kind_by_path(std::string_view path);

} // namespace stripe_sim

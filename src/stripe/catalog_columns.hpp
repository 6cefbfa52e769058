// The little language in which the files catalog_*.cpp write columns: `text<"email">` is read from
// the member of that name, `reference<"price", "price", "pricing.price_details.price">` from the
// first of the paths that holds something. Everything is constant-initialised; nothing runs at
// load.
#pragma once
#include "stripe/object_catalog.hpp"

#include <array>
#include <cstddef>
#include <string_view>

namespace billstack::stripe::catalog {

// A string literal as template argument; its bytes live as long as the program.
template <std::size_t size> struct Literal {
    char bytes[size] = {};
    consteval Literal(const char (&text)[size]) {
        for (std::size_t i = 0; i < size; ++i)
            bytes[i] = text[i];
    }
    constexpr std::string_view view() const { return {bytes, size - 1}; }
};

template <Literal... path>
inline constexpr std::array<std::string_view, sizeof...(path)> path_list{path.view()...};

template <ColumnType type, Literal name, Literal... path> consteval Column make_column() {
    if constexpr (sizeof...(path) == 0)
        return {name.view(), type, path_list<name>};
    else
        return {name.view(), type, path_list<path...>};
}

template <Literal name, Literal... path>
inline constexpr Column text = make_column<ColumnType::text, name, path...>();
template <Literal name, Literal... path>
inline constexpr Column bigint = make_column<ColumnType::bigint, name, path...>();
template <Literal name, Literal... path>
inline constexpr Column numeric = make_column<ColumnType::numeric, name, path...>();
template <Literal name, Literal... path>
inline constexpr Column boolean = make_column<ColumnType::boolean, name, path...>();
template <Literal name, Literal... path>
inline constexpr Column timestamp = make_column<ColumnType::timestamp, name, path...>();
template <Literal name, Literal... path>
inline constexpr Column reference = make_column<ColumnType::reference, name, path...>();
template <Literal name, Literal... path>
inline constexpr Column jsonb = make_column<ColumnType::jsonb, name, path...>();

// The kinds, each defined in the file of its family.
extern const Kind customer;
extern const Kind product;
extern const Kind price;
extern const Kind subscription;
extern const Kind subscription_item;
extern const Kind invoice;
extern const Kind invoice_line_item;
extern const Kind charge;

} // namespace billstack::stripe::catalog

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
extern const Kind plan;
extern const Kind subscription;
extern const Kind subscription_item;
extern const Kind subscription_schedule;
extern const Kind invoice;
extern const Kind invoice_line_item;
extern const Kind invoice_payment;
extern const Kind invoice_item;
extern const Kind charge;
extern const Kind payment_intent;
extern const Kind payment_method;
extern const Kind setup_intent;
extern const Kind refund;
extern const Kind dispute;
extern const Kind coupon;
extern const Kind promotion_code;
extern const Kind tax_id;
extern const Kind tax_rate;
extern const Kind credit_note;
extern const Kind credit_note_line_item;
extern const Kind customer_balance_transaction;
extern const Kind credit_grant;
extern const Kind checkout_session;
extern const Kind checkout_session_line_item;
extern const Kind payment_link;
extern const Kind quote;
extern const Kind balance_transaction;
extern const Kind payout;
extern const Kind transfer;
extern const Kind transfer_reversal;
extern const Kind application_fee;
extern const Kind early_fraud_warning;
extern const Kind review;
extern const Kind feature;
extern const Kind active_entitlement;
extern const Kind billing_meter;

} // namespace billstack::stripe::catalog

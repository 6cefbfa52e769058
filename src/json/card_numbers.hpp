// Finds and masks card numbers and other raw payment instruments in JSON, so that none is stored
// (docs/security.md, "Card data"). Stripe sends none by itself: they come in what users type into
// names, descriptions and metadata.
#pragma once
#include "core/pure.hpp"

#include <cstddef>
#include <string>
#include <string_view>

namespace billstack::json {

// Whether a plain text holds 14 to 19 digits, also in groups with single separators, that a card
// number could be: a prefix and length that an issuer has (ISO/IEC 7812) and a right check digit
// (Luhn). Digits after a "+" are a telephone number.
bool holds_card_number(std::string_view text);

// Masks them in a plain text, up to the last four digits, without changing the length. Returns how
// many there were.
std::size_t mask_card_numbers(std::string &text);

// False: mask_card_data() would change nothing. Reads about 1 GB a second.
bool may_hold_card_data(std::string_view json);

// Masks, without changing the length, in all strings and numbers of a JSON text: card numbers, and
// the values of members with names such as cvc, card_number, account_number. Of a card or account
// number in a string the last four digits stay, digits before become "*"; in a JSON number all
// digits become 9. Returns the values changed. Text that is no JSON is gone through as well as it
// can be.
std::size_t mask_card_data(std::string &json);

} // namespace billstack::json

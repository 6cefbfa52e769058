// Metadata that users attach to what they make at Stripe: what is accepted and how it is sent.
// Limits: https://docs.stripe.com/metadata, "Data": 50 keys of 40 characters, values of 500.
#pragma once
#include "stripe/form.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace billstack::stripe {

// Keys and the texts Stripe gets as their values, in the order given.
using Metadata = std::vector<std::pair<std::string, std::string>>;

// Written by billstack beside the user's: which project an object belongs to, and which write made
// it. Users may not set them.
inline constexpr std::string_view project_key = "project_id";
inline constexpr std::string_view intent_key = "billstack_intent";

// Throws core::Error(bad_argument), which names the argument and does not show the text, when that
// holds a card number.
void refuse_card_number(std::string_view argument, std::string_view text);

// json_text: a JSON value that the server's jsonb has passed. Throws core::Error(bad_argument),
// whose texts name the key and never show a value: no object, more than 48 keys (two are
// billstack's), a key that is empty, longer than 40 characters, reserved, or has brackets; a value
// that is no string, number or boolean, longer than 500 characters, or like a card number.
Metadata check_metadata(std::string_view json_text);

// The keys of metadata that is stored already. Throws nothing about limits.
std::vector<std::string> metadata_keys(std::string_view json_text);

// Appends "metadata[key]=value" for each; under another name for prefix "a[metadata]".
void append_metadata(Params &params, const Metadata &metadata,
                     std::string_view prefix = "metadata");
// The same for an update that replaces `old_keys`: Stripe unsets what is sent empty.
void append_metadata_change(Params &params, const Metadata &metadata,
                            const std::vector<std::string> &old_keys);

} // namespace billstack::stripe

// An object answered with lists that Stripe leaves out unless they are asked for (expand[]): the
// lists become pages of children, as if each had been read by its own path, and the object's bytes
// are again those that every other answer and every event has.
#pragma once
#include "sync/apply.hpp"

namespace billstack::sync {

// As read_object(). A list that is not in the answer, or not whole, is still to be read: has_more.
std::unique_ptr<FetchedPage> read_expanded_object(const stripe::Kind &kind, std::string body,
                                                  const AsOf &as_of);

} // namespace billstack::sync

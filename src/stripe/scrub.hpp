// Keeps keys out of texts that Stripe or a library wrote.
#pragma once
#include "core/pure.hpp"

#include <string>
#include <string_view>

namespace billstack::stripe {

// Replaces anything shaped like a key (sk_, rk_, pk_, whsec_, bs_) by its prefix and "***". What
// Stripe has masked itself, "sk_test_*****4242", stays: it shows which key was meant.
std::string scrub_keys(std::string_view text);

} // namespace billstack::stripe

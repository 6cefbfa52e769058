#include "stripe/price_rules.hpp"

#include "core/error.hpp"

#include <algorithm>

namespace billstack::stripe {

namespace {

struct Interval {
    const char *name;
    std::int32_t most;
};
constexpr Interval intervals[] = {{"day", 1095}, {"week", 156}, {"month", 36}, {"year", 3}};

[[noreturn]] void refuse(const std::string &message, const std::string &rule = "") {
    throw core::Error(core::Code::bad_argument, message, rule);
}

} // namespace

void check_price(const PriceTerms &terms) {
    if (terms.unit_amount < 0) {
        refuse("argument \"unit_amount\" must not be negative",
               "It counts the currency's smallest unit, cents for usd.");
    }
    const bool is_currency =
        terms.currency.size() == 3 && std::all_of(terms.currency.begin(), terms.currency.end(),
                                                  [](char c) { return c >= 'a' && c <= 'z'; });
    if (!is_currency) {
        refuse("argument \"currency\" is no currency",
               "Currencies are like usd: three lower-case letters.");
    }
    if (!terms.recurring_interval) {
        if (terms.interval_count != 1) {
            refuse("argument \"interval_count\" needs \"recurring_interval\"",
                   "Without an interval the price is paid once.");
        }
        return;
    }
    for (const Interval &interval : intervals) {
        if (*terms.recurring_interval != interval.name) {
            continue;
        }
        if (terms.interval_count < 1 || terms.interval_count > interval.most) {
            refuse("argument \"interval_count\" must be 1 to " + std::to_string(interval.most) +
                       " for interval " + interval.name,
                   "Stripe bills at least every three years.");
        }
        return;
    }
    refuse("argument \"recurring_interval\" is no interval",
           "Intervals are day, week, month and year.");
}

} // namespace billstack::stripe

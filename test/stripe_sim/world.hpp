// The facts about every generated object of an account: times, references, states and amounts, each
// computed from seed and index alone. The generators turn them into JSON; lists filter by them.
#pragma once

#include "account_config.hpp"
#include "ids.hpp"
#include "rng.hpp"

#include <cstdint>
#include <string_view>

namespace stripe_sim {

struct PriceFacts {
    enum class Form { per_unit, decimal, tiered };
    uint64_t product;
    bool active;
    bool recurring;
    Form form;
    std::string_view currency;
    std::string_view interval;
    int64_t interval_count;
    int64_t period; ///< seconds
    int64_t amount; ///< smallest currency unit; meaningful for per_unit only
};

struct SubscriptionFacts {
    int64_t created;
    uint64_t customer;
    std::string_view status;
    unsigned items;
    bool old_shape; ///< before API version 2025-03-31: periods on the subscription
    bool send_invoice;
    int64_t period_start;
    int64_t period_end;
};

struct LineFacts {
    uint64_t price;
    int64_t quantity;
    int64_t amount;
};

struct InvoiceFacts {
    int64_t created;
    uint64_t customer;
    bool of_subscription;
    uint64_t subscription; ///< meaningful when of_subscription
    std::string_view status;
    std::string_view currency;
    unsigned lines;
    bool old_shape;
    bool send_invoice;
};

struct InvoiceAmounts {
    int64_t subtotal;
    int64_t tax;
    int64_t total;
};

struct ChargeFacts {
    int64_t created;
    bool has_customer;
    uint64_t customer;
    bool of_invoice;
    uint64_t invoice;
    std::string_view status;
    std::string_view currency;
    int64_t amount;
    int64_t refunded;
    bool captured;
    bool disputed;
};

constexpr unsigned max_items = 32;  // a subscription has fewer; spaces the item numbers
constexpr unsigned max_lines = 512; // the same for invoice lines
constexpr int64_t no_charge = -1;

class World {
  public:
    explicit World(AccountConfig config);

    const AccountConfig &config() const { return config_; }
    const IdCodec &ids() const { return ids_; }
    uint64_t size(Kind kind) const { return config_.sizes[static_cast<size_t>(kind)]; }

    /// Never falls as the index grows; several objects may share a second.
    int64_t created(Kind kind, uint64_t index) const;
    /// The number of objects with created < `time`.
    uint64_t count_before(Kind kind, int64_t time) const;

    PriceFacts price(uint64_t index) const;
    SubscriptionFacts subscription(uint64_t index) const;
    uint64_t item_price(uint64_t subscription, unsigned item) const;
    int64_t item_quantity(uint64_t subscription, unsigned item) const;
    InvoiceFacts invoice(uint64_t index) const;
    LineFacts line(uint64_t invoice, const InvoiceFacts &facts, unsigned line) const;
    InvoiceAmounts amounts(uint64_t invoice, const InvoiceFacts &facts) const;
    ChargeFacts charge(uint64_t index) const;
    /// The charge that paid, or tried to pay, an invoice; no_charge when there is none.
    int64_t charge_of_invoice(uint64_t invoice, const InvoiceFacts &facts) const;
    /// The first price of a product, or -1.
    int64_t default_price(uint64_t product) const;
    /// Empty stands for null.
    std::string lookup_key(uint64_t price) const;
    /// Empty stands for null.
    std::string email(uint64_t customer) const;

    /// Draws for one object; `purpose` keeps independent properties independent.
    Rng rng(Kind kind, uint64_t index, uint64_t purpose) const {
        return Rng{mix64(mix64(config_.seed, kind_number(kind) * 64 + purpose), index)};
    }

  private:
    uint64_t tie_leader(Kind kind, uint64_t index) const;
    /// An object of `of` that exists already when object `index` of `kind` is created.
    uint64_t earlier(Kind of, Kind kind, uint64_t index, Rng &rng) const;
    uint64_t recurring_price(Rng &rng) const;

    AccountConfig config_;
    IdCodec ids_;
};

} // namespace stripe_sim

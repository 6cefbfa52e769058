// Turns the facts of a World into the JSON text of its objects. One small class per kind; each
// holds the kind's templates and the slots it fills again and again, so a Generator is for one
// thread.
#pragma once

#include "template.hpp"
#include "world.hpp"

#include <array>
#include <string>
#include <string_view>

namespace stripe_sim {

class PriceShape {
  public:
    PriceShape();
    /// `depth` as in Template: 0 alone, 1 in an item, 4 in an item within a subscription.
    void render(std::string &out, const World &world, uint64_t index, unsigned depth);

  private:
    std::array<Template, 3> at_depth_;
    Slots slots_;
};

class CustomerShape {
  public:
    CustomerShape();
    void render(std::string &out, const World &world, uint64_t index);

  private:
    Template template_;
    Slots slots_;
};

class ProductShape {
  public:
    ProductShape();
    void render(std::string &out, const World &world, uint64_t index);

  private:
    Template template_;
    Slots slots_;
};

class SubscriptionShape {
  public:
    explicit SubscriptionShape(PriceShape &prices);
    void render(std::string &out, const World &world, uint64_t index);
    /// `item` counts from 0. `depth` 0 alone, 3 within the subscription.
    void render_item(std::string &out, const World &world, uint64_t index,
                     const SubscriptionFacts &facts, unsigned item, unsigned depth);

  private:
    Template new_shape_;
    Template old_shape_;
    std::array<Template, 2> item_new_;
    std::array<Template, 2> item_old_;
    Slots slots_;
    Slots item_slots_;
    PriceShape &prices_;
};

class InvoiceShape {
  public:
    explicit InvoiceShape(PriceShape &prices);
    void render(std::string &out, const World &world, uint64_t index);
    void render_line(std::string &out, const World &world, uint64_t index,
                     const InvoiceFacts &facts, unsigned line, unsigned depth);

  private:
    static Template line_template(bool old_shape, unsigned depth);
    void fill_amounts(const World &world, uint64_t index, const InvoiceFacts &facts);
    void fill_customer(const World &world, const InvoiceFacts &facts);
    void fill_old_shape(const World &world, uint64_t index, const InvoiceFacts &facts);
    void fill_lines(const World &world, uint64_t index, const InvoiceFacts &facts);

    Template new_shape_;
    Template old_shape_;
    std::array<Template, 2> line_new_;
    std::array<Template, 2> line_old_;
    Slots slots_;
    Slots line_slots_;
    PriceShape &prices_;
};

class ChargeShape {
  public:
    ChargeShape();
    void render(std::string &out, const World &world, uint64_t index);

  private:
    void fill_outcome(const ChargeFacts &facts);

    Template template_;
    Slots slots_;
};

class Generator {
  public:
    explicit Generator(AccountConfig config);
    Generator(const Generator &) = delete;
    Generator &operator=(const Generator &) = delete;

    const World &world() const { return world_; }
    /// Appends the canonical text of an object. Children are numbered
    /// subscription * max_items + item and invoice * max_lines + line.
    void render(std::string &out, Kind kind, uint64_t index);
    /// The account object, and the oldest event, which tells of it.
    std::string account_text() const;
    std::string first_event_text() const;

  private:
    World world_;
    CustomerShape customers_;
    ProductShape products_;
    PriceShape prices_;
    SubscriptionShape subscriptions_;
    InvoiceShape invoices_;
    ChargeShape charges_;
};

/// The id of an object as a JSON string.
inline void put_id(Slots &slots, size_t slot, const World &world, Kind kind, uint64_t index) {
    std::string &out = slots.open(slot);
    out += '"';
    world.ids().append(out, kind, index);
    out += '"';
}
/// The same for things that are only referred to; see IdCodec::append_foreign.
inline void put_foreign_id(Slots &slots, size_t slot, const World &world, std::string_view prefix,
                           uint64_t index) {
    std::string &out = slots.open(slot);
    out += '"';
    world.ids().append_foreign(out, prefix, 24, index);
    out += '"';
}

} // namespace stripe_sim

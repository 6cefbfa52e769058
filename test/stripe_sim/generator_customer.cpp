// Customers.
#include "generator.hpp"

#include "names.hpp"

namespace stripe_sim {

namespace {
enum Slot : size_t {
    id,
    created,
    balance,
    currency,
    delinquent,
    description,
    email,
    name,
    phone,
    invoice_prefix,
    sequence,
    livemode,
    metadata,
    address,
    shipping,
    locales,
    tax_exempt,
};
} // namespace

CustomerShape::CustomerShape()
    : template_{"customer",
                {{"discount", "null"}},
                {{"id", id},
                 {"created", created},
                 {"balance", balance},
                 {"currency", currency},
                 {"delinquent", delinquent},
                 {"description", description},
                 {"email", email},
                 {"name", name},
                 {"phone", phone},
                 {"invoice_prefix", invoice_prefix},
                 {"next_invoice_sequence", sequence},
                 {"livemode", livemode},
                 {"metadata", metadata},
                 {"address", address},
                 {"shipping", shipping},
                 {"preferred_locales", locales},
                 {"tax_exempt", tax_exempt}},
                0} {}

static constexpr std::string_view addresses[] = {
    "{\n    \"city\": \"Berlin\",\n    \"country\": \"DE\",\n    \"line1\": \"Unter den Linden "
    "1\",\n"
    "    \"line2\": null,\n    \"postal_code\": \"10117\",\n    \"state\": null\n  }",
    "{\n    \"city\": \"San Francisco\",\n    \"country\": \"US\",\n    \"line1\": \"510 Townsend "
    "St\",\n"
    "    \"line2\": \"Floor 2\",\n    \"postal_code\": \"94103\",\n    \"state\": \"CA\"\n  }",
    "{\n    \"city\": \"S\\u00e3o Paulo\",\n    \"country\": \"BR\",\n    \"line1\": null,\n"
    "    \"line2\": null,\n    \"postal_code\": null,\n    \"state\": \"SP\"\n  }"};

void CustomerShape::render(std::string &out, const World &world, uint64_t index) {
    Rng r = world.rng(Kind::customer, index, 7);
    Slots &s = slots_;
    put_id(s, id, world, Kind::customer, index);
    s.number(created, world.created(Kind::customer, index));
    s.number(balance, r.percent(92) ? 0 : static_cast<int64_t>(r.below(20000)) - 10000);
    if (r.percent(80))
        s.plain(currency, world.config().default_currency);
    else
        s.null(currency);
    s.boolean(delinquent, r.percent(6));
    if (r.percent(20))
        s.raw(description, "\"Signed up through the \\\"spring\\\" campaign\"");
    else
        s.null(description);
    std::string address_text = world.email(index);
    if (address_text.empty())
        s.null(email);
    else
        s.plain(email, address_text);
    std::string full_name = customer_name(world.rng(Kind::customer, index, 8));
    if (full_name.empty())
        s.null(name);
    else
        s.plain(name, full_name);
    if (r.percent(15))
        s.raw(phone, "\"+1 555 0100\"");
    else
        s.null(phone);
    std::string &prefix = s.open(invoice_prefix);
    prefix += '"';
    for (int i = 0; i < 8; ++i)
        prefix += "0123456789ABCDEF"[r.below(16)];
    prefix += '"';
    s.number(sequence, static_cast<int64_t>(1 + r.below(40)));
    s.boolean(livemode, world.config().livemode);
    append_metadata(s.open(metadata), world.rng(Kind::customer, index, 9), index);
    uint64_t place = r.below(6);
    s.raw(address, place < 3 ? addresses[place] : "null");
    s.raw(shipping, "null");
    if (place == 1) {
        std::string &to = s.open(shipping);
        to += "{\n    \"address\": {\n      \"city\": \"Oakland\",\n      \"country\": \"US\",\n"
              "      \"line1\": \"1 Main St\",\n      \"line2\": null,\n"
              "      \"postal_code\": \"94601\",\n      \"state\": \"CA\"\n    },\n    \"name\": ";
        to += full_name.empty() ? "null" : "\"" + full_name + "\"";
        to += ",\n    \"phone\": null\n  }";
    }
    s.raw(locales, place == 0 ? "[\n    \"de\",\n    \"en-GB\"\n  ]" : "[]");
    s.plain(tax_exempt, r.percent(95) ? "none" : "reverse");
    template_.render(out, s);
}

} // namespace stripe_sim

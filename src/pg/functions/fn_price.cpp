// billstack.create_price, get_price, list_prices and update_price.
#include "pg/billing/product_store.hpp"
#include "pg/billing/stripe_customer.hpp"
#include "pg/calls/stripe_write.hpp"
#include "pg/projects/project_args.hpp"
#include "pg/projects/projection.hpp"
#include "pg/team/integration_store.hpp"
#include "stripe/price_rules.hpp"

namespace billstack::pg {

namespace {

constexpr std::string_view reading = "products:read";
constexpr std::string_view writing = "products:write";

std::string make_price(const Project &project, const Integration &integration,
                       const ProjectProduct &product, const stripe::PriceTerms &terms,
                       const stripe::Metadata &metadata) {
    StripeWrite write;
    write.operation = "create_price";
    write.project_id = project.id;
    write.path = "/v1/prices";
    write.params = {{"product", product.stripe_product_id},
                    {"unit_amount", std::to_string(terms.unit_amount)},
                    {"currency", terms.currency}};
    if (terms.recurring_interval) {
        write.params.emplace_back("recurring[interval]", *terms.recurring_interval);
        write.params.emplace_back("recurring[interval_count]",
                                  std::to_string(terms.interval_count));
    }
    stripe::append_metadata(write.params, metadata);
    write.params.emplace_back("metadata[project_id]", project.id);
    write.kind = stripe::find_kind("price");
    return write_to_stripe(integration, write).id;
}

void update_at_stripe(const Project &project, const ProjectPrice &price,
                      const std::optional<bool> &is_active,
                      const std::optional<MetadataArgument> &metadata) {
    StripeWrite write;
    write.operation = "update_price";
    write.project_id = project.id;
    write.path = stripe_path("/v1/prices/", price.stripe_price_id);
    if (is_active) {
        write.params.emplace_back("active", *is_active ? "true" : "false");
    }
    if (metadata) {
        stripe::append_metadata_change(write.params, metadata->metadata,
                                       stripe::metadata_keys(price.metadata));
    }
    write.kind = stripe::find_kind("price");
    write.creates = false;
    if (!write.params.empty()) {
        (void)write_to_stripe(require_linked(project), write);
    }
}

} // namespace

} // namespace billstack::pg

using namespace billstack;
using namespace billstack::pg;

BILLSTACK_SQL_FUNCTION(billstack_create_price) {
    std::string project_id = args.text(0, "project");
    std::string product_id = args.text(1, "product_id");
    stripe::PriceTerms terms;
    terms.unit_amount = DatumGetInt64(args.value(2, "unit_amount"));
    terms.currency = args.text(3, "currency");
    terms.recurring_interval = args.optional_text(4);
    terms.interval_count = args.integer(5, "interval_count");
    MetadataArgument metadata = metadata_argument(args, 6);
    require_writable("create_price");
    Project project = require_project(project_id, Billing::write, writing);
    ProjectProduct product = require_product(project, product_id);
    stripe::check_price(terms);
    Integration integration = require_linked(project);
    ProjectPrice price;
    price.project_id = project.id;
    price.product_id = product.id;
    price.unit_amount = terms.unit_amount;
    price.currency = terms.currency;
    price.recurring_interval = terms.recurring_interval;
    if (terms.recurring_interval) {
        price.interval_count = terms.interval_count;
    }
    price.metadata = metadata.json_text;
    price.stripe_price_id = make_price(project, integration, product, terms, metadata.metadata);
    std::string id = insert_price(price);
    route_again(integration.id, {}, {price.stripe_price_id});
    return jsonb_datum(price_answer(id, false));
}

BILLSTACK_SQL_FUNCTION(billstack_get_price) {
    std::string project_id = args.text(0, "project");
    std::string id = args.text(1, "price_id");
    Project project = require_project(project_id, Billing::read, reading);
    (void)require_price(project, id, false);
    return jsonb_datum(price_answer(id, true));
}

BILLSTACK_SQL_FUNCTION(billstack_list_prices) {
    std::string project_id = args.text(0, "project");
    std::optional<std::string> product_id = args.optional_text(1);
    bool active_only = args.boolean(2, "active_only");
    Project project = require_project(project_id, Billing::read, reading);
    if (product_id) {
        (void)require_product(project, *product_id, false);
    }
    return jsonb_datum(price_list(project.id, product_id, active_only));
}

BILLSTACK_SQL_FUNCTION(billstack_update_price) {
    std::string project_id = args.text(0, "project");
    std::string id = args.text(1, "price_id");
    std::optional<bool> is_active = optional_boolean(args, 2);
    std::optional<MetadataArgument> metadata = optional_metadata(args, 3);
    require_writable("update_price");
    Project project = require_project(project_id, Billing::write, writing);
    ProjectPrice price = require_price(project, id);
    (void)require_linked(project);
    if (is_active || metadata) {
        update_at_stripe(project, price, is_active, metadata);
        change_price(id, is_active, metadata ? std::optional(metadata->json_text) : std::nullopt);
    }
    return jsonb_datum(price_answer(id, false));
}

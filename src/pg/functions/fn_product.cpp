// billstack.create_product, get_product, list_products, update_product and adopt_product.
#include "pg/access/principal.hpp"
#include "pg/billing/product_store.hpp"
#include "pg/billing/stripe_customer.hpp"
#include "pg/calls/stripe_write.hpp"
#include "pg/projects/project_args.hpp"
#include "pg/projects/projection.hpp"
#include "pg/team/integration_store.hpp"

namespace billstack::pg {

namespace {

constexpr std::string_view reading = "products:read";
constexpr std::string_view writing = "products:write";
constexpr std::size_t longest_name = 250;

const stripe::Kind *product_kind() {
    return stripe::find_kind("product");
}

StripeWrite update_of(const char *operation, const Project &project, const std::string &stripe_id) {
    StripeWrite write;
    write.operation = operation;
    write.project_id = project.id;
    write.path = stripe_path("/v1/products/", stripe_id);
    write.kind = product_kind();
    write.creates = false;
    return write;
}

std::string make_product(const Project &project, const Integration &integration,
                         const ProjectProduct &product, const stripe::Metadata &metadata) {
    StripeWrite write;
    write.operation = "create_product";
    write.project_id = project.id;
    write.path = "/v1/products";
    write.params = {{"name", product.name}};
    if (product.description && !product.description->empty()) {
        write.params.emplace_back("description", *product.description);
    }
    stripe::append_metadata(write.params, metadata);
    write.params.emplace_back("metadata[project_id]", project.id);
    write.kind = product_kind();
    return write_to_stripe(integration, write).id;
}

void update_at_stripe(const Project &project, const ProjectProduct &product,
                      const ProductChange &change,
                      const std::optional<MetadataArgument> &metadata) {
    StripeWrite write = update_of("update_product", project, product.stripe_product_id);
    if (change.name) {
        write.params.emplace_back("name", *change.name);
    }
    if (change.description) {
        write.params.emplace_back("description", *change.description);
    }
    if (change.is_active) {
        write.params.emplace_back("active", *change.is_active ? "true" : "false");
    }
    if (metadata) {
        stripe::append_metadata_change(write.params, metadata->metadata,
                                       stripe::metadata_keys(product.metadata));
    }
    if (!write.params.empty()) {
        (void)write_to_stripe(require_linked(project), write);
    }
}

// For a key of one project products of another one do not exist: what a row says is another one's,
// or Stripe's metadata. What the project has itself, it knows.
bool is_out_of_reach(const Project &project, const MirroredProduct &product) {
    if (!is_bound_to_project()) {
        return false;
    }
    ProductOwners owners = owners_of_product(project, product.id);
    std::string named = product.project_id.value_or("");
    return !owners.project && (owners.others || (!named.empty() && named != project.id));
}

MirroredProduct require_mirrored(const Project &project, const Integration &integration,
                                 const std::string &stripe_id) {
    std::vector<MirroredProduct> found = mirrored_products(integration, {stripe_id});
    if (found.empty() || is_out_of_reach(project, found.front())) {
        throw core::Error(core::Code::unknown_object,
                          "the mirror has no product \"" + stripe_id + "\"",
                          "Products are adopted from the mirror of the project's integration.",
                          "Copy it with billstack.backfill() first.");
    }
    return std::move(found.front());
}

void refuse_owned(const Project &project, const std::string &stripe_id) {
    std::optional<ProductOwner> owner = owner_of_product(*project.integration_id, stripe_id);
    if (!owner) {
        return;
    }
    // Of another team's project nothing is told; one integration is one team's, so there is none.
    throw core::Error(core::Code::exists_already,
                      "product \"" + stripe_id + "\" belongs to a project already",
                      "It is " + owner->product + " of project " + owner->project + ".");
}

void adopt_prices(const Project &project, const Integration &integration,
                  const std::string &product_id, const std::string &stripe_product_id) {
    std::vector<std::string> ids;
    for (const MirroredPrice &mirrored : mirrored_prices(integration, {stripe_product_id})) {
        ProjectPrice price;
        price.project_id = project.id;
        price.product_id = product_id;
        price.unit_amount = mirrored.unit_amount;
        price.currency = mirrored.currency;
        price.recurring_interval = mirrored.recurring_interval;
        price.interval_count = mirrored.interval_count;
        price.is_active = mirrored.is_active;
        price.metadata = mirrored.metadata;
        price.stripe_price_id = mirrored.id;
        (void)insert_price(price);
        ids.push_back(mirrored.id);
    }
    route_again(integration.id, {}, ids);
}

} // namespace

} // namespace billstack::pg

using namespace billstack;
using namespace billstack::pg;

BILLSTACK_SQL_FUNCTION(billstack_create_product) {
    std::string project_id = args.text(0, "project");
    ProjectProduct product;
    product.name = args.text(1, "name");
    product.description = args.optional_text(2);
    MetadataArgument metadata = metadata_argument(args, 3);
    product.metadata = metadata.json_text;
    require_writable("create_product");
    Project project = require_project(project_id, Billing::write, writing);
    check_name(product.name, "name", longest_name);
    check_description(product.description);
    Integration integration = require_linked(project);
    product.project_id = project.id;
    product.stripe_product_id = make_product(project, integration, product, metadata.metadata);
    return jsonb_datum(product_answer(insert_product(product), false));
}

BILLSTACK_SQL_FUNCTION(billstack_get_product) {
    std::string project_id = args.text(0, "project");
    std::string id = args.text(1, "product_id");
    Project project = require_project(project_id, Billing::read, reading);
    (void)require_product(project, id, false);
    return jsonb_datum(product_answer(id, true));
}

BILLSTACK_SQL_FUNCTION(billstack_list_products) {
    std::string project_id = args.text(0, "project");
    bool active_only = args.boolean(1, "active_only");
    Project project = require_project(project_id, Billing::read, reading);
    return jsonb_datum(product_list(project.id, active_only));
}

BILLSTACK_SQL_FUNCTION(billstack_update_product) {
    std::string project_id = args.text(0, "project");
    std::string id = args.text(1, "product_id");
    ProductChange change;
    change.name = args.optional_text(2);
    change.description = args.optional_text(3);
    change.is_active = optional_boolean(args, 4);
    std::optional<MetadataArgument> metadata = optional_metadata(args, 5);
    require_writable("update_product");
    Project project = require_project(project_id, Billing::write, writing);
    ProjectProduct product = require_product(project, id);
    if (change.name) {
        check_name(*change.name, "name", longest_name);
    }
    check_description(change.description);
    if (metadata) {
        change.metadata = metadata->json_text;
    }
    (void)require_linked(project);
    if (change.name || change.description || change.is_active || metadata) {
        update_at_stripe(project, product, change, metadata);
        change_product(id, change);
    }
    return jsonb_datum(product_answer(id, false));
}

BILLSTACK_SQL_FUNCTION(billstack_adopt_product) {
    std::string project_id = args.text(0, "project");
    std::string stripe_id = args.text(1, "stripe_product_id");
    require_writable("adopt_product");
    Project project = require_project(project_id, Billing::write, writing);
    Integration integration = require_linked(project);
    lock_adoption(integration.id);
    MirroredProduct mirrored = require_mirrored(project, integration, stripe_id);
    refuse_owned(project, stripe_id);
    if (!mirrored.project_id || mirrored.project_id->empty()) {
        StripeWrite write = update_of("adopt_product", project, stripe_id);
        write.params = {{"metadata[project_id]", project.id}};
        (void)write_to_stripe(integration, write);
    }
    ProjectProduct product;
    product.project_id = project.id;
    product.name = mirrored.name;
    product.description = mirrored.description;
    product.is_active = mirrored.is_active;
    product.metadata = mirrored.metadata;
    product.stripe_product_id = stripe_id;
    std::string id = insert_product(product);
    adopt_prices(project, integration, id, stripe_id);
    return jsonb_datum(product_answer_with_prices(id));
}

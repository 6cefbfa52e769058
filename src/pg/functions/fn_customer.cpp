// billstack.create_customer, get_customer, list_customers, update_customer and delete_customer.
#include "pg/billing/stripe_customer.hpp"
#include "pg/calls/stripe_write.hpp"
#include "pg/projects/projection.hpp"
#include "pg/team/integration_store.hpp"

namespace billstack::pg {

namespace {

constexpr std::string_view reading = "customers:read";
constexpr std::string_view writing = "customers:write";
constexpr std::size_t longest_name = 256;

void update_at_stripe(const Project &project, const ProjectCustomer &customer,
                      const std::optional<std::string> &email,
                      const std::optional<std::string> &name,
                      const std::optional<MetadataArgument> &metadata) {
    StripeWrite write;
    write.operation = "update_customer";
    write.project_id = project.id;
    write.path = stripe_path("/v1/customers/", *customer.stripe_customer_id);
    if (email) {
        write.params.emplace_back("email", *email);
    }
    if (name) {
        write.params.emplace_back("name", *name);
    }
    if (metadata) {
        stripe::append_metadata_change(write.params, metadata->metadata,
                                       stripe::metadata_keys(customer.metadata));
    }
    write.kind = stripe::find_kind("customer");
    write.creates = false;
    if (!write.params.empty()) {
        (void)write_to_stripe(require_linked(project), write);
    }
}

} // namespace

} // namespace billstack::pg

using namespace billstack;
using namespace billstack::pg;

BILLSTACK_SQL_FUNCTION(billstack_create_customer) {
    std::string project_id = args.text(0, "project");
    NewCustomer customer;
    customer.email = args.text(1, "email");
    customer.name = args.optional_text(2);
    MetadataArgument metadata = metadata_argument(args, 3);
    customer.metadata = metadata.json_text;
    require_writable("create_customer");
    Project project = require_project(project_id, Billing::write, writing);
    check_email(customer.email);
    if (customer.name) {
        check_name(*customer.name, "name", longest_name);
    }
    Integration integration = require_linked(project);
    customer.project = project.id;
    // The e-mail first: whoever comes with the same one waits here, before Stripe is asked.
    std::string id = reserve_customer(customer);
    CustomerLink link =
        find_or_make_stripe_customer(project, integration, customer, metadata.metadata);
    link_customer(id, link);
    route_again(integration.id, {link.stripe_id}, {});
    return jsonb_datum(customer_answer(id, false));
}

BILLSTACK_SQL_FUNCTION(billstack_get_customer) {
    std::string project_id = args.text(0, "project");
    std::string id = args.text(1, "customer_id");
    Project project = require_project(project_id, Billing::read, reading);
    if (require_customer(project, id, false).deleted_at) {
        throw unknown_in_project("customer", id);
    }
    return jsonb_datum(customer_answer(id, true));
}

BILLSTACK_SQL_FUNCTION(billstack_list_customers) {
    std::string project_id = args.text(0, "project");
    Paging paging = paging_arguments(args, 1, 2);
    Project project = require_project(project_id, Billing::read, reading);
    return jsonb_datum(customer_list(project.id, paging.max_rows, paging.skip_rows));
}

BILLSTACK_SQL_FUNCTION(billstack_update_customer) {
    std::string project_id = args.text(0, "project");
    std::string id = args.text(1, "customer_id");
    std::optional<std::string> email = args.optional_text(2);
    std::optional<std::string> name = args.optional_text(3);
    std::optional<MetadataArgument> metadata = optional_metadata(args, 4);
    require_writable("update_customer");
    Project project = require_project(project_id, Billing::write, writing);
    ProjectCustomer customer = require_customer(project, id);
    if (email) {
        check_email(*email);
    }
    if (name) {
        check_name(*name, "name", longest_name);
    }
    (void)require_linked(project);
    if (email || name || metadata) {
        // Before Stripe is told: an e-mail that another customer has is refused in time.
        change_customer(id, email, name,
                        metadata ? std::optional(metadata->json_text) : std::nullopt);
        update_at_stripe(project, customer, email, name, metadata);
    }
    return jsonb_datum(customer_answer(id, false));
}

BILLSTACK_SQL_FUNCTION(billstack_delete_customer) {
    std::string project_id = args.text(0, "project");
    std::string id = args.text(1, "customer_id");
    require_writable("delete_customer");
    Project project = require_project(project_id, Billing::write, writing);
    // Nothing is sent to Stripe: a stale customer may go too.
    if (require_customer(project, id, false).deleted_at) {
        throw unknown_in_project("customer", id);
    }
    if (std::optional<std::string> live = live_subscription_of(id)) {
        throw core::Error(core::Code::in_use, "customer \"" + id + "\" has a live subscription",
                          "It is " + *live + ".",
                          "Cancel it first, see billstack.cancel_subscription().");
    }
    mark_customer_deleted(id);
    json::Node answer = json::Node::object();
    answer.set("success", true);
    return return_jsonb(answer);
}

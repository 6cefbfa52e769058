#include "pg/billing/stripe_customer.hpp"

#include "pg/calls/stripe_write.hpp"

namespace billstack::pg {

namespace {

const stripe::Kind *customer_kind() {
    return stripe::find_kind("customer");
}

std::string ascii_lower(std::string text) {
    for (char &c : text) {
        c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
    return text;
}

MirroredCustomer read_customer(const json::ObjectSpan &object) {
    static constexpr std::string_view paths[] = {"email", "name", "metadata.project_id"};
    std::array<json::Token, 3> found;
    json::PathReader(paths).read(object.raw, found);
    auto text = [&](const json::Token &token) -> std::optional<std::string> {
        if (token.kind != json::TokenKind::string) {
            return std::nullopt;
        }
        return json::unescaped(token.text);
    };
    return {object.id, text(found[0]), text(found[1]), "{}", text(found[2]), object.created, ""};
}

// What Stripe has with exactly this e-mail, ranked as the mirror's answer is.
std::vector<MirroredCustomer> ask_for_email(const Project &project, const Integration &integration,
                                            const std::string &email) {
    json::ListPage page = json::ListPage::parse(read_from_stripe(
        integration, "/v1/customers", {{"email", email}, {"limit", "100"}}, customer_kind()));
    std::vector<MirroredCustomer> found;
    for (const json::ObjectSpan &object : page.objects()) {
        found.push_back(read_customer(object));
    }
    auto rank = [&](const MirroredCustomer &customer) {
        return std::tuple(customer.project_id != project.id, customer.created.value_or(INT64_MAX),
                          customer.id);
    };
    std::sort(
        found.begin(), found.end(),
        [&](const MirroredCustomer &a, const MirroredCustomer &b) { return rank(a) < rank(b); });
    return found;
}

void drop_taken(const Project &project, std::vector<MirroredCustomer> &candidates) {
    std::vector<std::string> ids;
    for (const MirroredCustomer &candidate : candidates) {
        ids.push_back(candidate.id);
    }
    std::set<std::string> taken = taken_stripe_customers(project.id, ids);
    std::erase_if(candidates,
                  [&](const MirroredCustomer &candidate) { return taken.contains(candidate.id); });
}

// The best first.
std::vector<MirroredCustomer> candidates_for(const Project &project, const Integration &integration,
                                             const std::string &email) {
    std::vector<MirroredCustomer> found =
        mirrored_by_email(integration, {lower_case(email)}, project.id);
    drop_taken(project, found);
    if (found.empty()) {
        found = ask_for_email(project, integration, email);
        drop_taken(project, found);
    }
    if (found.empty() && ascii_lower(email) != email) {
        found = ask_for_email(project, integration, ascii_lower(email));
        drop_taken(project, found);
    }
    return found;
}

CustomerLink take_existing(const Project &project, const Integration &integration,
                           const std::vector<MirroredCustomer> &candidates) {
    const MirroredCustomer &chosen = candidates.front();
    if (!chosen.project_id || chosen.project_id->empty()) {
        StripeWrite write;
        write.operation = "create_customer";
        write.project_id = project.id;
        write.path = stripe_path("/v1/customers/", chosen.id);
        write.params = {{"metadata[project_id]", project.id}};
        write.kind = customer_kind();
        write.creates = false;
        (void)write_to_stripe(integration, write);
    }
    bool carries = chosen.project_id == project.id;
    std::string many = std::to_string(candidates.size()) + " with this e-mail";
    std::string detail =
        carries ? "carries the project's id, one of " + many : "the oldest of " + many;
    return {chosen.id, carries ? "metadata" : "oldest", detail, chosen.name};
}

CustomerLink make_customer(const Project &project, const Integration &integration,
                           const NewCustomer &customer, const stripe::Metadata &metadata) {
    StripeWrite write;
    write.operation = "create_customer";
    write.project_id = project.id;
    write.path = "/v1/customers";
    write.params = {{"email", customer.email}};
    if (customer.name) {
        write.params.emplace_back("name", *customer.name);
    }
    stripe::append_metadata(write.params, metadata);
    write.params.emplace_back("metadata[project_id]", project.id);
    write.kind = customer_kind();
    // A cancelled call's customer may be on its way still, under another name, and be no one's yet.
    write.same_as = lower_case(customer.email);
    return {write_to_stripe(integration, write).id, "created", std::nullopt, std::nullopt};
}

} // namespace

std::string stripe_path(const char *list_path, const std::string &id) {
    return list_path + stripe::encode_path_segment(id);
}

CustomerLink find_or_make_stripe_customer(const Project &project, const Integration &integration,
                                          const NewCustomer &customer,
                                          const stripe::Metadata &metadata) {
    std::vector<MirroredCustomer> candidates = candidates_for(project, integration, customer.email);
    return candidates.empty() ? make_customer(project, integration, customer, metadata)
                              : take_existing(project, integration, candidates);
}

} // namespace billstack::pg

// The control endpoints for what customers do, and for what clients of the API have written.
#include "simulator.hpp"

#include "payments.hpp"

namespace stripe_sim {

// POST /_sim/checkout/{id}/complete|expire, /_sim/invoices/{id}/pay|fail,
// /_sim/subscriptions/{id}/renew: answers the object acted on, or made.
bool Simulator::control_customers(const std::vector<std::string> &parts, const Request &request,
                                  Response &response) {
    if (request.method != "POST" || parts.size() != 4)
        return false;
    const std::string &id = parts[2];
    std::string act = parts[1] + " " + parts[3];
    Store &store = account_of(request);
    Rng rng{mix64(seed_, ++draws_)};
    Writing writing{store, rng};
    Kind kind = Kind::checkout_session;
    std::string shown = id;
    if (act == "checkout complete") {
        complete_session(writing, id);
    } else if (act == "checkout expire") {
        expire_session(writing, id);
    } else if (act == "invoices pay" || act == "invoices fail") {
        settle_invoice(writing, id, parts[3] == "pay");
        kind = Kind::invoice;
    } else if (act == "subscriptions renew") {
        shown = renew_subscription(writing, id);
        kind = Kind::invoice;
    } else {
        return false;
    }
    store.append_text(response.body, kind, *store.find(kind, shown));
    response.body += '\n';
    return true;
}

void Simulator::control_made(Response &response) {
    response.content_type = "application/x-ndjson";
    for (const MadeObject &one : api_.made()) {
        response.body += "{\"account\":" + quoted(one.account) + ",\"kind\":" + quoted(one.kind) +
                         ",\"id\":" + quoted(one.id) + ",\"idempotency_key\":" +
                         (one.idempotency_key.empty() ? "null" : quoted(one.idempotency_key)) +
                         "}\n";
    }
}

} // namespace stripe_sim

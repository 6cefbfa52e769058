// SQL between a mirror and the project rows: what is read of a mirror, and what is written of it.
// Reading acts as the mirror's owner, who may have put views, triggers or policies there, writing
// as the extension's; between the two goes one JSON text. A transaction and a SpiSession must be
// open.
#pragma once
#include "pg/mirror_store.hpp"

namespace billstack::pg {

// What project rows are made of. A payment is a payment intent with its charges, or a charge that
// has no intent.
enum class Part { customers, products, prices, subscriptions, invoices, payments };

struct SubscriptionItem {
    std::string id; // si_
    std::string price;
};

struct MirrorReader {
    std::string schema;
    Oid owner = InvalidOid;
    std::set<std::string> kinds; // whose tables are there besides the default ones
    bool latest = false; // by the newest snapshot, also where the transaction keeps an old one

    // The objects as a JSON array; ids: of the objects themselves; of payments the intent's,
    // or the charge's where it has none.
    std::string read(Part part, const std::vector<std::string> &ids) const;
    // Of objects of that kind the parts that tell something of theirs: a charge of its payment, a
    // checkout session of its subscription. Part and id.
    std::vector<std::pair<Part, std::string>> hangs_on(const stripe::Kind &kind,
                                                       const std::vector<std::string> &ids) const;
    // What objects of that kind name, to find a project by: a JSON array of {kind, id, project,
    // customer, subscription, invoice, payment_intent, charge, product}.
    std::string names(const stripe::Kind &kind, const std::vector<std::string> &ids) const;
    // Of a subscription, those that are not deleted.
    std::vector<SubscriptionItem> items_of(const std::string &subscription) const;
    // What read() wants for the next objects of that kind after `after`, at most `limit`; sets it
    // to the last one, to "" at the end. Charges whose intent the mirror has are passed over.
    std::vector<std::string> next_ids(const stripe::Kind &kind, std::string &after,
                                      int limit) const;

  private:
    Rows run(const std::string &sql, const std::vector<Param> &params) const;
};

// Further kinds that this integration's mirror has a table for.
std::set<std::string> further_kinds(std::int32_t integration_id);

// Whether any project is linked to it.
bool any_project(std::int32_t integration_id);
std::int64_t count_projects(std::int32_t integration_id);

// Writes what read() gave. Rows that are as they should be already are not written. at_most: how
// many rows of `objects` are taken at most.
void write_part(std::int32_t integration_id, Part part, const std::string &objects,
                std::size_t at_most);

// Stripe ids of what the integration's projects own, after `after`: customers, products or prices.
std::vector<std::string> owned_ids(std::int32_t integration_id, Part part, const std::string &after,
                                   int limit);

} // namespace billstack::pg

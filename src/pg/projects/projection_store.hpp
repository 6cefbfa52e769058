// SQL between a mirror and the project rows: what is read of a mirror, and what is written of it.
// Reading acts as the mirror's owner, who may have put views, triggers or policies there, writing
// as the extension's; between the two go values of the server's own types, or one JSON text. A
// transaction and a SpiSession must be open.
#pragma once
#include "pg/mirror/mirror_store.hpp"
#include "pg/projects/project_finder.hpp"

namespace billstack::pg {

// What project rows are made of. A payment is a payment intent with its charges, or a charge that
// has no intent.
enum class Part { customers, products, prices, subscriptions, invoices, payments };

struct SubscriptionItem {
    std::string id; // si_
    std::string price;
};

// Objects as project rows have them, a column after the other: the id, then part_columns(). What
// the values point to is the server's, of the SpiSession they were read in.
struct PartTable {
    std::vector<std::string> ids;
    std::vector<std::vector<Datum>> values; // without the id
    std::vector<std::unique_ptr<bool[]>> nulls;
    std::vector<std::string> parents; // what each hangs on: an invoice's subscription, ...
    std::vector<RouteInputs> inputs;  // but for the parent
};

struct PartColumn {
    const char *name; // of the project row
    const char *from; // of what is read
    const char *type; // of both
    Oid oid;          // as it goes from one to the other
};
const std::vector<PartColumn> &part_columns(Part part); // subscriptions, invoices, payments

// Bytes of objects that are in the mirror just so, by their ids.
using KnownBytes = std::map<std::string_view, std::string_view>;

// What of an invoice is in no column.
struct InvoiceDetails {
    std::string named_project;
    std::string subscription;
    std::string payment;
    bool discounted = false;
};
using InvoicesDetails = std::map<std::string, InvoiceDetails>;

struct MirrorReader {
    std::string schema;
    Oid owner = InvalidOid;
    std::set<std::string> kinds; // whose tables are there besides the default ones
    bool latest = false; // by the newest snapshot, also where the transaction keeps an old one

    // Customers, products or prices as a JSON array.
    std::string read_owned(Part part, const std::vector<std::string> &ids) const;
    // ids: of the objects themselves; of payments the intent's, or the charge's where it has none.
    // Without those that have no time of creation. invoices: of all that are invoices.
    PartTable read(Part part, const std::vector<std::string> &ids, const InvoicesDetails &invoices,
                   const KnownBytes &known) const;
    InvoicesDetails invoice_details(const std::vector<std::string> &ids,
                                    const KnownBytes &known) const;
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

// For messages: integration "default" of team "acme".
std::string describe_integration(std::int32_t integration_id);

// Whether any project is linked to it.
bool any_project(std::int32_t integration_id);
std::int64_t count_projects(std::int32_t integration_id);

// Writes what read_owned() gave. Rows that are as they should be already are not written.
void write_owned(std::int32_t integration_id, Part part, const std::string &objects);
// The same for read(). routes: of rows that are new, one an object; those that are there keep
// theirs.
void write_part(std::int32_t integration_id, Part part, PartTable &objects,
                const std::vector<RowRoute> &routes);

// Stripe ids of what the integration's projects own, after `after`: customers, products or prices.
std::vector<std::string> owned_ids(std::int32_t integration_id, Part part, const std::string &after,
                                   int limit);

} // namespace billstack::pg

// has_active_subscription and has_feature: asked once a row in the policies of applications, so
// they read three or four index entries and open no SPI. Who may ask is decided once a snapshot.
#include "pg/access/principal.hpp"
#include "pg/access/team_access.hpp"
#include "pg/bridge/datum.hpp"
#include "pg/bridge/index_lookup.hpp"
#include "pg/projects/project_store.hpp"

namespace billstack::pg {

namespace {

constexpr const char *needed_scope = "subscriptions:read";

constinit IndexLookup subscriptions_of_customer{
    "project_subscription",
    "project_subscription_customer_idx",
    {"project_id", "status", "price_id", "stale", "stripe_price_ids"}};
constinit IndexLookup price_by_id{
    "project_price", "project_price_pkey", {"project_id", "stripe_price_id", "stale"}};
constinit IndexLookup customer_by_id{"project_customer",
                                     "project_customer_pkey",
                                     {"project_id", "stripe_customer_id", "stale", "deleted_at"}};
constinit IndexLookup entitlement_of_customer{
    "project_entitlement", "project_entitlement_customer_idx", {"lookup_key"}};

// --- who may ask --------------------------------------------------------------------------------

// What a decision holds for: one role, one principal, one snapshot. Two snapshots of a transaction
// show the same when these numbers are the same: between xids that begin (xmax) only ends change
// what is visible, and each end makes the set of the running ones smaller.
struct Circumstances {
    Oid role;
    LocalTransactionId transaction;
    std::uint64_t principal;
    TransactionId xmax;
    std::uint32_t running;
    std::int32_t running_inner;
    CommandId command;

    bool operator==(const Circumstances &) const = default;
};

constexpr std::size_t longest_project = 64;

struct Decision {
    Circumstances circumstances;
    bool allowed;
    bool is_linked;
    std::int32_t integration_id;
    std::uint32_t length; // 0: an empty place
    char project[longest_project];
};

constexpr std::size_t decision_count = 64;
Decision decisions[decision_count]; // plain data: nothing to destroy at exit

Circumstances circumstances_of(Snapshot snapshot) {
    return {GetUserId(),    own_local_transaction(), principal_changes(), snapshot->xmax,
            snapshot->xcnt, snapshot->subxcnt,       snapshot->curcid};
}

Decision decide(std::string_view project, const Circumstances &circumstances) {
    Decision made{};
    made.circumstances = circumstances;
    std::optional<Project> found = find_project(std::string(project), true);
    made.allowed = found && may_use_team(found->team, Need::ask_entitlement) &&
                   principal_allows(found->team, found->id, needed_scope);
    if (made.allowed) {
        made.is_linked = found->integration_id.has_value();
        made.integration_id = found->integration_id.value_or(0);
    }
    made.length = static_cast<std::uint32_t>(project.size());
    std::memcpy(made.project, project.data(), project.size());
    return made;
}

// nullptr: no such project for this role.
const Decision *may_ask(std::string_view project, Snapshot snapshot) {
    if (project.empty() || project.size() > longest_project) {
        return nullptr;
    }
    std::uint32_t hash = 2166136261U; // FNV-1a
    for (char c : project) {
        hash = (hash ^ static_cast<unsigned char>(c)) * 16777619U;
    }
    Decision &kept = decisions[hash % decision_count];
    Circumstances circumstances = circumstances_of(snapshot);
    if (project != std::string_view(kept.project, kept.length) ||
        kept.circumstances != circumstances) {
        kept = decide(project, circumstances);
    }
    return kept.allowed ? &kept : nullptr;
}

// --- customers ----------------------------------------------------------------------------------

// Of customer_by_id: in the project, not deleted, and of the account that the project stands on.
bool is_customer(const IndexRow &row, std::string_view project) {
    return row.text_is(0, project) && !row.boolean(2) && row.is_null(3);
}

bool has_customer(std::string_view project, Datum customer, Snapshot snapshot) {
    IndexKey key{customer, F_TEXTEQ};
    return customer_by_id.find(&key, 1, snapshot,
                               [&](const IndexRow &row) { return is_customer(row, project); });
}

// --- subscriptions ------------------------------------------------------------------------------

// active and trialing: what the subscription lists call active. In the project, and with Stripe ids
// of the account that the project stands on.
bool is_live(const IndexRow &row, std::string_view project) {
    return row.text_is(0, project) && (row.text_is(1, "active") || row.text_is(1, "trialing")) &&
           !row.boolean(3);
}

bool holds_price(const IndexRow &row, const char *stripe_price_id) {
    bool null = true;
    Datum array = row.value(4, null);
    if (null) {
        return false;
    }
    Datum *elements = nullptr;
    bool *nulls = nullptr;
    int count = 0;
    deconstruct_array(DatumGetArrayTypeP(array), TEXTOID, -1, false, TYPALIGN_INT, &elements,
                      &nulls, &count);
    for (int i = 0; i < count; ++i) {
        if (!nulls[i] && std::strcmp(TextDatumGetCString(elements[i]), stripe_price_id) == 0) {
            return true;
        }
    }
    return false;
}

// nullptr: the project has no such price.
const char *stripe_price_of(Datum price, std::string_view project, Snapshot snapshot) {
    IndexKey key{price, F_TEXTEQ};
    const char *stripe_price = nullptr;
    (void)price_by_id.find(&key, 1, snapshot, [&](const IndexRow &row) {
        if (row.text_is(0, project) && !row.boolean(2)) {
            stripe_price = row.text_copy(1);
        }
        return true;
    });
    return stripe_price;
}

// price: nullopt for any. The first price of a subscription stands in its row; those of further
// items are looked for only where there is a live subscription to another price.
bool has_subscription(std::string_view project, Datum customer, std::optional<Datum> price,
                      std::string_view price_id, Snapshot snapshot) {
    IndexKey key{customer, F_TEXTEQ};
    bool any = false;
    bool first = subscriptions_of_customer.find(&key, 1, snapshot, [&](const IndexRow &row) {
        bool live = is_live(row, project);
        any = any || live;
        return live && (!price || row.text_is(2, price_id));
    });
    if (first || !any || !price) {
        return first;
    }
    const char *stripe_price = stripe_price_of(*price, project, snapshot);
    return stripe_price != nullptr &&
           subscriptions_of_customer.find(&key, 1, snapshot, [&](const IndexRow &row) {
               return is_live(row, project) && holds_price(row, stripe_price);
           });
}

// --- features -----------------------------------------------------------------------------------

bool has_entitlement(std::int32_t integration_id, std::string_view project, Datum customer,
                     Datum lookup_key, Snapshot snapshot) {
    IndexKey key{customer, F_TEXTEQ};
    Datum stripe_customer = 0;
    bool found = customer_by_id.find(&key, 1, snapshot, [&](const IndexRow &row) {
        bool null = true;
        Datum id = row.value(1, null);
        if (null || !is_customer(row, project)) {
            return false;
        }
        stripe_customer = PointerGetDatum(PG_DETOAST_DATUM_COPY(id));
        return true;
    });
    if (!found) {
        return false;
    }
    IndexKey keys[] = {{Int32GetDatum(integration_id), F_INT4EQ},
                       {stripe_customer, F_TEXTEQ},
                       {lookup_key, F_TEXTEQ}};
    return entitlement_of_customer.find(keys, 3, snapshot, [](const IndexRow &) { return true; });
}

std::string_view view_of(Datum text) {
    auto *packed =
        call([&] { return reinterpret_cast<struct varlena *>(PG_DETOAST_DATUM_PACKED(text)); });
    return {VARDATA_ANY(packed), VARSIZE_ANY_EXHDR(packed)};
}

} // namespace

} // namespace billstack::pg

using namespace billstack::pg;

BILLSTACK_SQL_FUNCTION(billstack_has_active_subscription) {
    if (args.is_null(0) || args.is_null(1)) {
        return BoolGetDatum(false);
    }
    std::string_view project = view_of(args.value(0, "project"));
    Snapshot snapshot = GetActiveSnapshot();
    const Decision *decision = may_ask(project, snapshot);
    if (decision == nullptr || !decision->is_linked) { // not linked: its rows are no longer kept up
        return BoolGetDatum(false);
    }
    Datum customer = args.value(1, "customer_id");
    bool subscribed = false;
    if (args.is_null(2)) {
        subscribed = has_subscription(project, customer, std::nullopt, {}, snapshot);
    } else {
        Datum price = args.value(2, "price_id");
        subscribed = has_subscription(project, customer, price, view_of(price), snapshot);
    }
    // Last, for most rows of a table end before.
    return BoolGetDatum(subscribed && has_customer(project, customer, snapshot));
}

BILLSTACK_SQL_FUNCTION(billstack_has_feature) {
    if (args.is_null(0) || args.is_null(1) || args.is_null(2)) {
        return BoolGetDatum(false);
    }
    std::string_view project = view_of(args.value(0, "project"));
    Snapshot snapshot = GetActiveSnapshot();
    const Decision *decision = may_ask(project, snapshot);
    return BoolGetDatum(decision != nullptr && decision->is_linked &&
                        has_entitlement(decision->integration_id, project,
                                        args.value(1, "customer_id"), args.value(2, "lookup_key"),
                                        snapshot));
}

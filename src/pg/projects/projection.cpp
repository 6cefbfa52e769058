#include "pg/projects/projection.hpp"

#include "pg/access/internal_access.hpp"
#include "pg/projects/projection_entitlement.hpp"

namespace billstack::pg {

namespace {

constexpr int chunk_size = 1000;
constexpr Part rows_of_own[] = {Part::subscriptions, Part::invoices, Part::payments};
constexpr Part owned_parts[] = {Part::customers, Part::products, Part::prices};
constexpr int links_patience_ms = 3000;
constexpr int links_try_every_ms = 5; // short: the worker's transactions leave small gaps

using Ids = std::set<std::string>;
using Parts = std::map<Part, Ids>;

std::optional<Part> part_of(const stripe::Kind &kind) {
    static constexpr std::pair<std::string_view, Part> parts[] = {
        {"customer", Part::customers}, {"product", Part::products},
        {"price", Part::prices},       {"subscription", Part::subscriptions},
        {"invoice", Part::invoices},   {"payment_intent", Part::payments},
    };
    for (const auto &[name, part] : parts) {
        if (name == kind.name) {
            return part;
        }
    }
    return std::nullopt;
}

// Not an advisory lock: those can be taken by everybody. The class is a table of ours, so that no
// object of the server has this tag.
bool lock_links(std::int32_t integration_id, LOCKMODE mode, bool wait) {
    return call([&] {
        Oid schema = get_namespace_oid("billstack_internal", false);
        Oid table = get_relname_relid("project_subscription", schema);
        LOCKTAG tag;
        SET_LOCKTAG_OBJECT(tag, MyDatabaseId, table, static_cast<Oid>(integration_id), 0);
        return LockAcquire(&tag, mode, false, !wait) != LOCKACQUIRE_NOT_AVAIL;
    });
}

// Never queued: the worker's own try fails for a waiter too, and events would stand still.
bool try_links_alone(std::int32_t integration_id) {
    int patience = LockTimeout > 0 ? std::min(LockTimeout, links_patience_ms) : links_patience_ms;
    TimestampTz give_up = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), patience);
    static std::uint32_t event = 0;
    while (!lock_links(integration_id, ExclusiveLock, false)) {
        if (GetCurrentTimestamp() >= give_up) {
            return false;
        }
        call([&] {
            if (event == 0) {
                event = wait_event("BillstackLinks");
            }
            WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, links_try_every_ms,
                      event);
            ResetLatch(MyLatch);
            CHECK_FOR_INTERRUPTS();
        });
    }
    return true;
}

bool in_worker() {
    return MyBackendType == B_BG_WORKER;
}

template <class Do> void in_chunks(const Ids &ids, Do run) {
    std::vector<std::string> chunk;
    for (const std::string &id : ids) {
        chunk.push_back(id);
        if (chunk.size() == chunk_size) {
            run(chunk);
            chunk.clear();
            check_for_interrupts();
        }
    }
    if (!chunk.empty()) {
        run(chunk);
    }
}

MirrorReader reader_of(const MirrorTarget &target, Oid owner) {
    MirrorReader mirror;
    mirror.schema = target.schema_name;
    mirror.owner = owner;
    mirror.kinds = further_kinds(target.integration_id);
    return mirror;
}

void project_owned_chunk(const MirrorTarget &target, const MirrorReader &mirror, Part part,
                         const StripeIds &ids) {
    MemoryScope scope("billstack projection");
    SpiSession spi; // what was read goes with it
    write_owned(target.integration_id, part, mirror.read_owned(part, ids));
}

// Where new rows belong. Rows that are there are routed later, from themselves. moved: of the new
// ones those that a project was found for.
std::vector<RowRoute> routes_of_new(std::int32_t integration_id, Part part, PartTable &objects,
                                    Ids &there, Ids &moved) {
    ProjectFinder finder(integration_id);
    std::vector<RowRoute> routes(objects.ids.size());
    for (std::size_t i = 0; i < objects.ids.size(); ++i) {
        const std::string &id = objects.ids[i];
        if (has_row(integration_id, part, finder, id)) {
            there.insert(id);
            continue;
        }
        find_parent(integration_id, part, finder, objects.parents[i], objects.inputs[i]);
        bool found = false;
        routes[i] = finder.route(objects.inputs[i], {}, found);
        if (found) {
            moved.insert(id);
        }
    }
    return routes;
}

// The rows of a part, and what hangs on those whose project is another now; of the latter, that of
// the next part. invoices: of all that are invoices.
class PartWork {
  public:
    PartWork(const MirrorTarget &target, const MirrorReader &mirror, Part part)
        : target_(target), mirror_(mirror), part_(part) {}

    void project(const StripeIds &ids, const InvoicesDetails &invoices, const KnownBytes &known) {
        MemoryScope scope("billstack projection");
        SpiSession spi;
        PartTable objects = mirror_.read(part_, ids, invoices, known);
        Ids there;
        std::vector<RowRoute> routes =
            routes_of_new(target_.integration_id, part_, objects, there, moved_);
        write_part(target_.integration_id, part_, objects, routes);
        route({there.begin(), there.end()}, {});
    }
    // Rows that are there, and those that hang on these.
    void route(const StripeIds &ids, const StripeIds &of_parents) {
        if (ids.empty() && of_parents.empty()) {
            return;
        }
        MemoryScope scope("billstack routing");
        StripeIds changed = route_rows(target_.integration_id, part_, ids, of_parents);
        moved_.insert(changed.begin(), changed.end());
    }
    Ids finish() {
        in_chunks(moved_, [&](const StripeIds &ids) {
            MemoryScope scope("billstack routing");
            route_ledger(target_.integration_id, part_, ids);
        });
        return std::move(moved_);
    }

  private:
    const MirrorTarget &target_;
    const MirrorReader &mirror_;
    Part part_;
    Ids moved_;
};

// objects: of the mirror, to be projected; rows: to be routed once more.
void project_rows(const MirrorTarget &target, const MirrorReader &mirror, const Parts &objects,
                  const Parts &rows, const InvoicesDetails &invoices, const KnownBytes &known) {
    Ids moved;
    for (Part part : rows_of_own) {
        PartWork work(target, mirror, part);
        if (auto found = objects.find(part); found != objects.end()) {
            in_chunks(found->second,
                      [&](const StripeIds &ids) { work.project(ids, invoices, known); });
        }
        in_chunks(moved, [&](const StripeIds &ids) { work.route({}, ids); });
        if (auto found = rows.find(part); found != rows.end()) {
            in_chunks(found->second, [&](const StripeIds &ids) { work.route(ids, {}); });
        }
        moved = work.finish();
    }
}

void route(std::int32_t integration_id, const Parts &rows) {
    MirrorTarget target;
    target.integration_id = integration_id;
    project_rows(target, {}, {}, rows, {}, {});
}

void add_unrouted(std::int32_t integration_id, Part owned, const Ids &ids, Parts &parts) {
    in_chunks(ids, [&](const StripeIds &chunk) {
        for (Part part : rows_of_own) {
            StripeIds found = owned == Part::customers
                                  ? unrouted_of_customers(integration_id, part, chunk)
                                  : unrouted_of_prices(integration_id, part, chunk);
            parts[part].insert(found.begin(), found.end());
        }
    });
}

// An invoice tells of its payment, and of what its subscription's discounts take off.
void hang_on_invoices(InvoicesDetails &&details, Parts &objects, InvoicesDetails &invoices) {
    for (const auto &[id, each] : details) {
        if (!each.payment.empty()) {
            objects[Part::payments].insert(each.payment);
        }
        if (each.discounted && !each.subscription.empty()) {
            objects[Part::subscriptions].insert(each.subscription);
        }
    }
    invoices.merge(details);
}

void project_owned(const MirrorTarget &target, const MirrorReader &mirror) {
    for (Part part : owned_parts) {
        for (std::string after;;) {
            StripeIds ids = owned_ids(target.integration_id, part, after, chunk_size);
            if (ids.empty()) {
                break;
            }
            after = ids.back();
            project_owned_chunk(target, mirror, part, ids);
            check_for_interrupts();
        }
    }
}

void project_kind(const MirrorTarget &target, const MirrorReader &mirror, Part part,
                  const char *kind_name) {
    const stripe::Kind &kind = *stripe::find_kind(kind_name);
    std::string after;
    do {
        StripeIds ids = mirror.next_ids(kind, after, chunk_size);
        if (!ids.empty()) {
            InvoicesDetails details;
            if (part == Part::invoices) {
                SpiSession spi;
                details = mirror.invoice_details(ids, {});
            }
            project_rows(target, mirror, {{part, Ids(ids.begin(), ids.end())}}, {}, details, {});
        }
        check_for_interrupts();
    } while (!after.empty());
}

// Rows without a project, or whose metadata name another, from what the rows keep.
void route_rest(std::int32_t integration_id) {
    for (Part part : rows_of_own) {
        for (std::string after;;) {
            StripeIds ids = next_unrouted(integration_id, part, after, chunk_size);
            if (ids.empty()) {
                break;
            }
            after = ids.back();
            route(integration_id, {{part, Ids(ids.begin(), ids.end())}});
            check_for_interrupts();
        }
    }
}

} // namespace

bool has_projects(std::int32_t integration_id) {
    return any_project(integration_id);
}

bool hold_links(std::int32_t integration_id) {
    return lock_links(integration_id, ShareLock, !in_worker());
}

void hold_links_alone(std::int32_t integration_id) {
    if (!try_links_alone(integration_id)) {
        throw core::Error(core::Code::lock_not_available,
                          "the links of " + describe_integration(integration_id) + " are in use",
                          "Nobody else may write to its projects meanwhile.",
                          "Another session of this integration has an open transaction: try again "
                          "when it has ended.");
    }
}

void project_objects(const MirrorTarget &target, Oid owner, const TouchedObjects &touched,
                     const KnownBytes &known) {
    if (!hold_links(target.integration_id)) {
        LocalSetting at_once("lock_timeout", "1ms"); // the server's own error of a lock
        (void)lock_links(target.integration_id, ShareLock, true);
    }
    if (touched.empty() || !has_projects(target.integration_id)) {
        return;
    }
    MirrorReader mirror = reader_of(target, owner);
    Parts objects;
    InvoicesDetails invoices;
    for (const auto &[kind, ids] : touched) {
        if (kind->name == "active_entitlement") {
            in_chunks(ids,
                      [&](const StripeIds &chunk) { project_entitlements(target, owner, chunk); });
            continue;
        }
        if (std::optional<Part> part = part_of(*kind)) {
            objects[*part].insert(ids.begin(), ids.end());
        }
        in_chunks(ids, [&, kind = kind](const StripeIds &chunk) {
            if (kind->name == "invoice") {
                hang_on_invoices(mirror.invoice_details(chunk, known), objects, invoices);
            }
            for (auto &[part, id] : mirror.hangs_on(*kind, chunk)) {
                objects[part].insert(std::move(id));
            }
        });
    }
    Parts rows;
    for (Part owned : owned_parts) {
        if (auto found = objects.find(owned); found != objects.end()) {
            in_chunks(found->second, [&](const StripeIds &chunk) {
                project_owned_chunk(target, mirror, owned, chunk);
            });
            if (owned != Part::products) {
                add_unrouted(target.integration_id, owned, found->second, rows);
            }
        }
    }
    project_rows(target, mirror, objects, rows, invoices, known);
}

bool leads_nowhere(const stripe::Kind &kind, std::string_view body) {
    if (kind.name != "checkout_session") {
        return false;
    }
    static constexpr std::string_view paths[] = {"subscription", "payment_intent"};
    std::array<json::Token, 2> found;
    json::PathReader(paths).read(body, found);
    return std::all_of(found.begin(), found.end(), [](const json::Token &token) {
        return token.kind == json::TokenKind::null || token.kind == json::TokenKind::absent;
    });
}

std::vector<ObjectRoute> object_routes(const MirrorTarget &target, Oid owner,
                                       const TouchedObjects &touched) {
    MirrorReader mirror = reader_of(target, owner);
    std::vector<ObjectRoute> routes;
    for (const auto &[kind, ids] : touched) {
        in_chunks(ids, [&, kind = kind](const std::vector<std::string> &chunk) {
            MemoryScope scope("billstack object routes");
            for (ObjectRoute &each : routes_of(target.integration_id, mirror.names(*kind, chunk))) {
                routes.push_back(std::move(each));
            }
        });
    }
    return routes;
}

void project_all(const MirrorTarget &target, Oid owner) {
    hold_links_alone(target.integration_id);
    MirrorReader mirror = reader_of(target, owner);
    mirror.latest = true;
    project_owned(target, mirror); // what was missed while their project was not linked
    // With another project linked already the other rows are as new as the mirror.
    if (count_projects(target.integration_id) > 1) {
        route_rest(target.integration_id);
        return;
    }
    project_kind(target, mirror, Part::subscriptions, "subscription");
    project_kind(target, mirror, Part::invoices, "invoice");
    project_kind(target, mirror, Part::payments, "payment_intent");
    project_kind(target, mirror, Part::payments, "charge");
    project_all_entitlements(target, owner);
    route_rest(target.integration_id);
}

void route_again(std::int32_t integration_id, const std::vector<std::string> &stripe_customer_ids,
                 const std::vector<std::string> &stripe_price_ids) {
    if (stripe_customer_ids.size() + stripe_price_ids.size() > 1) {
        hold_links_alone(integration_id);
    }
    Parts rows;
    add_unrouted(integration_id, Part::customers,
                 Ids(stripe_customer_ids.begin(), stripe_customer_ids.end()), rows);
    add_unrouted(integration_id, Part::prices,
                 Ids(stripe_price_ids.begin(), stripe_price_ids.end()), rows);
    route(integration_id, rows);
}

} // namespace billstack::pg

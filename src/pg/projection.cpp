#include "pg/projection.hpp"

#include "pg/internal_access.hpp"
#include "pg/projection_entitlement.hpp"

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

void project_chunk(const MirrorTarget &target, const MirrorReader &mirror, Part part,
                   const std::vector<std::string> &ids) {
    MemoryScope scope("billstack projection");
    write_part(target.integration_id, part, mirror.read(part, ids), ids.size());
}

// The rows, and what hangs on those whose project is another now.
void route(std::int32_t integration_id, const Parts &parts) {
    MemoryScope scope("billstack routing");
    Ids moved;
    for (Part part : rows_of_own) {
        auto found = parts.find(part);
        Ids next;
        auto run = [&](const StripeIds &ids, const StripeIds &of_parents) {
            StripeIds changed =
                part == Part::subscriptions ? route_subscriptions(integration_id, ids)
                : part == Part::invoices    ? route_invoices(integration_id, ids, of_parents)
                                            : route_payments(integration_id, ids, of_parents);
            next.insert(changed.begin(), changed.end());
        };
        in_chunks(moved, [&](const StripeIds &ids) { run({}, ids); });
        if (found != parts.end()) {
            in_chunks(found->second, [&](const StripeIds &ids) { run(ids, {}); });
        }
        in_chunks(next, [&](const StripeIds &ids) { route_ledger(integration_id, part, ids); });
        moved = std::move(next);
    }
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

void project_owned(const MirrorTarget &target, const MirrorReader &mirror) {
    for (Part part : owned_parts) {
        for (std::string after;;) {
            StripeIds ids = owned_ids(target.integration_id, part, after, chunk_size);
            if (ids.empty()) {
                break;
            }
            after = ids.back();
            project_chunk(target, mirror, part, ids);
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
            project_chunk(target, mirror, part, ids);
            route(target.integration_id, {{part, Ids(ids.begin(), ids.end())}});
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
                          "the links of this integration are in use",
                          "Nobody else may write to its projects meanwhile.",
                          "Another session of this integration has an open transaction: try again "
                          "when it has ended.");
    }
}

void project_objects(const MirrorTarget &target, Oid owner, const TouchedObjects &touched) {
    if (!hold_links(target.integration_id)) {
        LocalSetting at_once("lock_timeout", "1ms"); // the server's own error of a lock
        (void)lock_links(target.integration_id, ShareLock, true);
    }
    if (touched.empty() || !has_projects(target.integration_id)) {
        return;
    }
    MirrorReader mirror = reader_of(target, owner);
    Parts parts;
    for (const auto &[kind, ids] : touched) {
        if (kind->name == "active_entitlement") {
            in_chunks(ids, [&](const std::vector<std::string> &chunk) {
                project_entitlements(target, owner, chunk);
            });
            continue;
        }
        if (std::optional<Part> part = part_of(*kind)) {
            parts[*part].insert(ids.begin(), ids.end());
        }
        in_chunks(ids, [&, kind = kind](const std::vector<std::string> &chunk) {
            for (auto &[part, id] : mirror.hangs_on(*kind, chunk)) {
                parts[part].insert(std::move(id));
            }
        });
    }
    for (const auto &[part, ids] : parts) {
        in_chunks(ids, [&, part = part](const std::vector<std::string> &chunk) {
            project_chunk(target, mirror, part, chunk);
        });
    }
    Parts rows = parts;
    for (Part owned : {Part::customers, Part::prices}) {
        if (auto found = parts.find(owned); found != parts.end()) {
            add_unrouted(target.integration_id, owned, found->second, rows);
        }
    }
    route(target.integration_id, rows);
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

// See event_batch.hpp. Two steps: sort the events to their objects (route), then, kind by kind in
// the catalogue's order, fold each object's events over what is stored and write the result.
#include "sync/event_batch.hpp"

#include "stripe/event_types.hpp"
#include "sync/object_fold.hpp"
#include "sync/row_writer.hpp"

#include <algorithm>
#include <map>

namespace billstack::sync {

namespace {

using stripe::Effect;
using stripe::Event;
using stripe::Kind;

struct Routed {
    std::size_t index; // of the event
    EventState state;
};

using ObjectEvents = std::map<std::string_view, std::vector<Routed>>; // by id

// The kind whose rows hang on a customer as its active entitlements.
const Kind *entitlement_kind() {
    return stripe::find_kind("active_entitlement");
}

class Batch {
  public:
    Batch(MirrorStore &store, const std::vector<const Event *> &events, const OwnAccount &own,
          const EventOptions &options)
        : store_(store), events_(events), own_(own), options_(options), results_(events.size()) {}

    std::vector<EventResult> run() {
        for (std::size_t i = 0; i < events_.size(); ++i) {
            route(i);
        }
        for (const Kind *kind : stripe::all_kinds()) {
            if (auto found = objects_.find(kind); found != objects_.end()) {
                apply_kind(*kind, found->second);
            }
        }
        if (!refetches_.empty()) {
            for (const RefetchRequest &request : refetches_) {
                store_.ensure_table(*request.kind);
            }
            store_.request_refetches(refetches_);
        }
        return std::move(results_);
    }

  private:
    bool is_foreign(const Event &event, EventResult &result) const {
        if (!event.account.empty() && event.account != own_.account_id) {
            result.outcome = EventOutcome::other_account;
            return true;
        }
        // Thin events name it in context, "acct_1" or a path that ends with it.
        std::string_view context = event.context.substr(event.context.rfind('/') + 1);
        if (event.thin && !context.empty() && context != own_.account_id) {
            result.outcome = EventOutcome::other_account;
            return true;
        }
        if (event.livemode && *event.livemode != own_.livemode) {
            result.outcome = EventOutcome::other_mode;
            return true;
        }
        return false;
    }

    void ask(EventResult &result, const Kind *kind, std::string_view id, const char *reason) {
        result.outcome = EventOutcome::refetch;
        refetches_.push_back({kind, std::string(id), reason, {}});
    }

    void route(std::size_t index) {
        const Event &event = *events_[index];
        EventResult &result = results_[index];
        if (is_foreign(event, result)) {
            return;
        }
        std::string_view type = event.type;
        if (event.thin && type.starts_with("v1.")) {
            type.remove_prefix(3);
        }
        // A discount is a member of its customer; the customer has no event of its own for it.
        if (event.object_type == "discount" && !event.customer.empty()) {
            ask(result, stripe::find_kind("customer"), event.customer, "discount");
            return;
        }
        Effect effect = stripe::effect_of(type, event.object_type);
        if (effect == Effect::entitlements && entitlement_kind() != nullptr) {
            std::string_view customer = event.thin ? event.object_id : event.customer;
            if (!customer.empty()) {
                ask(result, entitlement_kind(), customer, "entitlements");
            }
            return;
        }
        const Kind *kind = stripe::find_kind_by_object(event.object_type);
        bool can_be_read = kind != nullptr && !kind->retrieve_path.empty();
        if (effect == Effect::ignored || !can_be_read || event.object_id.empty()) {
            return;
        }
        result.kind = kind;
        result.object_id = event.object_id;
        // A test clock's seconds cannot be compared with the time of a read.
        if (event.thin || event.has_test_clock) {
            ask(result, kind, event.object_id, event.thin ? "thin" : "test_clock");
            return;
        }
        EventState state;
        state.second = event.created;
        state.digest = digest_of(event.object_raw);
        bool deleted = effect == Effect::deletion || event.object_deleted;
        state.op = deleted                            ? EventState::Op::deleted
                   : event.type.ends_with(".created") ? EventState::Op::created
                                                      : EventState::Op::changed;
        objects_[kind][event.object_id].push_back({index, state});
    }

    // Within a second a creation comes first; the rest in the order of arrival.
    static void sort_events(std::vector<Routed> &events) {
        std::stable_sort(events.begin(), events.end(), [](const Routed &a, const Routed &b) {
            bool a_first = a.state.op == EventState::Op::created;
            bool b_first = b.state.op == EventState::Op::created;
            return a.state.second != b.state.second ? a.state.second < b.state.second
                                                    : a_first && !b_first;
        });
    }

    void apply_kind(const Kind &kind, ObjectEvents &objects) {
        store_.ensure_table(kind);
        std::vector<std::string_view> ids;
        for (const auto &[id, list] : objects) {
            ids.push_back(id);
        }
        std::vector<StoredState> stored = store_.stored_states(kind, ids);
        KindWriter writer(store_, kind, options_.late_delay);
        std::size_t position = 0;
        for (auto &[id, list] : objects) {
            sort_events(list);
            ObjectFold fold(store_, kind, id, stored[position++]);
            for (const Routed &routed : list) {
                results_[routed.index].outcome = fold.add(*events_[routed.index], routed.state);
            }
            writer.add(fold);
        }
        writer.write(refetches_);
    }

    MirrorStore &store_;
    const std::vector<const Event *> &events_;
    const OwnAccount &own_;
    const EventOptions &options_;
    std::vector<EventResult> results_;
    std::map<const Kind *, ObjectEvents> objects_;
    std::vector<RefetchRequest> refetches_;
};

} // namespace

std::string_view outcome_name(EventOutcome outcome) {
    switch (outcome) {
    case EventOutcome::applied:
        return "applied";
    case EventOutcome::superseded:
        return "superseded";
    case EventOutcome::unchanged:
        return "unchanged";
    case EventOutcome::refetch:
        return "refetch";
    case EventOutcome::ignored:
        return "ignored";
    case EventOutcome::other_account:
        return "other_account";
    case EventOutcome::other_mode:
        return "other_mode";
    }
    return "ignored";
}

std::vector<EventResult> apply_events(MirrorStore &store, const std::vector<const Event *> &events,
                                      const OwnAccount &own, const EventOptions &options) {
    return Batch(store, events, own, options).run();
}

} // namespace billstack::sync

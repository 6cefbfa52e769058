// How workers share the ranges of a run. A worker walks what it has claimed; of the open ranges
// each takes as many as fall to its share, so that all have somebody. Of a range that is cut the
// worker with the fewest takes the older piece. Who leaves something to others wakes them; whoever
// finds that no range is open any more ends the run.
#include "pg/backfill/backfill_service.hpp"

#include "pg/mirror/mirror_access.hpp"

namespace billstack::pg {

namespace {

constexpr int most_cuts = 8;                            // of a run in one turn
constexpr auto others_pause = std::chrono::seconds(5);  // a net: who dies wakes the others
constexpr auto answers_pause = core::Milliseconds(100); // until the answers are looked at
constexpr auto long_answers_pause = core::Milliseconds(2000);
constexpr int most_quick_looks = 50;
constexpr auto left_pause = core::Milliseconds(500); // until a piece left to others is looked at

RangeName name_of(std::int64_t run_id, const stripe::Kind &kind, int range_no) {
    return {run_id, std::string(kind.name), range_no};
}

} // namespace

void BackfillService::renew_claims() {
    for (const RangeName &lost : claims_.renew()) {
        for (auto &active : runs_) {
            const stripe::Kind *kind = stripe::find_kind(lost.object);
            if (active->run.id == lost.run_id && kind != nullptr) {
                active->backfill->drop_range(*kind, lost.range_no);
                active->ranges_wanted = true;
            }
        }
    }
}

void BackfillService::take_ranges(Active &active) {
    active.ranges_wanted = false;
    active.others_walk = false;
    active.ranges_at.reset();
    std::vector<sync::RangeSpec> taken;
    try {
        StoreTransaction transaction;
        claim_share(active, taken);
        transaction.commit();
    } catch (...) {
        for (const sync::RangeSpec &range : taken) {
            claims_.release(name_of(active.run.id, *range.kind, range.range_no));
        }
        active.ranges_wanted = true;
        throw;
    }
    for (sync::RangeSpec &range : taken) {
        active.backfill->add_range(std::move(range));
    }
    for (const auto &[kind, chains] : active.elsewhere) {
        active.backfill->note_elsewhere(*kind, chains);
    }
    colleagues_.note_ranges(claims_.count());
}

// Each worker begins at another place of the list, so that they seldom try the same ranges.
void BackfillService::claim_share(Active &active, std::vector<sync::RangeSpec> &taken) {
    std::vector<OpenRange> open = load_open_ranges(active.run.id);
    std::size_t workers = static_cast<std::size_t>(colleagues_.count());
    std::size_t share = (open.size() + workers - 1) / workers;
    std::size_t own = static_cast<std::size_t>(claims_.count_of(active.run.id));
    std::size_t first = share * static_cast<std::size_t>(colleagues_.number());
    for (auto &[kind, chains] : active.elsewhere) {
        chains = 0;
    }
    for (std::size_t i = 0; i < open.size(); ++i) {
        const OpenRange &range = open[(first + i) % open.size()];
        RangeName name = name_of(active.run.id, *range.kind, range.range_no);
        if (claims_.has(name)) {
            continue;
        }
        if (own >= share || !claims_.take(range.table, name)) {
            ++active.elsewhere[range.kind];
            continue;
        }
        // Read again: until it was claimed another worker may have moved it.
        taken.push_back({range.kind, range.range_no, {}});
        ++own;
        if (auto position = load_range(active.run.id, range)) {
            taken.back().position = std::move(*position);
        } else {
            claims_.release(name);
            taken.pop_back();
            --own;
        }
    }
}

void BackfillService::cut_ranges(Active &active) {
    for (int i = 0; i < most_cuts && active.start_stored && !active.gone; ++i) {
        std::optional<sync::RangeCut> wanted = active.backfill->next_cut();
        if (!wanted) {
            return;
        }
        cut(active, *wanted);
    }
}

void BackfillService::cut(Active &active, const sync::RangeCut &cut) {
    std::optional<OpenRange> older;
    RangeName name;
    bool own = false;
    try {
        StoreTransaction transaction;
        active.gone = !lock_open_run(active.run.id);
        older = active.gone ? std::nullopt : store_cut(active.run.id, cut);
        if (older) {
            name = name_of(active.run.id, *older->kind, older->range_no);
            own = !colleagues_.somebody_walks_fewer(claims_.count()) &&
                  claims_.take(older->table, name);
            transaction.commit_without_waiting(); // a crash loses it with the pages that follow
        }
    } catch (const PgError &error) {
        claims_.release(name);
        active.backfill->cut_refused(cut);
        if (!is_lock_trouble(error)) {
            throw;
        }
        return;
    }
    if (!older) {
        active.backfill->cut_refused(cut);
        return;
    }
    active.backfill->cut_stored(cut, own ? std::optional(older->range_no) : std::nullopt);
    colleagues_.note_ranges(claims_.count());
    if (!own) {
        active.backfill->note_elsewhere(*cut.kind, ++active.elsewhere[cut.kind]);
        active.ranges_at = clock_.mono() + left_pause;
        colleagues_.wake();
    }
}

void BackfillService::end_range(Active &active, const sync::RangeWalker &walker) {
    claims_.release(name_of(active.run.id, walker.kind(), walker.range_no()));
    colleagues_.note_ranges(claims_.count());
    active.ranges_wanted = true; // there is room for another
}

// Its row was ended or taken away by somebody else.
void BackfillService::lose_range(Active &active, const sync::RangeWalker &walker) {
    end_range(active, walker);
    active.backfill->drop_range(walker.kind(), walker.range_no());
}

void BackfillService::finish(Active &active) {
    const std::optional<core::Error> &fatal = active.backfill->fatal();
    StoreTransaction transaction;
    RunEnd end = look_for_run_end(active.run.id);
    if (end == RunEnd::others && !fatal) {
        active.others_walk = true;
        active.ranges_at = clock_.mono() + others_pause;
        transaction.commit();
        return;
    }
    // What has vanished was asked for once more: the run waits for the answers.
    if (end == RunEnd::due && !fatal && has_vanished_open(active.run.id)) {
        bool quick = ++active.looks < most_quick_looks;
        active.paused = clock_.mono() + (quick ? answers_pause : long_answers_pause);
        transaction.commit();
        return;
    }
    // A key that was replaced meanwhile says nothing of the run, which goes on with the new one.
    bool outdated = fatal && fatal->code == core::Code::stripe_key_rejected &&
                    !run_key_is_stored(active.run.integration_id, active.run.sealed_key);
    if (end != RunEnd::closed && !outdated) {
        (void)finish_run(active.run, fatal);
    }
    transaction.commit();
    active.gone = true;
    colleagues_.wake();
}

} // namespace billstack::pg

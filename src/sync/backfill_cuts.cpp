// The part of a run that cuts its ranges; the rule itself is range_split.hpp.
#include "sync/backfill.hpp"

#include <algorithm>

namespace billstack::sync {

namespace {

// Stripe began in 2011; nothing but test clocks is older.
constexpr std::int64_t stripe_began = 1293840000;
constexpr std::chrono::seconds refusal{1};
// What a limit of 0 counts as: more than this a worker does not write.
constexpr double any_rate = 100;

} // namespace

Piece BackfillRun::piece_of(const RangeWalker &walker) {
    using State = RangeWalker::State;
    const RangePosition &at = walker.fetched();
    Piece piece;
    piece.gte = at.created_gte;
    piece.lte = at.created_lte;
    piece.began = walker.began();
    piece.reached = at.cursor.empty() ? std::nullopt : at.cursor_created;
    piece.fetched = walker.all_fetched() || walker.state() == State::failed;
    piece.in_flight = walker.list_in_flight();
    piece.cuttable = walker.state() == State::walking && (at.cursor.empty() || at.cursor_created);
    piece.sight = walker.sight();
    return piece;
}

std::vector<BackfillRun::KindView> BackfillRun::views() const {
    std::vector<KindView> views;
    std::map<const stripe::Kind *, std::size_t> places;
    core::MonoTime now = clock_.mono();
    for (const auto &walker : walkers_) {
        const stripe::Kind &kind = walker->kind();
        auto [place, added] = places.emplace(&kind, views.size());
        if (added) {
            KindView view;
            view.kind = &kind;
            auto refused = refused_.find(&kind);
            auto elsewhere = elsewhere_.find(&kind);
            view.pieces.page_size = options_.walker.page_size;
            view.pieces.elsewhere = elsewhere == elsewhere_.end() ? 0 : elsewhere->second;
            view.pieces.may_cut = kind.filters_by_created && kind.list_parent == nullptr &&
                                  (refused == refused_.end() || refused->second <= now);
            views.push_back(std::move(view));
        }
        KindView &view = views[place->second];
        view.walkers.push_back(walker.get());
        view.pieces.requests += walker->list_pages();
        view.pieces.latency = std::max(view.pieces.latency, walker->latency());
        view.pieces.pieces.push_back(piece_of(*walker));
    }
    return views;
}

// Kinds that have been read to their oldest object tell when the account began.
SplitRules BackfillRun::split_rules() const {
    SplitRules rules;
    rules.endpoint_rate = options_.endpoint_rate > 0 ? options_.endpoint_rate : any_rate;
    rules.total_rate = options_.total_rate > 0 ? options_.total_rate : any_rate;
    rules.likely_start = options_.likely_start.value_or(stripe_began);
    if (options_.likely_start) {
        return rules;
    }
    std::map<const stripe::Kind *, std::int64_t> oldest;
    std::optional<std::int64_t> start;
    for (const auto &walker : walkers_) {
        if (!walker->sight().empty()) {
            auto [at, added] = oldest.emplace(&walker->kind(), walker->sight().oldest());
            at->second = std::min(at->second, walker->sight().oldest());
        }
    }
    for (const auto &walker : walkers_) {
        auto known = oldest.find(&walker->kind());
        if (walker->all_fetched() && !walker->fetched().created_gte && known != oldest.end()) {
            start = std::min(start.value_or(known->second), known->second);
        }
    }
    rules.likely_start = start.value_or(stripe_began);
    return rules;
}

// The first pages come together, and each tells something of the others.
bool BackfillRun::may_judge() {
    if (!may_judge_ && first_answer_) {
        bool all = std::all_of(walkers_.begin(), walkers_.end(), [](const auto &walker) {
            return walker->list_pages() > 0 || walker->state() != RangeWalker::State::walking;
        });
        may_judge_ = all || clock_.mono() >= *first_answer_ + core::Milliseconds(50);
    }
    return may_judge_;
}

std::optional<RangeCut> BackfillRun::next_cut() {
    if (phase_ != Phase::copying || !cut_may_help_ || !may_judge()) {
        return std::nullopt;
    }
    std::vector<KindView> kinds = views();
    std::vector<KindPieces> pieces;
    for (KindView &kind : kinds) {
        pieces.push_back(std::move(kind.pieces));
    }
    std::optional<SplitChoice> choice = choose_cut(pieces, split_rules());
    if (!choice) {
        cut_may_help_ = false;
        return std::nullopt;
    }
    const RangeWalker &walker = *kinds[choice->kind].walkers[choice->piece];
    RangeCut cut;
    cut.kind = kinds[choice->kind].kind;
    cut.range_no = walker.range_no();
    cut.kept_gte = choice->kept_gte;
    cut.older.created_gte = walker.fetched().created_gte;
    cut.older.created_lte = choice->kept_gte - 1;
    return cut;
}

void BackfillRun::cut_stored(const RangeCut &cut, std::optional<int> older_no) {
    for (auto &walker : walkers_) {
        if (&walker->kind() == cut.kind && walker->range_no() == cut.range_no) {
            walker->raise_created_gte(cut.kept_gte);
        }
    }
    if (older_no) {
        add_range({cut.kind, *older_no, cut.older});
    } else {
        ++elsewhere_[cut.kind];
    }
}

void BackfillRun::cut_refused(const RangeCut &cut) {
    refused_[cut.kind] = clock_.mono() + refusal;
}

void BackfillRun::note_elsewhere(const stripe::Kind &kind, int chains) {
    cut_may_help_ = cut_may_help_ || chains < elsewhere_[&kind];
    elsewhere_[&kind] = chains;
}

std::vector<BackfillRun::Wish> BackfillRun::wishes() const {
    std::vector<KindView> kinds = views();
    std::vector<KindPieces> pieces;
    for (KindView &kind : kinds) {
        pieces.push_back(std::move(kind.pieces));
    }
    std::vector<int> chains = wanted_chains(pieces, split_rules());
    std::vector<Wish> wishes;
    for (std::size_t i = 0; i < kinds.size(); ++i) {
        if (chains[i] > 0) {
            wishes.push_back({kinds[i].kind, chains[i]});
        }
    }
    return wishes;
}

} // namespace billstack::sync

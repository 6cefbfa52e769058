#include "pg/backfill/vanished_check.hpp"

#include "pg/access/internal_access.hpp"
#include "pg/bridge/scope.hpp"

namespace billstack::pg {

namespace {

constexpr std::int64_t ids_at_once = 20000;     // looked at in one transaction
constexpr std::int64_t most_asked_for = 100000; // of a kind, by one worker in one run

// A kind that is listed by itself, and can be read alone.
bool can_vanish(const stripe::Kind &kind) {
    return kind.list_parent == nullptr && !kind.retrieve_path.empty() && !kind.hides_some;
}

} // namespace

void VanishedCheck::settle_kinds(const std::vector<std::string> &objects, Oid owner) {
    std::optional<std::vector<std::string>> known = vanished_kinds_of(run_id_);
    if (!known) {
        std::vector<std::string> found;
        UserContext user(owner, UserContext::Rights::restricted);
        LocalSetting lock("lock_timeout", "10ms"); // callers wait too
        for (const std::string &object : objects) {
            const stripe::Kind *kind = stripe::find_kind(object);
            if (kind != nullptr && can_vanish(*kind) && has_rows(target_, *kind)) {
                found.push_back(object);
            }
        }
        known = settle_vanished_kinds(run_id_, found);
    }
    kinds_ = {known->begin(), known->end()};
}

void VanishedCheck::assume_kinds(const std::vector<std::string> &objects) {
    std::vector<std::string> assumed;
    for (const std::string &object : objects) {
        const stripe::Kind *kind = stripe::find_kind(object);
        if (kind != nullptr && can_vanish(*kind)) {
            assumed.push_back(object);
        }
    }
    std::vector<std::string> known = settle_vanished_kinds(run_id_, assumed);
    kinds_ = {known.begin(), known.end()};
}

bool VanishedCheck::applies_to(const stripe::Kind &kind) const {
    return kinds_.contains(kind.name);
}

sync::VanishedScan &VanishedCheck::scan_of(const sync::RangeWalker &walker) {
    const stripe::Kind &kind = walker.kind();
    auto found = scans_.find({&kind, walker.range_no()});
    if (found != scans_.end() && !found->second.stands_at(walker.position())) {
        scans_.erase(found);
        found = scans_.end();
    }
    if (found == scans_.end()) {
        sync::ListEdge edge;
        if (!walker.position().cursor.empty()) {
            edge = load_edge(run_id_, std::string(kind.name), walker.range_no());
        }
        found = scans_
                    .emplace(std::pair(&kind, walker.range_no()),
                             sync::VanishedScan(!sync::created_column(kind).empty(),
                                                walker.position(), std::move(edge)))
                    .first;
    }
    return found->second;
}

// On a first copy too, the object of a cursor that Stripe no longer knows has certainly vanished.
bool VanishedCheck::find_missing(const sync::RangeWalker &walker, const sync::PendingPage &whole,
                                 sync::PagePart &part) {
    const stripe::Kind &kind = walker.kind();
    next_.reset();
    listed_.clear();
    missing_.clear();
    counted_ = 0;
    if (!can_vanish(kind) || whole.fetched->only_list != nullptr) {
        return true;
    }
    next_ = scan_of(walker);
    // What is older than the range was asked for before the range lost it, and is not written.
    std::vector<json::ObjectSpan> objects = whole.fetched->page.objects();
    std::optional<std::int64_t> oldest = walker.position().created_gte;
    std::erase_if(objects, [&](const json::ObjectSpan &object) {
        return kind.filters_by_created && oldest && object.created && *object.created < *oldest;
    });
    if (objects.size() < whole.rows_written + part.rows()) {
        next_.reset();
        return true;
    }
    auto begin = objects.begin() + static_cast<std::ptrdiff_t>(whole.rows_written);
    objects = {begin, begin + static_cast<std::ptrdiff_t>(part.rows())};
    for (const json::ObjectSpan &object : objects) {
        listed_.push_back(object.id);
    }
    std::optional<sync::CoveredSpan> span =
        next_->cover(walker.position(), objects, part.page().last);
    bool wanted = span && (applies_to(kind) || next_->has_restarted());
    return !wanted || look(walker, *span,
                           {whole.fetched->as_of.end, part.rows(), walker.position().cursor, ""});
}

bool VanishedCheck::look(const sync::RangeWalker &walker, const sync::CoveredSpan &span,
                         const Asked &now) {
    const stripe::Kind &kind = walker.kind();
    if (asked_for_[&kind] >= most_asked_for) {
        return true;
    }
    Asked &part = parts_[{&kind, walker.range_no()}];
    if (part.as_of != now.as_of || part.rows != now.rows || part.cursor != now.cursor) {
        part = now;
    }
    missing_ = plans_.rows_of_span(target_, {&kind, span, now.as_of, part.after, ids_at_once});
    bool more = static_cast<std::int64_t>(missing_.size()) == ids_at_once;
    after_ = more ? missing_.back() : "";
    std::erase_if(missing_, [&](const std::string &id) { return next_->is_listed(id); });
    if (more) {
        ask(kind, missing_);
        next_.reset();
    }
    return !more;
}

sync::ListEdge VanishedCheck::ask_for_missing(const stripe::Kind &kind) {
    ask(kind, missing_);
    if (!next_ || !applies_to(kind)) {
        return std::nullopt;
    }
    forget_unlisted(target_.integration_id, kind, listed_);
    return next_->stored_edge();
}

// Each costs a request. Where so much is missing the run ends some time, and the next one goes on:
// by then these are tombstones.
void VanishedCheck::ask(const stripe::Kind &kind, const std::vector<std::string> &ids) {
    if (ids.empty()) {
        return;
    }
    std::int64_t asked = request_vanished(target_.integration_id, run_id_, kind, ids);
    asked_ |= asked > 0;
    counted_ += asked;
    std::int64_t all = asked_for_[&kind] + counted_;
    if (all >= most_asked_for) {
        note_notice(run_id_,
                    "Stripe does not list " + std::to_string(most_asked_for) +
                        " or more of the mirror's " + std::string(kind.table) +
                        ", and this backfill reads no more of them",
                    "Repeat the backfill when it has ended, if that many are really gone: it goes "
                    "on with the rest.");
    }
}

void VanishedCheck::asked_some(const sync::RangeWalker &walker) {
    parts_[{&walker.kind(), walker.range_no()}].after = after_;
    asked_for_[&walker.kind()] += std::exchange(counted_, 0);
}

void VanishedCheck::written(const sync::RangeWalker &walker) {
    asked_for_[&walker.kind()] += std::exchange(counted_, 0);
    parts_.erase({&walker.kind(), walker.range_no()});
    if (next_) {
        scans_.insert_or_assign({&walker.kind(), walker.range_no()}, std::move(*next_));
        next_.reset();
    }
}

} // namespace billstack::pg

#include "pg/backfill/vanished_check.hpp"

#include "pg/access/internal_access.hpp"
#include "pg/bridge/scope.hpp"

namespace billstack::pg {

namespace {

constexpr std::int64_t ids_at_once = 20000;

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
sync::ListEdge VanishedCheck::compare(const sync::RangeWalker &walker,
                                      const sync::PendingPage &whole, sync::PagePart &part) {
    const stripe::Kind &kind = walker.kind();
    next_.reset();
    if (!can_vanish(kind) || whole.fetched->only_list != nullptr) {
        return std::nullopt;
    }
    next_ = scan_of(walker);
    // What is older than the range was asked for before the range lost it, and is not written.
    std::vector<json::ObjectSpan> objects = whole.fetched->page.objects();
    std::optional<std::int64_t> oldest = walker.position().created_gte;
    std::erase_if(objects, [&](const json::ObjectSpan &object) {
        return kind.filters_by_created && oldest && object.created && *object.created < *oldest;
    });
    if (objects.size() < whole.rows_written + part.rows()) {
        return std::nullopt;
    }
    auto begin = objects.begin() + static_cast<std::ptrdiff_t>(whole.rows_written);
    objects = {begin, begin + static_cast<std::ptrdiff_t>(part.rows())};
    std::optional<sync::CoveredSpan> span =
        next_->cover(walker.position(), objects, part.page().last);
    bool applies = applies_to(kind);
    if (span && (applies || next_->has_restarted())) {
        ask_for_missing(kind, *span, *next_, whole.fetched->as_of.end);
    }
    if (!applies) {
        return std::nullopt;
    }
    std::vector<std::string> ids;
    for (const json::ObjectSpan &object : objects) {
        ids.push_back(object.id);
    }
    forget_unlisted(target_.integration_id, kind, ids);
    return next_->stored_edge();
}

void VanishedCheck::ask_for_missing(const stripe::Kind &kind, const sync::CoveredSpan &span,
                                    const sync::VanishedScan &scan, std::int64_t as_of) {
    SpanQuery query{&kind, span, as_of, "", ids_at_once};
    for (bool more = true; more;) {
        std::vector<std::string> ids = plans_.rows_of_span(target_, query);
        more = static_cast<std::int64_t>(ids.size()) == ids_at_once;
        if (more) {
            query.after = ids.back();
        }
        std::erase_if(ids, [&](const std::string &id) { return scan.is_listed(id); });
        if (!ids.empty()) {
            asked_ |= request_vanished(target_.integration_id, run_id_, kind, ids) > 0;
        }
    }
}

void VanishedCheck::written(const sync::RangeWalker &walker) {
    if (next_) {
        scans_.insert_or_assign({&walker.kind(), walker.range_no()}, std::move(*next_));
        next_.reset();
    }
}

} // namespace billstack::pg

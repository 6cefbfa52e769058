#include "sync/object_fold.hpp"

#include "sync/apply_list.hpp"
#include "json/path_reader.hpp"

#include <algorithm>

namespace billstack::sync {

bool waits_for_late_member(const stripe::Kind &kind, std::string_view raw) {
    if (kind.late_member.empty()) {
        return false;
    }
    const std::string_view paths[] = {kind.late_member, "status"};
    json::PathReader reader(paths);
    json::Token tokens[2];
    reader.read(raw, tokens);
    return tokens[0].kind == json::TokenKind::null && tokens[1].text != "failed";
}

Follows ObjectFold::previous_of(const stripe::Event &event) {
    if (event.previous_raw.empty()) {
        return Follows::unclear;
    }
    if (written_ != nullptr) {
        return follows(written_->object_raw, event.object_raw, event.previous_raw);
    }
    std::string raw = store_.stored_raw(kind_, id_);
    return raw.empty() ? Follows::unclear : follows(raw, event.object_raw, event.previous_raw);
}

EventOutcome ObjectFold::add(const stripe::Event &event, const EventState &incoming) {
    EventDecision decision = decide_event(state_, incoming, [&] { return previous_of(event); });
    refetch_ = refetch_ || decision.refetch;
    if (decision.remember) {
        state_.just_created = false;
        // Also of the row's own second: a read on its way must not undo this event.
        state_.seen_at = std::max(state_.seen_at.value_or(incoming.second), incoming.second);
    }
    if (decision.action == EventDecision::Action::apply) {
        bool alone = !state_.exists || state_.window().end < incoming.second;
        state_.exists = true;
        state_.as_of = {incoming.second, incoming.second};
        state_.digest = incoming.digest;
        state_.deleted = incoming.op == EventState::Op::deleted;
        state_.source = Source::event;
        state_.just_created = alone && incoming.op == EventState::Op::created;
        written_ = &event;
    } else if (decision.why == EventDecision::Why::same) {
        seen_again_ = &event;
    }
    if (decision.refetch) {
        return EventOutcome::refetch;
    }
    if (decision.action == EventDecision::Action::apply) {
        return EventOutcome::applied;
    }
    using Why = EventDecision::Why;
    return decision.why == Why::same || decision.why == Why::tie ? EventOutcome::unchanged
                                                                 : EventOutcome::superseded;
}

void KindWriter::ask(std::string_view id, const char *reason, core::Milliseconds delay) {
    refetches_.push_back({&kind_, std::string(id), reason, delay});
}

void KindWriter::add(const ObjectFold &fold) {
    if (fold.refetch()) {
        ask(fold.id(), "tie", tie_delay);
    }
    // Remembered only while it says more than the row itself.
    std::optional<std::int64_t> seen = fold.state().seen_at;
    if (seen == fold.stored().seen_at || fold.state().as_of.start > seen.value_or(0)) {
        seen.reset();
    }
    const stripe::Event *event = fold.written();
    AsOf as_of = fold.state().as_of;
    bool back = event != nullptr && fold.stored().exists && !fold.state().deleted &&
                !fold.stored().deleted && fold.stored().digest == fold.state().digest;
    if (back) { // the batch led back to the stored bytes: only their second is known anew
        seen = std::max(seen.value_or(0), as_of.end);
    }
    if (seen) {
        seen_.push_back({fold.id(), *seen});
    }
    if (back || (event == nullptr && fold.seen_again() != nullptr)) {
        ask_for_hidden(fold, back ? *event : *fold.seen_again());
    }
    if (event == nullptr || back) {
        return;
    }
    RowOrigin origin{as_of, event->api_version, fold.state().deleted, fold.stored().version};
    if (fold.state().deleted) {
        gone_.push_back({fold.id(), as_of});
    }
    if (fold.state().deleted && fold.stored().exists) {
        deletions_.push_back({fold.id(), origin});
    } else {
        rows_.rows.push_back({fold.id(), event->object_raw, fold.state().digest});
        rows_.origins.push_back(origin);
        rows_.parents.emplace_back();
    }
    add_children(fold, as_of);
    if (!fold.state().deleted && waits_for_late_member(kind_, event->object_raw)) {
        ask(fold.id(), "late", late_delay_);
    }
}

void KindWriter::add_children(const ObjectFold &fold, const AsOf &as_of) {
    if (kind_.children.empty()) {
        return;
    }
    if (lists_.empty()) {
        for (const stripe::ChildList &list : kind_.children) {
            lists_.push_back(std::make_unique<ListWriter>(list, Source::event));
        }
    }
    const stripe::Event &event = *fold.written();
    bool missing = false;
    std::vector<ChildRows> found = read_children(kind_, fold.id(), event.object_raw);
    for (std::size_t i = 0; i < found.size(); ++i) {
        if (fold.state().deleted) {
            lists_[i]->complete(fold.id(), as_of);
            continue;
        }
        missing = missing || !found[i].present || found[i].has_more;
        if (!found[i].present) {
            continue;
        }
        lists_[i]->add(fold.id(), found[i].rows, as_of, event.api_version);
        if (!found[i].has_more && fold.stored().exists) {
            lists_[i]->complete(fold.id(), as_of);
        }
    }
    for (ChildRows &child : found) {
        children_.push_back(std::move(child));
    }
    // A list capped at ten, or one that is not in the object at all: its rest is for a read.
    if (missing && !fold.refetch()) {
        ask(fold.id(), "children", {});
    }
}

void KindWriter::ask_for_hidden(const ObjectFold &fold, const stripe::Event &event) {
    if (kind_.children.empty() || fold.state().deleted || fold.refetch()) {
        return;
    }
    for (const ChildRows &rows : read_children(kind_, fold.id(), event.object_raw)) {
        if (!rows.present || rows.has_more) {
            ask(fold.id(), "children", {});
            return;
        }
    }
}

void KindWriter::write(std::vector<RefetchRequest> &refetches) {
    rows_.kind = &kind_;
    rows_.source = Source::event;
    if (!rows_.rows.empty()) {
        extract_columns(rows_);
        store_.upsert(rows_);
    }
    if (!deletions_.empty()) {
        store_.mark_deleted(kind_, Source::event, deletions_);
    }
    ApplyReport report;
    for (const auto &list : lists_) {
        list->write(store_, report);
    }
    ask_for_dependents(store_, kind_, gone_);
    if (!seen_.empty()) {
        store_.remember_seen(kind_, seen_);
    }
    for (RefetchRequest &request : refetches_) {
        refetches.push_back(std::move(request));
    }
}

} // namespace billstack::sync

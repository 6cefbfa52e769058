// What the search for vanished objects keeps and reads. rows_of_span() and has_rows() read the
// mirror: the caller is in its owner's UserContext. The others act as the extension's owner
// themselves. All need an open transaction and SpiSession.
#pragma once
#include "pg/mirror/mirror_store.hpp"

namespace billstack::pg {

// Ids in the order of their bytes, those after `after`, at most `limit`.
struct SpanQuery {
    const stripe::Kind *kind = nullptr;
    sync::CoveredSpan span;
    std::int64_t as_of = 0; // unix seconds; rows certainly newer are left out
    std::string after;
    std::int64_t limit = 0;
};
// Plans are kept by kind in `plans`, which frees them.
class SpanPlans {
  public:
    SpanPlans() = default;
    ~SpanPlans();
    SpanPlans(const SpanPlans &) = delete;
    SpanPlans &operator=(const SpanPlans &) = delete;
    std::vector<std::string> rows_of_span(const MirrorTarget &target, const SpanQuery &query);

  private:
    std::map<const stripe::Kind *, SPIPlanPtr> plans_;
};
bool has_rows(const MirrorTarget &target, const stripe::Kind &kind);

// Asks for each once more, for the run: it waits for the answers. Objects that reads have found
// twice, the last time within 30 days, though no list shows them are left out: one that was found
// once may have come back just then. Returns how many are asked for.
std::int64_t request_vanished(std::int32_t integration_id, std::int64_t run_id,
                              const stripe::Kind &kind, const std::vector<std::string> &ids);
// For who looks at the run; it ends all the same. The first notice of a run stays.
void note_notice(std::int64_t run_id, const std::string &text, const std::string &hint);
// The read has found the object.
void note_unlisted(std::int32_t integration_id, const std::string &kind, const std::string &id);
// These are listed.
void forget_unlisted(std::int32_t integration_id, const stripe::Kind &kind,
                     const std::vector<std::string> &ids);
// The run still waits for answers.
bool has_vanished_open(std::int64_t run_id);

// The kinds whose tables held rows before the run's first page: found is taken unless the run has
// a list already. Returns what holds.
std::vector<std::string> settle_vanished_kinds(std::int64_t run_id,
                                               const std::vector<std::string> &found);
// nullopt: not settled yet.
std::optional<std::vector<std::string>> vanished_kinds_of(std::int64_t run_id);
sync::ListEdge load_edge(std::int64_t run_id, const std::string &object, int range_no);

} // namespace billstack::pg

// sync::MirrorStore over SPI: the rows of one mirror schema, written as the mirror's owner. Needs
// an open transaction and SpiSession; the caller is in the owner's UserContext. What the inbox
// keeps beside the mirror (marks, refetches) is written as the extension's owner.
#pragma once
#include "pg/bridge/spi.hpp"

#include <set>

namespace billstack::pg {

// Which mirror; of billstack_internal.integration.
struct MirrorTarget {
    std::int32_t integration_id = 0;
    std::string team;
    std::string integration;
    std::string schema_name;
    Oid schema_oid = InvalidOid;
};

class SpiMirrorStore final : public sync::MirrorStore {
  public:
    explicit SpiMirrorStore(MirrorTarget target) : target_(std::move(target)) {}
    ~SpiMirrorStore() override;
    SpiMirrorStore(const SpiMirrorStore &) = delete;
    SpiMirrorStore &operator=(const SpiMirrorStore &) = delete;

    std::vector<sync::StoredState> stored_states(const stripe::Kind &kind,
                                                 const std::vector<std::string_view> &ids) override;
    std::string stored_raw(const stripe::Kind &kind, std::string_view id) override;
    bool expects_absent(const stripe::Kind &kind) override {
        return expected_absent_.contains(&kind);
    }
    bool insert_absent(const sync::RowBatch &batch) override;
    std::int64_t upsert(const sync::RowBatch &batch) override;
    std::int64_t mark_deleted(const stripe::Kind &kind, sync::Source source,
                              const std::vector<sync::Deletion> &deletions) override;
    std::int64_t tombstone_missing(const stripe::ChildList &list, sync::Source source,
                                   const std::vector<sync::CompleteList> &parents,
                                   const std::vector<std::string_view> &kept_ids) override;
    std::vector<sync::MissingChild> missing_children(const stripe::ChildList &list,
                                                     const std::vector<sync::CompleteList> &parents,
                                                     const std::vector<std::string_view> &kept_ids,
                                                     std::int64_t most) override;
    std::vector<sync::SeenAgain> lists_read(const stripe::Kind &kind,
                                            const std::vector<std::string_view> &parents) override;
    void remember_seen(const stripe::Kind &kind, const std::vector<sync::SeenAgain> &seen) override;
    void request_refetches(const std::vector<sync::RefetchRequest> &requests) override;
    bool has_table(const stripe::Kind &kind) override;
    void ensure_table(const stripe::Kind &kind) override;

    // Since it was asked last.
    bool take_refetches_asked() { return std::exchange(refetches_asked_, false); }
    // The transaction that made a table was rolled back, or its tables may have gone.
    void forget_tables() { tables_.clear(); }
    // The table that was last written or waited for; "" before the first.
    const std::string &last_table() const { return last_table_; }

  private:
    SPIPlanPtr plan(const std::string &key, const std::string &sql, const std::vector<Oid> &types);
    void select_states(const stripe::Kind &kind, const std::vector<std::string_view> &ids,
                       std::vector<sync::StoredState> &states);
    // Rows that were not stored when it was looked. A whole page of such makes others expected.
    void insert(const sync::RowBatch &batch);
    void run_upsert(const sync::RowBatch &batch);
    void note(const stripe::Kind &kind) { last_table_ = kind.table; }

    MirrorTarget target_;
    std::string last_table_;
    bool refetches_asked_ = false;
    std::set<const stripe::Kind *> expected_absent_;
    std::set<std::string, std::less<>> tables_; // known to be there, by kind
    std::map<std::string, SPIPlanPtr> plans_; // kept plans: the server re-plans them when DDL asks
};

} // namespace billstack::pg

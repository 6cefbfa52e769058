// A table of the mirror, opened to be read and written without SQL. That is allowed only while the
// table is as sync has made it: whatever a user has added that a statement would have to obey
// (triggers, rules, policies, constraints, defaults, partitions) closes this way, and the caller
// runs its statement instead.
#pragma once
#include "pg/bridge/guard.hpp"

namespace billstack::pg {

// Where our columns stand in the table.
struct MirrorColumns {
    std::vector<AttrNumber> catalogue; // one a column of the kind
    AttrNumber raw, as_of, as_of_end, source, digest, synced_at, deleted_at, api_version;
};

class MirrorTable {
  public:
    enum class Use { read, insert };
    // Takes the lock that a statement would take, kept until the transaction ends, and looks as the
    // current user. plain() is false when the table is not there, is not as made, or that user
    // lacks a right; nothing else may be called then.
    MirrorTable(const std::string &schema, const stripe::Kind &kind, Use use);
    // An exception that passes must end in a rollback of the (sub)transaction it was opened in.
    ~MirrorTable();
    MirrorTable(const MirrorTable &) = delete;
    MirrorTable &operator=(const MirrorTable &) = delete;

    bool plain() const { return plain_; }
    Relation relation() const { return relation_; }
    const MirrorColumns &columns() const { return columns_; }
    // The index of the column id alone, by its default order; InvalidOid when it is not as made.
    Oid key_index() const;

  private:
    bool map_columns(const stripe::Kind &kind);
    bool others_may_be_null() const;

    int exceptions_;
    Relation relation_ = nullptr;
    bool plain_ = false;
    MirrorColumns columns_{};
    std::vector<bool> ours_; // by attribute
};

} // namespace billstack::pg

// sync::MirrorStore over SPI: the rows of one mirror schema, written as the mirror's owner. Needs
// an open transaction and SpiSession; the caller is in the owner's UserContext.
#pragma once
#include "pg/spi.hpp"

namespace billstack::pg {

class SpiMirrorStore final : public sync::MirrorStore {
  public:
    explicit SpiMirrorStore(std::string schema) : schema_(std::move(schema)) {}
    ~SpiMirrorStore() override;
    SpiMirrorStore(const SpiMirrorStore &) = delete;
    SpiMirrorStore &operator=(const SpiMirrorStore &) = delete;

    std::vector<sync::StoredState> stored_states(const stripe::Kind &kind,
                                                 const std::vector<std::string_view> &ids) override;
    std::int64_t upsert(const sync::RowBatch &batch) override;
    std::int64_t tombstone_missing(const stripe::ChildList &list,
                                   const std::vector<std::string_view> &parent_ids,
                                   const std::vector<std::string_view> &kept_ids,
                                   const sync::AsOf &as_of) override;

  private:
    SPIPlanPtr plan(const std::string &key, const std::string &sql, const std::vector<Oid> &types);
    std::string schema_;
    std::map<std::string, SPIPlanPtr> plans_; // kept plans: the server re-plans them when DDL asks
};

} // namespace billstack::pg

// The mirror of one integration in memory. Checks what the port promises to the database: rows
// sorted by id, no id twice, values filled.
#pragma once

#include "sync/apply.hpp"

#include <algorithm>
#include <gtest/gtest.h>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace billstack::test {

class FakeMirrorStore final : public sync::MirrorStore {
  public:
    struct Stored {
        std::string raw;
        std::string parent; // the value of the parent column, children only
        sync::StoredState state;
    };
    struct Upsert {
        std::string kind;
        std::vector<std::string> ids;
        sync::AsOf as_of;
    };
    struct Tombstones {
        std::string kind;
        std::vector<std::string> parents;
        std::vector<std::string> kept;
        sync::AsOf as_of;
    };

    std::vector<sync::StoredState>
    stored_states(const stripe::Kind &kind, const std::vector<std::string_view> &ids) override {
        std::vector<sync::StoredState> states;
        for (std::string_view id : ids) {
            const Stored *found = find(kind.name, id);
            states.push_back(found != nullptr ? found->state : sync::StoredState{});
        }
        return states;
    }

    std::int64_t upsert(const sync::RowBatch &batch) override {
        Upsert call{std::string(batch.kind->name), {}, batch.as_of};
        const std::size_t width = batch.kind->columns.size();
        EXPECT_EQ(batch.values.size(), batch.rows.size() * width);
        EXPECT_FALSE(batch.rows.empty());
        for (std::size_t i = 0; i < batch.rows.size(); ++i) {
            const sync::Row &row = batch.rows[i];
            EXPECT_TRUE(i == 0 || batch.rows[i - 1].id < row.id) << "not sorted, or an id twice";
            EXPECT_EQ(row.digest, sync::digest_of(row.raw));
            call.ids.emplace_back(row.id);
            Stored stored{
                std::string(row.raw), {}, {true, batch.as_of, row.digest, false, batch.source}};
            for (std::size_t column = 0; column < width; ++column)
                if (batch.kind->columns[column].name == parent_column(*batch.kind))
                    stored.parent = std::string(batch.values[i * width + column].text);
            tables[call.kind][call.ids.back()] = std::move(stored);
        }
        upserts.push_back(std::move(call));
        return static_cast<std::int64_t>(batch.rows.size());
    }

    std::int64_t tombstone_missing(const stripe::ChildList &list,
                                   const std::vector<std::string_view> &parent_ids,
                                   const std::vector<std::string_view> &kept_ids,
                                   const sync::AsOf &as_of) override {
        Tombstones call{std::string(list.kind->name),
                        {parent_ids.begin(), parent_ids.end()},
                        {kept_ids.begin(), kept_ids.end()},
                        as_of};
        std::int64_t gone = 0;
        for (auto &[id, stored] : tables[call.kind]) {
            if (stored.state.deleted || stored.state.as_of.start > as_of.end ||
                !std::count(call.parents.begin(), call.parents.end(), stored.parent) ||
                std::count(call.kept.begin(), call.kept.end(), id))
                continue;
            stored.state.deleted = true;
            stored.state.as_of = as_of;
            ++gone;
        }
        tombstones.push_back(std::move(call));
        return gone;
    }

    const Stored *find(std::string_view kind, std::string_view id) const {
        const auto table = tables.find(std::string(kind));
        if (table == tables.end())
            return nullptr;
        const auto row = table->second.find(std::string(id));
        return row == table->second.end() ? nullptr : &row->second;
    }
    // The rows of a kind that are no tombstones.
    std::set<std::string> live(const std::string &kind) const {
        std::set<std::string> ids;
        if (const auto table = tables.find(kind); table != tables.end())
            for (const auto &[id, stored] : table->second)
                if (!stored.state.deleted)
                    ids.insert(id);
        return ids;
    }

    std::map<std::string, std::map<std::string, Stored>> tables; // by kind, by id
    std::vector<Upsert> upserts;
    std::vector<Tombstones> tombstones;

  private:
    static std::string_view parent_column(const stripe::Kind &kind) {
        for (const stripe::Kind *parent : stripe::all_kinds())
            for (const stripe::ChildList &list : parent->children)
                if (list.kind == &kind)
                    return list.parent_column;
        return {};
    }
};

} // namespace billstack::test

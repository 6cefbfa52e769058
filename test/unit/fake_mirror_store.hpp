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
        sync::AsOf as_of; // of the first row
    };
    struct Tombstones {
        std::string kind;
        std::vector<std::string> parents;
        std::vector<std::string> kept;
        sync::AsOf as_of; // of the first parent
    };
    struct Refetch {
        std::string kind;
        std::string id;
        std::string reason;
        core::Milliseconds delay;
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
        EXPECT_EQ(batch.origins.size(), batch.rows.size());
        Upsert call{std::string(batch.kind->name), {}, batch.origins.at(0).as_of};
        const std::size_t width = batch.kind->columns.size();
        EXPECT_EQ(batch.values.size(), batch.rows.size() * width);
        EXPECT_FALSE(batch.rows.empty());
        for (std::size_t i = 0; i < batch.rows.size(); ++i) {
            const sync::Row &row = batch.rows[i];
            EXPECT_TRUE(i == 0 || batch.rows[i - 1].id < row.id) << "not sorted, or an id twice";
            EXPECT_EQ(row.digest, sync::digest_of(row.raw));
            call.ids.emplace_back(row.id);
            const sync::RowOrigin &origin = batch.origins[i];
            const Stored *before = find(call.kind, row.id);
            EXPECT_EQ(before != nullptr ? before->state.version : 0, origin.replaces);
            Stored stored{std::string(row.raw),
                          {},
                          {true, origin.as_of, row.digest, origin.deleted, batch.source, ++version_,
                           before != nullptr ? before->state.seen_at : std::nullopt}};
            for (std::size_t column = 0; column < width; ++column)
                if (batch.kind->columns[column].name == parent_column(*batch.kind))
                    stored.parent = std::string(batch.values[i * width + column].text);
            tables[call.kind][call.ids.back()] = std::move(stored);
        }
        upserts.push_back(std::move(call));
        return static_cast<std::int64_t>(batch.rows.size());
    }

    std::string stored_raw(const stripe::Kind &kind, std::string_view id) override {
        const Stored *found = find(kind.name, id);
        return found != nullptr ? found->raw : std::string();
    }

    std::int64_t mark_deleted(const stripe::Kind &kind, sync::Source source,
                              const std::vector<sync::Deletion> &deletions) override {
        for (const sync::Deletion &deletion : deletions) {
            Stored &stored = tables[std::string(kind.name)].at(std::string(deletion.id));
            EXPECT_EQ(stored.state.version, deletion.origin.replaces);
            stored.state.deleted = true;
            stored.state.as_of = deletion.origin.as_of;
            stored.state.source = source;
            stored.state.version = ++version_;
        }
        return static_cast<std::int64_t>(deletions.size());
    }

    std::int64_t tombstone_missing(const stripe::ChildList &list, sync::Source source,
                                   const std::vector<sync::CompleteList> &parents,
                                   const std::vector<std::string_view> &kept_ids) override {
        Tombstones call{std::string(list.kind->name),
                        {},
                        {kept_ids.begin(), kept_ids.end()},
                        parents.at(0).as_of};
        std::int64_t gone = 0;
        for (const sync::CompleteList &parent : parents) {
            call.parents.emplace_back(parent.parent_id);
            for (auto &[id, stored] : tables[call.kind]) {
                if (stored.state.deleted || stored.state.as_of.start > parent.as_of.end ||
                    stored.parent != parent.parent_id ||
                    std::count(call.kept.begin(), call.kept.end(), id))
                    continue;
                stored.state.deleted = true;
                stored.state.as_of = parent.as_of;
                stored.state.source = source;
                stored.state.version = ++version_;
                ++gone;
            }
        }
        tombstones.push_back(std::move(call));
        return gone;
    }

    std::vector<sync::MissingChild> missing_children(const stripe::ChildList &list,
                                                     const std::vector<sync::CompleteList> &parents,
                                                     const std::vector<std::string_view> &kept_ids,
                                                     std::int64_t most) override {
        std::vector<sync::MissingChild> missing;
        for (const sync::CompleteList &parent : parents)
            for (const auto &[id, stored] : tables[std::string(list.kind->name)])
                if (stored.parent == parent.parent_id && !stored.state.deleted &&
                    stored.state.as_of.start <= parent.as_of.end &&
                    !std::count(kept_ids.begin(), kept_ids.end(), id) &&
                    static_cast<std::int64_t>(missing.size()) < most)
                    missing.push_back({id, stored.parent});
        return missing;
    }

    std::vector<sync::SeenAgain> lists_read(const stripe::Kind &kind,
                                            const std::vector<std::string_view> &parents) override {
        std::vector<sync::SeenAgain> read;
        for (std::string_view parent : parents)
            if (const auto at = lists.find({std::string(kind.name), std::string(parent)});
                at != lists.end())
                read.push_back({parent, at->second});
        return read;
    }

    void remember_seen(const stripe::Kind &kind,
                       const std::vector<sync::SeenAgain> &seen) override {
        for (const sync::SeenAgain &each : seen) {
            if (kind.list_parent != nullptr && kind.retrieve_path.empty()) {
                std::int64_t &read = lists[{std::string(kind.name), std::string(each.id)}];
                read = std::max(read, each.second);
                continue;
            }
            auto &at = tables[std::string(kind.name)].at(std::string(each.id)).state.seen_at;
            at = std::max(at.value_or(each.second), each.second);
        }
    }

    void request_refetches(const std::vector<sync::RefetchRequest> &requests) override {
        for (const sync::RefetchRequest &request : requests)
            refetches.push_back(
                {std::string(request.kind->name), request.id, request.reason, request.delay});
    }

    bool has_table(const stripe::Kind &kind) override {
        return tables.contains(std::string(kind.name));
    }
    void ensure_table(const stripe::Kind &kind) override { tables[std::string(kind.name)]; }

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

    std::map<std::string, std::map<std::string, Stored>> tables;       // by kind, by id
    std::map<std::pair<std::string, std::string>, std::int64_t> lists; // read, by kind and parent
    std::vector<Upsert> upserts;
    std::vector<Tombstones> tombstones;
    std::vector<Refetch> refetches;

  private:
    std::int64_t version_ = 0;
    static std::string_view parent_column(const stripe::Kind &kind) {
        if (kind.list_parent != nullptr)
            return kind.list_parent->name;
        for (const stripe::Kind *parent : stripe::all_kinds())
            for (const stripe::ChildList &list : parent->children)
                if (list.kind == &kind)
                    return list.parent_column;
        return {};
    }
};

} // namespace billstack::test

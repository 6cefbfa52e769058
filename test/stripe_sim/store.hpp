// The objects of one account: generated ones, made when asked for, under those put, patched or
// deleted while running. Every change goes through put() and remove(), so that recording events and
// sending deliveries has one place to hook in.
#pragma once

#include "generator.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace stripe_sim {

/// The place of an object in its kind's order: lists go from the largest key to the smallest.
struct Key {
    int64_t created;
    uint64_t sequence;
    auto operator<=>(const Key &) const = default;
};

/// Bytes of object text that may still be kept; shared by all accounts.
struct CacheBudget {
    size_t left;
};

class Store {
  public:
    Store(const AccountConfig &config, CacheBudget &cache);

    const World &world() const { return generator_.world(); }
    const AccountConfig &config() const { return world().config(); }
    const std::string &account_text() const { return account_text_; }

    /// The key of a stored object, or nothing.
    std::optional<Key> find(Kind kind, std::string_view id) const;
    bool was_deleted(Kind kind, const std::string &id) const;
    /// Appends the object's canonical text: the same bytes in lists, reads and dumps.
    void append_text(std::string &out, Kind kind, Key key);
    std::string id_of(Kind kind, Key key) const;
    /// Whether a filterable field has this value.
    bool field_is(Kind kind, Key key, std::string_view field, std::string_view value);

    /// Stores `text`, a JSON object, as it stands; makes or replaces. Throws JsonError.
    void put(Kind kind, const std::string &id, std::string text);
    /// False when there is no such object.
    bool patch(Kind kind, const std::string &id, const json_t *merge);
    bool remove(Kind kind, const std::string &id);

    /// Texts of the children of a parent, newest first (items) or in line order (lines), all of
    /// them. Nothing when the parent does not exist.
    struct Child {
        std::string id;
        std::string text;
    };
    std::optional<std::vector<Child>> children(Kind child, std::string_view parent_id);

    /// Steps through a kind from a key towards older or newer objects.
    class Walk {
      public:
        /// Starts before the newest (older = true) or the oldest object.
        Walk(const Store &store, Kind kind, bool older);
        /// Continues with keys strictly beyond `key`.
        void start_after(Key key);
        std::optional<Key> next();

      private:
        std::optional<Key> generated();
        std::optional<Key> changed();

        const Store &store_;
        Kind kind_;
        bool older_;
        uint64_t generated_at_; // the index after the next one in direction "older"
        std::optional<Key> changed_after_;
    };

  private:
    struct Changed {
        std::string id;
        std::string text;
        Json doc;
    };
    struct Overlay {
        std::map<Key, Changed> objects;
        std::unordered_map<std::string, Key> by_id;
        std::unordered_set<uint64_t> gone; // generated objects that are deleted or in `objects`
        std::unordered_set<std::string> deleted;
        std::vector<std::string> cache;
    };
    Overlay &overlay(Kind kind) { return overlays_[static_cast<size_t>(kind)]; }
    const Overlay &overlay(Kind kind) const { return overlays_[static_cast<size_t>(kind)]; }
    const Changed *find_changed(Kind kind, Key key) const;
    bool generated_field_is(Kind kind, uint64_t index, std::string_view field,
                            std::string_view value);
    std::vector<Child> generated_children(Kind child, uint64_t parent);

    Generator generator_;
    CacheBudget &cache_;
    std::array<Overlay, stored_kinds> overlays_;
    std::string account_text_;
    uint64_t next_sequence_ = uint64_t{1} << 50;
};

} // namespace stripe_sim

// The objects of one account: generated ones, made when asked for, under those put, patched or
// deleted while running. Changes that Stripe would tell of go through changes.hpp, which records an
// event for each; put(), patch() and remove() alone say nothing.
#pragma once

#include "clock.hpp"
#include "generator.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
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

/// What is remembered of an event beside its text.
struct RecordedEvent {
    Key key; ///< sequence: 1, 2, ... in the order recorded
    std::string id;
    std::string type;
    std::string object;    ///< the "object" member of data.object
    std::string object_id; ///< empty where it has none
    std::string object_url;
};

/// What the API shows of a whole document: sub-lists cut to ten, hidden members left out. The same
/// document when nothing is to be changed. `cut` false leaves the lists whole.
Json served(Kind kind, const json_t *doc, bool cut = true);

class Store {
  public:
    Store(const AccountConfig &config, CacheBudget &cache, const SimClock &clock);

    const World &world() const { return generator_.world(); }
    const AccountConfig &config() const { return world().config(); }
    const std::string &account_text() const { return account_text_; }
    const SimClock &clock() const { return clock_; }

    /// The key of a stored object, or nothing.
    std::optional<Key> find(Kind kind, std::string_view id) const;
    bool was_deleted(Kind kind, const std::string &id) const;
    /// Appends the object's canonical text: the same bytes in lists, reads and dumps.
    void append_text(std::string &out, Kind kind, Key key);
    std::string id_of(Kind kind, Key key) const;
    /// Whether a filterable field has this value.
    bool field_is(Kind kind, Key key, std::string_view field, std::string_view value);

    /// The whole object with all its children and hidden members, perhaps shared: not to be
    /// changed.
    Json document(Kind kind, Key key);

    /// Stores `text`, a JSON object, as it stands; makes or replaces. Throws JsonError.
    void put(Kind kind, const std::string &id, std::string text);
    /// The same for a whole document: its sub-lists are served cut to ten.
    void put_document(Kind kind, const std::string &id, Json doc);
    /// Merges into what is served. False when there is no such object.
    bool patch(Kind kind, const std::string &id, const json_t *merge);
    bool remove(Kind kind, const std::string &id);
    /// An id that no object of the kind has had.
    std::string fresh_id(Kind kind);
    /// Some object that exists, or nothing.
    std::optional<std::string> any_id(Kind kind, Rng &rng) const;

    /// Events in the order recorded; element i has sequence i + 1.
    const std::vector<RecordedEvent> &recorded() const { return recorded_; }
    void add_event(const RecordedEvent &event, std::string text);
    /// Events are shown for 30 days; the generated one, the account's first, always.
    bool is_forgotten(Kind kind, Key key) const;
    /// Left out of lists although a read by id finds it, as Stripe does with inline prices.
    void set_listed(Kind kind, Key key, bool listed);
    bool is_listed(Kind kind, Key key) const {
        return unlisted_.empty() || !unlisted_.contains({kind, key});
    }
    /// The API version events are written in from now on.
    std::string event_version = "2025-03-31.basil";
    /// By checkout session: what the objects it makes are to have, as the request said it.
    std::unordered_map<std::string, Json> session_data;

    /// Texts of the children of a parent, newest first (items) or in line order (lines), all of
    /// them. Nothing when the parent does not exist.
    struct Child {
        std::string id;
        std::string text;
    };
    std::optional<std::vector<Child>> children(Kind child, std::string_view parent_id);
    /// A subscription item by its own id; false when there is none.
    bool append_item(std::string &out, const std::string &id);

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
        Json doc;    // whole, where the text is what is served
        bool as_put; // served with lists of any length
    };
    struct Overlay {
        std::map<Key, Changed> objects;
        std::unordered_map<std::string, Key> by_id;
        std::unordered_set<uint64_t> gone; // generated objects that are deleted or in `objects`
        std::unordered_set<std::string> deleted;
        std::vector<std::string> added; // ids in the order they first came
        std::vector<std::string> cache;
    };
    Overlay &overlay(Kind kind) { return overlays_[static_cast<size_t>(kind)]; }
    const Overlay &overlay(Kind kind) const { return overlays_[static_cast<size_t>(kind)]; }
    const Changed *find_changed(Kind kind, Key key) const;
    bool generated_field_is(Kind kind, uint64_t index, std::string_view field,
                            std::string_view value);
    std::vector<Child> generated_children(Kind child, uint64_t parent);
    void keep(Kind kind, const std::string &id, std::string text, Json doc, bool as_put);
    void remember_items(const std::string &subscription, const json_t *doc);

    Generator generator_;
    CacheBudget &cache_;
    const SimClock &clock_;
    std::array<Overlay, stored_kinds> overlays_;
    std::set<std::pair<Kind, Key>> unlisted_;
    std::string account_text_;
    uint64_t next_sequence_ = uint64_t{1} << 50;
    std::array<uint64_t, all_kinds> fresh_{};
    std::unordered_map<std::string, std::string> item_parents_; // of changed subscriptions
    std::vector<RecordedEvent> recorded_;
};

} // namespace stripe_sim

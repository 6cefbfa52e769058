// Writes incoming states of one kind: looks up what is stored, decides row by row, extracts columns
// and hands the store one sorted batch. Shared by pages, refetches and events.
#pragma once
#include "sync/apply.hpp"

#include <functional>
#include <set>

namespace billstack::sync {

// A row to write, for children with the id of the parent in whose list it was.
struct Incoming {
    Row row;
    AsOf as_of;
    std::string_view parent;
    std::string_view api_version;
};

std::vector<Incoming> incoming_of(const std::vector<Row> &rows, const AsOf &as_of,
                                  std::string_view api_version, std::string_view parent = {});

// The ids by what became of their incoming state; views into the incoming rows.
struct Outcome {
    std::set<std::string_view> changed; // written, and stored before in another state
    std::set<std::string_view> fresh;   // written, not stored before
    std::set<std::string_view> unchanged;
    std::set<std::string_view> unsure; // unchanged, but what their bytes do not show may be older

    // Else the mirror holds a newer parent, and with it newer children.
    bool knows(std::string_view id) const {
        return unchanged.contains(id) || changed.contains(id) || fresh.contains(id);
    }
};

using Decide = std::function<Decision(const StoredState &stored, const Incoming &incoming)>;

// By the bytes and the windows, and by the windows alone: for what is read with a row whose bytes
// the mirror has already.
struct Rules {
    Decide decide;
    Decide order = {}; // none: nothing is read with a row
};

// Unclear ones are left alone and asked for once more.
Outcome write_rows(MirrorStore &store, const stripe::Kind &kind, Source source,
                   std::vector<Incoming> rows, const Rules &rules, ApplyReport &report);

// One child list of several parents, gathered and then written at once.
class ListWriter {
  public:
    ListWriter(const stripe::ChildList &list, Source source) : list_(list), source_(source) {}

    // rows: of a list member inside an object, digested here when they are not. complete: no more
    // children exist; then, unless the parent is new in the mirror, children that are not there
    // become tombstones.
    void add(std::string_view parent, const std::vector<Row> &rows, const AsOf &as_of,
             std::string_view api_version);
    void complete(std::string_view parent, const AsOf &as_of);
    void write(MirrorStore &store, ApplyReport &report);

  private:
    const stripe::ChildList &list_;
    Source source_;
    std::vector<Incoming> rows_;
    std::vector<CompleteList> complete_;
    std::vector<std::string_view> kept_;
};

} // namespace billstack::sync

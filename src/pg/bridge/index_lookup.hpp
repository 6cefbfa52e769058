// Rows of a table of billstack_internal by equality on one of its indexes, without SPI: for what is
// asked once a row or once a request. Rights on the table are not looked at.
#pragma once
#include "pg/bridge/guard.hpp"

namespace billstack::pg {

inline constexpr int max_lookup_columns = 12;

// A found row; valid while it is being visited. Plain data, usable inside call().
struct IndexRow {
    TupleTableSlot *slot;
    const AttrNumber *numbers;

    // Counted from 0 as the columns of the lookup.
    Datum value(int column, bool &is_null) const {
        return slot_getattr(slot, numbers[column], &is_null);
    }
    bool is_null(int column) const {
        bool null = true;
        (void)value(column, null);
        return null;
    }
    // False for NULL.
    bool text_is(int column, std::string_view text) const;
    bool boolean(int column) const; // false for NULL
    // A copy in the current memory context; nullptr for NULL.
    char *text_copy(int column) const;
};

struct IndexKey {
    Datum value;
    RegProcedure equal; // F_TEXTEQ and the like: the type of the index's column
};

// Define as `constinit IndexLookup name{...}`: names are looked up on first use, and again after
// the table has changed.
class IndexLookup {
  public:
    constexpr IndexLookup(const char *table, const char *index,
                          std::array<const char *, max_lookup_columns> columns)
        : table_(table), index_(index), columns_(columns) {}

    // Calls visit(const IndexRow &) -> bool for each row that the snapshot shows, until it answers
    // true. It runs inside call(): nothing in it may have a destructor. True when one did.
    template <class Visit>
    bool find(const IndexKey *keys, int key_count, Snapshot snapshot, Visit visit) {
        locate();
        return call([&] {
            Scan scan;
            begin(scan, keys, key_count, snapshot);
            bool found = false;
            while (!found && index_getnext_slot(scan.scan, ForwardScanDirection, scan.slot)) {
                found = visit(IndexRow{scan.slot, numbers_.data()});
            }
            end(scan);
            return found;
        });
    }

  private:
    struct Scan {
        Relation table, index;
        IndexScanDesc scan;
        TupleTableSlot *slot;
    };

    void locate();
    void begin(Scan &scan, const IndexKey *keys, int key_count, Snapshot snapshot) const;
    static void end(Scan &scan);

    const char *table_;
    const char *index_;
    std::array<const char *, max_lookup_columns> columns_; // nullptr ends them
    Oid table_oid_ = InvalidOid;
    Oid index_oid_ = InvalidOid;
    std::array<AttrNumber, max_lookup_columns> numbers_{};
    std::uint64_t located_ = 0;
};

} // namespace billstack::pg

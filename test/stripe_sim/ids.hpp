// Ids that carry their index: a keyed permutation of the index in base 62, then a tag of the
// account. Looking an object up needs no table, and a key of one account finds nothing of another.
#pragma once

#include "kinds.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace stripe_sim {

constexpr uint64_t max_index = (uint64_t{1} << 44) - 1;

class IdCodec {
  public:
    /// `account_tag` separates accounts; equal tags give equal ids.
    explicit IdCodec(uint64_t account_tag);

    void append(std::string &out, Kind kind, uint64_t index) const;
    std::string encode(Kind kind, uint64_t index) const;
    /// The index, or nothing when the id is not of this kind and account. The caller still checks
    /// that the index is in range.
    std::optional<uint64_t> decode(Kind kind, std::string_view id) const;

    /// Ids of things that are only referred to (payment intents, balance transactions ...).
    void append_foreign(std::string &out, std::string_view prefix, size_t length,
                        uint64_t index) const;

  private:
    uint64_t permute(uint64_t key, uint64_t index) const;
    uint64_t unpermute(uint64_t key, uint64_t code) const;
    void append_code(std::string &out, size_t length, uint64_t code) const;

    uint64_t tag_;
    char tail_[32];
};

} // namespace stripe_sim

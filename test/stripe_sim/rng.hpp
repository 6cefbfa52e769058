// Deterministic randomness: every value is a function of seed, kind, index and purpose, so any
// object can be made at any time without making the ones before it.
#pragma once

#include <cstdint>

namespace stripe_sim {

/// The finaliser of splitmix64 (public domain, S. Vigna).
constexpr uint64_t mix64(uint64_t x) {
    x += 0x9e3779b97f4a7c15ULL;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
    return x ^ (x >> 31);
}

constexpr uint64_t mix64(uint64_t a, uint64_t b) {
    return mix64(mix64(a) ^ b);
}

/// A stream of draws for one object.
class Rng {
  public:
    explicit constexpr Rng(uint64_t state) : state_{state} {}
    constexpr uint64_t next() { return mix64(state_++); }
    /// Uniform in [0, bound); 0 when bound is 0. The bias is below 2^-32 for bounds below 2^32.
    constexpr uint64_t below(uint64_t bound) {
        return static_cast<uint64_t>((static_cast<unsigned __int128>(next()) * bound) >> 64);
    }
    constexpr bool percent(unsigned share) { return below(100) < share; }

  private:
    uint64_t state_;
};

} // namespace stripe_sim

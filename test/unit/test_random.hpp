// Seeds of the property tests: printed, and repeated with BILLSTACK_SEED; BILLSTACK_ROUNDS makes a
// run longer.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <string_view>

namespace billstack::test {

class Random {
  public:
    Random() : engine_(seed()) {}

    // 0 to limit - 1
    std::size_t below(std::size_t limit) {
        return std::uniform_int_distribution<std::size_t>(0, limit - 1)(engine_);
    }
    bool one_in(std::size_t n) { return below(n) == 0; }
    std::string text_of(std::string_view alphabet, std::size_t size) {
        std::string text;
        while (text.size() < size)
            text += alphabet[below(alphabet.size())];
        return text;
    }

  private:
    static std::uint64_t seed() {
        const char *given = std::getenv("BILLSTACK_SEED");
        std::uint64_t seed =
            given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
        std::printf("BILLSTACK_SEED=%llu\n", static_cast<unsigned long long>(seed));
        return seed;
    }

    std::mt19937_64 engine_;
};

inline int rounds(int usual) {
    const char *given = std::getenv("BILLSTACK_ROUNDS");
    return given != nullptr ? std::atoi(given) : usual;
}

} // namespace billstack::test

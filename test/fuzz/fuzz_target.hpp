// What the fuzz targets share. A target is LLVMFuzzerTestOneInput() alone: libFuzzer calls it with
// inputs of its own making, replay_main.cpp with those of the corpus.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size);

namespace billstack::fuzz {

// Ends the process, which is how a fuzz target fails.
inline void require(bool held, const char *rule) {
    if (held)
        return;
    std::fprintf(stderr, "broken: %s\n", rule);
    std::abort();
}

// A copy that ends where its memory ends, so that a sanitizer sees the first byte read too far.
class ExactCopy {
  public:
    explicit ExactCopy(std::string_view text) : bytes_(new char[text.size()]), size_(text.size()) {
        for (std::size_t i = 0; i < size_; ++i)
            bytes_[i] = text[i];
    }
    std::string_view view() const { return {bytes_.get(), size_}; }

  private:
    std::unique_ptr<char[]> bytes_;
    std::size_t size_;
};

inline std::string_view text_of(const std::uint8_t *data, std::size_t size) {
    return {reinterpret_cast<const char *>(data), size};
}

} // namespace billstack::fuzz

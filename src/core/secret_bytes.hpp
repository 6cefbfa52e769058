// Bytes that must not outlive their use: move-only, wiped on destruction, not printable.
#pragma once
#include "core/pure.hpp"

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

namespace billstack::core {

class SecretBytes {
  public:
    SecretBytes() = default;
    // Copies; the source stays the caller's to wipe.
    static SecretBytes copy_of(std::string_view bytes);
    static SecretBytes of_size(std::size_t size); // zero-filled
    SecretBytes(SecretBytes &&other) noexcept;
    SecretBytes &operator=(SecretBytes &&other) noexcept;
    SecretBytes(const SecretBytes &) = delete;
    SecretBytes &operator=(const SecretBytes &) = delete;
    ~SecretBytes();

    SecretBytes clone() const;
    void wipe() noexcept; // empty afterwards
    // Views are valid while this object lives and is not moved from.
    std::string_view view() const { return {reinterpret_cast<const char *>(data_.get()), size_}; }
    std::span<unsigned char> bytes() { return {data_.get(), size_}; }
    std::size_t size() const { return size_; }
    bool empty() const { return size_ == 0; }

  private:
    std::unique_ptr<unsigned char[]> data_;
    std::size_t size_ = 0;
};

// Overwrites memory in a way the compiler may not drop.
void wipe_memory(void *start, std::size_t size) noexcept;

} // namespace billstack::core

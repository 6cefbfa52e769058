// How a request and its answer lie in a slot: length-prefixed fields in a fixed buffer. Both sides
// of the slot use it; neither trusts a length beyond the buffer.
#pragma once
#include "pg/bridge/guard.hpp"

namespace billstack::pg {

class SlotWriter {
  public:
    SlotWriter(char *buffer, std::size_t size) : buffer_(buffer), size_(size) {}
    SlotWriter &text(std::string_view text);
    SlotWriter &number(std::int64_t number);
    bool fits() const { return fits_; } // false: something was left out
    std::uint32_t length() const { return static_cast<std::uint32_t>(used_); }

  private:
    void bytes(const void *data, std::size_t length);
    char *buffer_;
    std::size_t size_;
    std::size_t used_ = 0;
    bool fits_ = true;
};

class SlotReader {
  public:
    SlotReader(const char *buffer, std::size_t length) : buffer_(buffer), length_(length) {}
    std::string_view text(); // into the buffer; "" when the buffer is used up
    std::int64_t number();

  private:
    const char *buffer_;
    std::size_t length_;
    std::size_t used_ = 0;
};

} // namespace billstack::pg

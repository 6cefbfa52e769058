#include "pg/bridge/slot_codec.hpp"

namespace billstack::pg {

void SlotWriter::bytes(const void *data, std::size_t length) {
    if (!fits_ || length > size_ - used_) {
        fits_ = false;
        return;
    }
    std::memcpy(buffer_ + used_, data, length);
    used_ += length;
}

SlotWriter &SlotWriter::text(std::string_view text) {
    number(static_cast<std::int64_t>(text.size()));
    bytes(text.data(), text.size());
    return *this;
}

SlotWriter &SlotWriter::number(std::int64_t number) {
    bytes(&number, sizeof(number));
    return *this;
}

std::int64_t SlotReader::number() {
    std::int64_t number = 0;
    if (length_ - used_ < sizeof(number)) {
        used_ = length_;
        return 0;
    }
    std::memcpy(&number, buffer_ + used_, sizeof(number));
    used_ += sizeof(number);
    return number;
}

std::string_view SlotReader::text() {
    std::int64_t length = number();
    if (length < 0 || static_cast<std::size_t>(length) > length_ - used_) {
        used_ = length_;
        return {};
    }
    std::string_view text(buffer_ + used_, static_cast<std::size_t>(length));
    used_ += text.size();
    return text;
}

} // namespace billstack::pg

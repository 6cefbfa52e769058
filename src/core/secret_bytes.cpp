// SecretBytes: the memory is overwritten before it is given back, on every path.
#include "core/secret_bytes.hpp"

#include <cstring>
#include <string.h> // explicit_bzero
#include <utility>

namespace billstack::core {

void wipe_memory(void *start, std::size_t size) noexcept {
    if (start != nullptr && size > 0)
        explicit_bzero(start, size);
}

SecretBytes SecretBytes::of_size(std::size_t size) {
    SecretBytes made;
    if (size > 0)
        made.data_ = std::make_unique<unsigned char[]>(size);
    made.size_ = size;
    return made;
}

SecretBytes SecretBytes::copy_of(std::string_view bytes) {
    SecretBytes made = of_size(bytes.size());
    if (!bytes.empty())
        std::memcpy(made.data_.get(), bytes.data(), bytes.size());
    return made;
}

SecretBytes::SecretBytes(SecretBytes &&other) noexcept
    : data_(std::move(other.data_)), size_(std::exchange(other.size_, 0)) {}

SecretBytes &SecretBytes::operator=(SecretBytes &&other) noexcept {
    if (this != &other) {
        wipe();
        data_ = std::move(other.data_);
        size_ = std::exchange(other.size_, 0);
    }
    return *this;
}

SecretBytes::~SecretBytes() {
    wipe();
}

SecretBytes SecretBytes::clone() const {
    return copy_of(view());
}

void SecretBytes::wipe() noexcept {
    wipe_memory(data_.get(), size_);
    data_.reset();
    size_ = 0;
}

} // namespace billstack::core

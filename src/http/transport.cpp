// Look-up in the few headers kept.
#include "http/transport.hpp"

namespace billstack::http {

const std::string *Response::header(std::string_view lower_case_name) const {
    for (const auto &[name, value] : headers)
        if (name == lower_case_name)
            return &value;
    return nullptr;
}

} // namespace billstack::http

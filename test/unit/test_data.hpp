// Reading the files of test/unit/data.
#pragma once

#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>

namespace billstack::test {

inline std::string read_test_data(const std::string &name) {
    std::ifstream file(std::string(BILLSTACK_SOURCE_DIR) + "/test/unit/data/" + name);
    if (!file)
        throw std::runtime_error("cannot read test data " + name);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

} // namespace billstack::test

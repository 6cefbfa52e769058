// The fixtures file as bytes inside the binary: the simulator needs no file at run time.
// FIXTURES_PATH comes from CMake.
#include "json_util.hpp"

asm(".section .rodata\n"
    ".global stripe_sim_fixtures_begin\n"
    ".global stripe_sim_fixtures_end\n"
    "stripe_sim_fixtures_begin:\n"
    ".incbin \"" FIXTURES_PATH "\"\n"
    "stripe_sim_fixtures_end:\n"
    ".byte 0\n"
    ".text\n");

extern "C" {
extern const char stripe_sim_fixtures_begin[];
extern const char stripe_sim_fixtures_end[];
}

namespace stripe_sim {

static Json parse_fixtures() {
    return parse_json({stripe_sim_fixtures_begin,
                       static_cast<size_t>(stripe_sim_fixtures_end - stripe_sim_fixtures_begin)});
}

Json fixture(const std::string &object) {
    static const Json all = parse_fixtures();
    const json_t *one = json_object_get(all.get(), object.c_str());
    if (one == nullptr)
        throw JsonError{"no fixture for " + object};
    return Json{json_deep_copy(one)};
}

} // namespace stripe_sim

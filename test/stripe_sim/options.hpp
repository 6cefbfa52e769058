// The command line and the configuration file.
#pragma once

#include "simulator.hpp"

#include <cstdint>
#include <string>

namespace stripe_sim {

struct Options {
    uint16_t port = 0;
    std::string port_file;
    std::string log_file;
    std::string tls_certificate;
    std::string tls_key;
    bool help = false;
    SimulatorOptions simulator;
};

extern const char usage[];

/// Throws std::runtime_error with a message for the user.
Options read_options(int count, char **arguments);

} // namespace stripe_sim

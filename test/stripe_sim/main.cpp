// stripe_sim: starts the simulator and serves until SIGTERM or SIGINT.
#include "options.hpp"

#include <csignal>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <unistd.h>

namespace {

stripe_sim::HttpServer *running = nullptr;

void on_signal(int) {
    if (running != nullptr)
        running->stop();
}

void write_port_file(const std::string &path, uint16_t port) {
    std::string scratch = path + "." + std::to_string(getpid());
    std::FILE *file = std::fopen(scratch.c_str(), "w");
    bool written = file != nullptr && std::fprintf(file, "%u\n", port) > 0;
    if (file != nullptr)
        written = std::fclose(file) == 0 && written;
    if (!written || std::rename(scratch.c_str(), path.c_str()) != 0)
        throw std::runtime_error{"cannot write " + path};
}

int serve(stripe_sim::Options &options) {
    std::FILE *log = nullptr;
    if (!options.log_file.empty() && (log = std::fopen(options.log_file.c_str(), "a")) == nullptr)
        throw std::runtime_error{"cannot write " + options.log_file};
    options.simulator.log = log;
    stripe_sim::Simulator simulator{options.simulator};
    auto channels = options.tls_certificate.empty()
                        ? stripe_sim::plain_channels()
                        : stripe_sim::tls_channels(options.tls_certificate, options.tls_key);
    stripe_sim::HttpServer server{
        options.port, std::move(channels),
        [&](const stripe_sim::Request &request, stripe_sim::Response &response) {
            simulator.handle(request, response);
        }};
    server.set_counted([](const stripe_sim::Request &request) {
        return !stripe_sim::Simulator::is_control(request);
    });
    simulator.set_server(&server);
    running = &server;
    struct sigaction action {};
    action.sa_handler = on_signal;
    sigaction(SIGTERM, &action, nullptr);
    sigaction(SIGINT, &action, nullptr);
    if (!options.port_file.empty())
        write_port_file(options.port_file, server.port());
    std::printf("listening on 127.0.0.1:%u\n", server.port());
    std::fflush(stdout);
    server.run();
    running = nullptr;
    if (log != nullptr)
        std::fclose(log);
    return 0;
}

} // namespace

int main(int count, char **arguments) {
    std::signal(SIGPIPE, SIG_IGN);
    try {
        stripe_sim::Options options = stripe_sim::read_options(count, arguments);
        if (options.help) {
            std::fputs(stripe_sim::usage, stdout);
            return 0;
        }
        return serve(options);
    } catch (const std::exception &error) {
        std::fprintf(stderr, "stripe_sim: %s\n", error.what());
        return 2;
    }
}

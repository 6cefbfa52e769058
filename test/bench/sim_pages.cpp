// How many list pages a second the simulator serves: pages of 100 invoices from places all over the
// account, over a few connections, thrown away as they come.
// Usage: sim_pages PORT KEY PID-OF-THE-SIMULATOR [SECONDS]
#include <arpa/inet.h>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <poll.h>
#include <random>
#include <stdexcept>
#include <string>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

namespace {

constexpr int connection_count = 16;
// Where generated accounts lie, unix seconds.
constexpr std::int64_t oldest = 1625097600;
constexpr std::int64_t newest = 1767225600;

struct Connection {
    int fd = -1;
    std::string head;      // of the answer, until it is complete
    std::int64_t left = 0; // of its body; below 0: not known yet
};

int connect_to(int port) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd, reinterpret_cast<sockaddr *>(&address), sizeof address) != 0)
        throw std::runtime_error("cannot connect");
    return fd;
}

void ask(Connection &connection, const std::string &key, std::int64_t until) {
    const std::string request = "GET /v1/invoices?limit=100&created[lte]=" + std::to_string(until) +
                                " HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer " + key +
                                "\r\n\r\n";
    if (send(connection.fd, request.data(), request.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(request.size()))
        throw std::runtime_error("cannot send");
    connection.head.clear();
    connection.left = -1;
}

// True when the answer is complete.
bool take(Connection &connection, std::uint64_t &bytes) {
    static std::array<char, 1 << 18> buffer;
    const ssize_t got = recv(connection.fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got <= 0)
        throw std::runtime_error("the connection ended");
    bytes += static_cast<std::uint64_t>(got);
    if (connection.left >= 0)
        return (connection.left -= got) <= 0;
    connection.head.append(buffer.data(), static_cast<std::size_t>(got));
    const std::size_t end = connection.head.find("\r\n\r\n");
    if (end == std::string::npos)
        return false;
    if (connection.head.compare(0, 12, "HTTP/1.1 200") != 0)
        throw std::runtime_error(connection.head.substr(0, 40));
    const std::size_t length = connection.head.find("Content-Length: ");
    connection.left = std::strtoll(connection.head.c_str() + length + 16, nullptr, 10) -
                      static_cast<std::int64_t>(connection.head.size() - end - 4);
    return connection.left <= 0;
}

double cpu_seconds(const std::string &pid) {
    std::ifstream file("/proc/" + pid + "/stat");
    std::string field;
    double ticks = 0;
    for (int i = 1; i <= 15 && file >> field; ++i)
        ticks += i >= 14 ? std::stod(field) : 0;
    return ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
}

std::uint64_t fetch_for(double seconds, std::vector<Connection> &connections,
                        const std::string &key, std::uint64_t &bytes) {
    std::mt19937_64 random(7);
    std::uniform_int_distribution<std::int64_t> second(oldest, newest);
    std::uint64_t pages = 0;
    std::vector<pollfd> fds;
    for (Connection &connection : connections) {
        ask(connection, key, second(random));
        fds.push_back({connection.fd, POLLIN, 0});
    }
    const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
    std::size_t open = connections.size();
    while (open > 0) {
        poll(fds.data(), fds.size(), -1);
        for (std::size_t i = 0; i < fds.size(); ++i) {
            if (fds[i].revents == 0 || !take(connections[i], bytes))
                continue;
            ++pages;
            if (std::chrono::steady_clock::now() < end) {
                ask(connections[i], key, second(random));
            } else {
                fds[i].fd = -1;
                --open;
            }
        }
    }
    return pages;
}

} // namespace

int main(int count, char **arguments) {
    if (count < 4) {
        std::fputs("usage: sim_pages PORT KEY PID [SECONDS]\n", stderr);
        return 2;
    }
    const double seconds = count > 4 ? std::atof(arguments[4]) : 5;
    std::vector<Connection> connections(connection_count);
    for (Connection &connection : connections)
        connection.fd = connect_to(std::atoi(arguments[1]));
    std::uint64_t bytes = 0;
    fetch_for(seconds, connections, arguments[2], bytes); // objects are rendered once
    bytes = 0;
    const double cpu = cpu_seconds(arguments[3]);
    const auto start = std::chrono::steady_clock::now();
    const std::uint64_t pages = fetch_for(seconds, connections, arguments[2], bytes);
    const double passed =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    const double used = cpu_seconds(arguments[3]) - cpu;
    std::printf("simulator: %.0f pages/s, %.0f MB/s, %.0f pages per second of its CPU time, %.0f "
                "kB a page\n",
                static_cast<double>(pages) / passed, static_cast<double>(bytes) / passed / 1e6,
                static_cast<double>(pages) / used,
                static_cast<double>(bytes) / static_cast<double>(pages) / 1e3);
}

// Clients that hand events in. Usage:
//   event_clients CONNINFO inserts inbox|plain CLIENTS ROWS    all deliveries, ROWS a commit; the
//       same rows into billstack.webhook_inbox or bench.plain; prints "EVENTS SECONDS"
//   event_clients CONNINFO latency PAUSE-MS    one delivery after the other: microseconds from the
//       return of the insert's commit to the mirrored row being seen by another session
#include "pq.hpp"

#include "stripe/event.hpp"
#include "stripe/object_catalog.hpp"

#include <algorithm>
#include <thread>

namespace {

using Clock = std::chrono::steady_clock;
using bench::Delivery;

std::string insert_of(bool inbox, int rows) {
    std::string sql = inbox
                          ? "INSERT INTO billstack.webhook_inbox (team, payload, signature) VALUES "
                          : "INSERT INTO bench.plain (team, payload, event_id) VALUES ";
    for (int row = 0; row < rows; ++row) {
        sql += row == 0 ? "('bench', $" : ", ('bench', $";
        sql += std::to_string(2 * row + 1) + ", $" + std::to_string(2 * row + 2) + ")";
    }
    return sql;
}

// Every client takes a run of `rows` deliveries in turn, so that all meet all kinds.
void insert_share(bench::Connection &connection, const std::vector<Delivery> &deliveries,
                  bool inbox, std::size_t first, std::size_t stride, std::size_t rows) {
    std::vector<const char *> values;
    for (std::size_t at = first * rows; at + rows <= deliveries.size(); at += stride * rows) {
        values.clear();
        for (std::size_t i = at; i < at + rows; ++i) {
            values.push_back(deliveries[i].payload.c_str());
            values.push_back(inbox ? deliveries[i].signature.c_str()
                                   : deliveries[i].event_id.c_str());
        }
        connection.execute("hand_in", values);
    }
}

int insert_all(const char *conninfo, bool inbox, std::size_t clients, std::size_t rows) {
    std::vector<Delivery> deliveries;
    {
        bench::Connection connection(conninfo);
        deliveries = bench::load_deliveries(connection);
    }
    std::vector<std::unique_ptr<bench::Connection>> connections;
    for (std::size_t i = 0; i < clients; ++i) {
        connections.push_back(std::make_unique<bench::Connection>(conninfo));
        connections.back()->prepare("hand_in", insert_of(inbox, static_cast<int>(rows)));
    }
    std::vector<std::thread> threads;
    auto start = Clock::now();
    for (std::size_t i = 0; i < clients; ++i) {
        threads.emplace_back(
            [&, i] { insert_share(*connections[i], deliveries, inbox, i, clients, rows); });
    }
    for (std::thread &thread : threads) {
        thread.join();
    }
    std::printf("%zu %.4f\n", deliveries.size() / rows * rows, bench::seconds_since(start));
    return 0;
}

// The watcher asks without pause, so a row is seen at most one round trip late.
int measure_latency(const char *conninfo, int pause_ms) {
    bench::Connection writer(conninfo);
    bench::Connection watcher(conninfo);
    std::vector<Delivery> deliveries = bench::load_deliveries(writer);
    writer.prepare("hand_in", insert_of(true, 1));
    std::vector<std::string> watched;
    for (const Delivery &delivery : deliveries) {
        billstack::stripe::Event event = billstack::stripe::parse_event(delivery.payload);
        const auto *kind = billstack::stripe::find_kind_by_object(event.object_type);
        std::string name = "see " + std::string(kind->table);
        if (std::find(watched.begin(), watched.end(), name) == watched.end()) {
            watcher.prepare(name, "SELECT 1 FROM stripe_team_bench." + std::string(kind->table) +
                                      " WHERE id = $1 AND metadata->>'order' = $2");
            watched.push_back(name);
        }
        std::string id(event.object_id);
        std::string mark = "A-" + std::to_string(event.created); // bench.changes() put it there
        std::this_thread::sleep_for(std::chrono::milliseconds(pause_ms));
        writer.execute("hand_in", {delivery.payload.c_str(), delivery.signature.c_str()});
        auto start = Clock::now();
        while (PQntuples(watcher.execute(name, {id.c_str(), mark.c_str()}).get()) == 0) {
            if (bench::seconds_since(start) > 30) {
                bench::fail("event " + delivery.event_id + " is not applied after 30 s");
            }
        }
        std::printf("%.0f\n", bench::seconds_since(start) * 1e6);
    }
    return 0;
}

} // namespace

int main(int argc, char **argv) {
    std::string what = argc > 2 ? argv[2] : "";
    if (what == "inserts" && argc == 6) {
        return insert_all(argv[1], std::string(argv[3]) == "inbox", std::stoul(argv[4]),
                          std::stoul(argv[5]));
    }
    if (what == "latency" && argc == 4) {
        return measure_latency(argv[1], std::stoi(argv[3]));
    }
    bench::fail(
        "usage: event_clients CONNINFO inserts inbox|plain CLIENTS ROWS | latency PAUSE-MS");
}

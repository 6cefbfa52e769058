// A connection of the benchmark's own programs. Any error ends the program: nothing is retried that
// is being measured.
#pragma once
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <libpq-fe.h>
#include <memory>
#include <string>
#include <unistd.h>
#include <vector>

namespace bench {

struct ClearResult {
    void operator()(PGresult *result) const { PQclear(result); }
};
using Result = std::unique_ptr<PGresult, ClearResult>;

[[noreturn]] inline void fail(const std::string &what) {
    std::fprintf(stderr, "%s\n", what.c_str());
    std::exit(1);
}

class Connection {
  public:
    explicit Connection(const char *conninfo) : handle_(PQconnectdb(conninfo)) {
        if (PQstatus(handle_) != CONNECTION_OK) {
            fail(PQerrorMessage(handle_));
        }
    }
    ~Connection() { PQfinish(handle_); }
    Connection(const Connection &) = delete;
    Connection &operator=(const Connection &) = delete;

    Result run(const std::string &sql) { return check(PQexec(handle_, sql.c_str())); }
    void prepare(const std::string &name, const std::string &sql) {
        check(PQprepare(handle_, name.c_str(), sql.c_str(), 0, nullptr));
    }
    // lengths and formats may be empty: all values are text then.
    Result execute(const std::string &name, const std::vector<const char *> &values,
                   const std::vector<int> &lengths = {}, const std::vector<int> &formats = {}) {
        return check(PQexecPrepared(handle_, name.c_str(), static_cast<int>(values.size()),
                                    values.data(), lengths.empty() ? nullptr : lengths.data(),
                                    formats.empty() ? nullptr : formats.data(), 0));
    }

    // CPU seconds the backend has used so far; it runs on this machine.
    double backend_cpu() const {
        std::ifstream file("/proc/" + std::to_string(PQbackendPID(handle_)) + "/stat");
        std::string text;
        double ticks = 0;
        for (int field = 1; field <= 15 && file >> text; ++field) {
            ticks += field >= 14 ? std::stod(text) : 0; // user, system
        }
        return ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
    }

  private:
    Result check(PGresult *result) {
        ExecStatusType status = PQresultStatus(result);
        if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
            fail(PQerrorMessage(handle_));
        }
        return Result(result);
    }

    PGconn *handle_;
};

inline double seconds_since(std::chrono::steady_clock::time_point start) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

inline double own_cpu() {
    return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

struct Delivery {
    std::string payload;
    std::string signature;
    std::string event_id;
};

inline std::vector<Delivery> load_deliveries(Connection &connection) {
    Result rows =
        connection.run("SELECT payload, signature, event_id FROM bench.delivery ORDER BY n");
    std::vector<Delivery> deliveries;
    for (int row = 0; row < PQntuples(rows.get()); ++row) {
        deliveries.push_back({PQgetvalue(rows.get(), row, 0), PQgetvalue(rows.get(), row, 1),
                              PQgetvalue(rows.get(), row, 2)});
    }
    return deliveries;
}

} // namespace bench

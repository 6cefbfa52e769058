#include "pg/worker/read_count_store.hpp"

#include "pg/access/internal_access.hpp"
#include "pg/bridge/spi.hpp"

namespace billstack::pg {

namespace {

constinit Statement add_to_day{R"(
INSERT INTO billstack_internal.read_count AS r (account, day, reads)
VALUES ($1, (clock_timestamp() AT TIME ZONE 'UTC')::date, $2)
ON CONFLICT (account, day) DO UPDATE SET reads = r.reads + excluded.reads)"};

constinit Statement delete_old{R"(
DELETE FROM billstack_internal.read_count
 WHERE day < (clock_timestamp() AT TIME ZONE 'UTC')::date - 60)"};

constinit Statement sum_of_month{R"(
SELECT coalesce(sum(reads), 0)::bigint FROM billstack_internal.read_count
 WHERE account = $1 AND day > (clock_timestamp() AT TIME ZONE 'UTC')::date - 30)"};

} // namespace

void store_read_counts(const std::vector<ReadCount> &counts) {
    for (const ReadCount &count : counts) {
        add_to_day.run({param(count.account), param(count.reads)});
    }
    delete_old.run();
}

std::int64_t stored_reads(const std::string &account) {
    InternalAccess access;
    return sum_of_month.run({param(account)}, true).int64(0, 1);
}

} // namespace billstack::pg

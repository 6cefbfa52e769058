// ask_test.so: requests of any size and number through the server's own request slots, for
// test/t/031_interrupts.pl. Holds a copy of the backend's side and attaches it to the shared memory
// that the preloaded billstack has made.
#include "pg/bridge/datum.hpp"
#include "pg/worker/requests.hpp"
#include "pg/worker/shared_state.hpp"

using namespace billstack;
using namespace billstack::pg;

#pragma GCC visibility push(default)
extern "C" {
PG_MODULE_MAGIC;
}
#pragma GCC visibility pop

// ask(key text, method text, path text, body_bytes text, count text) returns text: http_status of
// each.
BILLSTACK_SQL_FUNCTION(ask_test_send) {
    if (shared_state() == nullptr) {
        call([] { attach_shared_state(); });
    }
    core::SecretBytes key = args.secret(0, "key");
    StripeRequest request;
    request.key = &key;
    request.method = args.text(1, "method");
    request.path = args.text(2, "path");
    std::size_t bytes = std::stoul(args.text(3, "body_bytes"));
    if (bytes > 0) {
        request.params.emplace_back("pad", std::string(bytes, 'x'));
    }
    std::vector<StripeRequest> requests(std::stoul(args.text(4, "count")), request);
    for (std::size_t i = 0; i < requests.size(); ++i) {
        requests[i].idempotency_key = "ask-" + std::to_string(MyProcPid) + "-" + std::to_string(i);
    }
    std::string statuses;
    for (const StripeAnswer &answer : ask_stripe(requests)) {
        statuses += (statuses.empty() ? "" : " ") + std::to_string(answer.http_status);
    }
    return text_datum(statuses);
}

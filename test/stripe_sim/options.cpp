// See options.hpp.
#include "options.hpp"

#include <charconv>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace stripe_sim {

const char usage[] =
    "stripe_sim: a Stripe on loopback for tests, demo and benchmark\n"
    "\n"
    "  --port N           port on 127.0.0.1; 0 (default) takes a free one\n"
    "  --port-file PATH   written, as a whole, once the simulator listens\n"
    "  --seed N           same seed, same bytes (default 1)\n"
    "  --customers N --products N --prices N --subscriptions N --invoices N --charges N\n"
    "                     size of the account (default 100 10 30 120 600 600)\n"
    "  --key KEY          its secret key (default sk_test_sim0000000000000000000000)\n"
    "  --name TEXT        its display name (default Acme)\n"
    "  --config FILE      several accounts and keys, JSON:\n"
    "                     {\"accounts\": [{\"id\", \"seed\", \"name\", \"country\",\n"
    "                     \"default_currency\", \"created\", \"livemode\", \"from\", \"until\",\n"
    "                     \"sizes\": {\"customer\": 100, ...},\n"
    "                     \"keys\": [{\"key\": \"rk_test_y\", \"denied\": [\"invoice\", "
    "\"account\"]}]}],\n"
    "                     \"latency_ms\": 0, \"faults\": [...]}\n"
    "  --latency-ms N     every answer comes this much later\n"
    "  --rate-limit N --endpoint-rate-limit N --concurrency-limit N "
    "--endpoint-concurrency-limit N\n"
    "                     Stripe's limits, per account and per operation; 0 (default) for none\n"
    "  --cache-mb N       memory for rendered objects (default 512)\n"
    "  --log FILE         the request ledger, a JSON object per line\n"
    "  --tls-cert FILE --tls-key FILE\n"
    "                     speak TLS with this certificate (PEM)\n"
    "\n"
    "Control, without a key; ?account= chooses one of several:\n"
    "  GET /_sim/stats, /_sim/ledger?since=N, /_sim/accounts; POST /_sim/reset\n"
    "  POST /_sim/latency {\"ms\":N}; GET|POST|DELETE /_sim/faults (POST ?append=1 extends)\n"
    "  GET|POST /_sim/limits {\"rate\", \"endpoint_rate\", \"concurrency\", "
    "\"endpoint_concurrency\",\n"
    "      \"retry_after\":SECONDS}: in force from now on; tells requests, refusals and the "
    "busiest\n"
    "      second of all and of each operation since they were set\n"
    "  POST /_sim/keys {\"key\", \"account\", \"denied\"}, DELETE /_sim/keys?key=KEY\n"
    "  DELETE /_sim/idempotency: forgets all idempotency keys, as after a day\n"
    "  GET|POST /_sim/clock {\"offset_s\":N} or {\"now\":UNIX}; \"standing\":true stops it there\n"
    "Objects, behind Stripe's back: nothing tells of these\n"
    "  GET /_sim/objects/KIND: all, children too, one a line; ?parents=1: {\"parent\", "
    "\"object\"}\n"
    "  GET|POST|PUT|DELETE /_sim/objects/KIND/ID: read, merge patch, store as it stands, delete\n"
    "  POST /_sim/objects/KIND/ID/listed {\"listed\":false}: lists leave it out, a read finds it\n"
    "  POST /_sim/make {\"kind\", \"count\", \"fields\", \"at\", \"parent\", \"events\":false}: "
    "from\n"
    "      Stripe's examples, with fresh ids and references to objects that exist\n"
    "Changes as Stripe makes them, and what it sends about them\n"
    "  POST /_sim/changes {\"changes\":[{\"op\":\"create|update|delete\", \"kind\", \"id\", "
    "\"fields\",\n"
    "      \"type\", \"at\", \"parent\"}]}: fields is a patch where null stays null (in metadata "
    "it\n"
    "      removes), arrays are replaced, children may come without id; type of the event and\n"
    "      its second are Stripe's unless given; parent for a subscription_item and the like.\n"
    "      Deleting a subscription cancels it, deleting a payment_method detaches it.\n"
    "  POST /_sim/deliveries {\"secret\" or \"endpoint\":ID, \"from\":SEQUENCE|ID or "
    "\"events\":[ID],\n"
    "      \"limit\", \"seed\", \"order\":\"as_is|reverse|random\", \"duplicates\":0.2, "
    "\"losses\":0,\n"
    "      \"thin\":0, \"at\"}: signed, with \"next\", the sequence to go on from\n"
    "What customers do, told of in the order of Stripe's events\n"
    "  POST /_sim/checkout/ID/complete|expire, /_sim/invoices/ID/pay|fail,\n"
    "      /_sim/subscriptions/ID/renew: an open invoice for the next period\n"
    "What clients of the API wrote, an object a line\n"
    "  GET /_sim/writes?since=N: the ledger's POST and DELETE, with \"params\" and \"replayed\"\n"
    "  GET /_sim/made: objects a POST made, {\"kind\", \"id\", \"idempotency_key\"}\n"
    "  POST /_sim/api_version {\"version\"}: of events from now on; before 2025-03-31 also their "
    "shape\n";

static constexpr const char *default_key = "sk_test_sim0000000000000000000000";

static uint64_t read_number(const std::string &name, const std::string &text, uint64_t most) {
    uint64_t value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || value > most)
        throw std::runtime_error{name + " takes a number up to " + std::to_string(most)};
    return value;
}

static std::string read_file(const std::string &path) {
    std::ifstream file{path, std::ios::binary};
    if (!file)
        throw std::runtime_error{"cannot read " + path};
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

namespace {

struct Reader {
    Options options;
    AccountConfig account;
    std::string key = default_key;
    std::string config_file;

    bool size_option(const std::string &name, const std::string &value) {
        const KindInfo *kind = name.size() > 2 ? find_kind_by_path(name.substr(2)) : nullptr;
        if (kind == nullptr || static_cast<size_t>(kind->kind) >= generated_kinds ||
            kind->kind == Kind::event)
            return false;
        account.sizes[static_cast<size_t>(kind->kind)] = read_number(name, value, 1000000000);
        return true;
    }

    uint64_t *limit_option(const std::string &name) {
        Limits::Settings &limits = options.simulator.limits;
        return name == "--rate-limit"                   ? &limits.rate
               : name == "--endpoint-rate-limit"        ? &limits.endpoint_rate
               : name == "--concurrency-limit"          ? &limits.concurrency
               : name == "--endpoint-concurrency-limit" ? &limits.endpoint_concurrency
                                                        : nullptr;
    }

    void option(const std::string &name, const std::string &value) {
        if (name == "--port")
            options.port = static_cast<uint16_t>(read_number(name, value, 65535));
        else if (name == "--port-file")
            options.port_file = value;
        else if (name == "--seed")
            options.simulator.seed = account.seed = read_number(name, value, UINT64_MAX);
        else if (name == "--key")
            key = value;
        else if (name == "--name")
            account.name = value;
        else if (name == "--config")
            config_file = value;
        else if (name == "--latency-ms")
            options.simulator.latency_ms = static_cast<int64_t>(read_number(name, value, 3600000));
        else if (uint64_t *limit = limit_option(name))
            *limit = read_number(name, value, 1000000);
        else if (name == "--cache-mb")
            options.simulator.cache_bytes = read_number(name, value, 1 << 20) << 20;
        else if (name == "--log")
            options.log_file = value;
        else if (name == "--tls-cert")
            options.tls_certificate = value;
        else if (name == "--tls-key")
            options.tls_key = value;
        else if (!size_option(name, value))
            throw std::runtime_error{"unknown option " + name + ", see --help"};
    }

    void finish() {
        if (options.tls_certificate.empty() != options.tls_key.empty())
            throw std::runtime_error{"--tls-cert and --tls-key go together"};
        if (!config_file.empty()) {
            Json config = parse_json(read_file(config_file));
            options.simulator.accounts = read_accounts(config.get(), account);
            options.simulator.latency_ms =
                get_int(config.get(), "latency_ms", options.simulator.latency_ms);
            if (const json_t *faults = json_object_get(config.get(), "faults"))
                options.simulator.faults = compact(faults);
        }
        if (options.simulator.accounts.empty()) {
            account.livemode = key.find("_live_") != std::string::npos;
            account.keys = {{key, {}}};
            complete_account(account);
            options.simulator.accounts = {account};
        }
    }
};

} // namespace

Options read_options(int count, char **arguments) {
    Reader reader;
    for (int i = 1; i < count; ++i) {
        std::string name = arguments[i];
        if (name == "--help" || name == "-h") {
            reader.options.help = true;
            return reader.options;
        }
        if (i + 1 >= count)
            throw std::runtime_error{name + " needs a value, see --help"};
        reader.option(name, arguments[++i]);
    }
    reader.finish();
    return reader.options;
}

} // namespace stripe_sim

// The /v1 API: authentication, routes, answers. Knows nothing of sockets, faults or the ledger.
#pragma once

#include "idempotency.hpp"
#include "request.hpp"
#include "response.hpp"
#include "routes.hpp"
#include "store.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace stripe_sim {

/// The key of the Authorization header, Bearer or Basic. Empty when there is none.
std::string caller_key(const Request &request);

/// Throws ApiError 403 when the key may not do it.
void require_permission(std::string_view kind, const KeyConfig &key, const AccountConfig &account,
                        std::string_view access = "_read");

/// {"id", "object", "deleted": true}
std::string deleted_stub(const KindInfo &kind, const std::string &id);

/// An object that a POST of the API made.
struct MadeObject {
    std::string account;
    std::string kind;
    std::string id;
    std::string idempotency_key;
};

class Api {
  public:
    Api(const std::vector<AccountConfig> &accounts, size_t cache_bytes);

    /// Never throws for what a client can send.
    void handle(const Request &request, Response &response);

    /// Makes or replaces a key while running; false for an unknown account (empty: the first).
    bool set_key(std::string_view account, const KeyConfig &key);
    /// The answer of this request is out only after `ms`: until then its idempotency key is in use.
    void hold(const Request &request, int64_t ms);
    /// True when a POST has an answer that is kept under its idempotency key.
    bool is_kept(const Request &request);
    /// Keeps another answer than the one given under the request's idempotency key.
    void keep(const Request &request, const Response &response);
    IdempotencyKeys &answered() { return answered_; }
    std::vector<MadeObject> &made() { return made_; }

    /// From now on the key is answered with 401. False when it was not known.
    bool revoke_key(const std::string &key) { return callers_.erase(key) > 0; }

    /// Null for an unknown id; the first account for an empty one.
    Store *find_account(std::string_view id);
    /// Null when the caller's key is unknown.
    const Store *caller_account(const Request &request) const;
    const std::vector<std::unique_ptr<Store>> &accounts() const { return stores_; }
    SimClock &clock() { return clock_; }

  private:
    struct Caller {
        Store *store;
        KeyConfig key;
    };
    const Caller &authenticate(const Request &request) const;
    void route(const Request &request, Response &response);
    void get(const Caller &caller, const Request &request, Response &response);
    void get_account(const Caller &caller, const std::string &id,
                     const std::vector<Parameter> &query, Response &response);
    void get_of_customer(const Caller &caller, const Route &route,
                         const std::vector<Parameter> &query, Response &response);
    void read_one(const Caller &caller, const KindInfo &kind, const std::string &id,
                  Response &response);
    void list_children(const Caller &caller, const KindInfo &kind, const std::string &parent,
                       const Request &request, Response &response);

    void require_write(const Caller &caller, const KindInfo &kind) const;

    // api_write.cpp
    void write(const Caller &caller, const Request &request, Response &response);
    /// The fields of a change, from a form.
    Json read_form(Store &store, Kind kind, Json form, bool creates);
    /// The id of what was made or changed.
    std::string write_object(Store &store, const KindInfo &kind, const Route &route, Json form,
                             Rng &rng, const std::string &key);
    void write_portal(const Caller &caller, const Request &request, Response &response);
    void erase(Store &store, const KindInfo &kind, const std::string &id, bool deletes, Rng &rng,
               const Request &request, Response &response);

    CacheBudget cache_;
    SimClock clock_;
    std::vector<std::unique_ptr<Store>> stores_;
    std::unordered_map<std::string, Caller> callers_;
    IdempotencyKeys answered_;
    std::vector<MadeObject> made_;
    uint64_t written_ = 0;
};

} // namespace stripe_sim

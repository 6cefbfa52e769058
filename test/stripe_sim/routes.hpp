// What a path of the API names.
#pragma once

#include "kinds.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stripe_sim {

/// /v1/{kind}, /v1/{kind}/{id}, /v1/{kind}/{id}/{sub}, /v1/{kind}/{id}/{sub}/{sub_id}: `sub` is a
/// child of the kind, or a kind that hangs on customers.
struct Route {
    const KindInfo *kind;
    std::string id;
    const KindInfo *sub = nullptr;
    std::string sub_id;
    std::string action; ///< /v1/{kind}/{id}/{action}, when it is no sub
};

/// The segments of a path, decoded.
std::vector<std::string> segments_of(std::string_view path);
/// Nothing when no kind answers there.
std::optional<Route> find_route(const std::vector<std::string> &segments);

/// "/v1/invoices/in_x/lines" -> "/v1/invoices/{id}/lines": what statistics and rate limits count
/// by; "other" when nothing answers there.
std::string path_template(std::string_view path);

} // namespace stripe_sim

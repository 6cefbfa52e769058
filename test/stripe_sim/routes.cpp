// See routes.hpp.
#include "routes.hpp"

#include "request.hpp"

#include <algorithm>

namespace stripe_sim {

std::vector<std::string> segments_of(std::string_view path) {
    std::vector<std::string> out;
    while (!path.empty()) {
        path.remove_prefix(1); // the slash
        size_t end = std::min(path.find('/'), path.size());
        out.push_back(percent_decode(path.substr(0, end), false));
        path.remove_prefix(end);
    }
    return out;
}

static const KindInfo *find_sub(const KindInfo &kind, std::string_view segment) {
    if (kind.kind == Kind::customer)
        return find_kind_under_customer(segment);
    const ChildList *list = children_of(kind.kind);
    bool named = list != nullptr && !list->path.empty() && list->path == segment;
    return named ? &info(list->child) : nullptr;
}

std::optional<Route> find_route(const std::vector<std::string> &segments) {
    bool empty = std::any_of(segments.begin(), segments.end(),
                             [](const std::string &one) { return one.empty(); });
    if (segments.size() < 2 || segments[0] != "v1" || empty)
        return std::nullopt;
    size_t used = 2;
    const KindInfo *kind = find_kind_by_path(segments[1]);
    if (kind == nullptr && segments.size() > 2) {
        kind = find_kind_by_path(segments[1] + "/" + segments[2]);
        used = 3;
    }
    if (kind == nullptr || segments.size() > used + 3)
        return std::nullopt;
    Route out{kind, {}, nullptr, {}, {}};
    if (segments.size() > used)
        out.id = segments[used];
    if (segments.size() > used + 1) {
        out.sub = find_sub(*kind, segments[used + 1]);
        if (out.sub == nullptr)
            out.action = segments[used + 1];
    }
    if (segments.size() > used + 2) {
        if (out.sub == nullptr || out.sub->under_customer.empty())
            return std::nullopt;
        out.sub_id = segments[used + 2];
    }
    return out;
}

std::string path_template(std::string_view path) {
    std::vector<std::string> parts = segments_of(path);
    if (parts.size() == 2 && parts[0] == "v1" && parts[1] == "account")
        return "/v1/account";
    if (parts.size() == 3 && parts[0] == "v1" && parts[1] == "accounts")
        return "/v1/accounts/{id}";
    if (path == "/v1/billing_portal/sessions")
        return std::string{path};
    std::optional<Route> route = find_route(parts);
    if (!route)
        return "other";
    std::string out = "/v1/" + std::string{route->kind->path};
    if (!route->id.empty())
        out += "/{id}";
    if (route->sub != nullptr)
        out += "/" + (route->sub->under_customer.empty()
                          ? std::string{child_list(route->sub->kind)->path}
                          : std::string{route->sub->under_customer});
    else if (!route->action.empty())
        out += "/" + route->action;
    if (!route->sub_id.empty())
        out += "/{id}";
    return out;
}

} // namespace stripe_sim

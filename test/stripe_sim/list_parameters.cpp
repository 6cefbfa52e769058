// Reading and refusing the parameters of a list.
#include "lists.hpp"

#include "api_error.hpp"

#include <algorithm>
#include <charconv>

namespace stripe_sim {

static int64_t read_integer(const Parameter &parameter) {
    int64_t value = 0;
    const char *end = parameter.value.data() + parameter.value.size();
    auto [at, error] = std::from_chars(parameter.value.data(), end, value);
    if (error != std::errc{} || at != end)
        throw ApiError{400, "Invalid integer: " + parameter.value, "parameter_invalid_integer",
                       parameter.full_name};
    return value;
}

static void read_limit(ListParameters &out, const Parameter &parameter) {
    int64_t value = read_integer(parameter);
    if (value < 1)
        throw ApiError{400, "This value must be greater than or equal to 1.",
                       "parameter_invalid_integer", "limit"};
    if (value > 100)
        throw ApiError{400,
                       "This value must be less than or equal to 100 (it currently is '" +
                           parameter.value + "').",
                       "parameter_invalid_integer", "limit"};
    out.limit = static_cast<unsigned>(value);
}

static bool read_paging_parameter(ListParameters &out, const Parameter &parameter) {
    if (parameter.name == "expand" && parameter.is_list)
        return true;
    if (parameter.name != parameter.full_name)
        return false;
    if (parameter.name == "limit")
        read_limit(out, parameter);
    else if (parameter.name == "starting_after")
        out.starting_after = parameter.value;
    else if (parameter.name == "ending_before")
        out.ending_before = parameter.value;
    else
        return false;
    if (parameter.value.empty())
        throw ApiError{400,
                       "You passed an empty string for '" + parameter.name +
                           "'. We assume empty values are an attempt to unset a parameter; "
                           "however '" +
                           parameter.name + "' cannot be unset.",
                       "parameter_invalid_empty", parameter.name};
    return true;
}

static void refuse_both_cursors(const ListParameters &out) {
    if (!out.starting_after.empty() && !out.ending_before.empty())
        throw ApiError{400, "You cannot parameterize both `starting_after` and `ending_before`.",
                       "", "starting_after"};
}

static void read_created(ListParameters &out, const Parameter &parameter) {
    static constexpr std::string_view keys[] = {"", "gt", "gte", "lt", "lte"};
    if (parameter.is_list ||
        std::find(std::begin(keys), std::end(keys), parameter.key) == std::end(keys))
        throw unknown_parameter(parameter.full_name);
    int64_t value = read_integer(parameter);
    bool exact = parameter.key.empty();
    auto raise_from = [&](int64_t to) {
        out.created_from = std::max(out.created_from.value_or(to), to);
    };
    auto lower_to = [&](int64_t to) { out.created_to = std::min(out.created_to.value_or(to), to); };
    if (exact || parameter.key == "gte")
        raise_from(value);
    if (exact || parameter.key == "lte")
        lower_to(value);
    if (parameter.key == "gt")
        raise_from(value + 1);
    if (parameter.key == "lt")
        lower_to(value - 1);
}

static void check_filter_value(const KindInfo &kind, const Parameter &parameter) {
    auto one_of = [&](std::initializer_list<std::string_view> values) {
        if (std::find(values.begin(), values.end(), parameter.value) != values.end())
            return;
        std::string list;
        for (std::string_view value : values)
            list += (list.empty() ? "" : ", ") + std::string{value};
        throw ApiError{400, "Invalid " + parameter.name + ": must be one of " + list, "",
                       parameter.name};
    };
    bool flag = parameter.name == "active" || parameter.name == "delivery_success" ||
                parameter.name == "archived" || parameter.name == "inclusive" ||
                parameter.name == "pending";
    if (flag) {
        if (parameter.value != "true" && parameter.value != "false")
            throw ApiError{400, "Invalid boolean: " + parameter.value, "parameter_invalid_boolean",
                           parameter.name};
    } else if (parameter.name == "status" && kind.kind == Kind::subscription) {
        one_of({"active", "past_due", "unpaid", "canceled", "incomplete", "incomplete_expired",
                "trialing", "paused", "all", "ended"});
    } else if (parameter.name == "status" && kind.kind == Kind::invoice) {
        one_of({"draft", "open", "paid", "uncollectible", "void"});
    } else if (parameter.name == "collection_method") {
        one_of({"charge_automatically", "send_invoice"});
    } else if (kind.kind == Kind::price && parameter.name == "type") {
        one_of({"one_time", "recurring"});
    }
}

static void add_filter(ListParameters &out, std::string_view field, const std::string &value) {
    for (ListParameters::Filter &have : out.filters)
        if (have.field == field) {
            have.any_of.push_back(value);
            return;
        }
    out.filters.push_back({std::string{field}, {value}});
}

static void read_filter(ListParameters &out, const KindInfo &kind, const Parameter &parameter) {
    bool known =
        std::find(kind.filters.begin(), kind.filters.end(), parameter.name) != kind.filters.end();
    if (!known || parameter.name.empty())
        throw unknown_parameter(parameter.full_name);
    if (parameter.name == "created")
        return read_created(out, parameter);
    bool takes_list =
        parameter.name == "ids" || parameter.name == "lookup_keys" || parameter.name == "types";
    if (parameter.is_list != takes_list || !parameter.key.empty())
        throw unknown_parameter(parameter.full_name);
    check_filter_value(kind, parameter);
    std::string_view field = parameter.name == "ids"           ? "id"
                             : parameter.name == "lookup_keys" ? "lookup_key"
                             : parameter.name == "types"       ? "type"
                                                               : std::string_view{parameter.name};
    add_filter(out, field, parameter.value);
}

// A subscription list hides canceled ones unless a status is asked for.
static void finish_status(ListParameters &out) {
    auto at = std::find_if(out.filters.begin(), out.filters.end(),
                           [](const auto &filter) { return filter.field == "status"; });
    if (at == out.filters.end()) {
        out.filters.push_back({"status",
                               {"active", "trialing", "past_due", "unpaid", "incomplete",
                                "incomplete_expired", "paused"}});
    } else if (at->any_of.back() == "all") {
        out.filters.erase(at);
    } else if (at->any_of.back() == "ended") {
        at->any_of = {"canceled", "incomplete_expired"};
    }
}

ListParameters read_list_parameters(const KindInfo &kind, const std::vector<Parameter> &query) {
    ListParameters out;
    for (const Parameter &parameter : query)
        if (!read_paging_parameter(out, parameter))
            read_filter(out, kind, parameter);
    refuse_both_cursors(out);
    if (kind.kind == Kind::subscription)
        finish_status(out);
    return out;
}

ListParameters read_paging(const std::vector<Parameter> &query, std::string_view required) {
    ListParameters out;
    for (const Parameter &parameter : query)
        if (!read_paging_parameter(out, parameter) &&
            (required.empty() || parameter.full_name != required))
            throw unknown_parameter(parameter.full_name);
    refuse_both_cursors(out);
    return out;
}

void only_expand(const std::vector<Parameter> &query) {
    for (const Parameter &parameter : query)
        if (parameter.name != "expand" || !parameter.is_list)
            throw unknown_parameter(parameter.full_name);
}

} // namespace stripe_sim

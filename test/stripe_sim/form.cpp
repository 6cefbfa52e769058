// See form.hpp.
#include "form.hpp"

#include "api_error.hpp"
#include "request.hpp"

#include <algorithm>
#include <charconv>
#include <vector>

namespace stripe_sim {

static std::vector<std::string> steps_of(const std::string &name) {
    std::vector<std::string> out{name.substr(0, name.find('['))};
    size_t at = name.find('[');
    while (at != std::string::npos) {
        size_t end = name.find(']', at);
        if (end == std::string::npos)
            throw unknown_parameter(name);
        out.push_back(name.substr(at + 1, end - at - 1));
        at = name.find('[', end);
    }
    return out;
}

static void set_steps(json_t *node, const Parameter &parameter) {
    std::vector<std::string> steps = steps_of(parameter.full_name);
    for (size_t i = 0; i + 1 < steps.size(); ++i) {
        std::string &step = steps[i];
        json_t *next = json_object_get(node, step.c_str());
        if (next == nullptr) {
            next = json_object();
            json_object_set_new(node, step.c_str(), next);
        }
        if (!json_is_object(next))
            throw ApiError{400, "Invalid object", "", parameter.full_name};
        node = next;
        if (steps[i + 1].empty()) // name[]: the next place
            steps[i + 1] = std::to_string(json_object_size(node));
    }
    const std::string &value = parameter.value;
    json_object_set_new(node, steps.back().c_str(),
                        value.empty() ? json_null() : json_stringn(value.data(), value.size()));
}

static bool all_digits(const char *text) {
    std::string_view name{text};
    return !name.empty() && name.find_first_not_of("0123456789") == std::string_view::npos;
}

// Objects whose members are numbered are arrays.
static Json with_arrays(const json_t *node) {
    if (!json_is_object(node))
        return Json{json_incref(const_cast<json_t *>(node))};
    bool numbered = json_object_size(node) > 0;
    const char *name;
    json_t *value;
    json_object_foreach(const_cast<json_t *>(node), name, value) numbered =
        numbered && all_digits(name);
    Json out{numbered ? json_array() : json_object()};
    json_object_foreach(const_cast<json_t *>(node), name, value) {
        if (numbered)
            json_array_append_new(out.get(), with_arrays(value).release());
        else if (std::string_view{name} == "metadata") // the keys are the user's, numbers too
            json_object_set_new(out.get(), name, json_incref(value));
        else
            json_object_set_new(out.get(), name, with_arrays(value).release());
    }
    return out;
}

Json parse_form(std::string_view body) {
    Json out{json_object()};
    for (const Parameter &one : parse_query(body))
        set_steps(out.get(), one);
    return json_object_size(out.get()) > 0 ? with_arrays(out.get()) : std::move(out);
}

static constexpr std::string_view integers[] = {
    "amount_off",     "duration_in_months", "max_redemptions", "redeem_by",   "cancel_at",
    "days_until_due", "due_date",           "expires_at",      "quantity",    "trial_end",
    "interval_count", "trial_period_days",  "balance",         "unit_amount", "amount"};
static constexpr std::string_view flags[] = {
    "active", "cancel_at_period_end", "auto_advance", "disabled", "inclusive", "shippable",
    "deleted"};
static constexpr std::string_view reals[] = {"percent_off", "percentage"};

template <class Names> static bool among(const Names &names, std::string_view name) {
    return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

static json_t *typed(const char *name, const json_t *value, const json_t *example) {
    std::string text{json_string_value(value)};
    if (among(reals, name)) {
        char *end = nullptr;
        double number = std::strtod(text.c_str(), &end);
        if (*end != '\0')
            throw ApiError{400, "Invalid decimal: " + text, "parameter_invalid_decimal", name};
        return json_real(number);
    }
    if (json_is_integer(example) || among(integers, name)) {
        json_int_t number = 0;
        auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
        if (error != std::errc{} || end != text.data() + text.size())
            throw ApiError{400, "Invalid integer: " + text, "parameter_invalid_integer", name};
        return json_integer(number);
    }
    if (json_is_boolean(example) || among(flags, name)) {
        if (text != "true" && text != "false")
            throw ApiError{400, "Invalid boolean: " + text, "parameter_invalid_boolean", name};
        return json_boolean(text == "true");
    }
    return nullptr;
}

void give_types(json_t *form, const json_t *example) {
    size_t i;
    json_t *value;
    if (json_is_array(form)) {
        json_array_foreach(form, i, value) give_types(value, json_array_get(example, 0));
        return;
    }
    const char *name;
    void *next;
    json_object_foreach_safe(form, next, name, value) {
        if (std::string_view{name} == "metadata")
            continue;
        const json_t *like = json_object_get(example, name);
        if (json_is_string(value)) {
            if (json_t *better = typed(name, value, like))
                json_object_set_new(form, name, better);
        } else {
            // A list given as an array is {"data": [...]} in the object.
            const json_t *data = json_object_get(like, "data");
            give_types(value, data != nullptr ? data : like);
        }
    }
}

} // namespace stripe_sim

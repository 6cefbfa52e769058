// Stripe's list semantics: paging parameters, filters, cursors, has_more.
#pragma once

#include "request.hpp"
#include "store.hpp"

#include <optional>
#include <string>
#include <vector>

namespace stripe_sim {

struct ListParameters {
    unsigned limit = 10;
    std::string starting_after;
    std::string ending_before;
    /// Inclusive bounds on `created`.
    std::optional<int64_t> created_from;
    std::optional<int64_t> created_to;
    struct Filter {
        std::string field;
        std::vector<std::string> any_of;
    };
    std::vector<Filter> filters;
};

/// Checks the parameters of a list of `kind`. Throws ApiError as Stripe answers.
ListParameters read_list_parameters(const KindInfo &kind, const std::vector<Parameter> &query);
/// For lists with no filters of their own but `required` (children).
ListParameters read_paging(const std::vector<Parameter> &query, std::string_view required = {});
/// Refuses everything but expand.
void only_expand(const std::vector<Parameter> &query);

/// Appends a page. Throws ApiError for an unknown cursor.
void list_page(std::string &out, Store &store, const KindInfo &kind,
               const ListParameters &parameters, std::string_view url);
void children_page(std::string &out, const std::vector<Store::Child> &children,
                   const ListParameters &parameters, std::string_view name, std::string_view url);

} // namespace stripe_sim

// Rows of project_customer, project_product and project_price as they are selected by the stores:
// columns in the order of the structs of pg/project_access.hpp.
#pragma once
#include "pg/bridge/spi.hpp"
#include "pg/projects/project_access.hpp"

namespace billstack::pg {

// Columns count from 1, metadata is text.
ProjectCustomer customer_of_row(const Rows &rows, std::uint64_t row);
ProjectProduct product_of_row(const Rows &rows, std::uint64_t row);
ProjectPrice price_of_row(const Rows &rows, std::uint64_t row);

} // namespace billstack::pg

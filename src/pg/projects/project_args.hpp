// Arguments that the projects' functions have in common.
#pragma once
#include "pg/bridge/datum.hpp"
#include "stripe/metadata.hpp"

namespace billstack::pg {

struct MetadataArgument {
    std::string json_text; // as it is stored
    stripe::Metadata metadata;
};

// Checked. nullopt for NULL.
std::optional<MetadataArgument> optional_metadata(const Args &args, int position);
// Throws core::Error(bad_argument) for NULL too.
MetadataArgument metadata_argument(const Args &args, int position);

// max_rows 1 to 1000, skip_rows 0 or more; throws core::Error(bad_argument).
struct Paging {
    std::int32_t max_rows, skip_rows;
};
Paging paging_arguments(const Args &args, int max_rows, int skip_rows);

// These throw core::Error(bad_argument), also for what holds a card number.
// Not empty or blank, at most `longest` bytes.
void check_name(const std::string &name, const char *argument, std::size_t longest);
void check_description(const std::optional<std::string> &description);
// Plausible as an e-mail address: name@host.tld without blanks.
void check_email(const std::string &email);

std::optional<bool> optional_boolean(const Args &args, int position);
std::optional<std::int64_t> optional_bigint(const Args &args, int position);

} // namespace billstack::pg

#include "pg/projects/project_args.hpp"

namespace billstack::pg {

namespace {

constexpr std::size_t longest_email = 254; // RFC 5321, less the brackets around a path
constexpr std::int32_t most_rows = 1000;

bool is_plausible_email(const std::string &email) {
    const std::size_t at = email.find('@');
    if (email.size() > longest_email || at == 0 || at == std::string::npos ||
        email.find('@', at + 1) != std::string::npos) {
        return false;
    }
    for (char c : email) {
        if (static_cast<unsigned char>(c) <= ' ' || c == 0x7f || c == '<' || c == '>' || c == ',' ||
            c == ';' || c == '"' || c == '\\') {
            return false;
        }
    }
    const std::string host = email.substr(at + 1);
    return host.size() >= 3 && host.find('.') != std::string::npos && host.front() != '.' &&
           host.back() != '.' && host.find("..") == std::string::npos;
}

} // namespace

std::optional<MetadataArgument> optional_metadata(const Args &args, int position) {
    std::optional<std::string> text = args.optional_jsonb_text(position);
    if (!text) {
        return std::nullopt;
    }
    return MetadataArgument{*text, stripe::check_metadata(*text)};
}

MetadataArgument metadata_argument(const Args &args, int position) {
    std::optional<MetadataArgument> metadata = optional_metadata(args, position);
    if (!metadata) {
        throw core::Error(core::Code::bad_argument, "argument \"metadata\" must not be null", "",
                          "Leave it out, or give '{}'.");
    }
    return std::move(*metadata);
}

Paging paging_arguments(const Args &args, int max_rows, int skip_rows) {
    Paging paging{args.integer(max_rows, "max_rows"), args.integer(skip_rows, "skip_rows")};
    if (paging.max_rows < 1 || paging.max_rows > most_rows) {
        throw core::Error(core::Code::bad_argument,
                          "argument \"max_rows\" must be 1 to " + std::to_string(most_rows));
    }
    if (paging.skip_rows < 0) {
        throw core::Error(core::Code::bad_argument, "argument \"skip_rows\" must not be negative");
    }
    return paging;
}

void check_name(const std::string &name, const char *argument, std::size_t longest) {
    if (name.find_first_not_of(" \t\r\n") == std::string::npos || name.size() > longest) {
        throw core::Error(core::Code::bad_argument,
                          std::string("argument \"") + argument + "\" must have 1 to " +
                              std::to_string(longest) + " bytes and not only blanks");
    }
    stripe::refuse_card_number(argument, name);
}

void check_description(const std::optional<std::string> &description) {
    if (description) {
        stripe::refuse_card_number("description", *description);
    }
}

void check_email(const std::string &email) {
    if (!is_plausible_email(email)) {
        throw core::Error(core::Code::bad_argument, "argument \"email\" is not an e-mail address",
                          "An address is like ada@example.com, at most 254 bytes.");
    }
    stripe::refuse_card_number("email", email);
}

std::optional<bool> optional_boolean(const Args &args, int position) {
    return args.is_null(position) ? std::nullopt : std::optional(args.boolean(position, ""));
}

std::optional<std::int64_t> optional_bigint(const Args &args, int position) {
    if (args.is_null(position)) {
        return std::nullopt;
    }
    return DatumGetInt64(args.value(position, ""));
}

} // namespace billstack::pg

// The table of SQLSTATEs (sql-api.md, Conventions) and the only ereport(ERROR) of the library.
#include "pg/bridge/error.hpp"

namespace billstack::pg {

int sqlstate_of(core::Code code) {
    using core::Code;
    switch (code) {
    case Code::bad_argument:
        return ERRCODE_INVALID_PARAMETER_VALUE;
    case Code::bad_credential:
        return ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION;
    case Code::not_allowed:
        return ERRCODE_INSUFFICIENT_PRIVILEGE;
    case Code::unknown_object:
        return ERRCODE_UNDEFINED_OBJECT;
    case Code::exists_already:
        return ERRCODE_DUPLICATE_OBJECT;
    case Code::in_use:
        return ERRCODE_OBJECT_IN_USE;
    case Code::not_ready:
        return ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE;
    case Code::cap_reached:
        return ERRCODE_CONFIGURATION_LIMIT_EXCEEDED;
    case Code::in_transaction_block:
        return ERRCODE_ACTIVE_SQL_TRANSACTION;
    case Code::in_recovery:
        return ERRCODE_READ_ONLY_SQL_TRANSACTION;
    case Code::dependents_exist:
        return ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST;
    case Code::lock_not_available:
        return ERRCODE_LOCK_NOT_AVAILABLE;
    case Code::changed_meanwhile:
        return ERRCODE_T_R_SERIALIZATION_FAILURE;
    case Code::key_ring:
        return ERRCODE_CONFIG_FILE_ERROR;
    case Code::data_corrupted:
        return ERRCODE_DATA_CORRUPTED;
    case Code::stripe_refused:
        return MAKE_SQLSTATE('B', 'S', '4', '0', '0');
    case Code::stripe_key_rejected:
        return MAKE_SQLSTATE('B', 'S', '4', '0', '1');
    case Code::stripe_rate_limited:
        return MAKE_SQLSTATE('B', 'S', '4', '2', '9');
    case Code::stripe_unreachable:
        return MAKE_SQLSTATE('B', 'S', '5', '0', '3');
    case Code::out_of_memory:
        return ERRCODE_OUT_OF_MEMORY;
    case Code::internal:
        break;
    }
    return ERRCODE_INTERNAL_ERROR;
}

namespace {

template <std::size_t size> void copy_text(char (&target)[size], std::string_view text) noexcept {
    std::size_t length = std::min(text.size(), size - 1);
    // Cut before a continuation byte: the text is sent to the client as UTF-8.
    while (length < text.size() && length > 0 &&
           (static_cast<unsigned char>(text[length]) & 0xC0) == 0x80) {
        --length;
    }
    std::memcpy(target, text.data(), length);
    target[length] = '\0';
}

} // namespace

void Report::fill(const core::Error &error) noexcept {
    const auto *met = dynamic_cast<const StateError *>(&error);
    sqlstate = met != nullptr ? met->sqlstate : sqlstate_of(error.code);
    copy_text(message, error.message);
    copy_text(detail, error.detail);
    copy_text(hint, error.hint);
}

void Report::fill_out_of_memory() noexcept {
    sqlstate = ERRCODE_OUT_OF_MEMORY;
    copy_text(message, "out of memory");
    copy_text(detail, "");
    copy_text(hint, "");
}

void Report::fill_internal(const char *what) noexcept {
    sqlstate = ERRCODE_INTERNAL_ERROR;
    copy_text(message, "unexpected failure inside billstack");
    copy_text(detail, what);
    copy_text(hint, "");
}

void raise_report(const Report &report) {
    ereport(ERROR, (errcode(report.sqlstate), errmsg_internal("%s", report.message),
                    report.detail[0] != '\0' ? errdetail_internal("%s", report.detail) : 0,
                    report.hint[0] != '\0' ? errhint("%s", report.hint) : 0));
    pg_unreachable();
}

} // namespace billstack::pg

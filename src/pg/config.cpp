// The settings, in alphabetical order (test/check/guc_docs.sh). Check hooks run in the postmaster
// too, and a hook may not throw: what is wrong becomes the detail of the server's own message.
#include "pg/config.hpp"

#include "pg/worker/shared_state.hpp"

namespace billstack::pg::config {

namespace {

char *api_base_value;
char *api_version_value;
char *ca_file_value;
bool enabled_value = false;
int endpoint_rate_limit_value = -1;
int handler_timeout_value = 30000;
int http_timeout_value = 30000;
int inbox_max_bytes_value = 1024 * 1024; // kB
int inbox_max_rows_value = 1000000;
int inbox_retention_value = 35 * 24 * 60; // minutes
char *master_key_file_value;
int max_attempts_value = 12;
int max_requests_value = 100;
char *public_url_value;
int rate_limit_value = -1;
int reconcile_after_value = 300000;
bool redact_log_value = true;
int refetch_delay_value = 60000;
int workers_value = 1;

char default_master_key_file[MAXPGPATH];

// The newest version whose release notes were read when the mirror's columns were written.
constexpr const char *default_api_version = "2026-09-30.endive";

// Runs a check that throws core::Error; its texts become the detail and the hint.
bool passes(void (*check)(const char *), const char *value) noexcept {
    char detail[512] = "";
    char hint[256] = "";
    try {
        check(value);
        return true;
    } catch (const core::Error &error) {
        strlcpy(detail, error.detail.empty() ? error.message.c_str() : error.detail.c_str(),
                sizeof(detail));
        strlcpy(hint, error.hint.c_str(), sizeof(hint));
    } catch (...) {
        strlcpy(detail, "The value could not be checked.", sizeof(detail));
    }
    GUC_check_errdetail("%s", detail);
    if (hint[0] != '\0') {
        GUC_check_errhint("%s", hint);
    }
    return false;
}

[[noreturn]] void refuse(const char *rule) {
    throw core::Error(core::Code::bad_argument, "invalid setting", rule);
}

bool check_api_base(char **value, void **, GucSource) {
    return passes([](const char *text) { http::check_base_url(text); }, *value);
}

bool check_api_version(char **value, void **, GucSource) {
    return passes(
        [](const char *text) {
            std::string_view version(text);
            bool clean = !version.empty() && version.size() <= 64;
            for (char c : version) {
                clean = clean && (std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' ||
                                  c == '.' || c == '_' || c == ';' || c == '=');
            }
            if (!clean) {
                refuse("A version is a date such as \"2026-09-30.endive\".");
            }
        },
        *value);
}

bool check_ca_file(char **value, void **, GucSource) {
    return passes(
        [](const char *text) {
            if (text[0] != '\0' && text[0] != '/') {
                refuse("The file is named by its absolute path.");
            }
        },
        *value);
}

bool check_master_key_file(char **value, void **, GucSource) {
    return passes(
        [](const char *text) {
            std::string_view path(text);
            if (!path.starts_with('/') || path.ends_with('/') || path.size() >= MAXPGPATH) {
                refuse("The file is named by its absolute path.");
            }
        },
        *value);
}

// Trailing slashes are cut in place, so that SHOW says what is used.
bool check_public_url(char **value, void **, GucSource) {
    std::size_t length = std::strlen(*value);
    while (length > 0 && (*value)[length - 1] == '/') {
        (*value)[--length] = '\0';
    }
    return passes(
        [](const char *text) {
            std::string_view url(text);
            if (url.empty()) {
                return;
            }
            std::size_t host = url.starts_with("https://")  ? 8
                               : url.starts_with("http://") ? 7
                                                            : std::string_view::npos;
            bool clean = host < url.size() && url[host] != '/' && url.size() <= 2000;
            for (char c : url) {
                clean = clean && c > ' ' && c < 0x7f && std::strchr("?#@\"<>\\^`{|}", c) == nullptr;
            }
            if (!clean) {
                refuse(
                    "A public URL is http:// or https:// with a host and perhaps a path, without "
                    "user name, query or fragment.");
            }
        },
        *value);
}

struct TextSetting {
    const char *name;
    const char *meaning;
    char **value;
    const char *default_value;
    int flags;
    GucStringCheckHook check;
};

void define(const TextSetting &setting) {
    DefineCustomStringVariable(setting.name, setting.meaning, nullptr, setting.value,
                               setting.default_value, PGC_SIGHUP, setting.flags, setting.check,
                               nullptr, nullptr);
}

struct NumberSetting {
    const char *name;
    const char *meaning;
    int *value;
    int default_value;
    int least;
    int most;
    int flags;
};

void define(const NumberSetting &setting) {
    DefineCustomIntVariable(setting.name, setting.meaning, nullptr, setting.value,
                            setting.default_value, setting.least, setting.most, PGC_SIGHUP,
                            setting.flags, nullptr, nullptr, nullptr);
}

struct SwitchSetting {
    const char *name;
    const char *meaning;
    bool *value;
    bool default_value;
    GucContext context;
    int flags;
};

void define(const SwitchSetting &setting) {
    DefineCustomBoolVariable(setting.name, setting.meaning, nullptr, setting.value,
                             setting.default_value, setting.context, setting.flags, nullptr,
                             nullptr, nullptr);
}

// Beside the data directory and not in it, where a base backup would take it along.
void compute_default_master_key_file() {
    char folder[MAXPGPATH];
    strlcpy(folder, DataDir, sizeof(folder));
    get_parent_directory(folder);
    snprintf(default_master_key_file, sizeof(default_master_key_file),
             "%s/billstack-" UINT64_FORMAT ".keys", std::strcmp(folder, "/") == 0 ? "" : folder,
             GetSystemIdentifier());
}

struct Freed {
    void operator()(char *text) const noexcept { std::free(text); } // NOLINT: realpath's
};

// Without links; the text itself where it cannot be resolved.
std::string resolved(const std::string &path) {
    std::unique_ptr<char, Freed> real(realpath(path.c_str(), nullptr));
    return real ? std::string(real.get()) : path;
}

void define_workers();

} // namespace

void define_settings() {
    compute_default_master_key_file();
    define(TextSetting{"billstack.api_base", "Where Stripe's API is: scheme, host and port.",
                       &api_base_value, "https://api.stripe.com", GUC_SUPERUSER_ONLY,
                       check_api_base});
    define(TextSetting{"billstack.api_version", "Stripe-Version sent with every call.",
                       &api_version_value, default_api_version, GUC_SUPERUSER_ONLY,
                       check_api_version});
    define(TextSetting{"billstack.ca_file",
                       "CA certificates to trust; empty for the system's bundle.", &ca_file_value,
                       "", GUC_SUPERUSER_ONLY, check_ca_file});
    define(SwitchSetting{"billstack.enabled",
                         "Marks a database that has the extension; set by CREATE EXTENSION.",
                         &enabled_value, false, PGC_SUSET, 0});
    define(NumberSetting{"billstack.endpoint_rate_limit",
                         "Requests per second and operation of an account; 0 for no limit.",
                         &endpoint_rate_limit_value, -1, -1, 10000, 0});
    define(NumberSetting{"billstack.handler_timeout",
                         "Longest time that one call of a handler may take.",
                         &handler_timeout_value, 30000, 100, 600000, GUC_UNIT_MS});
    define(NumberSetting{"billstack.http_timeout", "Deadline of one call to Stripe.",
                         &http_timeout_value, 30000, 100, 600000, GUC_UNIT_MS});
    define(NumberSetting{"billstack.inbox_max_bytes",
                         "Bodies an integration may have waiting in its inbox, together.",
                         &inbox_max_bytes_value, 1024 * 1024, 64, INT_MAX, GUC_UNIT_KB});
    define(NumberSetting{"billstack.inbox_max_rows",
                         "Events an integration may have waiting in its inbox.",
                         &inbox_max_rows_value, 1000000, 1, INT_MAX, 0});
    define(NumberSetting{"billstack.inbox_retention", "How long done events stay in the ledger.",
                         &inbox_retention_value, 35 * 24 * 60, 1, 3660 * 24 * 60, GUC_UNIT_MIN});
    define(TextSetting{"billstack.master_key_file", "The file of the root keys that seal secrets.",
                       &master_key_file_value, default_master_key_file, GUC_SUPERUSER_ONLY,
                       check_master_key_file});
    define(NumberSetting{"billstack.max_attempts",
                         "Attempts before an event or a handler's call becomes a dead letter.",
                         &max_attempts_value, 12, 1, 1000, 0});
    define(NumberSetting{"billstack.max_requests", "Requests in flight per sync worker.",
                         &max_requests_value, 100, 1, 200, 0});
    define(TextSetting{"billstack.public_url", "Front of the address that Stripe's webhooks call.",
                       &public_url_value, "", 0, check_public_url});
    define(NumberSetting{"billstack.rate_limit", "Requests per second and account; 0 for no limit.",
                         &rate_limit_value, -1, -1, 10000, 0});
    define(NumberSetting{"billstack.reconcile_after",
                         "How long after a write with a lost answer its object is looked for.",
                         &reconcile_after_value, 300000, 1000, 24 * 60 * 60 * 1000, GUC_UNIT_MS});
    define(SwitchSetting{"billstack.redact_log", "Mask key-shaped text in the server log.",
                         &redact_log_value, true, PGC_SIGHUP, GUC_SUPERUSER_ONLY});
    define(NumberSetting{"billstack.refetch_delay",
                         "How long after an event a member that Stripe fills later is read.",
                         &refetch_delay_value, 60000, 0, 24 * 60 * 60 * 1000, GUC_UNIT_MS});
    define_workers();
    MarkGUCPrefixReserved("billstack");
}

namespace {

// The launcher counts with it from the start on; later the server takes no such setting any more.
void define_workers() {
    if (process_shared_preload_libraries_in_progress) {
        DefineCustomIntVariable("billstack.workers",
                                "Workers of a database while a backfill runs, the sync worker "
                                "included.",
                                nullptr, &workers_value, 1, 1, max_workers, PGC_POSTMASTER, 0,
                                nullptr, nullptr, nullptr);
    }
}

} // namespace

const char *api_base() {
    return api_base_value;
}
const char *api_version() {
    return api_version_value;
}
const char *ca_file() {
    return ca_file_value;
}
bool enabled() {
    return enabled_value;
}
int endpoint_rate_limit() {
    return endpoint_rate_limit_value;
}
int handler_timeout_ms() {
    return handler_timeout_value;
}
int http_timeout_ms() {
    return http_timeout_value;
}
std::int64_t inbox_max_bytes() {
    return std::int64_t{inbox_max_bytes_value} * 1024;
}
std::int64_t inbox_max_rows() {
    return inbox_max_rows_value;
}
std::int64_t inbox_retention_s() {
    return std::int64_t{inbox_retention_value} * 60;
}
std::string master_key_file() {
    return master_key_file_value;
}

bool master_key_file_in_data_directory() {
    std::string path(master_key_file_value);
    std::string folder = resolved(path.substr(0, path.rfind('/') + 1)) + "/";
    std::string data = resolved(DataDir) + "/";
    // The file itself may be a link too, but the key ring refuses links.
    return folder.starts_with(data);
}

int max_attempts() {
    return max_attempts_value;
}
int max_requests() {
    return max_requests_value;
}
const char *public_url() {
    return public_url_value;
}
int rate_limit() {
    return rate_limit_value;
}
int reconcile_after_ms() {
    return reconcile_after_value;
}
bool redact_log() {
    return redact_log_value;
}
int refetch_delay_ms() {
    return refetch_delay_value;
}
int workers() {
    return workers_value;
}

} // namespace billstack::pg::config

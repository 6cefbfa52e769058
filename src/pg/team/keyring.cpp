#include "pg/team/keyring.hpp"

#include "pg/config.hpp"
#include "pg/team/integration_store.hpp"

namespace billstack::pg {

namespace {

std::string joined(const std::vector<std::string> &items) {
    std::string text;
    for (const std::string &item : items) {
        text += (text.empty() ? "" : ", ") + item;
    }
    return text;
}

core::Error missing_ring(const std::string &path, const std::vector<std::string> &fingerprints) {
    return core::Error(core::Code::key_ring,
                       "key ring \"" + path + "\" is missing the root key " + joined(fingerprints),
                       "Keys stored in this database are sealed under it, so no new key ring is "
                       "created.",
                       "Put the key-ring file back from its backup, or set "
                       "billstack.master_key_file to where it is.");
}

void refuse_live_in_data_directory(const std::string &path, bool livemode) {
    if (livemode && config::master_key_file_in_data_directory()) {
        throw core::Error(core::Code::key_ring,
                          "key ring \"" + path + "\" lies inside the data directory",
                          "Live keys need root keys that no base backup takes along.",
                          "Set billstack.master_key_file to a path outside the data directory.");
    }
}

// True when the file is there and readable; false when it may be created.
bool ring_is_there(const std::string &path, bool livemode) {
    refuse_live_in_data_directory(path, livemode);
    if (crypto::KeyRing::exists(path)) {
        return true;
    }
    std::vector<std::string> fingerprints = sealed_fingerprints();
    if (!fingerprints.empty()) {
        throw missing_ring(path, fingerprints);
    }
    return false;
}

crypto::SealContext context_of(const Integration &integration, const std::string &key_kind) {
    return {integration.team, integration.name, key_kind};
}

// A ring whose file has gone is reported with the key that is needed, not only as a missing file.
crypto::KeyRing ring_to_open(const std::string &fingerprint) {
    std::string path = config::master_key_file();
    if (!crypto::KeyRing::exists(path)) {
        throw missing_ring(path, {fingerprint});
    }
    return crypto::KeyRing::read(path);
}

core::SecretBytes open_sealed(const Integration &integration, const SealedKey &sealed) {
    crypto::KeyRing ring = ring_to_open(sealed.fingerprint);
    return crypto::open(ring.find(sealed.fingerprint).key, context_of(integration, sealed.key_kind),
                        sealed.sealed);
}

core::SecretBytes open_if_possible(const Integration &integration) {
    try {
        return open_key(integration, webhook_secret_kind);
    } catch (const core::Error &) {
        return {};
    }
}

} // namespace

void check_sealing_possible(bool livemode) {
    std::string path = config::master_key_file();
    if (ring_is_there(path, livemode)) {
        (void)crypto::KeyRing::read(path);
    }
}

crypto::KeyRing ring_to_seal(bool livemode) {
    std::string path = config::master_key_file();
    return ring_is_there(path, livemode) ? crypto::KeyRing::read(path)
                                         : crypto::KeyRing::create(path);
}

void seal_and_store(const crypto::KeyRing &ring, const Integration &integration,
                    const char *key_kind, const core::SecretBytes &secret,
                    std::optional<TimestampTz> valid_until) {
    const crypto::RootKey &root = ring.active();
    std::vector<unsigned char> sealed =
        crypto::seal(root.key, context_of(integration, key_kind), secret.view());
    store_sealed_key(integration.id, {key_kind, root.fingerprint,
                                      std::string(sealed.begin(), sealed.end()), valid_until});
}

void store_webhook_secret(const crypto::KeyRing &ring, const Integration &integration,
                          bool replaces_real_one, const core::SecretBytes &secret) {
    constexpr int overlap_ms = 24 * 60 * 60 * 1000; // as long as Stripe signs with both
    core::SecretBytes before =
        replaces_real_one ? open_if_possible(integration) : core::SecretBytes();
    if (before.empty()) {
        delete_sealed_key(integration.id, previous_webhook_secret_kind);
    } else if (before.view() == secret.view()) {
        return; // nothing to replace, and the one before keeps its time
    } else {
        seal_and_store(ring, integration, previous_webhook_secret_kind, before,
                       TimestampTzPlusMilliseconds(GetCurrentTimestamp(), overlap_ms));
    }
    seal_and_store(ring, integration, webhook_secret_kind, secret);
}

core::SecretBytes open_key(const Integration &integration, const char *key_kind) {
    for (const SealedKey &sealed : sealed_keys_of(integration.id)) {
        if (sealed.key_kind == key_kind) {
            return open_sealed(integration, sealed);
        }
    }
    throw core::Error(
        core::Code::unknown_object,
        "integration \"" + integration.name + "\" of team \"" + integration.team +
            "\" has no stored " +
            (std::string(key_kind) == secret_key_kind ? "secret key" : "webhook secret"),
        "", "Store one with billstack.rotate_keys().");
}

core::SecretBytes open_secret_key(const Integration &integration) {
    return open_key(integration, secret_key_kind);
}

std::vector<OpenedKey> open_webhook_secrets(const Integration &integration) {
    std::vector<OpenedKey> opened;
    for (const SealedKey &sealed : sealed_keys_of(integration.id)) {
        if (sealed.key_kind == webhook_secret_kind ||
            sealed.key_kind == previous_webhook_secret_kind) {
            opened.push_back({open_sealed(integration, sealed), sealed.valid_until});
        }
    }
    return opened;
}

void check_sealed_keys(const Integration &integration) {
    for (const SealedKey &sealed : sealed_keys_of(integration.id)) {
        (void)open_sealed(integration, sealed);
    }
}

} // namespace billstack::pg

// The key ring: the file that holds the root keys, one `fingerprint:key` line each (16 hex digits,
// 64 hex digits); the last line seals, all lines open. Kept outside the database, mode 0600.
#pragma once
#include "core/secret_bytes.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace billstack::crypto {

struct RootKey {
    std::string fingerprint; // first 16 hex digits of SHA-256("billstack root key" || key)
    core::SecretBytes key;   // 32 bytes
};

class KeyRing {
  public:
    // Refuses with core::Error(key_ring): missing, not a regular file (symlinks are not followed),
    // another owner than this process, readable by group or others, a malformed line, no key.
    static KeyRing read(const std::string &path);
    // Creates the file with one fresh root key, mode 0600, durable before it returns. When another
    // process was first, its file is read instead.
    static KeyRing create(const std::string &path);
    static bool exists(const std::string &path); // lstat: a dangling symlink exists

    const RootKey &active() const;
    // Throws core::Error(key_ring) naming the fingerprint and the file.
    const RootKey &find(std::string_view fingerprint) const;
    std::vector<std::string> fingerprints() const;

  private:
    std::string path_;
    std::vector<RootKey> keys_;
};

} // namespace billstack::crypto

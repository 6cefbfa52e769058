// The key-ring file. Whoever can write or read it owns every sealed key, so it is refused in any
// state that another account of the machine could have brought about or could look into.
#include "crypto/key_ring.hpp"

#include "core/error.hpp"
#include "core/text.hpp"
#include "crypto/sha256.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <openssl/rand.h>
#include <sys/stat.h>
#include <unistd.h>

namespace billstack::crypto {

namespace {

constexpr std::size_t key_size = 32;
constexpr std::size_t fingerprint_digits = 16;
constexpr std::size_t line_size = fingerprint_digits + 1 + 2 * key_size; // without the newline
constexpr off_t max_file = 64 << 10;

class Descriptor {
  public:
    explicit Descriptor(int fd) : fd_(fd) {}
    ~Descriptor() {
        if (fd_ >= 0)
            ::close(fd_);
    }
    Descriptor(const Descriptor &) = delete;
    int get() const { return fd_; }

  private:
    int fd_;
};

[[noreturn]] void refuse(const std::string &path, const std::string &what,
                         const std::string &detail, const std::string &hint) {
    throw core::Error(core::Code::key_ring, "key-ring file \"" + path + "\" " + what, detail, hint);
}

[[noreturn]] void refuse_errno(const std::string &path, const char *action, int error) {
    refuse(path, std::string("cannot be ") + action, std::string(std::strerror(error)) + ".",
           "See that its directory exists and that the server's account may read and write there.");
}

std::string folder_of(const std::string &path) {
    const std::size_t slash = path.rfind('/');
    if (slash == std::string::npos)
        return ".";
    return slash == 0 ? "/" : path.substr(0, slash);
}

std::string fingerprint_of(const core::SecretBytes &key) {
    static constexpr std::string_view label = "billstack root key";
    core::SecretBytes labelled = core::SecretBytes::of_size(label.size() + key.size());
    std::copy(label.begin(), label.end(), labelled.bytes().begin());
    const std::string_view bytes = key.view();
    std::copy(bytes.begin(), bytes.end(), labelled.bytes().begin() + label.size());
    return core::to_hex(sha256(labelled.view())).substr(0, fingerprint_digits);
}

// The checks are on the open descriptor: between a check by name and the opening, the name could
// come to mean another file.
core::SecretBytes read_checked(const std::string &path) {
    // O_NONBLOCK: a FIFO in its place would otherwise hang the server
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
    if (file.get() < 0 && errno == ENOENT)
        refuse(path, "does not exist", "It holds the root keys that open the sealed Stripe keys.",
               "Restore the file from its backup, or correct billstack.master_key_file.");
    if (file.get() < 0 && errno == ELOOP)
        refuse(path, "is a symbolic link", "Symbolic links are not followed.",
               "Name the file itself in billstack.master_key_file.");
    if (file.get() < 0)
        refuse_errno(path, "opened", errno);
    struct stat status {};
    if (fstat(file.get(), &status) != 0)
        refuse_errno(path, "read", errno);
    if (!S_ISREG(status.st_mode))
        refuse(path, "is not a regular file", "Directories, pipes and devices are refused.",
               "Put the key-ring file in its place.");
    if (status.st_uid != geteuid())
        refuse(path, "belongs to another account",
               "Its owner has the user id " + std::to_string(status.st_uid) +
                   ", the server runs as " + std::to_string(geteuid()) + ".",
               "Run: chown to the server's account, then chmod 600 " + path);
    if ((status.st_mode & 077) != 0)
        refuse(path, "is open to group or others", "Only its owner may have any right to it.",
               "Run: chmod 600 " + path);
    if (status.st_size > max_file)
        refuse(path, "is too large", "A key-ring file has 64 KiB at most.",
               "Restore the file from its backup.");
    core::SecretBytes content =
        core::SecretBytes::of_size(static_cast<std::size_t>(status.st_size));
    for (std::size_t done = 0; done < content.size();) {
        const ssize_t got =
            ::read(file.get(), content.bytes().data() + done, content.size() - done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            refuse_errno(path, "read", got < 0 ? errno : EIO);
        done += static_cast<std::size_t>(got);
    }
    return content;
}

RootKey parse_line(const std::string &path, std::string_view line, std::size_t number) {
    RootKey root;
    root.key = core::SecretBytes::of_size(key_size);
    const bool shaped = line.size() == line_size && line[fingerprint_digits] == ':' &&
                        core::from_hex(line.substr(fingerprint_digits + 1), root.key.bytes());
    if (!shaped)
        refuse(path, "is damaged",
               "Line " + std::to_string(number) +
                   " is not 16 hex digits, a colon and 64 hex digits.",
               "Restore the file from its backup.");
    root.fingerprint = fingerprint_of(root.key);
    if (root.fingerprint != line.substr(0, fingerprint_digits))
        refuse(path, "is damaged",
               "The fingerprint in line " + std::to_string(number) + " is not that of its key.",
               "Restore the file from its backup.");
    return root;
}

core::SecretBytes fresh_line() {
    core::SecretBytes key = core::SecretBytes::of_size(key_size);
    if (RAND_priv_bytes(key.bytes().data(), key_size) != 1)
        throw core::Error(core::Code::internal, "could not make a root key",
                          "The system's random generator gave nothing.");
    core::SecretBytes line = core::SecretBytes::of_size(line_size + 1);
    std::string head = fingerprint_of(key) + ":";
    auto out = std::copy(head.begin(), head.end(), line.bytes().begin());
    std::string digits = core::to_hex(key.bytes());
    out = std::copy(digits.begin(), digits.end(), out);
    *out = '\n';
    core::wipe_memory(digits.data(), digits.size());
    return line;
}

void write_durably(const std::string &path, const Descriptor &file, std::string_view content) {
    if (fchmod(file.get(), 0600) != 0) // whatever the umask took away
        refuse_errno(path, "written", errno);
    while (!content.empty()) {
        const ssize_t done = ::write(file.get(), content.data(), content.size());
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            refuse_errno(path, "written", done < 0 ? errno : EIO);
        content.remove_prefix(static_cast<std::size_t>(done));
    }
    if (fsync(file.get()) != 0)
        refuse_errno(path, "made durable", errno);
}

void sync_folder(const std::string &path) {
    const Descriptor folder(::open(folder_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (folder.get() < 0 || fsync(folder.get()) != 0)
        refuse_errno(path, "made durable", errno);
}

// A name that is gone when the scope ends.
class TemporaryName {
  public:
    explicit TemporaryName(const std::string &path) {
        unsigned char random[8];
        if (RAND_bytes(random, sizeof random) != 1)
            throw core::Error(core::Code::internal, "could not make a random name");
        name_ = path + ".new." + core::to_hex(random);
    }
    ~TemporaryName() { ::unlink(name_.c_str()); }
    TemporaryName(const TemporaryName &) = delete;
    const char *get() const { return name_.c_str(); }

  private:
    std::string name_;
};

} // namespace

KeyRing KeyRing::read(const std::string &path) {
    const core::SecretBytes content = read_checked(path);
    KeyRing ring;
    ring.path_ = path;
    std::string_view rest = content.view();
    for (std::size_t number = 1; !rest.empty(); ++number) {
        const std::size_t end = std::min(rest.find('\n'), rest.size());
        RootKey root = parse_line(path, rest.substr(0, end), number);
        const auto same = [&](const RootKey &other) {
            return other.fingerprint == root.fingerprint;
        };
        if (std::any_of(ring.keys_.begin(), ring.keys_.end(), same))
            refuse(path, "is damaged", "It holds root key " + root.fingerprint + " twice.",
                   "Remove one of the two lines.");
        ring.keys_.push_back(std::move(root));
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    if (ring.keys_.empty())
        refuse(path, "is empty", "It must hold one root key at least.",
               "Restore the file from its backup.");
    return ring;
}

// A complete file gets its name by link(2), which never replaces: of several creators one wins and
// all read the same key.
KeyRing KeyRing::create(const std::string &path) {
    {
        const TemporaryName temporary(path);
        const Descriptor file(
            ::open(temporary.get(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
        if (file.get() < 0)
            refuse_errno(path, "created", errno);
        const core::SecretBytes line = fresh_line();
        write_durably(path, file, line.view());
        if (::link(temporary.get(), path.c_str()) != 0 && errno != EEXIST)
            refuse_errno(path, "created", errno);
    }
    sync_folder(path); // the loser too: it may use the winner's key before the winner gets here
    return read(path);
}

bool KeyRing::exists(const std::string &path) {
    struct stat status {};
    if (lstat(path.c_str(), &status) == 0)
        return true;
    if (errno != ENOENT && errno != ENOTDIR)
        refuse_errno(path, "looked at", errno);
    return false;
}

const RootKey &KeyRing::active() const {
    return keys_.back();
}

const RootKey &KeyRing::find(std::string_view fingerprint) const {
    for (const RootKey &root : keys_)
        if (root.fingerprint == fingerprint)
            return root;
    std::string held;
    for (const RootKey &root : keys_)
        held += (held.empty() ? "" : ", ") + root.fingerprint;
    throw core::Error(core::Code::key_ring,
                      "root key " + std::string(fingerprint) + " is not in key-ring file \"" +
                          path_ + "\"",
                      "The file holds " + held + ".",
                      "Add the line of this root key from a backup of the file above the last "
                      "line, or connect again with billstack.rotate_keys().");
}

std::vector<std::string> KeyRing::fingerprints() const {
    std::vector<std::string> names;
    for (const RootKey &root : keys_)
        names.push_back(root.fingerprint);
    return names;
}

} // namespace billstack::crypto

// The key-ring file: made safely, read only when safe.
#include "core/error.hpp"
#include "core/text.hpp"
#include "crypto/key_ring.hpp"
#include "crypto/sha256.hpp"

#include <cstdlib>
#include <dirent.h>
#include <fcntl.h>
#include <fstream>
#include <gtest/gtest.h>
#include <set>
#include <sstream>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace billstack::crypto {
namespace {

class KeyRingTest : public testing::Test {
  protected:
    void SetUp() override {
        std::string pattern = testing::TempDir() + "billstack_ring_XXXXXX";
        ASSERT_NE(mkdtemp(pattern.data()), nullptr);
        folder = pattern;
        path = folder + "/root_keys";
    }
    void TearDown() override {
        for (const std::string &name : names())
            unlink((folder + "/" + name).c_str());
        rmdir(folder.c_str());
    }
    std::vector<std::string> names() const {
        std::vector<std::string> found;
        DIR *open_folder = opendir(folder.c_str());
        while (const dirent *entry = readdir(open_folder))
            if (entry->d_name[0] != '.')
                found.emplace_back(entry->d_name);
        closedir(open_folder);
        return found;
    }
    std::string content() const {
        std::ifstream file(path);
        std::stringstream text;
        text << file.rdbuf();
        return text.str();
    }
    void write(const std::string &text, mode_t mode = 0600) const {
        std::ofstream(path) << text;
        chmod(path.c_str(), mode);
    }
    // The error's texts; they must name the file and say what to do.
    std::string refusal() const {
        try {
            KeyRing::read(path);
        } catch (const core::Error &error) {
            EXPECT_EQ(error.code, core::Code::key_ring);
            EXPECT_NE(error.message.find(path), std::string::npos) << error.message;
            EXPECT_FALSE(error.hint.empty());
            return error.message + "|" + error.detail + "|" + error.hint;
        }
        return "read";
    }

    std::string folder;
    std::string path;
};

std::string line_for(unsigned char fill) {
    const std::string key(32, static_cast<char>(fill));
    return core::to_hex(sha256("billstack root key" + key)).substr(0, 16) + ":" +
           core::to_hex(key) + "\n";
}

TEST_F(KeyRingTest, creates_one_key_that_reads_back) {
    EXPECT_FALSE(KeyRing::exists(path));
    const KeyRing made = KeyRing::create(path);
    EXPECT_TRUE(KeyRing::exists(path));
    EXPECT_EQ(made.active().key.size(), 32U);
    const std::string bytes(made.active().key.view());
    EXPECT_EQ(content(), made.active().fingerprint + ":" + core::to_hex(bytes) + "\n");
    EXPECT_EQ(made.active().fingerprint,
              core::to_hex(sha256("billstack root key" + bytes)).substr(0, 16));
    const KeyRing read = KeyRing::read(path);
    EXPECT_EQ(read.active().key.view(), bytes);
    EXPECT_EQ(read.fingerprints(), made.fingerprints());
    EXPECT_EQ(names().size(), 1U);                               // no temporary file
    EXPECT_EQ(KeyRing::create(path).active().key.view(), bytes); // never replaced
}

TEST_F(KeyRingTest, mode_is_0600_whatever_the_umask) {
    for (const mode_t mask : {0000U, 0077U, 0277U, 0777U}) {
        const mode_t before = umask(mask);
        EXPECT_NO_THROW(KeyRing::create(path));
        umask(before);
        struct stat status {};
        ASSERT_EQ(stat(path.c_str(), &status), 0);
        EXPECT_EQ(status.st_mode & 07777, 0600U);
        unlink(path.c_str());
    }
}

TEST_F(KeyRingTest, many_creators_agree) {
    for (int round = 0; round < 20; ++round) {
        int gate[2];
        int answers[2];
        ASSERT_EQ(pipe(gate), 0);
        ASSERT_EQ(pipe(answers), 0);
        std::vector<pid_t> children;
        for (int i = 0; i < 8; ++i) {
            const pid_t child = fork();
            if (child == 0) {
                close(gate[1]);
                char byte;
                static_cast<void>(!read(gate[0], &byte, 1)); // all start when the parent closes
                std::string answer = "failed..........";
                try {
                    answer = KeyRing::create(path).active().fingerprint;
                } catch (...) {
                }
                static_cast<void>(!::write(answers[1], answer.data(), 16));
                _exit(0);
            }
            children.push_back(child);
        }
        close(gate[0]);
        close(gate[1]);
        std::set<std::string> seen;
        for (const pid_t child : children)
            waitpid(child, nullptr, 0);
        for (int i = 0; i < 8; ++i) {
            char fingerprint[16];
            ASSERT_EQ(read(answers[0], fingerprint, 16), 16);
            seen.insert(std::string(fingerprint, 16));
        }
        close(answers[0]);
        close(answers[1]);
        EXPECT_EQ(seen, std::set<std::string>{KeyRing::read(path).active().fingerprint});
        EXPECT_EQ(names().size(), 1U);
        unlink(path.c_str());
    }
}

TEST_F(KeyRingTest, refuses_a_file_that_others_could_touch) {
    EXPECT_NE(refusal().find("does not exist"), std::string::npos);
    for (const mode_t mode : {0640U, 0604U, 0620U, 0602U, 0610U, 0601U, 0666U}) {
        write(line_for(1), mode);
        const std::string text = refusal();
        EXPECT_NE(text.find("open to group or others"), std::string::npos) << text;
        EXPECT_NE(text.find("chmod 600"), std::string::npos) << text;
    }
    write(line_for(1), 0400);
    EXPECT_EQ(refusal(), "read");
    if (geteuid() == 0) {
        ASSERT_EQ(chown(path.c_str(), 12345, 12345), 0);
        EXPECT_NE(refusal().find("belongs to another account"), std::string::npos);
    }
}

TEST_F(KeyRingTest, refuses_what_is_no_file) {
    const std::string real = folder + "/real";
    std::ofstream(real) << line_for(1);
    chmod(real.c_str(), 0600);
    ASSERT_EQ(symlink(real.c_str(), path.c_str()), 0);
    EXPECT_TRUE(KeyRing::exists(path));
    EXPECT_NE(refusal().find("symbolic link"), std::string::npos);
    EXPECT_THROW(KeyRing::create(path), core::Error);
    unlink(path.c_str());
    ASSERT_EQ(symlink("/nonexistent/nowhere", path.c_str()), 0);
    EXPECT_TRUE(KeyRing::exists(path));
    EXPECT_NE(refusal().find("symbolic link"), std::string::npos);
    EXPECT_THROW(KeyRing::create(path), core::Error);
    unlink(path.c_str());
    ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
    EXPECT_NE(refusal().find("not a regular file"), std::string::npos);
    unlink(path.c_str());
    ASSERT_EQ(mkdir(path.c_str(), 0700), 0);
    EXPECT_NE(refusal().find("not a regular file"), std::string::npos);
    rmdir(path.c_str());
    EXPECT_EQ(names(), std::vector<std::string>{"real"});
}

TEST_F(KeyRingTest, refuses_garbage_and_never_shows_it) {
    std::string flipped = line_for(1);
    flipped[20] = flipped[20] == '0' ? '1' : '0';
    std::string wrong_name = line_for(1);
    wrong_name[0] = wrong_name[0] == '0' ? '1' : '0';
    const std::string good = line_for(1);
    for (const std::string &bad :
         {std::string(), std::string("\n"), std::string("garbage\n"), flipped, wrong_name,
          good.substr(0, 60), good + "\n", good + good, good + "x", " " + good,
          good.substr(0, 16) + ";" + good.substr(17), good + std::string("\0", 1),
          std::string(100000, 'x')}) {
        write(bad);
        const std::string text = refusal();
        EXPECT_NE(text, "read") << bad;
        EXPECT_EQ(text.find("0101010101"), std::string::npos);
        EXPECT_EQ(text.find("garbage"), std::string::npos);
    }
}

TEST_F(KeyRingTest, the_last_key_seals_and_all_open) {
    write(line_for(1) + line_for(2) + line_for(3).substr(0, 81)); // no newline at the end
    const KeyRing ring = KeyRing::read(path);
    ASSERT_EQ(ring.fingerprints().size(), 3U);
    EXPECT_EQ(ring.active().key.view(), std::string(32, '\3'));
    EXPECT_EQ(ring.find(line_for(1).substr(0, 16)).key.view(), std::string(32, '\1'));
    try {
        ring.find("0123456789abcdef");
        FAIL();
    } catch (const core::Error &error) {
        EXPECT_EQ(error.code, core::Code::key_ring);
        EXPECT_NE(error.message.find("0123456789abcdef"), std::string::npos);
        EXPECT_NE(error.message.find(path), std::string::npos);
        EXPECT_NE(error.detail.find(line_for(2).substr(0, 16)), std::string::npos);
    }
}

TEST_F(KeyRingTest, says_when_the_directory_is_missing) {
    path = folder + "/none/root_keys";
    EXPECT_FALSE(KeyRing::exists(path));
    EXPECT_THROW(KeyRing::create(path), core::Error);
}

} // namespace
} // namespace billstack::crypto

// Runs a fuzz target over the files named, or all files of the folders named, each once: the corpus
// as a test of every build, without libFuzzer.
#include "fuzz_target.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace {

int replay(const std::filesystem::path &path) {
    std::ifstream file(path, std::ios::binary);
    const std::string input{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    if (!file)
        return 0;
    // printed first: a crash leaves its input's name as the last line
    std::printf("%s\n", path.filename().c_str());
    std::fflush(stdout);
    LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t *>(input.data()), input.size());
    return 1;
}

} // namespace

int main(int count, char **names) {
    int inputs = 0;
    for (int i = 1; i < count; ++i) {
        if (!std::filesystem::is_directory(names[i])) {
            inputs += replay(names[i]);
            continue;
        }
        for (const auto &entry : std::filesystem::directory_iterator(names[i]))
            inputs += replay(entry.path());
    }
    std::printf("%d inputs\n", inputs);
    return inputs > 0 ? 0 : 1;
}

// See path_reader.hpp. The paths form a tree; the members looked for in one object are found by a
// perfect hash made when the reader is built.
#include "json/path_reader.hpp"

#include "core/error.hpp"
#include "json/token_text.hpp"

#include <algorithm>
#include <cstring>

namespace billstack::json {

void refuse_json() {
    throw core::Error(core::Code::stripe_unreachable, "the answer is not what Stripe sends",
                      "Every object must be valid JSON in UTF-8, not nested too deeply.",
                      "Check that nothing between this server and Stripe changes its answers.");
}

namespace {

// Mixes length, first and last eight bytes; seed is chosen so that no two names collide.
std::uint64_t hash_name(std::string_view name, std::uint64_t seed) {
    std::uint64_t first = 0;
    std::uint64_t last = 0;
    if (name.size() >= 8) {
        std::memcpy(&first, name.data(), 8);
        std::memcpy(&last, name.data() + name.size() - 8, 8);
    } else {
        std::memcpy(&first, name.data(), name.size());
    }
    std::uint64_t mixed = first ^ (last << 21 | last >> 43) ^ (name.size() * 0x9e3779b97f4a7c15u);
    // A bit of a product depends on the bits below it only: the high ones have seen all.
    return mixed * seed >> 40;
}

bool is_index(std::string_view step) {
    return !step.empty() && step.size() <= 6 &&
           step.find_first_not_of("0123456789") == std::string_view::npos;
}

} // namespace

struct PathReader::Node {
    std::string name;
    std::uint32_t index = 0;      // when a child by array index
    int slot = -1;                // in tokens; -1: only on the way to others
    std::vector<int> slots_below; // not its own
    std::vector<std::unique_ptr<Node>> members;
    std::vector<std::unique_ptr<Node>> elements; // by ascending index
    std::uint64_t seed = 0;
    std::uint32_t mask = 0;
    std::vector<const Node *> table;

    const Node *find(std::string_view wanted) const {
        const Node *found = table[hash_name(wanted, seed) & mask];
        return found != nullptr && found->name == wanted ? found : nullptr;
    }

    Node &child(std::string_view step) {
        std::vector<std::unique_ptr<Node>> &list = is_index(step) ? elements : members;
        for (const std::unique_ptr<Node> &node : list)
            if (node->name == step)
                return *node;
        auto made = std::make_unique<Node>();
        made->name = step;
        made->index = is_index(step) ? static_cast<std::uint32_t>(std::stoul(made->name)) : 0;
        list.push_back(std::move(made));
        return *list.back();
    }

    // Returns false when two names fall into one place.
    bool fill_table(std::uint32_t size, std::uint64_t try_seed) {
        table.assign(size, nullptr);
        mask = size - 1;
        seed = try_seed;
        for (const std::unique_ptr<Node> &node : members) {
            const Node *&place = table[hash_name(node->name, seed) & mask];
            if (place != nullptr)
                return false;
            place = node.get();
        }
        return true;
    }

    void finish() {
        std::uint32_t size = 4;
        while (size < members.size() * 4)
            size *= 2;
        std::uint64_t try_seed = 0x9e3779b97f4a7c15u;
        // Names that agree in length and both ends always collide: then the table grows until the
        // loop's end, and the constructor refuses (a mistake in the catalogue).
        for (int tries = 0; !fill_table(size, try_seed); ++tries) {
            if (tries == 20000)
                throw core::Error(core::Code::internal,
                                  "no perfect hash for the catalogue's names");
            if (tries % 200 == 199)
                size *= size < (1u << 14) ? 2 : 1;
            try_seed = try_seed * 6364136223846793005u + 1442695040888963407u;
            try_seed |= 1;
        }
        std::sort(elements.begin(), elements.end(),
                  [](const auto &a, const auto &b) { return a->index < b->index; });
        for (auto *list : {&members, &elements}) {
            for (const std::unique_ptr<Node> &node : *list) {
                node->finish();
                slots_below.insert(slots_below.end(), node->slots_below.begin(),
                                   node->slots_below.end());
                if (node->slot >= 0)
                    slots_below.push_back(node->slot);
            }
        }
    }
};

PathReader::PathReader(std::span<const std::string_view> dotted_paths)
    : root_(std::make_unique<Node>()) {
    int slot = 0;
    for (std::string_view path : dotted_paths) {
        Node *node = root_.get();
        for (;;) {
            std::size_t dot = path.find('.');
            node = &node->child(path.substr(0, dot));
            if (dot == std::string_view::npos)
                break;
            path.remove_prefix(dot + 1);
        }
        node->slot = slot++;
    }
    root_->finish();
}

PathReader::~PathReader() = default;
PathReader::PathReader(PathReader &&) noexcept = default;

void PathReader::read(std::string_view object, std::span<Token> tokens) const {
    std::fill(tokens.begin(), tokens.end(), Token{});
    if (!is_utf8(object))
        refuse_json();
    Scanner scanner(object);
    scanner.skip_space();
    read_object(scanner, *root_, 1, tokens);
    scanner.skip_space();
    if (!scanner.at_end())
        refuse_json();
}

void PathReader::read_object(Scanner &scanner, const Node &node, int depth,
                             std::span<Token> tokens) const {
    if (!scanner.enter('{', '}', depth))
        return;
    do {
        Token name = scanner.scan_name();
        const Node *child = name.escaped ? node.find(unescaped(name.text)) : node.find(name.text);
        if (child == nullptr)
            scanner.scan_value(depth + 1);
        else
            read_value(scanner, *child, depth + 1, tokens);
    } while (scanner.next_item('}'));
}

void PathReader::read_array(Scanner &scanner, const Node &node, int depth,
                            std::span<Token> tokens) const {
    if (!scanner.enter('[', ']', depth))
        return;
    std::uint32_t index = 0;
    std::size_t next = 0; // of the wanted elements
    do {
        if (next < node.elements.size() && node.elements[next]->index == index)
            read_value(scanner, *node.elements[next++], depth + 1, tokens);
        else
            scanner.scan_value(depth + 1);
        ++index;
    } while (scanner.next_item(']'));
}

void PathReader::read_value(Scanner &scanner, const Node &node, int depth,
                            std::span<Token> tokens) const {
    for (int slot : node.slots_below) // of an earlier member of the same name
        tokens[static_cast<std::size_t>(slot)] = Token{};
    const char *start = scanner.at();
    Token token;
    if (scanner.peek() == '{' && !node.members.empty()) {
        read_object(scanner, node, depth, tokens);
        token = {TokenKind::object, false, scanner.since(start)};
    } else if (scanner.peek() == '[' && !node.elements.empty()) {
        read_array(scanner, node, depth, tokens);
        token = {TokenKind::array, false, scanner.since(start)};
    } else {
        token = scanner.scan_value(depth);
    }
    if (node.slot >= 0)
        tokens[static_cast<std::size_t>(node.slot)] = token;
}

} // namespace billstack::json

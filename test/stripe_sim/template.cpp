// See template.hpp.
#include "template.hpp"

namespace stripe_sim {

static std::string indented(const std::string &text, unsigned depth) {
    std::string out;
    for (char c : text) {
        out += c;
        if (c == '\n')
            out.append(size_t{2} * depth, ' ');
    }
    return out;
}

Template::Template(const char *fixture_kind, const std::vector<Fixed> &fixed,
                   const std::vector<Hole> &holes, unsigned depth) {
    Json doc = fixture(fixture_kind);
    for (const Fixed &one : fixed) {
        if (one.json == nullptr)
            drop_path(doc.get(), one.path);
        else
            set_path(doc.get(), one.path, parse_json(one.json).release());
    }
    for (const Hole &hole : holes) {
        std::string mark = "@{" + std::to_string(hole.slot) + "}";
        set_path(doc.get(), hole.path, json_string(mark.c_str()));
    }
    std::string text = indented(pretty(doc.get()), depth);
    size_t at = 0;
    for (;;) {
        size_t mark = text.find("\"@{", at);
        if (mark == std::string::npos)
            break;
        size_t end = text.find("}\"", mark);
        pieces_.push_back(
            {text.substr(at, mark - at), std::stoul(text.substr(mark + 3, end - mark - 3))});
        at = end + 2;
    }
    tail_ = text.substr(at);
}

} // namespace stripe_sim

#include "sync/expanded_lists.hpp"

#include "json/path_reader.hpp"

namespace billstack::sync {

namespace {

using Expanded = std::pair<const stripe::ChildList *, std::string>;

std::string_view member_of(const std::string &body, std::string_view name) {
    std::array<std::string_view, 1> paths{name};
    std::array<json::Token, 1> found;
    json::PathReader(paths).read(body, found);
    return found[0].kind == json::TokenKind::object ? found[0].text : std::string_view();
}

std::size_t before_space(const std::string &body, std::size_t at) {
    while (at > 0 && static_cast<unsigned char>(body[at - 1]) <= ' ') {
        --at;
    }
    return at;
}

std::size_t after_space(const std::string &body, std::size_t at) {
    while (at < body.size() && static_cast<unsigned char>(body[at]) <= ' ') {
        ++at;
    }
    return at;
}

// Takes the member with this value out, and the comma behind it, or that before it where it is the
// last. False: it is not written as Stripe writes it, nothing is done.
bool cut_member(std::string &body, std::string_view name, std::string_view value) {
    auto at = static_cast<std::size_t>(value.data() - body.data());
    std::string key = '"' + std::string(name) + '"';
    std::size_t colon = before_space(body, at);
    std::size_t key_end = colon == 0 ? 0 : before_space(body, colon - 1);
    if (key_end < key.size() || body.compare(key_end - key.size(), key.size(), key) != 0) {
        return false; // written with escapes
    }
    std::size_t begin = key_end - key.size();
    std::size_t end = after_space(body, at + value.size());
    if (body[end] == ',') {
        end = after_space(body, end + 1);
    } else {
        begin = before_space(body, begin);
        end = at + value.size();
        if (begin > 0 && body[begin - 1] == ',') {
            --begin;
        }
    }
    body.erase(begin, end - begin);
    return true;
}

// Null: not all of it is here.
std::unique_ptr<ChildPage> child_page(const stripe::ChildList &list, std::string text,
                                      std::string_view parent_id, const AsOf &as_of) {
    auto child = std::make_unique<ChildPage>();
    child->list = &list;
    child->parent_id = parent_id;
    child->as_of = as_of;
    child->page = json::ListPage::parse(std::move(text));
    for (const json::ObjectSpan &object : child->page.objects()) {
        child->rows.push_back({object.id, object.raw, digest_of(object.raw)});
    }
    return child->page.has_more() ? nullptr : std::move(child);
}

} // namespace

std::unique_ptr<FetchedPage> read_expanded_object(const stripe::Kind &kind, std::string body,
                                                  const AsOf &as_of) {
    std::vector<Expanded> found;
    for (const stripe::ChildList &list : kind.children) {
        std::string_view value = list.embedded ? std::string_view() : member_of(body, list.field);
        std::string text(value);
        if (!value.empty() && cut_member(body, list.field, value)) {
            found.emplace_back(&list, std::move(text));
        }
    }
    std::unique_ptr<FetchedPage> page = read_object(kind, std::move(body), as_of);
    for (auto &[list, text] : found) {
        auto child = child_page(*list, std::move(text), page->rows.at(0).id, as_of);
        if (child == nullptr) {
            continue;
        }
        page->more.push_back(std::move(child));
        for (ChildRows &rows : page->parents.at(0).lists) {
            if (rows.list == list) {
                rows.present = false;
                rows.has_more = false;
            }
        }
    }
    return page;
}

} // namespace billstack::sync

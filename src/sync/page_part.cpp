#include "sync/page_part.hpp"

#include <algorithm>
#include <set>

namespace billstack::sync {

PagePart::PagePart(PendingPage &whole, std::size_t most) : whole_(whole) {
    FetchedPage &page = *whole_.fetched;
    std::size_t begin = whole_.rows_written;
    std::size_t left = page.rows.size() - begin;
    std::size_t count = most == 0 ? left : std::min(most, left);
    rest_ = count == left;
    part_.fetched = std::make_unique<FetchedPage>();
    part_.fetched->kind = page.kind;
    part_.fetched->as_of = page.as_of;
    part_.fetched->only_list = page.only_list;
    auto first = page.rows.begin() + static_cast<std::ptrdiff_t>(begin);
    part_.fetched->rows.assign(first, first + static_cast<std::ptrdiff_t>(count));
    part_.after = rest_ ? whole_.after : whole_.position_after(begin + count);
    part_.newest_created = whole_.newest_created;
    part_.last = whole_.last && rest_;
    take_lists();
}

PagePart::~PagePart() {
    give_back();
}

void PagePart::take_lists() {
    FetchedPage &page = *whole_.fetched;
    std::size_t begin = whole_.rows_written;
    std::size_t end = begin + rows();
    first_parent_ = page.parents.size();
    for (std::size_t i = 0; i < page.parents.size(); ++i) {
        ParentLists &parent = page.parents[i];
        if (parent.parent >= begin && parent.parent < end) {
            first_parent_ = std::min(first_parent_, i);
            part_.fetched->parents.push_back({parent.parent - begin, std::move(parent.lists)});
        }
    }
    std::set<std::string_view> ids;
    for (const Row &row : part_.fetched->rows) {
        ids.insert(row.id);
    }
    for (std::size_t i = 0; i < page.more.size(); ++i) {
        if (ids.contains(page.more[i]->parent_id)) {
            more_.push_back(i);
            part_.fetched->more.push_back(std::move(page.more[i]));
        }
    }
}

void PagePart::give_back() {
    FetchedPage &page = *whole_.fetched;
    for (std::size_t i = 0; i < part_.fetched->parents.size(); ++i) {
        page.parents[first_parent_ + i].lists = std::move(part_.fetched->parents[i].lists);
    }
    for (std::size_t i = 0; i < more_.size(); ++i) {
        page.more[more_[i]] = std::move(part_.fetched->more[i]);
    }
}

} // namespace billstack::sync

// Microseconds an object on the way from a list answer to column values: splitting the page,
// digesting, extracting columns, finding child lists. Stripe's own examples, indented as it sends
// them; the invoice with as many lines as make 7.5 kB. Usage: page_bench [rounds]
#include "sync/row.hpp"
#include "json/object_page.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <jansson.h>
#include <string>
#include <vector>

namespace {

using namespace billstack;

constexpr int objects_a_page = 100;

json_t *load_examples() {
    std::ifstream file(std::string(BILLSTACK_SOURCE_DIR) + "/test/unit/data/stripe_objects.json");
    std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    json_t *examples = json_loadb(text.data(), text.size(), 0, nullptr);
    if (examples == nullptr) {
        std::fprintf(stderr, "cannot read the example objects\n");
        std::exit(1);
    }
    return examples;
}

// Lines are added to an invoice until it is of the wanted size.
void grow(json_t *object, std::size_t size) {
    json_t *data = json_object_get(json_object_get(object, "lines"), "data");
    while (data != nullptr && json_dumpb(object, nullptr, 0, JSON_INDENT(2)) < size) {
        json_t *line = json_deep_copy(json_array_get(data, 0));
        std::string id = "il_" + std::to_string(json_array_size(data)) + "PgafuB7WZ01zgkW";
        json_object_set_new(line, "id", json_string(id.c_str()));
        json_array_append_new(data, line);
    }
}

std::string make_page(json_t *example, std::size_t size) {
    json_t *page = json_pack("{s:s, s:s, s:b, s:[]}", "object", "list", "url", "/v1/things",
                             "has_more", 1, "data");
    for (int i = 0; i < objects_a_page; ++i) {
        json_t *object = json_deep_copy(example);
        std::string id = "obj_1PgafuB7WZ01zgkW" + std::to_string(10000 + i);
        json_object_set_new(object, "id", json_string(id.c_str()));
        json_object_set_new(object, "metadata",
                            json_pack("{s:s, s:s}", "order", "A-1000", "source", "web"));
        grow(object, size);
        json_array_append_new(json_object_get(page, "data"), object);
    }
    char *text = json_dumps(page, JSON_INDENT(2));
    std::string body(text);
    std::free(text);
    json_decref(page);
    return body;
}

// The best of the rounds, which other work on the machine disturbs least.
template <class Step> double best_us(int rounds, Step step) {
    double best = 1e9;
    for (int i = 0; i < rounds; ++i) {
        auto start = std::chrono::steady_clock::now();
        step();
        std::chrono::duration<double, std::micro> spent = std::chrono::steady_clock::now() - start;
        best = std::min(best, spent.count() / objects_a_page);
    }
    return best;
}

void measure(json_t *examples, const char *kind_name, std::size_t size, int rounds) {
    const stripe::Kind &kind = *stripe::find_kind(kind_name);
    std::string body = make_page(json_object_get(examples, kind_name), size);
    json::ListPage page = json::ListPage::parse(body);
    std::vector<std::string> bodies(static_cast<std::size_t>(rounds), body);
    std::size_t next = 0;
    double split = best_us(rounds, [&] { json::ListPage::parse(std::move(bodies[next++])); });
    sync::RowBatch batch;
    batch.kind = &kind;
    double digest = best_us(rounds, [&] {
        batch.rows.clear();
        for (const json::ObjectSpan &object : page.objects())
            batch.rows.push_back({object.id, object.raw, sync::digest_of(object.raw)});
    });
    double extract = best_us(rounds, [&] {
        batch.arena.clear();
        sync::extract_columns(batch);
    });
    double children = best_us(rounds, [&] {
        for (const sync::Row &row : batch.rows)
            sync::read_children(kind, row.id, row.raw);
    });
    std::printf("%-10s %6zu bytes %3zu columns: split %5.2f  digest %5.2f  extract %5.2f  "
                "children %5.2f  us/object\n",
                kind_name, body.size() / objects_a_page, kind.columns.size(), split, digest,
                extract, children);
}

} // namespace

int main(int argc, char **argv) {
    int rounds = argc > 1 ? std::max(1, std::atoi(argv[1])) : 50;
    json_t *examples = load_examples();
    for (const char *kind : {"customer", "charge", "subscription"})
        measure(examples, kind, 0, rounds);
    measure(examples, "invoice", 7500, rounds);
    json_decref(examples);
}

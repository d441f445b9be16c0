// store_bench: does the length of a conversation matter, and what does a database connection per query cost?
//
//   store_bench seed FILE [MESSAGES]   makes a database with a conversation "long" (default 1,000,000 messages) and one "short"
//                                      (100), through the store's own append path; not measured
//   store_bench run FILE               measures on it, prints Markdown
//
// Both conversations end with the same 100 texts (about 400 bytes each), so that their newest pages are equal in size. Everything
// is measured in one process, ways and lengths alternating.
#include <sqlite3.h>

#include <array>
#include <cstdlib>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "sampling.hpp"
#include "store/sqlite/sqlite_store.hpp"

namespace confab::bench {
namespace {

using net::Task;
using store::SqliteStore;

constexpr const char* kEmail = "bench@example.org";
constexpr std::int64_t kShortMessages = 100;
constexpr std::size_t kPageRows = 50;

net::asio::io_context& loop() {
    static net::asio::io_context context{1};
    return context;
}

void run_to_end(Task<void> task) {
    std::exception_ptr failure;
    net::asio::co_spawn(loop(), std::move(task), [&failure](std::exception_ptr thrown) { failure = thrown; });
    loop().restart();
    loop().run();
    if (failure) {
        std::rethrow_exception(failure);
    }
}

// ---- seeding ----

constexpr std::int64_t kSeedBatch = 2'000;  // messages in one operation of the writer

// The text of the message that has `newer` messages after it: 200 to 600 bytes.
std::string text_of(std::int64_t newer) {
    constexpr std::string_view kProse =
        "The harbour was quiet when the first boats came in, and nobody on the pier spoke of the storm that had kept them away. ";
    const auto length = static_cast<std::size_t>(200 + newer * 7'919 % 401);
    std::string text = std::to_string(newer) + ": ";
    while (text.size() < length) {
        text += kProse.substr(0, length - text.size());
    }
    return text;
}

std::vector<store::NewItem> make_items(std::int64_t count, std::int64_t newer_than_first) {
    std::vector<store::NewItem> items;
    items.reserve(static_cast<std::size_t>(count));
    for (std::int64_t i = 0; i < count; ++i) {
        store::NewItem item;
        item.id = store::ItemId::make();
        item.role = (newer_than_first - i) % 2 == 0 ? store::ItemRole::assistant : store::ItemRole::user;
        item.body = text_of(newer_than_first - i);
        item.tokens = static_cast<std::int64_t>(item.body.size() / 4);
        items.push_back(std::move(item));
    }
    return items;
}

Task<void> seed_conversation(SqliteStore& store, store::UserNo user, std::string title, std::int64_t messages) {
    store::NewConversation conversation;
    conversation.id = store::ConversationId::make();
    conversation.user = user;
    conversation.title = std::move(title);
    const store::ConversationId id = conversation.id;
    must(co_await store.create_conversation(std::move(conversation)));
    for (std::int64_t left = messages; left > 0;) {
        const std::int64_t count = std::min(left, kSeedBatch);
        std::vector<store::NewItem> items = make_items(count, left - 1);
        must(co_await store.append_items(user, id, std::move(items)));
        left -= count;
    }
}

Task<void> seed(SqliteStore& store, std::int64_t messages) {
    store::User user;
    user.id = store::UserId::make();
    user.email = kEmail;
    user.name = "Bench";
    user.role = store::Role::admin;
    user.password_hash = "!";  // nobody signs in with it
    user.created_at = base::unix_now();
    const store::User made = must(co_await store.create_user(std::move(user), store::IfFirst::no));
    co_await seed_conversation(store, made.no, "long", messages);
    co_await seed_conversation(store, made.no, "short", kShortMessages);
}

// ---- what is measured on ----

struct Subject {
    store::UserNo user{};
    store::Conversation conversation;
    std::int64_t length = 0;
    std::string name;  // for the tables
};

std::string with_commas(std::int64_t number) {
    std::string text = std::to_string(number);
    for (auto at = static_cast<std::ptrdiff_t>(text.size()) - 3; at > 0; at -= 3) {
        text.insert(static_cast<std::size_t>(at), ",");
    }
    return text;
}

// A connection of its own to the same file, for what the store does not offer: the reviewed application's ways.
class Raw {
public:
    explicit Raw(const std::string& path) {
        check(sqlite3_open_v2(path.c_str(), &handle_, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, nullptr));
    }
    Raw(const Raw&) = delete;
    Raw& operator=(const Raw&) = delete;
    ~Raw() { sqlite3_close(handle_); }

    sqlite3_stmt* prepare(const char* sql) {
        sqlite3_stmt* statement = nullptr;
        check(sqlite3_prepare_v2(handle_, sql, -1, &statement, nullptr));
        return statement;
    }

    static void check(int code) {
        if (code != SQLITE_OK) {
            throw std::runtime_error(sqlite3_errstr(code));
        }
    }

private:
    sqlite3* handle_ = nullptr;
};

// The newest page, as the store asks for it.
constexpr const char* kNewestPage =
    "SELECT b.item_id, i.role, i.status, i.format, i.bytes, i.tok, i.br, i.pos, i.created_at, b.body "
    "FROM items i CROSS JOIN bodies b ON b.mid = i.mid "
    "WHERE i.conv = ?1 AND i.br = 1 AND i.deleted_at IS NULL ORDER BY i.pos DESC LIMIT 50";

// All of it, as the reviewed application did on every interaction.
constexpr const char* kWholeHistory =
    "SELECT b.item_id, i.role, b.body FROM items i CROSS JOIN bodies b ON b.mid = i.mid "
    "WHERE i.conv = ?1 AND i.br = 1 AND i.deleted_at IS NULL ORDER BY i.pos";

struct Message {
    std::string id;
    std::int64_t role = 0;
    std::string body;
};

std::string column_bytes(sqlite3_stmt* statement, int column) {
    const auto* data = static_cast<const char*>(sqlite3_column_blob(statement, column));
    return data == nullptr ? std::string() : std::string(data, static_cast<std::size_t>(sqlite3_column_bytes(statement, column)));
}

std::vector<Message> fetch(sqlite3_stmt* statement, const Subject& subject, int body_column) {
    sqlite3_bind_int64(statement, 1, static_cast<std::int64_t>(subject.conversation.no));
    std::vector<Message> messages;
    while (sqlite3_step(statement) == SQLITE_ROW) {
        messages.push_back({column_bytes(statement, 0), sqlite3_column_int64(statement, 1), column_bytes(statement, body_column)});
    }
    sqlite3_reset(statement);
    return messages;
}

constexpr int kPageBody = 9;
constexpr int kHistoryBody = 2;

store::ItemId item_at(sqlite3_stmt* by_position, const Subject& subject, std::int64_t position) {
    sqlite3_bind_int64(by_position, 1, static_cast<std::int64_t>(subject.conversation.no));
    sqlite3_bind_int64(by_position, 2, position);
    store::ItemId id;
    if (sqlite3_step(by_position) != SQLITE_ROW) {
        throw std::runtime_error("there is no such message");
    }
    const std::string bytes = column_bytes(by_position, 0);
    std::copy_n(bytes.begin(), id.bytes.size(), id.bytes.begin());
    sqlite3_reset(by_position);
    return id;
}

Task<Subject> find_subject(SqliteStore& store, std::string path, std::string title) {
    const store::User user = must(co_await store.find_user_by_email(kEmail));
    const store::PageRequest<store::ConversationId> request;
    const auto page = must(co_await store.list_conversations(user.no, request));
    Subject subject;
    subject.user = user.no;
    for (const store::Conversation& conversation : page.rows) {
        if (conversation.title == title) {
            subject.conversation = conversation;
        }
    }
    Raw raw(path);
    sqlite3_stmt* head = raw.prepare("SELECT head_pos FROM branches WHERE conv = ?1");
    sqlite3_bind_int64(head, 1, static_cast<std::int64_t>(subject.conversation.no));
    subject.length = sqlite3_step(head) == SQLITE_ROW ? sqlite3_column_int64(head, 0) : 0;
    sqlite3_finalize(head);
    if (subject.length < kShortMessages) {
        throw std::runtime_error("this database was not made by store_bench seed");
    }
    subject.name = with_commas(subject.length) + " messages";
    co_return subject;
}

// ---- one conversation against the other ----

struct PageFigures {
    Samples us;
    Samples bytes;
};

Task<void> read_page(SqliteStore& store, const Subject& subject, std::optional<store::ItemId> after, PageFigures& figures) {
    store::PageRequest<store::ItemId> request;
    request.after = after;
    request.limit = kPageRows;
    const auto begin = Clock::now();
    const auto page = must(co_await store.list_items(subject.user, subject.conversation.id, request));
    figures.us.add(us_since(begin));
    std::size_t bytes = 0;
    for (const store::Item& item : page.rows) {
        bytes += item.body.size();
    }
    figures.bytes.add(static_cast<double>(bytes));
    if (page.rows.size() != kPageRows) {
        throw std::runtime_error("a page is not full");
    }
}

// Cursors at positions drawn evenly from the whole conversation, found beforehand.
std::vector<store::ItemId> draw_cursors(const std::string& path, const Subject& subject, int count) {
    std::mt19937_64 random(20261122);  // NOLINT(cert-msc51-cpp): the same draw every time
    std::uniform_int_distribution<std::int64_t> position(static_cast<std::int64_t>(kPageRows) + 1, subject.length);
    Raw raw(path);
    sqlite3_stmt* by_position =
        raw.prepare("SELECT b.item_id FROM items i JOIN bodies b ON b.mid = i.mid WHERE i.conv = ?1 AND i.br = 1 AND i.pos = ?2");
    std::vector<store::ItemId> cursors;
    for (int i = 0; i < count; ++i) {
        cursors.push_back(item_at(by_position, subject, position(random)));
    }
    sqlite3_finalize(by_position);
    return cursors;
}

Row page_row(const std::string& name, const PageFigures& figures) {
    return {
        name, fmt::format("{:.0f}", figures.us.median()), fmt::format("{:.0f}", figures.us.p99()),
        fmt::format("{:.1f}", figures.bytes.median() / 1024),
    };
}

Row ratio_row(const Samples& time_long, const Samples& time_short, double bytes_ratio) {
    return {
        "ratio long / short", fmt::format("{:.2f}", time_long.median() / time_short.median()),
        fmt::format("{:.2f}", time_long.p99() / time_short.p99()), fmt::format("{:.2f}", bytes_ratio),
    };
}

struct Lengths {
    Subject long_one;
    Subject short_one;
};

Task<void> compare_pages(SqliteStore& store, const std::string& path, const Lengths& lengths) {
    constexpr int kNewest = 4'000;
    constexpr int kOlder = 4'000;
    constexpr int kWarmUp = 200;
    std::array<PageFigures, 2> newest;
    std::array<PageFigures, 2> older;
    const std::array<const Subject*, 2> subjects{&lengths.short_one, &lengths.long_one};
    const std::array cursors{draw_cursors(path, lengths.short_one, kOlder), draw_cursors(path, lengths.long_one, kOlder)};

    std::vector<Row> memory;
    memory.push_back({"store open", fmt::format("{:.1f}", rss_mib())});
    for (int i = 0; i < kWarmUp; ++i) {
        co_await read_page(store, lengths.short_one, std::nullopt, newest[0]);
    }
    memory.push_back({fmt::format("after {} newest pages of the short one", kWarmUp), fmt::format("{:.1f}", rss_mib())});
    for (int i = 0; i < kWarmUp; ++i) {
        co_await read_page(store, lengths.long_one, std::nullopt, newest[1]);
    }
    memory.push_back({fmt::format("after {} newest pages of the long one", kWarmUp), fmt::format("{:.1f}", rss_mib())});
    newest = {};
    for (int i = 0; i < kNewest; ++i) {
        for (std::size_t which = 0; which < 2; ++which) {
            co_await read_page(store, *subjects[which], std::nullopt, newest[which]);
        }
    }
    for (int i = 0; i < kOlder; ++i) {
        for (std::size_t which = 0; which < 2; ++which) {
            co_await read_page(store, *subjects[which], cursors[which][static_cast<std::size_t>(i)], older[which]);
        }
    }
    memory.push_back({
        fmt::format("after {} older pages at random places of each (SQLite's page caches are full then: 8 MB a connection)", with_commas(kOlder)),
        fmt::format("{:.1f}", rss_mib()),
    });

    const Row head{"", "p50 us", "p99 us", "KiB of text"};
    const auto ratio = [](const std::array<PageFigures, 2>& pair) {
        return ratio_row(pair[1].us, pair[0].us, pair[1].bytes.median() / pair[0].bytes.median());
    };
    print_table(
        fmt::format("Newest page (50 messages) through SqliteStore, {} each, alternating", with_commas(kNewest)), head,
        {page_row(lengths.short_one.name, newest[0]), page_row(lengths.long_one.name, newest[1]), ratio(newest)}
    );
    print_table(
        fmt::format("Older page at a random place (50 messages), {} each, alternating", with_commas(kOlder)), head,
        {page_row(lengths.short_one.name, older[0]), page_row(lengths.long_one.name, older[1]), ratio(older)}
    );
    print_table("Memory of the process that read these pages", {"", "RSS MiB"}, memory);
}

Task<double> append_one(SqliteStore& store, const Subject& subject) {
    std::vector<store::NewItem> items = make_items(1, 0);
    const auto begin = Clock::now();
    must(co_await store.append_items(subject.user, subject.conversation.id, std::move(items)));
    co_return us_since(begin);
}

Task<void> compare_appends(SqliteStore& store, const Lengths& lengths) {
    constexpr int kAppends = 300;
    Samples to_short;
    Samples to_long;
    for (int i = 0; i < kAppends; ++i) {
        to_short.add(co_await append_one(store, lengths.short_one));
        to_long.add(co_await append_one(store, lengths.long_one));
    }
    const auto row = [](const std::string& name, const Samples& us) {
        return Row{name, fmt::format("{:.0f}", us.median()), fmt::format("{:.0f}", us.p99())};
    };
    print_table(
        fmt::format("Appending one message, committed to disk (fsync), {} each, alternating", kAppends), {"", "p50 us", "p99 us"},
        {row(lengths.short_one.name, to_short), row(lengths.long_one.name, to_long),
         {"ratio long / short", fmt::format("{:.2f}", to_long.median() / to_short.median()), fmt::format("{:.2f}", to_long.p99() / to_short.p99())}}
    );
}

// ---- opened once against opened for every query ----

struct Way {
    std::string name;
    Samples us;
    Samples us_of_round;  // medians
};

template <class Query>
void time_round(Way& way, Query query) {
    constexpr int kQueries = 300;
    Samples us;
    for (int i = 0; i < kQueries; ++i) {
        const auto begin = Clock::now();
        query();
        us.add(us_since(begin));
        way.us.add(us_since(begin));
    }
    way.us_of_round.add(us.median());
}

void compare_connections(const std::string& path, const Subject& subject) {
    constexpr int kRounds = 9;
    Raw kept(path);
    sqlite3_stmt* prepared = kept.prepare(kNewestPage);
    Way ways[] = {
        {"connection and statement kept (Confab)", {}, {}},
        {"connection kept, statement prepared for every query", {}, {}},
        {"connection opened and closed for every query", {}, {}},
    };
    const auto fetch_once = [&](Raw& raw) {
        sqlite3_stmt* statement = raw.prepare(kNewestPage);
        (void)fetch(statement, subject, kPageBody);
        sqlite3_finalize(statement);
    };
    for (int round = 0; round < kRounds; ++round) {
        time_round(ways[0], [&] { (void)fetch(prepared, subject, kPageBody); });
        time_round(ways[1], [&] { fetch_once(kept); });
        time_round(ways[2], [&] {
            Raw fresh(path);
            fetch_once(fresh);
        });
    }
    sqlite3_finalize(prepared);
    std::vector<Row> rows;
    for (const Way& way : ways) {
        rows.push_back({
            way.name, fmt::format("{:.0f}", way.us_of_round.median()), fmt::format("{:.0f}", way.us.p99()),
            fmt::format("{:.1f}", way.us_of_round.median() / ways[0].us_of_round.median()),
        });
    }
    print_table(
        fmt::format("The same query (newest page of {}), {} rounds of 300 of each way, alternating", subject.name, kRounds),
        {"", "us, median of rounds", "p99 us", "ratio"}, rows
    );
}

// Last, because the memory it takes stays taken.
void read_whole_history(const std::string& path, const Lengths& lengths) {
    std::vector<Row> rows;
    for (const Subject* subject : {&lengths.short_one, &lengths.long_one}) {
        const double before = rss_mib();
        const auto begin = Clock::now();
        Raw raw(path);
        sqlite3_stmt* statement = raw.prepare(kWholeHistory);
        const std::vector<Message> messages = fetch(statement, *subject, kHistoryBody);
        const double ms = us_since(begin) / 1'000;
        sqlite3_finalize(statement);
        rows.push_back({subject->name, fmt::format("{:.1f}", ms), fmt::format("{:.1f}", rss_mib() - before)});
    }
    print_table("For comparison, the reviewed application's way: the whole history, once (Confab has no such call)", {"", "ms", "RSS grows by MiB"}, rows);
}

// ---- the whole ----

Task<void> measure(SqliteStore& store, const std::string& path) {
    Lengths lengths;
    lengths.long_one = co_await find_subject(store, path, "long");
    lengths.short_one = co_await find_subject(store, path, "short");
    co_await compare_pages(store, path, lengths);
    compare_connections(path, lengths.long_one);
    co_await compare_appends(store, lengths);
    read_whole_history(path, lengths);
}

int run(const std::string& mode, const std::string& path, std::int64_t messages) {
    meter::StoreCounters counters;
    store::SqliteOptions options{.path = path, .readers = 2, .counters = counters};
    const auto store = must(SqliteStore::open(std::move(options)));
    const auto begin = Clock::now();
    if (mode == "seed") {
        run_to_end(seed(*store, messages));
        fmt::print(stderr, "store_bench: {} messages written in {:.0f} s\n", with_commas(messages), us_since(begin) / 1e6);
        return 0;
    }
    run_to_end(measure(*store, path));
    print_table(
        "The store's own counters over this run", {"connections opened", "statements prepared", "statements reused"},
        {{std::to_string(counters.connections_opened.value()), std::to_string(counters.statements_prepared.value()),
          with_commas(static_cast<std::int64_t>(counters.statements_reused.value()))}}
    );
    return 0;
}

}  // namespace
}  // namespace confab::bench

int main(int argc, char** argv) {
    const std::string mode = argc > 2 ? argv[1] : "";
    if (mode != "seed" && mode != "run") {
        fmt::print(stderr, "usage: store_bench seed FILE [MESSAGES] | store_bench run FILE\n");
        return 2;
    }
    try {
        return confab::bench::run(mode, argv[2], argc > 3 ? std::atoll(argv[3]) : 1'000'000);
    } catch (const std::exception& e) {
        fmt::print(stderr, "store_bench: {}\n", e.what());
        return 1;
    }
}

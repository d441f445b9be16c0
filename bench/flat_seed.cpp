// flat_seed: makes the databases of flat.mjs, through the store's own append path.
//
//   flat_seed FILE MESSAGES [OTHERS]
//
// One conversation "long" of MESSAGES messages of 200 to 600 bytes, of bench@example.org. With OTHERS also that many messages of 100 to 200
// bytes, of ten neighbours, in conversations of 1,000, and one conversation "short" of 100 messages, of small@example.org. Returns when the
// search index has caught up and its segments are merged.
//
// The newest messages of conversations of any length have the same texts. Words are drawn as in a natural text: the one of rank n in about
// 1 / n of the places. "harbour", the most frequent one, is in nearly every message; "kittiwake" in ten of each conversation that is measured.
#include <sqlite3.h>

#include <array>
#include <cmath>
#include <cstdlib>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "sampling.hpp"
#include "store/sqlite/search_upkeep.hpp"
#include "store/sqlite/sqlite_store.hpp"

namespace confab::bench {
namespace {

using net::Task;
using store::SqliteStore;

constexpr std::int64_t kBatch = 2'000;  // messages in one operation of the writer
constexpr std::int64_t kShortMessages = 100;
constexpr int kNeighbours = 10;
constexpr std::int64_t kNeighbourMessages = 1'000;  // in a conversation
constexpr std::int64_t kRareMessages = 10;          // with the rare word, in a conversation that is measured
constexpr std::int64_t kRareAmongOthers = 100'000;  // the neighbours write it once in so many messages
constexpr std::size_t kWords = 20'000;

// ---- texts ----

class Random {
public:
    explicit Random(std::uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15 + 1) {}

    std::uint64_t next() {  // splitmix64
        std::uint64_t z = state_ += 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
    double share() { return static_cast<double>(next() >> 11) * 0x1p-53; }

private:
    std::uint64_t state_;
};

std::vector<std::string> make_words() {
    constexpr std::array<std::string_view, 20> kSyllables{"ta", "re", "mi", "on", "es", "ka", "lu", "ve", "sor", "in",
                                                          "del", "pa", "ro", "chi", "ne", "fal", "gu", "be", "tor", "wy"};
    std::vector<std::string> words{"harbour"};
    for (std::size_t i = 1; i < kWords; ++i) {
        std::string word;
        for (std::size_t rest = i; rest > 0; rest /= kSyllables.size()) {
            word += kSyllables[rest % kSyllables.size()];
        }
        words.push_back(std::move(word));
    }
    return words;
}

std::string make_text(std::int64_t seed, std::size_t bytes) {
    static const std::vector<std::string> words = make_words();
    static const double log_words = std::log(static_cast<double>(kWords));
    Random random(static_cast<std::uint64_t>(seed));
    std::string text;
    while (text.size() < bytes) {
        const auto rank = static_cast<std::size_t>(std::exp(random.share() * log_words)) - 1;
        text += words[std::min(rank, kWords - 1)];
        text += ' ';
    }
    text.resize(bytes);
    return text;
}

void add_rare_word(std::string& text) {
    constexpr std::string_view kRare = " kittiwake";
    text.replace(text.size() - kRare.size(), kRare.size(), kRare);
}

// ---- seeding ----

struct Plan {
    std::string title;
    std::int64_t messages = 0;
    std::size_t bytes_min = 0;
    std::size_t bytes_more = 0;
    std::int64_t rare_every = 0;
    std::int64_t first_seed = 0;
};

std::vector<store::NewItem> make_items(const Plan& plan, std::int64_t count, std::int64_t left) {
    std::vector<store::NewItem> items;
    items.reserve(static_cast<std::size_t>(count));
    for (std::int64_t newer = left - 1; newer >= left - count; --newer) {
        store::NewItem item;
        item.id = store::ItemId::make();
        item.role = newer % 2 == 0 ? store::ItemRole::assistant : store::ItemRole::user;
        const std::int64_t seed = plan.first_seed + newer;
        item.body = make_text(seed, plan.bytes_min + static_cast<std::size_t>(seed * 7'919) % plan.bytes_more);
        if (seed % plan.rare_every == plan.rare_every / 2) {
            add_rare_word(item.body);
        }
        item.tokens = static_cast<std::int64_t>(item.body.size() / 4);
        items.push_back(std::move(item));
    }
    return items;
}

Task<void> seed_conversation(SqliteStore& store, store::UserNo user, Plan plan) {
    store::NewConversation conversation;
    conversation.id = store::ConversationId::make();
    conversation.user = user;
    conversation.title = plan.title;
    const store::ConversationId id = conversation.id;
    must(co_await store.create_conversation(std::move(conversation)));
    for (std::int64_t left = plan.messages; left > 0;) {
        const std::int64_t count = std::min(left, kBatch);
        std::vector<store::NewItem> items = make_items(plan, count, left);
        must(co_await store.append_items(user, id, std::move(items)));
        left -= count;
    }
}

Task<store::UserNo> make_user(SqliteStore& store, std::string email) {
    store::User user;
    user.id = store::UserId::make();
    user.email = std::move(email);
    user.name = "Bench";
    user.role = store::Role::admin;
    user.password_hash = "!";  // nobody signs in with it
    user.created_at = base::unix_now();
    const store::User made = must(co_await store.create_user(std::move(user), store::IfFirst::no));
    co_return made.no;
}

Plan measured(std::string title, std::int64_t messages) {
    return {std::move(title), messages, 200, 401, std::max<std::int64_t>(messages / kRareMessages, 1), 0};
}

Task<void> seed(SqliteStore& store, std::int64_t messages, std::int64_t others) {
    if (others == 0) {
        const store::UserNo only = co_await make_user(store, "bench@example.org");
        Plan plan = measured("long", messages);
        co_await seed_conversation(store, only, std::move(plan));
        co_return;
    }
    // Those who are measured stand in the middle of the users, so that their rows are in the middle of every list of hits.
    std::vector<store::UserNo> neighbours;
    store::UserNo bench{};
    store::UserNo small{};
    for (int i = 0; i < kNeighbours; ++i) {
        if (i == kNeighbours / 2) {
            bench = co_await make_user(store, "bench@example.org");
            small = co_await make_user(store, "small@example.org");
        }
        std::string email = fmt::format("neighbour{}@example.org", i);
        const store::UserNo neighbour = co_await make_user(store, std::move(email));
        neighbours.push_back(neighbour);
    }
    std::int64_t written = 0;
    const auto write_until = [&](std::int64_t target) -> Task<void> {
        for (; written < target; written += kNeighbourMessages) {
            const auto which = static_cast<std::size_t>(written / kNeighbourMessages) % neighbours.size();
            Plan plan{fmt::format("talk {}", written), kNeighbourMessages, 100, 101, kRareAmongOthers, written};
            co_await seed_conversation(store, neighbours[which], std::move(plan));
        }
    };
    co_await write_until(others / 2);
    Plan of_bench = measured("long", messages);
    co_await seed_conversation(store, bench, std::move(of_bench));
    Plan of_small = measured("short", kShortMessages);
    co_await seed_conversation(store, small, std::move(of_small));
    co_await write_until(others);
}

// Indexing is the store's own work, in its idle moments.
void wait_for_index(const std::string& path) {
    sqlite3* db = nullptr;
    if (sqlite3_open_v2(path.c_str(), &db, SQLITE_OPEN_READONLY, nullptr) != SQLITE_OK) {
        throw std::runtime_error("the database cannot be read");
    }
    sqlite3_busy_timeout(db, 10'000);
    for (bool empty = false; !empty; std::this_thread::sleep_for(std::chrono::milliseconds(200))) {
        sqlite3_stmt* statement = nullptr;
        sqlite3_prepare_v2(db, "SELECT 1 FROM search_queue LIMIT 1", -1, &statement, nullptr);
        empty = sqlite3_step(statement) == SQLITE_DONE;
        sqlite3_finalize(statement);
    }
    sqlite3_close(db);
}

// What the store's housekeeping does in the minutes after so many messages, without its pauses.
void merge_segments(const std::string& path) {
    meter::StoreCounters counters;
    const auto db = must(store::sqlite::Connection::open(path, store::sqlite::Access::read_write, counters));
    for (bool more = true; more;) {
        must(db->run("BEGIN"));
        for (int step = 0; more && step < 100; ++step) {
            more = must(store::sqlite::merge_step(*db));
        }
        must(db->run("COMMIT"));
        must(db->checkpoint(store::sqlite::Checkpoint::passive));
    }
}

void run(const std::string& path, std::int64_t messages, std::int64_t others) {
    meter::StoreCounters counters;
    store::SqliteOptions options{.path = path, .readers = 1, .counters = counters};
    auto store = must(SqliteStore::open(std::move(options)));
    net::asio::io_context loop{1};
    std::exception_ptr failure;
    const auto begin = Clock::now();
    net::asio::co_spawn(loop, seed(*store, messages, others), [&](std::exception_ptr thrown) { failure = thrown; });
    loop.run();
    if (failure) {
        std::rethrow_exception(failure);
    }
    const double written = us_since(begin) / 1e6;
    wait_for_index(path);
    const double indexed = us_since(begin) / 1e6;
    store->stop();
    store.reset();
    merge_segments(path);
    fmt::print(
        "{{\"messages\":{},\"written_s\":{:.1f},\"indexed_s\":{:.1f},\"merged_s\":{:.1f}}}\n",
        messages + others,
        written,
        indexed,
        us_since(begin) / 1e6
    );
}

}  // namespace
}  // namespace confab::bench

int main(int argc, char** argv) {
    if (argc < 3) {
        fmt::print(stderr, "usage: flat_seed FILE MESSAGES [OTHERS]\n");
        return 2;
    }
    try {
        confab::base::init_log("warn");  // standard output has the figures
        confab::bench::run(argv[1], std::atoll(argv[2]), argc > 3 ? std::atoll(argv[3]) : 0);
        return 0;
    } catch (const std::exception& e) {
        fmt::print(stderr, "flat_seed: {}\n", e.what());
        return 1;
    }
}

#include "review/seed.hpp"

#include <array>
#include <chrono>

#include "auth/tokens.hpp"
#include "base/clock.hpp"
#include "store/sqlite/connection.hpp"
#include "store/sqlite/sqlite_store.hpp"

namespace confab::review {

namespace {

using base::Result;
using base::Status;
using net::Task;

constexpr std::int64_t kBatch = 2'000;  // messages in one operation of the writer
constexpr std::size_t kBytesMin = 200;
constexpr std::size_t kBytesMore = 401;
constexpr std::chrono::milliseconds kIndexLookEvery{100};
constexpr std::chrono::minutes kIndexPatience{30};

// The same texts every time: xorshift64 over a small vocabulary.
std::string make_text(std::int64_t number) {
    constexpr std::array<std::string_view, 16> kWords{"harbour", "the",  "boat", "with",  "morning", "a",     "measure", "of",
                                                      "quiet",   "some", "rope", "again", "answer",  "under", "lantern", "tide"};
    auto state = static_cast<std::uint64_t>(number) * 0x9E3779B97F4A7C15ULL + 1;
    const std::size_t bytes = kBytesMin + static_cast<std::size_t>(number) * 7'919 % kBytesMore;
    std::string text;
    while (text.size() < bytes) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        text += kWords[state % kWords.size()];
        text += ' ';
    }
    text.resize(bytes);
    return text;
}

class Seeder {
public:
    Seeder(store::SqliteStore& store, std::int64_t total, std::function<void(double)> progress)
        : store_(store), total_(total), progress_(std::move(progress)) {}

    Task<Result<Seeded>> run(std::vector<std::int64_t> lengths) {
        Seeded seeded;
        for (std::size_t i = 0; i <= kImporter; ++i) {
            CO_TRY(const auto made, co_await add_person(i));
            Person person{made.second, {}};
            if (i != kImporter) {
                CO_TRY(person.conversation, co_await add_conversation(made.first, kShortMessages));
            }
            seeded.people.push_back(std::move(person));
            if (i == kOwner) {
                for (const std::int64_t length : lengths) {
                    CO_TRY(auto conversation, co_await add_conversation(made.first, length));
                    seeded.conversations.push_back(std::move(conversation));
                }
            }
        }
        co_return seeded;
    }

private:
    Task<Result<std::pair<store::UserNo, std::string>>> add_person(std::size_t index) {
        store::User user;
        user.id = store::UserId::make();
        user.email = "person" + std::to_string(index) + "@review.invalid";
        user.name = "Person " + std::to_string(index);
        user.role = index == kOwner ? store::Role::admin : store::Role::member;
        user.password_hash = "!";  // nobody signs in with it
        user.created_at = base::unix_now();
        CO_TRY(const store::User made, co_await store_.create_user(std::move(user), store::IfFirst::no));
        std::string secret = auth::make_api_key();
        store::ApiKey key;
        key.id = store::KeyId::make();
        key.user = made.no;
        key.key_hash = auth::sha256(secret);
        key.name = "review";
        key.prefix = secret.substr(0, auth::kKeyPrefixChars);
        key.created_at = base::unix_now();
        CO_TRY_VOID(co_await store_.create_key(std::move(key)));
        co_return std::pair(made.no, std::move(secret));
    }

    Task<Result<SizedConversation>> add_conversation(store::UserNo user, std::int64_t length) {
        store::NewConversation conversation;
        conversation.id = store::ConversationId::make();
        conversation.user = user;
        conversation.title = std::to_string(length) + " messages";
        const store::ConversationId id = conversation.id;
        CO_TRY_VOID(co_await store_.create_conversation(std::move(conversation)));
        for (std::int64_t written = 0; written < length;) {
            const std::int64_t count = std::min(length - written, kBatch);
            std::vector<store::NewItem> items = make_items(written, count);
            CO_TRY_VOID(co_await store_.append_items(user, id, std::move(items)));
            written += count;
            done_ += count;
            progress_(static_cast<double>(done_) / static_cast<double>(total_));
        }
        co_return SizedConversation{length, id.str()};
    }

    static std::vector<store::NewItem> make_items(std::int64_t first, std::int64_t count) {
        std::vector<store::NewItem> items;
        for (std::int64_t i = first; i < first + count; ++i) {
            store::NewItem item;
            item.id = store::ItemId::make();
            item.role = i % 2 == 0 ? store::ItemRole::user : store::ItemRole::assistant;
            item.body = make_text(i);
            item.tokens = static_cast<std::int64_t>(item.body.size() / 4);
            items.push_back(std::move(item));
        }
        return items;
    }

    store::SqliteStore& store_;
    std::int64_t total_;
    std::int64_t done_ = 0;
    std::function<void(double)> progress_;
};

// Indexing is the store's own work, in its idle moments.
Task<Status> wait_for_index(std::string path) {
    meter::StoreCounters counters;
    CO_TRY(
        const auto connection,
        store::sqlite::Connection::open(path, store::sqlite::Access::read_only, counters)
    );
    const auto until = std::chrono::steady_clock::now() + kIndexPatience;
    while (std::chrono::steady_clock::now() < until) {
        {
            auto rest = connection->use("SELECT 1 FROM search_queue LIMIT 1");
            CO_TRY(const bool waiting, rest.step());
            if (!waiting) {
                co_return Status();
            }
        }
        co_await net::sleep_for(kIndexLookEvery);
    }
    co_return base::fail(base::Errc::internal, "The search index of the scratch data does not catch up.");
}

}  // namespace

Task<Result<Seeded>> seed(
    std::string folder,
    std::vector<std::int64_t> messages,
    std::function<void(double)> progress
) {
    const std::string path = folder + "/confab.db";
    meter::StoreCounters counters;
    store::SqliteOptions options{.path = path, .readers = 1, .counters = counters};
    CO_TRY(const auto store, store::SqliteStore::open(std::move(options)));
    std::int64_t total = kShortMessages * static_cast<std::int64_t>(kImporter);
    for (const std::int64_t length : messages) {
        total += length;
    }
    Seeder seeder(*store, total, std::move(progress));
    CO_TRY(auto seeded, co_await seeder.run(std::move(messages)));
    CO_TRY_VOID(co_await wait_for_index(path));
    store->stop();
    co_return seeded;
}

}  // namespace confab::review

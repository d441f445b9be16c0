// What a turn costs the heap: the same in a conversation of 10,000 messages as in one of 100, and nothing of it stays.
#include <algorithm>
#include <cstdlib>
#include <string>
#include <thread>

#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <sqlite3.h>

#include "chat/runs.hpp"
#include "store/blob_disk.hpp"
#include "store/blobs.hpp"
#include "store/search_query.hpp"
#include "support/heap.hpp"
#include "unit/store/store_fixture.hpp"

namespace confab::chat {
namespace {

using net::Task;
using store::good;
using store::run_task;

constexpr std::int64_t kPromptTokens = 2'000;  // so that both conversations send as much of their history
constexpr int kWords = 20;                     // of an answer

// Answers every request on every connection with the same stream.
class EchoingModel {
public:
    explicit EchoingModel(net::Executor executor) : executor_(executor), acceptor_(executor), tasks_(executor, "model") {
        acceptor_.open(net::asio::ip::tcp::v4());
        acceptor_.bind({net::asio::ip::address_v4::loopback(), 0});
        acceptor_.listen();
        for (int i = 0; i < kWords; ++i) {
            add(R"({"choices":[{"index":0,"delta":{"content":"word "},"finish_reason":null}]})");
        }
        add(R"({"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":100,"completion_tokens":20}})");
        add("[DONE]");
        answer_ += "0\r\n\r\n";
        tasks_.spawn(accept());
    }

    std::string url() { return "http://127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port()) + "/v1"; }

    Task<void> close() {
        boost::system::error_code ec;
        acceptor_.close(ec);
        tasks_.cancel();
        co_await tasks_.join();
    }

private:
    void add(std::string_view data) {
        const std::string event = "data: " + std::string(data) + "\n\n";
        char size[20];
        std::snprintf(size, sizeof size, "%zx\r\n", event.size());
        answer_.append(size).append(event).append("\r\n");
    }

    Task<void> accept() {
        boost::system::error_code ec;
        while (!ec) {
            net::TcpSocket socket =
                co_await acceptor_.async_accept(net::asio::redirect_error(net::use_task, ec));
            if (!ec) {
                tasks_.spawn(serve(std::move(socket)));
            }
        }
    }

    Task<void> serve(net::TcpSocket socket) {
        std::string buffer;
        boost::system::error_code ec;
        while (true) {
            const std::size_t head = co_await net::asio::async_read_until(
                socket, net::asio::dynamic_buffer(buffer), "\r\n\r\n", net::asio::redirect_error(net::use_task, ec)
            );
            if (ec) {
                co_return;
            }
            std::string lower = buffer.substr(0, head);
            std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return std::tolower(c); });
            const auto length = lower.find("content-length: ");
            const std::size_t whole =
                head + (length == std::string::npos ? 0 : std::strtoul(lower.c_str() + length + 16, nullptr, 10));
            while (buffer.size() < whole) {
                char piece[4096];
                const std::size_t got = co_await socket.async_read_some(
                    net::asio::buffer(piece), net::asio::redirect_error(net::use_task, ec)
                );
                if (ec) {
                    co_return;
                }
                buffer.append(piece, got);
            }
            buffer.erase(0, whole);
            co_await net::asio::async_write(
                socket, net::asio::buffer(answer_), net::asio::redirect_error(net::use_task, ec)
            );
        }
    }

    net::Executor executor_;
    net::TcpAcceptor acceptor_;
    net::TaskGroup tasks_;
    std::string answer_ =
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
};

class TurnCost : public store::StoreTest {
public:  // the tests' coroutines are not members
    using StoreTest::store_;

    store::ConversationId conversation_of(int messages) {
        const auto conversation = make_conversation(ada_);
        std::vector<store::NewItem> items;
        for (int i = 0; i < messages; ++i) {
            const std::string text = "message " + std::to_string(i) + " of a long conversation";
            items.push_back(i % 2 == 0 ? store::user_item(text, 10) : store::answer_item(text, 10));
            if (items.size() == 20 || i + 1 == messages) {
                good(run_task(store_->append_items(ada_, conversation.id, std::exchange(items, {}))));
            }
        }
        return conversation.id;
    }

    // Until the index has taken in what was written: its work would be counted among the turns'.
    void wait_until_indexed() {
        store::SearchRequest request;
        request.query = store::parse_search_query("conversation");
        for (int i = 0; i < 600; ++i) {
            if (good(run_task(store_->search(ada_, request))).pending == 0) {
                return;
            }
            std::this_thread::sleep_for(std::chrono::milliseconds(100));
        }
        ADD_FAILURE() << "the index does not catch up";
    }

    // One turn from the question to the committed answer, watched by a viewer.
    Task<void> turn(store::ConversationId conversation) {
        RunRequest request;
        request.user = ada_;
        request.target.conversation = conversation;
        request.input = {store::user_item("question", 10)};
        request.model = "any";
        request.echo = "{}";
        request.truncation = store::Truncation::automatic;
        auto started = co_await runs_.start(std::move(request));
        const RunPtr run = good(std::move(started));
        Sequence next = 0;
        for (bool finished = false; !finished;) {
            const auto batch = co_await run->next(next, net::Deadline::never());
            next = batch.next;
            finished = batch.finished;
        }
        EXPECT_EQ(run->end().status, store::RunStatus::completed);
    }

    void run(Task<void> task) {
        auto all = [](TurnCost& self, Task<void> body) -> Task<void> {
            co_await std::move(body);
            co_await self.runs_.interrupt_all();
            co_await self.upstreams_.close();
            co_await self.model_.close();
        };
        std::exception_ptr failure;
        net::asio::co_spawn(shard_.executor(), all(*this, std::move(task)), [&](std::exception_ptr error) {
            failure = error;
            shard_.stop();
        });
        shard_.run();
        store_->stop();
        if (failure) {
            std::rethrow_exception(failure);
        }
    }

    void configure() {
        llm::Upstream upstream;
        upstream.name = "model";
        upstream.base_url = model_.url();
        upstream.context_tokens = kPromptTokens;
        std::vector<llm::Upstream> all{upstream};
        upstreams_.configure(std::move(all));
    }

    store::UserNo ada_ = make_user("ada@example.org");
    net::Shard shard_{0};
    net::HttpClient client_{shard_};
    llm::Upstreams upstreams_{shard_.executor(), client_};
    meter::ByteBudget budget_{64 * 1024 * 1024};
    meter::RunCounters run_counters_;
    store::BlobDisk blobs_{store::blob_dir_beside(path())};
    RunService runs_{{shard_, *store_, upstreams_, client_, budget_, run_counters_, 1, *store_, blobs_}};
    EchoingModel model_{shard_.executor()};
};

Task<std::uint64_t> allocations_per_turn(TurnCost& self, store::ConversationId conversation, int turns) {
    const std::uint64_t before = support::heap_allocations;
    for (int i = 0; i < turns; ++i) {
        co_await self.turn(conversation);
    }
    co_return (support::heap_allocations - before) / static_cast<std::uint64_t>(turns);
}

TEST_F(TurnCost, IsTheSameNumberOfAllocationsHoweverLongTheConversationIs) {
    if (!support::kHeapIsCounted) {
        GTEST_SKIP() << "allocations are counted under AddressSanitizer only";
    }
    const auto small = conversation_of(100);
    const auto large = conversation_of(10'000);
    wait_until_indexed();
    configure();
    auto body = [](TurnCost& self, store::ConversationId few, store::ConversationId many) -> Task<void> {
        (void)co_await allocations_per_turn(self, few, 40);  // caches, statements, and both windows full
        (void)co_await allocations_per_turn(self, many, 40);
        const std::uint64_t at_few = co_await allocations_per_turn(self, few, 100);
        const std::uint64_t at_many = co_await allocations_per_turn(self, many, 100);
        std::printf("allocations a turn: %lu at 100 messages, %lu at 10,000\n", at_few, at_many);
        EXPECT_GT(at_few, 50U) << "something is counted";
        EXPECT_LT(at_many, at_few + at_few / 10);
        EXPECT_GT(at_many, at_few - at_few / 4);
    };
    run(body(*this, small, large));
}

// Live bytes of the heap without SQLite's, whose page caches fill up to their bound for thousands of turns.
std::int64_t heap_without_caches() {
    return static_cast<std::int64_t>(support::heap_bytes()) - sqlite3_memory_used();
}

// Turns in several conversations at once, so that they share commits.
Task<void> many_turns(TurnCost& self, std::vector<store::ConversationId> conversations, int turns) {
    net::TaskGroup group(self.shard_.executor(), "turns");
    for (const store::ConversationId& conversation : conversations) {
        auto some = [](TurnCost& test, store::ConversationId id, int count) -> Task<void> {
            (void)co_await allocations_per_turn(test, id, count);
        };
        group.spawn(some(self, conversation, turns / static_cast<int>(conversations.size())));
    }
    co_await group.join();
    co_await net::sleep_for(std::chrono::milliseconds(300));  // the last stretches are being written
}

// CONFAB_TURNS=10000 for the long run.
TEST_F(TurnCost, LeavesNothingBehind) {
    if (!support::kHeapIsCounted) {
        GTEST_SKIP() << "the heap is measured under AddressSanitizer only";
    }
    std::vector<store::ConversationId> conversations;
    for (int i = 0; i < 8; ++i) {
        conversations.push_back(conversation_of(100));
    }
    configure();
    auto body = [](TurnCost& self, std::vector<store::ConversationId> all) -> Task<void> {
        const char* asked = std::getenv("CONFAB_TURNS");
        const int turns = asked == nullptr ? 2'000 : std::atoi(asked);
        co_await many_turns(self, all, 400);
        const std::int64_t before = heap_without_caches();
        co_await many_turns(self, all, turns);
        const std::int64_t grown = heap_without_caches() - before;
        std::printf("heap without page caches: %ld bytes, after %d turns %+ld\n", before, turns, grown);
        EXPECT_LT(grown, turns * 32L) << "a turn leaves something";
        EXPECT_EQ(self.budget_.bytes_leased(), 0U);
    };
    run(body(*this, conversations));
}

}  // namespace
}  // namespace confab::chat

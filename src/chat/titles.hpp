// Titles: has a model find titles of conversations, in the background, when the administrator wants it.
//
// One TitleService per shard. Answers come first: only kTitlesAtOnce are asked for at a time, what finds kTitlesWaiting
// others waiting is dropped, none is asked of a server that has no slot to spare, and one under way gives its slot up
// as soon as somebody waits for one; all wait while memory is short. Failures are counted, not told: the first words remain the title.
#pragma once

#include <chrono>
#include <deque>
#include <vector>

#include "chat/run.hpp"
#include "llm/upstream.hpp"
#include "meter/pressure.hpp"
#include "meter/title_counters.hpp"
#include "net/http_client.hpp"
#include "net/shard.hpp"
#include "net/task_group.hpp"
#include "store/store.hpp"

namespace confab::chat {

inline constexpr std::size_t kTitlesAtOnce = 2;    // requests under way, on one shard
inline constexpr std::size_t kTitlesWaiting = 32;  // conversations that wait for one
inline constexpr std::chrono::seconds kTitleTimeMax{60};
inline constexpr std::size_t kTitleReplyBytesMax = 64 * 1024;  // of a model server's answer

struct TitleEnvironment {
    net::Shard& shard;
    store::Store& store;
    llm::Upstreams& upstreams;
    net::HttpClient& client;
    meter::TitleCounters& counters;
    meter::Pressure& pressure;
};

class TitleService {
public:
    explicit TitleService(TitleEnvironment environment);
    ~TitleService();

    // After an answer was finished. Returns at once.
    void offer(const Run& run);

    // From now on nothing is begun; what is under way is broken off.
    void stop();
    net::Task<void> join();

private:
    struct Wish {
        store::UserNo user{};
        store::ConversationId conversation;
        std::string model;
    };

    class Request;

    net::Task<void> work();
    net::Task<void> wait_for_room();
    net::Task<void> grant(Wish wish);
    net::Task<base::Result<std::string>> ask(llm::UpstreamPtr upstream, std::string body);
    void give_way();

    TitleEnvironment environment_;
    std::deque<Wish> waiting_;
    std::vector<Request*> live_;
    std::size_t workers_ = 0;
    bool stopped_ = false;
    net::TaskGroup tasks_;
    net::Ticker::Subscription tick_;  // last: it must not fire into a half-dead object
};

}  // namespace confab::chat

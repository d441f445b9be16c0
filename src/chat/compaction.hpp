// Compactor: makes the rolling summaries that stand for the older part of a conversation in its prompts.
//
// After an answer, when the prompt has become nearly full, the same model is asked in the background to write its notes
// anew: the notes so far and what was said since. So the next prompt that has to leave something out finds a summary of
// it. Answers never wait for this: a job gives way to the conversation's next answer and to a line before the model
// server, and one that fails is tried again after a later answer.
#pragma once

#include <list>

#include "llm/completion.hpp"
#include "llm/upstream.hpp"
#include "meter/byte_budget.hpp"
#include "net/shard.hpp"
#include "net/task_group.hpp"
#include "store/store.hpp"

namespace confab::chat {

inline constexpr std::size_t kCompactionsMax = 2;                 // at once on a shard; another is not begun
inline constexpr int kCompactionPiecesMax = 4;                    // requests for one summary
inline constexpr std::int64_t kCompactionPieceTokensMax = 8'000;  // estimated, of what is summarised in one request
inline constexpr std::chrono::minutes kCompactionMax{5};          // for one request

struct CompactionEnvironment {
    net::Shard& shard;
    store::RunStore& store;
    store::ContextStore& context;
    llm::Upstreams& upstreams;
    net::HttpClient& client;
    meter::ByteBudget& budget;
    meter::Pressure* pressure = nullptr;  // null: there is none, ever
};

// An answer that was just given.
struct CompactionWanted {
    store::ConversationNo conversation{};
    store::BranchNo branch{};
    std::string model;
    std::int64_t tokens_max = 0;  // the budget of its prompt
};

// Lives on one shard.
class Compactor {
public:
    explicit Compactor(CompactionEnvironment environment);

    // Looks whether there is something to summarise, and does it. Returns at once; what cannot be begun now is dropped.
    void consider(CompactionWanted wanted);

    // An answer begins in this conversation: what is being made for it is given up.
    void give_way(store::ConversationNo conversation);

    // Gives up everything, and begins nothing any more.
    void stop();
    net::Task<void> close();

    std::size_t size() const { return jobs_.size(); }

private:
    struct Job {
        CompactionWanted wanted;
        llm::UpstreamPtr upstream;
        llm::Completion* asking = nullptr;
        net::Deadline deadline = net::Deadline::never();  // of the request
        bool given_up = false;
    };

    using JobPlace = std::list<Job>::iterator;

    net::Task<void> run(JobPlace job);
    net::Task<base::Status> summarise(Job& job);
    net::Task<base::Result<std::string>> collect_piece(const store::SummaryPlan& plan, store::Position& from, Job& job);
    net::Task<base::Result<std::string>> ask(Job& job, const std::string& notes, const std::string& said);
    void give_up(Job& job);
    bool is_deferred() const;
    void tick(std::chrono::steady_clock::time_point now);

    CompactionEnvironment environment_;
    std::list<Job> jobs_;
    net::TaskGroup tasks_;
    bool stopping_ = false;
    net::Ticker::Subscription tick_;  // last: it must not fire into a half-dead object
};

}  // namespace confab::chat

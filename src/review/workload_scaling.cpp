// The phases that ask whether anything depends on the length of a conversation.
#include <fmt/format.h>
#include <unistd.h>

#include "review/samples.hpp"
#include "review/workload.hpp"

namespace confab::review {

namespace {

using base::Result;
using base::Status;
using net::Task;
using Clock = std::chrono::steady_clock;

constexpr int kSessions = 8;
constexpr int kDisturbers = 4;
constexpr std::chrono::milliseconds kDisturbEvery{500};
constexpr double kMemoryNoise = 2 * kMib;
constexpr int kLeast = 2;  // of anything in a block

std::string times(double longer, double shorter, double growth, const char* unit) {
    return fmt::format("{:.2f} {} at the longest, {:.2f} at the next shorter: {:.2f} times for each tenfold", longer, unit, shorter, growth);
}

}  // namespace

struct Workload::Block {
    const SizedConversation* conversation = nullptr;
    std::vector<double> open_ms;
    std::vector<double> interaction_ms;
    std::vector<double> cpu_ms;       // of each round, per interaction
    std::vector<double> touched_kib;  // the same
    std::vector<double> peak_bytes;   // of each round
    std::uint64_t open_bytes = 0;
    int interactions = 0;
};

Task<Status> Workload::measure_block(HttpProbe& visitor, Block& block) {
    const auto late = [begin = Clock::now(), most = parts_.amount.block_seconds / 2](int done, int half) {
        return done >= kLeast && std::chrono::duration<double>(Clock::now() - begin).count() > most * half;
    };
    parts_.timeline.reset_peak();
    CO_TRY(const ProcessFigures before, parts_.timeline.look());
    for (int i = 0; i < parts_.amount.opens && !late(i, 1); ++i) {
        CO_TRY(const double ms, co_await open(visitor, block.conversation->id, &block.open_bytes));
        block.open_ms.push_back(ms);
    }
    CO_TRY(const ProcessFigures between, parts_.timeline.look());
    int done = 0;
    for (; done < parts_.amount.interactions && !late(done, 2); ++done) {
        CO_TRY(const double ms, co_await interact(visitor, kOwner, block.conversation->id));
        block.interaction_ms.push_back(ms);
    }
    CO_TRY(const ProcessFigures after, parts_.timeline.look());
    const auto page_kib = static_cast<double>(::sysconf(_SC_PAGESIZE)) / kKib;
    block.cpu_ms.push_back((after.cpu_seconds - between.cpu_seconds) * 1'000 / done);
    block.touched_kib.push_back(above(after.minor_faults, between.minor_faults) * page_kib / done);
    block.peak_bytes.push_back(above(after.peak_rss_bytes, before.rss_bytes));
    block.interactions += done;
    co_return Status();
}

Task<Status> Workload::scaling() {
    std::vector<Block> blocks;
    for (const SizedConversation& conversation : parts_.subject.seeded.conversations) {
        blocks.emplace_back().conversation = &conversation;
    }
    HttpProbe visitor = probe();
    if (parts_.watch != nullptr) {
        parts_.watch->poll();
    }
    const std::uint64_t database_before = parts_.watch != nullptr ? parts_.watch->opened("confab.db") : 0;
    const std::uint64_t all_before = parts_.watch != nullptr ? parts_.watch->opened_all() : 0;
    int opens = 0;
    for (int round = 0; round < parts_.amount.rounds; ++round) {
        for (std::size_t i = 0; i < blocks.size(); ++i) {
            CO_TRY_VOID(co_await measure_block(visitor, blocks[i]));
            const double done = static_cast<double>(round) * static_cast<double>(blocks.size()) + static_cast<double>(i + 1);
            parts_.progress("lengths", done / static_cast<double>(blocks.size()) / parts_.amount.rounds);
        }
    }
    int interactions = 0;
    for (const Block& block : blocks) {
        interactions += block.interactions;
        opens += static_cast<int>(block.open_ms.size());
    }
    if (parts_.watch != nullptr) {
        parts_.watch->poll();
        const auto database = static_cast<double>(parts_.watch->opened("confab.db") - database_before);
        const double files = static_cast<double>(parts_.watch->opened_all() - all_before) - database;
        const std::string of = fmt::format("{} interactions and {} openings of conversations", interactions, opens);
        set("lifecycle.database", database / interactions, fmt::format("the database was opened {:.0f} times in {}", database, of));
        set("lifecycle.files", files / interactions, fmt::format("other files were opened {:.0f} times in {}", files, of));
        if (parts_.watch->overflowed()) {
            result_.notes.emplace_back("Files were opened faster than the kernel counts: the figures are too low.");
        }
    }
    conclude_scaling(blocks);
    co_return Status();
}

void Workload::conclude_scaling(const std::vector<Block>& blocks) {
    for (const Block& block : blocks) {
        result_.lengths.push_back(
            {block.conversation->messages,
             median(block.open_ms),
             median(block.interaction_ms),
             median(block.cpu_ms),
             median(block.touched_kib),
             median(block.peak_bytes) / kMib,
             block.open_bytes}
        );
    }
    const LengthRow& shortest = result_.lengths.front();
    const LengthRow& longest = result_.lengths.back();
    const LengthRow& next = result_.lengths[result_.lengths.size() - 2];
    const auto growth = [&](double shorter, double longer) {
        return growth_per_tenfold(shorter, longer, static_cast<double>(next.messages), static_cast<double>(longest.messages));
    };
    const double time = growth(next.open_ms, longest.open_ms);
    set("limits.time", time, times(longest.open_ms, next.open_ms, time, "ms"));
    const double cpu = growth(next.cpu_ms, longest.cpu_ms);
    set("limits.cpu", cpu, times(longest.cpu_ms, next.cpu_ms, cpu, "ms"));
    const double longest_kib = static_cast<double>(longest.open_bytes) / kKib;
    const double next_kib = static_cast<double>(next.open_bytes) / kKib;
    const double page = growth(next_kib, longest_kib);
    set("streaming.page", page, times(longest_kib, next_kib, page, "KiB"));
    set("memory.churn",
        beyond(longest.touched_kib, shortest.touched_kib),
        fmt::format("{:.0f} KiB with the longest, {:.0f} KiB with the shortest", longest.touched_kib, shortest.touched_kib));
    const double more = beyond((longest.peak_mib - shortest.peak_mib) * kMib, kMemoryNoise);
    set("memory.scaling",
        more / static_cast<double>(longest.messages - shortest.messages),
        fmt::format(
            "{:.1f} MiB above the rest with {} messages, {:.1f} MiB with {}",
            longest.peak_mib,
            longest.messages,
            shortest.peak_mib,
            shortest.messages
        ));
}

Task<Status> Workload::sessions() {
    const SizedConversation& longest = parts_.subject.seeded.conversations.back();
    CO_TRY(const ProcessFigures before, parts_.timeline.look());
    std::vector<HttpProbe> visitors;
    for (int i = 0; i < kSessions; ++i) {
        visitors.push_back(probe());
        CO_TRY_VOID(co_await open(visitors.back(), longest.id, nullptr));
    }
    co_await net::sleep_for(std::chrono::milliseconds(500));
    CO_TRY(const ProcessFigures with, parts_.timeline.look());
    const double more = above(with.rss_bytes, before.rss_bytes);
    set("memory.session",
        beyond(more, kMemoryNoise) / kKib / kSessions,
        fmt::format("{:.1f} MiB more with {} visitors of {} messages", more / kMib, kSessions, longest.messages));
    co_return Status();
}

// Opens the conversation twice a second, or as often as the server manages to.
Task<void> Workload::disturb(std::string conversation, const bool& over) {
    HttpProbe visitor = probe();
    auto next = Clock::now();
    while (!over) {
        (void)co_await open(visitor, conversation, nullptr);
        next = std::max(next + kDisturbEvery, Clock::now());
        co_await net::sleep_for(next - Clock::now());
    }
}

Task<Result<double>> Workload::neighbour_ms(std::string conversation) {
    bool over = false;
    net::TaskGroup disturbers(parts_.executor, "visitors");
    for (int i = 0; i < kDisturbers; ++i) {
        disturbers.spawn(disturb(conversation, over));
    }
    HttpProbe visitor = probe();
    std::vector<double> ms;
    Status outcome;
    const auto until = Clock::now() + std::chrono::duration<double>(parts_.amount.neighbour_seconds);
    while (outcome && (Clock::now() < until || ms.size() < kLeast)) {
        const auto one = co_await interact(visitor, 1, own_conversation(1));
        if (one) {
            ms.push_back(*one);
        } else {
            outcome = std::unexpected(one.error());
        }
        co_await net::sleep_for(std::chrono::milliseconds(20));
    }
    over = true;
    co_await disturbers.join();
    CO_TRY_VOID(outcome);
    co_return median(ms);
}

Task<Status> Workload::neighbours() {
    const SizedConversation& shortest = parts_.subject.seeded.conversations.front();
    const SizedConversation& longest = parts_.subject.seeded.conversations.back();
    CO_TRY(const double calm, co_await neighbour_ms(shortest.id));
    parts_.progress("neighbours", 0.5);
    CO_TRY(const double disturbed, co_await neighbour_ms(longest.id));
    set("limits.neighbours",
        std::max(1.0, disturbed / calm),
        fmt::format(
            "{:.1f} ms while others open {} messages, {:.1f} ms while they open {}",
            disturbed,
            longest.messages,
            calm,
            shortest.messages
        ));
    co_return Status();
}

}  // namespace confab::review

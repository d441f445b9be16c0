#include "chat/recovery.hpp"

#include <spdlog/spdlog.h>

#include "chat/output_writer.hpp"
#include "chat/run_end.hpp"
#include "chat/runs.hpp"
#include "chat/show_limit.hpp"

namespace confab::chat {

namespace {

using net::Task;

constexpr std::size_t kRecoverPage = 50;

store::RunChunk chunk_of(const store::Run& run, const EventLog& log, Sequence from, Sequence number) {
    store::RunChunk chunk;
    chunk.run = run.no;
    chunk.seq_first = number;
    chunk.data = log.records(from, log.size());
    return chunk;
}

// The durable events, as far as they can be read.
EventLog read_log(const store::Run& run, const std::vector<store::RunChunk>& chunks) {
    EventLog log;
    for (const store::RunChunk& chunk : chunks) {
        if (chunk.seq_first != log.size() || !log.append_records(chunk.data)) {
            spdlog::error("run_log_damaged id={} events_kept={}", run.id.str(), log.size());
            break;
        }
    }
    return log;
}

Task<base::Status> recover_run(store::RunStore& store, store::Run run, std::vector<store::RunChunk> chunks) {
    EventLog log = read_log(run, chunks);
    std::vector<store::RunChunk> written;
    if (log.size() == 0) {
        append_opening_events(log, run.background);
        written.push_back(chunk_of(run, log, 0, 0));
    }
    const Sequence durable = log.size();
    const Sequence last_chunk = chunks.empty() ? 0 : chunks.back().seq_first;
    ResponseEnd end;
    end.status = store::RunStatus::incomplete;
    end.incomplete_reason = kInterrupted;
    end.completed_at = base::unix_now();
    close_log(log, end);
    written.push_back(chunk_of(run, log, durable, std::max(durable, last_chunk) + kShownAheadMax));
    store::FinishRun row = finish_row(run.no, end);
    row.chunks = std::move(written);
    for (const store::NewItem& item : row.output) {
        row.taken.output_tokens += item.tokens;
        row.taken.estimated = true;
    }
    co_return co_await store.finish_run(std::move(row));
}

}  // namespace

Task<base::Result<std::size_t>> recover_runs(store::RunStore& store) {
    std::size_t recovered = 0;
    while (true) {
        CO_TRY(auto unfinished, co_await store.list_unfinished_runs(kRecoverPage));
        if (unfinished.empty()) {
            co_return recovered;
        }
        for (auto& [run, chunks] : unfinished) {
            CO_TRY_VOID(co_await recover_run(store, std::move(run), std::move(chunks)));
            ++recovered;
        }
    }
}

bool closes_after_crash(const store::Run& run, const EventLog& stretch) {
    return run.incomplete_reason == kInterrupted && stretch.size() > 0 &&
           stretch.at(stretch.size() - 1).kind == EventKind::finished;
}

}  // namespace confab::chat

#include "store/sqlite/run_chunks.hpp"

#include <optional>

namespace confab::store::sqlite {

namespace {

constexpr std::size_t kReadBytesMax = 256 * 1024;

// Rows of one step of deleting; overwriting their pages takes some milliseconds.
constexpr std::size_t kChunkStepRows = 2'000;

struct ChunkRange {
    std::int64_t first = 0;
    std::int64_t last = 0;
};

// Nothing when the run has no chunks, or they expired.
Result<std::optional<ChunkRange>> find_range(Connection& db, RunNo run) {
    auto found = db.use(
        "SELECT first_chunk, coalesce(last_chunk, 9223372036854775807) FROM runs WHERE run = ?1 "
        "AND first_chunk IS NOT NULL",
        run
    );
    TRY(const bool row, found.step());
    return row ? std::optional(ChunkRange{found.integer(0), found.integer(1)}) : std::nullopt;
}

Result<std::vector<RunChunk>> read_chunks(Connection& db, RunNo run, const ChunkRange& range, std::size_t bytes_max) {
    auto rows = db.use(
        "SELECT seq, data FROM run_chunks WHERE id BETWEEN ?1 AND ?2 AND run = ?3 ORDER BY id",
        range.first,
        range.last,
        run
    );
    std::vector<RunChunk> chunks;
    std::size_t bytes = 0;
    for (;;) {
        TRY(const bool row, rows.step());
        if (!row) {
            return chunks;
        }
        const std::string_view data = rows.bytes(1);
        bytes += data.size();
        if (bytes > bytes_max && chunks.size() > 1) {
            return chunks;
        }
        chunks.push_back({run, rows.integer(0), std::string(data)});
    }
}

// The chunk that holds `seq`: the last one that begins at or before it.
Result<std::int64_t> find_chunk(Connection& db, RunNo run, const ChunkRange& range, std::int64_t seq) {
    auto found = db.use(
        "SELECT id FROM run_chunks WHERE id BETWEEN ?1 AND ?2 AND run = ?3 AND seq <= ?4 ORDER BY id DESC LIMIT 1",
        range.first,
        range.last,
        run,
        seq
    );
    TRY(const bool row, found.step());
    return row ? found.integer(0) : range.first;
}

}  // namespace

Status append_run_chunks(Connection& db, const std::vector<RunChunk>& chunks) {
    for (const RunChunk& chunk : chunks) {
        bool first = false;
        {
            auto run = db.use("SELECT first_chunk IS NULL FROM runs WHERE run = ?1 AND status < 2", chunk.run);
            TRY(const bool open, run.step());
            if (!open) {
                continue;
            }
            first = run.get<bool>(0);
        }
        TRY_VOID(db.run(
            "INSERT INTO run_chunks (run, seq, data) VALUES (?1, ?2, ?3)",
            chunk.run,
            chunk.seq_first,
            Borrowed{chunk.data}
        ));
        if (first) {
            TRY_VOID(db.run("UPDATE runs SET first_chunk = ?2 WHERE run = ?1", chunk.run, db.inserted_key()));
        }
    }
    return {};
}

Result<std::vector<RunChunk>> list_run_chunks(Connection& db, RunNo run, std::int64_t seq) {
    TRY(auto range, find_range(db, run));
    if (!range) {
        return std::vector<RunChunk>();
    }
    TRY(range->first, find_chunk(db, run, *range, seq));
    return read_chunks(db, run, *range, kReadBytesMax);
}

Result<std::vector<RunChunk>> list_all_chunks(Connection& db, RunNo run) {
    TRY(const auto range, find_range(db, run));
    return range ? read_chunks(db, run, *range, SIZE_MAX) : std::vector<RunChunk>();
}

// First the runs let go of their chunks; then what lies before the oldest chunk that a run still holds goes. So
// deleting never walks through chunks that stay, at the price that a long run keeps those written beside it until it
// ends.
Result<bool> delete_chunks_step(Connection& db, UnixSeconds finished_before) {
    TRY_VOID(db.run(
        "UPDATE runs SET first_chunk = NULL, last_chunk = NULL WHERE run IN (SELECT run FROM runs "
        "WHERE completed_at < ?1 AND first_chunk IS NOT NULL ORDER BY completed_at LIMIT ?2)",
        finished_before,
        kChunkStepRows
    ));
    const bool more_runs = db.changed_rows() == static_cast<std::int64_t>(kChunkStepRows);
    TRY_VOID(db.run(
        "DELETE FROM run_chunks WHERE id IN (SELECT id FROM run_chunks WHERE id < "
        "coalesce((SELECT min(first_chunk) FROM runs WHERE first_chunk IS NOT NULL), 9223372036854775807) "
        "ORDER BY id LIMIT ?1)",
        kChunkStepRows
    ));
    return more_runs || db.changed_rows() == static_cast<std::int64_t>(kChunkStepRows);
}

}  // namespace confab::store::sqlite

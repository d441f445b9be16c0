#include "store/sqlite/search_upkeep.hpp"

#include <algorithm>
#include <chrono>
#include <set>

#include "base/text.hpp"
#include "store/search_query.hpp"
#include "store/search_text.hpp"
#include "store/sqlite/search_words.hpp"
#include "store/sqlite/word_cutter.hpp"

namespace confab::store::sqlite {

namespace {

constexpr std::size_t kIndexStepRows = 200;  // of the queue, in one step
constexpr std::size_t kIndexStepBytes = 512 * 1024;
constexpr std::chrono::milliseconds kIndexStepTime{15};
constexpr std::int64_t kLevelsMax = 1'000;  // of an index's structure
constexpr int kMergePages = 64;  // written in one step of a merge

Status purge_is_due(Connection& db) {
    return db.run("UPDATE search_purge SET due = 1 WHERE due = 0");
}

struct QueuedBody {
    std::int64_t mid = 0;
    bool searched = false;  // a message that is still there
    BodyFormat format = BodyFormat::text;
};

// The different words of what is indexed in one step, in the order in which the vocabulary takes them cheaply.
class StepWords {
public:
    explicit StepWords(WordCutter cutter) : cutter_(std::move(cutter)) {}

    Status add(std::string_view text) {
        return cutter_.cut(text, [&](std::string_view word, std::size_t) { words_.emplace(word); });
    }

    const std::set<std::string>& words() const { return words_; }

private:
    WordCutter cutter_;
    std::set<std::string> words_;
};

Status index_body(Connection& db, const QueuedBody& body, StepWords& words, std::size_t& bytes) {
    if (!body.searched) {
        return {};
    }
    TRY(std::string text, read_searched_text(db, body.mid, body.format));
    bytes += text.size();
    if (text.empty()) {
        return {};
    }
    text = index_words(text);
    TRY_VOID(words.add(text));
    return db.run("INSERT INTO search_index (rowid, text) VALUES (?1, ?2)", body.mid, text);
}

// What has waited longest and what came last, so that a message that was just sent need not wait for an import. By row,
// because the index takes rising rows cheaply.
Result<std::vector<QueuedBody>> next_bodies(Connection& db) {
    std::vector<QueuedBody> bodies;
    auto rows = db.use(
        "SELECT q.mid, i.format, i.type = 0 AND i.deleted_at IS NULL FROM "
        "(SELECT mid FROM (SELECT mid FROM search_queue ORDER BY place DESC LIMIT ?1) "
        "UNION SELECT mid FROM (SELECT mid FROM search_queue ORDER BY place LIMIT ?1)) q "
        "LEFT JOIN bodies b ON b.mid = q.mid LEFT JOIN items i ON i.conv = b.conv AND i.br = b.br AND i.pos = b.pos",
        kIndexStepRows / 2
    );
    for (;;) {
        TRY(const bool row, rows.step());
        if (!row) {
            break;
        }
        bodies.push_back({rows.integer(0), rows.get<bool>(2), rows.get<BodyFormat>(1)});
    }
    std::ranges::sort(bodies, {}, &QueuedBody::mid);
    return bodies;
}

Result<bool> index_bodies(Connection& db) {
    TRY(const auto bodies, next_bodies(db));
    if (bodies.empty()) {
        return false;
    }
    const auto end = std::chrono::steady_clock::now() + kIndexStepTime;
    TRY(WordCutter cutter, WordCutter::open(db));
    StepWords words(std::move(cutter));
    std::size_t bytes = 0;
    std::size_t done = 0;
    for (; done < bodies.size() && bytes < kIndexStepBytes && (done == 0 || std::chrono::steady_clock::now() < end); ++done) {
        TRY_VOID(index_body(db, bodies[done], words, bytes));
        TRY_VOID(db.run("DELETE FROM search_queue WHERE mid = ?1", bodies[done].mid));
    }
    TRY_VOID(keep_words(db, words.words()));
    return done < bodies.size() || bodies.size() >= kIndexStepRows / 2;
}

Result<bool> index_titles(Connection& db) {
    std::vector<std::int64_t> conversations;
    {
        auto rows = db.use("SELECT conv FROM search_title_queue ORDER BY conv LIMIT ?1", kIndexStepRows);
        for (;;) {
            TRY(const bool row, rows.step());
            if (!row) {
                break;
            }
            conversations.push_back(rows.integer(0));
        }
    }
    if (conversations.empty()) {
        return false;
    }
    TRY(WordCutter cutter, WordCutter::open(db));
    StepWords words(std::move(cutter));
    for (const std::int64_t conversation : conversations) {
        std::int64_t rowid = 0;
        std::string title;
        {
            auto found = db.use(
                "SELECT user_no << 40 | conv, CASE WHEN deleted_at IS NULL THEN title ELSE '' END FROM conversations "
                "WHERE conv = ?1",
                conversation
            );
            TRY(const bool row, found.step());
            if (!row) {
                continue;
            }
            rowid = found.integer(0);
            title = found.get<std::string>(1);
        }
        TRY_VOID(db.run("DELETE FROM search_titles WHERE rowid = ?1", rowid));
        if (db.changed_rows() > 0) {
            TRY_VOID(purge_is_due(db));
        }
        if (!title.empty()) {
            title = index_words(title);
            TRY_VOID(words.add(title));
            TRY_VOID(db.run("INSERT INTO search_titles (rowid, title) VALUES (?1, ?2)", rowid, title));
        }
    }
    TRY_VOID(keep_words(db, words.words()));
    TRY_VOID(db.run("DELETE FROM search_title_queue WHERE conv <= ?1", conversations.back()));
    return conversations.size() == kIndexStepRows;
}

// SQLite's documentation of FTS5, 6.6: a negative count begins a merge of all segments, and must be given only once, for each
// time it opens new levels; positive ones go on with it. Less than two changes say that nothing was left to merge. True: there
// may be more.
Result<bool> merge_some(Connection& db, int pages) {
    const std::int64_t before = sqlite3_total_changes64(db.handle());
    TRY_VOID(db.run("INSERT INTO search_index (search_index, rank) VALUES ('merge', ?1)", pages));
    const std::int64_t messages = sqlite3_total_changes64(db.handle()) - before;
    TRY_VOID(db.run("INSERT INTO search_titles (search_titles, rank) VALUES ('merge', ?1)", pages));
    const std::int64_t titles = sqlite3_total_changes64(db.handle()) - before - messages;
    return pages < 0 || messages >= 2 || titles >= 2;
}

// How many levels an index's structure has: a number of SQLite's varint form after four bytes (fts5_index.c, "Structure").
std::int64_t levels_of(std::string_view structure) {
    const auto byte = [&](std::size_t i) { return i < structure.size() ? static_cast<unsigned char>(structure[i]) : 0U; };
    return (byte(4) & 0x80U) == 0 ? byte(4) : ((byte(4) & 0x7FU) << 7U | (byte(5) & 0x7FU));
}

// Each purge leaves two levels behind, and an index with 2,000 of them cannot be read any more. Long before that the indexes
// are made anew, which drops all words of what was deleted too. True: it was done; everything is queued again.
Result<bool> rebuild_when_worn(Connection& db) {
    std::int64_t levels = 0;
    {
        auto messages = db.use("SELECT block FROM search_index_data WHERE id = 10");
        TRY(const bool row, messages.step());
        levels = row ? levels_of(messages.bytes(0)) : 0;
    }
    {
        auto titles = db.use("SELECT block FROM search_titles_data WHERE id = 10");
        TRY(const bool row, titles.step());
        levels = std::max(levels, row ? levels_of(titles.bytes(0)) : 0);
    }
    if (levels < kLevelsMax) {
        return false;
    }
    TRY_VOID(db.run("INSERT INTO search_index (search_index) VALUES ('delete-all')"));
    TRY_VOID(db.run("DELETE FROM search_titles"));
    TRY_VOID(db.run("DELETE FROM search_vocabulary"));
    TRY_VOID(db.run("INSERT OR IGNORE INTO search_queue (mid) SELECT mid FROM bodies WHERE length(body) > 0 ORDER BY mid"));
    TRY_VOID(db.run("INSERT OR IGNORE INTO search_title_queue (conv) SELECT conv FROM conversations WHERE title <> ''"));
    return true;
}

}  // namespace

Result<std::string> read_searched_text(Connection& db, std::int64_t mid, BodyFormat format) {
    TRY(const std::string body, db.read_body_head(mid, kIndexedBytesMax));
    return searchable_text(format, std::string_view(body).substr(0, body.size() - base::utf8_incomplete_tail(body)));
}

Result<bool> index_step(Connection& db) {
    TRY(const bool more_titles, index_titles(db));
    TRY(const bool more_bodies, index_bodies(db));
    return more_titles || more_bodies;
}

Result<bool> merge_step(Connection& db) {
    return merge_some(db, kMergePages);
}

Status forget_in_search(Connection& db, std::int64_t mid) {
    bool queued = false;
    {
        auto found = db.use("SELECT 1 FROM search_queue WHERE mid = ?1", mid);
        TRY(queued, found.step());
    }
    if (queued) {
        return db.run("DELETE FROM search_queue WHERE mid = ?1", mid);
    }
    QueuedBody body{.mid = mid};
    {
        auto found = db.use(
            "SELECT i.format FROM bodies b CROSS JOIN items i ON i.conv = b.conv AND i.br = b.br AND i.pos = b.pos "
            "WHERE b.mid = ?1 AND i.type = 0 AND length(b.body) > 0",
            mid
        );
        TRY(body.searched, found.step());
        if (body.searched) {
            body.format = found.get<BodyFormat>(0);
        }
    }
    if (!body.searched) {
        return {};  // never indexed, or taken out already
    }
    TRY(const std::string text, read_searched_text(db, mid, body.format));
    if (text.empty()) {
        return {};
    }
    TRY_VOID(db.run(
        "INSERT INTO search_index (search_index, rowid, text) VALUES ('delete', ?1, ?2)", mid, index_words(text)
    ));
    return purge_is_due(db);
}

Status forget_title_in_search(Connection& db, ConversationNo conversation) {
    TRY_VOID(db.run("DELETE FROM search_title_queue WHERE conv = ?1", conversation));
    TRY_VOID(db.run(
        "DELETE FROM search_titles WHERE rowid = (SELECT user_no << 40 | conv FROM conversations WHERE conv = ?1)",
        conversation
    ));
    return purge_is_due(db);
}

Result<bool> purge_step(Connection& db) {
    bool due = false;
    int begun = 0;
    {
        auto found = db.use("SELECT due, begun FROM search_purge");
        TRY(const bool row, found.step());
        CONFAB_ASSERT(row);
        due = found.get<bool>(0);
        begun = static_cast<int>(found.integer(1));
    }
    if (!due && begun == 0) {
        return false;
    }
    if (begun == 0) {
        TRY(const bool rebuilt, rebuild_when_worn(db));
        TRY_VOID(db.run("UPDATE search_purge SET due = 0, begun = ?1", !rebuilt));
        return rebuilt ? Result<bool>(false) : merge_some(db, -kMergePages);
    }
    if (begun == 1) {
        TRY(const bool more, merge_some(db, kMergePages));
        if (!more) {
            TRY_VOID(db.run("UPDATE search_purge SET begun = 2, swept = ''"));
        }
        return true;
    }
    TRY(const bool more, sweep_words(db));
    if (!more) {
        TRY_VOID(db.run("UPDATE search_purge SET begun = 0"));
    }
    return more;
}

}  // namespace confab::store::sqlite

#include "store/sqlite/search_words.hpp"

#include <string_view>
#include <vector>

#include "store/search_query.hpp"
#include "store/sqlite/word_cutter.hpp"

namespace confab::store::sqlite {

namespace {

Result<std::vector<std::string>> words_from(Connection& db, const std::string& prefix) {
    const std::size_t limit = prefix.size() <= kShortPrefixBytes ? kShortPrefixWordsMax : kPrefixWordsMax;
    std::vector<std::string> words;
    auto found = db.use("SELECT word FROM search_vocabulary WHERE word > ?1 ORDER BY word LIMIT ?2", prefix, limit);
    while (words.size() < limit) {
        TRY(const bool row, found.step());
        if (!row) {
            break;
        }
        std::string word = found.get<std::string>(0);
        if (!word.starts_with(prefix)) {
            break;
        }
        words.push_back(std::move(word));
    }
    return words;
}

// As the index has it, and where it begins in the text it was taken from.
struct LastWord {
    std::string word;
    std::size_t begin = 0;
};

Result<LastWord> last_word_of(Connection& db, std::string_view text) {
    TRY(const WordCutter cutter, WordCutter::open(db));
    LastWord last;
    TRY_VOID(cutter.cut(text, [&](std::string_view word, std::size_t begin) {
        last.word = word;
        last.begin = begin;
    }));
    return last;
}

// A beginning becomes: ("what stands before it and itself" OR "what stands before it and a word" OR ...).
Result<std::string> render_term(Connection& db, const IndexTerm& term) {
    const std::string whole = "\"" + term.words + "\"";
    if (!term.is_prefix) {
        return whole;
    }
    TRY(const LastWord last, last_word_of(db, term.words));
    if (last.word.empty()) {
        return whole;
    }
    TRY(const auto words, words_from(db, last.word));
    if (words.empty()) {
        return whole;
    }
    std::string rendered = "(" + whole;
    for (const std::string& word : words) {
        rendered += " OR \"" + term.words.substr(0, last.begin) + word + "\"";
    }
    return rendered + ")";
}

}  // namespace

Result<std::string> match_expression(Connection& db, const SearchQuery& query) {
    std::string expression;
    for (const SearchTerm& term : query.terms) {
        TRY(const std::string rendered, render_term(db, index_term(term)));
        expression += expression.empty() ? "(" : " AND ";
        expression += rendered;
    }
    CONFAB_ASSERT(!expression.empty());
    expression += ")";
    for (const SearchTerm& term : query.excluded) {
        TRY(const std::string rendered, render_term(db, index_term(term)));
        expression += " NOT " + rendered;
    }
    return expression;
}

Status keep_words(Connection& db, const std::set<std::string>& words) {
    for (const std::string& word : words) {
        TRY_VOID(db.run("INSERT OR IGNORE INTO search_vocabulary (word) VALUES (?1)", word));
    }
    return {};
}

Result<bool> sweep_words(Connection& db) {
    std::vector<std::string> words;
    {
        auto rows = db.use(
            "SELECT word FROM search_vocabulary WHERE word > (SELECT swept FROM search_purge) ORDER BY word LIMIT ?1",
            kSweptWords
        );
        for (;;) {
            TRY(const bool row, rows.step());
            if (!row) {
                break;
            }
            words.push_back(rows.get<std::string>(0));
        }
    }
    for (const std::string& word : words) {
        TRY_VOID(db.run(
            "DELETE FROM search_vocabulary WHERE word = ?1 "
            "AND NOT EXISTS (SELECT 1 FROM search_words WHERE term = ?1) "
            "AND NOT EXISTS (SELECT 1 FROM search_title_words WHERE term = ?1)",
            word
        ));
    }
    const bool more = words.size() == kSweptWords;
    TRY_VOID(db.run("UPDATE search_purge SET swept = ?1", more ? words.back() : std::string()));
    return more;
}

}  // namespace confab::store::sqlite

#include "store/sqlite/search_words.hpp"

#include <array>
#include <string_view>
#include <vector>

#include "store/search_query.hpp"

namespace confab::store::sqlite {

namespace {

constexpr Sql kNextWordOfMessages{"SELECT term FROM search_words WHERE term >= ?1 LIMIT 1"};
constexpr Sql kNextWordOfTitles{"SELECT term FROM search_title_words WHERE term >= ?1 LIMIT 1"};

// As the index has it, and where it begins in the text it was taken from.
struct LastWord {
    std::string word;
    std::size_t begin = 0;
};

int keep_word(void* context, int /*flags*/, const char* token, int bytes, int begin, int /*end*/) {
    auto& last = *static_cast<LastWord*>(context);
    last.word.assign(token, static_cast<std::size_t>(bytes));
    last.begin = static_cast<std::size_t>(begin);
    return SQLITE_OK;
}

// FTS5 hands out its functions by a statement with a pointer for them.
Result<fts5_api*> fts5_of(Connection& db) {
    fts5_api* api = nullptr;
    sqlite3_stmt* statement = nullptr;
    int code = sqlite3_prepare_v2(db.handle(), "SELECT fts5(?1)", -1, &statement, nullptr);
    if (code == SQLITE_OK) {
        sqlite3_bind_pointer(statement, 1, static_cast<void*>(&api), "fts5_api_ptr", nullptr);
        sqlite3_step(statement);
        code = sqlite3_finalize(statement);
    }
    if (code != SQLITE_OK || api == nullptr) {
        return std::unexpected(db.error_of(code == SQLITE_OK ? SQLITE_ERROR : code));
    }
    return api;
}

// Cuts the text as the index does, for only then its words are found there.
Result<LastWord> last_word_of(Connection& db, std::string_view text) {
    TRY(fts5_api* const api, fts5_of(db));
    void* context = nullptr;
    fts5_tokenizer tokenizer{};
    Fts5Tokenizer* made = nullptr;
    std::array options{"remove_diacritics", "2"};
    int code = api->xFindTokenizer(api, "unicode61", &context, &tokenizer);
    if (code == SQLITE_OK) {
        code = tokenizer.xCreate(context, options.data(), static_cast<int>(options.size()), &made);
    }
    LastWord last;
    if (code == SQLITE_OK) {
        code = tokenizer.xTokenize(
            made, &last, FTS5_TOKENIZE_QUERY, text.data(), static_cast<int>(text.size()), keep_word
        );
        tokenizer.xDelete(made);
    }
    if (code != SQLITE_OK) {
        return std::unexpected(db.error_of(code));
    }
    return last;
}

// Each step is a seek: what stands between two words is not read.
Result<std::vector<std::string>> words_from(Connection& db, Sql next, const std::string& prefix) {
    std::vector<std::string> words;
    std::string from = prefix;
    while (words.size() < kPrefixWordsMax) {
        auto found = db.use(next, from);
        TRY(const bool row, found.step());
        if (!row) {
            break;
        }
        std::string word = found.get<std::string>(0);
        if (!word.starts_with(prefix)) {
            break;
        }
        from = word + '\x01';
        if (word != prefix) {
            words.push_back(std::move(word));
        }
    }
    return words;
}

// A beginning becomes: ("what stands before it and itself" OR "what stands before it and a word" OR ...).
Result<std::string> render_term(Connection& db, SearchIndex index, const IndexTerm& term) {
    const std::string whole = "\"" + term.words + "\"";
    if (!term.is_prefix) {
        return whole;
    }
    TRY(const LastWord last, last_word_of(db, term.words));
    if (last.word.empty()) {
        return whole;
    }
    TRY(const auto words, words_from(db, index == SearchIndex::messages ? kNextWordOfMessages : kNextWordOfTitles, last.word));
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

Result<std::string> match_expression(Connection& db, SearchIndex index, const SearchQuery& query) {
    std::string expression;
    for (const SearchTerm& term : query.terms) {
        TRY(const std::string rendered, render_term(db, index, index_term(term)));
        expression += expression.empty() ? "(" : " AND ";
        expression += rendered;
    }
    CONFAB_ASSERT(!expression.empty());
    expression += ")";
    for (const SearchTerm& term : query.excluded) {
        TRY(const std::string rendered, render_term(db, index, index_term(term)));
        expression += " NOT " + rendered;
    }
    return expression;
}

}  // namespace confab::store::sqlite

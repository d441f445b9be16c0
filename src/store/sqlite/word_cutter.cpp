#include "store/sqlite/word_cutter.hpp"

#include <array>

namespace confab::store::sqlite {

namespace {

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

int take_word(void* context, int /*flags*/, const char* token, int bytes, int begin, int /*end*/) {
    (*static_cast<WordCutter::Take*>(context))({token, static_cast<std::size_t>(bytes)}, static_cast<std::size_t>(begin));
    return SQLITE_OK;
}

}  // namespace

Result<WordCutter> WordCutter::open(Connection& db) {
    TRY(fts5_api* const api, fts5_of(db));
    void* context = nullptr;
    fts5_tokenizer functions{};
    Fts5Tokenizer* made = nullptr;
    std::array options{"remove_diacritics", "2"};  // as the migrations say
    int code = api->xFindTokenizer(api, "unicode61", &context, &functions);
    if (code == SQLITE_OK) {
        code = functions.xCreate(context, options.data(), static_cast<int>(options.size()), &made);
    }
    if (code != SQLITE_OK) {
        return std::unexpected(db.error_of(code));
    }
    return WordCutter(db, Tokenizer(made, functions.xDelete), functions.xTokenize);
}

Status WordCutter::cut(std::string_view text, Take take) const {
    const int code = tokenize_(
        tokenizer_.get(), &take, FTS5_TOKENIZE_DOCUMENT, text.data(), static_cast<int>(text.size()), take_word
    );
    return code == SQLITE_OK ? Status() : Status(std::unexpected(db_->error_of(code)));
}

}  // namespace confab::store::sqlite

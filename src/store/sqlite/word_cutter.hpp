// Cuts text into words as the search indexes do, for only then its words are found there.
#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "store/sqlite/connection.hpp"

struct Fts5Tokenizer;

namespace confab::store::sqlite {

// Made by FTS5; not to outlive the connection.
class WordCutter {
public:
    using Take = std::function<void(std::string_view word, std::size_t begin)>;

    static Result<WordCutter> open(Connection& db);

    // Calls `take` for each word, as the index has it, and where it begins in the text, in bytes. Errors: internal, out
    // of memory.
    Status cut(std::string_view text, Take take) const;

private:
    using Tokenizer = std::unique_ptr<Fts5Tokenizer, void (*)(Fts5Tokenizer*)>;
    using Tokenize = int (*)(Fts5Tokenizer*, void*, int, const char*, int, int (*)(void*, int, const char*, int, int, int));

    WordCutter(Connection& db, Tokenizer tokenizer, Tokenize tokenize)
        : db_(&db), tokenizer_(std::move(tokenizer)), tokenize_(tokenize) {}

    Connection* db_;
    Tokenizer tokenizer_;
    Tokenize tokenize_;
};

}  // namespace confab::store::sqlite

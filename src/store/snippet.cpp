#include "store/snippet.hpp"

#include <algorithm>
#include <string>

#include "base/text.hpp"
#include "store/search_text.hpp"

namespace confab::store {

namespace {

constexpr std::size_t kContextBytes = 80;  // before the first hit

// A word of the query, folded.
struct Word {
    std::u32string characters;
    bool is_prefix = false;
};

struct Range {
    std::size_t begin = 0;
    std::size_t end = 0;
};

std::vector<Word> words_of(const SearchQuery& query) {
    std::vector<Word> words;
    for (const SearchTerm& term : query.terms) {
        Word word;
        for (std::size_t at = 0; at <= term.text.size();) {
            const Folded folded = at < term.text.size() ? fold_at(term.text, at) : Folded{' ', 1};
            if (is_word_character(folded.character)) {
                word.characters += folded.character;
            } else if (!word.characters.empty()) {
                words.push_back(word);
                word.characters.clear();
            }
            at += folded.bytes;
        }
        if (!words.empty()) {
            words.back().is_prefix = term.is_prefix;
        }
    }
    return words;
}

// The end of `word` in the text at `at`; nothing when it does not stand there.
std::size_t match_at(std::string_view text, std::size_t at, const Word& word) {
    for (const char32_t wanted : word.characters) {
        if (at >= text.size()) {
            return 0;
        }
        const Folded folded = fold_at(text, at);
        if (folded.character != wanted) {
            return 0;
        }
        at += folded.bytes;
    }
    const bool cjk = is_cjk(word.characters.front());
    if (!word.is_prefix && !cjk && at < text.size() && is_word_character(fold_at(text, at).character)) {
        return 0;  // only the beginning of a longer word
    }
    return at;
}

// Calls `found(range, word)` for every word of the query in the text, in order; false from it ends the search.
template <class Found>
void find_words(std::string_view text, const std::vector<Word>& words, Found found) {
    bool in_word = false;
    for (std::size_t at = 0; at < text.size();) {
        const Folded folded = fold_at(text, at);
        const bool starts = !in_word || is_cjk(folded.character);
        std::size_t next = at + folded.bytes;
        in_word = is_word_character(folded.character);
        if (in_word && starts) {
            for (std::size_t i = 0; i < words.size(); ++i) {
                if (const std::size_t end = match_at(text, at, words[i]); end > 0) {
                    if (!found(Range{at, end}, i)) {
                        return;
                    }
                    next = end;
                    break;
                }
            }
        }
        at = next;
    }
}

// A character boundary at `at` or before.
std::size_t boundary_before(std::string_view text, std::size_t at) {
    while (at > 0 && at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80U) {
        --at;
    }
    return std::min(at, text.size());
}

void add_part(std::vector<SnippetPart>& parts, std::string_view text, bool hit) {
    if (!text.empty()) {
        std::string shown(text);
        std::ranges::replace_if(
            shown, [](char c) { return c == '\n' || c == '\r' || c == '\t'; }, ' '
        );
        parts.push_back({std::move(shown), hit});
    }
}

}  // namespace

std::vector<SnippetPart> make_snippet(std::string_view text, const SearchQuery& query) {
    std::vector<Range> hits;
    std::size_t last = text.size();
    find_words(text, words_of(query), [&](Range range, std::size_t) {
        if (hits.empty()) {
            const std::size_t begin = range.begin > kContextBytes ? range.begin - kContextBytes : 0;
            last = begin + kSnippetBytesMax;
        }
        if (range.end > last) {
            return false;
        }
        hits.push_back(range);
        return true;
    });
    std::size_t begin = 0;
    if (!hits.empty() && hits.front().begin > kContextBytes) {
        begin = boundary_before(text, hits.front().begin - kContextBytes);
    }
    const std::size_t end = boundary_before(text, std::min(text.size(), begin + kSnippetBytesMax));
    std::vector<SnippetPart> parts;
    add_part(parts, begin > 0 ? "…" : "", false);
    std::size_t at = begin;
    for (const Range& hit : hits) {
        if (hit.end > end) {
            break;
        }
        add_part(parts, text.substr(at, hit.begin - at), false);
        add_part(parts, text.substr(hit.begin, hit.end - hit.begin), true);
        at = hit.end;
    }
    add_part(parts, text.substr(at, end - at), false);
    add_part(parts, end < text.size() ? "…" : "", false);
    return parts;
}

double relevance(std::string_view text, const SearchQuery& query) {
    const std::vector<Word> words = words_of(query);
    std::vector<double> counts(words.size(), 0);
    find_words(text, words, [&](Range, std::size_t word) {
        counts[word] += 1;
        return true;
    });
    double score = 0;
    for (const double count : counts) {
        score += count / (count + 1.2);  // as in BM25: the tenth time says little more than the third
    }
    const double length = 1.0 + static_cast<double>(text.size()) / 2'000.0;
    return score / (0.75 + 0.25 * length);
}

}  // namespace confab::store

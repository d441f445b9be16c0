#include "store/search_query.hpp"

#include <charconv>
#include <chrono>

#include "base/text.hpp"
#include "store/search_text.hpp"

namespace confab::store {

namespace {

// One thing between spaces: -"two words", model:x, word.
struct Token {
    std::string_view text;
    bool excluded = false;
    bool quoted = false;
    bool last = false;  // nothing follows it, not even a space: it is still being typed
};

Token take_token(std::string_view& rest) {
    Token token;
    if (rest.size() > 1 && rest.front() == '-') {
        token.excluded = true;
        rest.remove_prefix(1);
    }
    if (rest.starts_with('"')) {
        token.quoted = true;
        rest.remove_prefix(1);
        const auto end = rest.find('"');
        token.text = rest.substr(0, end);
        rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
    } else {
        const auto end = rest.find_first_of(" \t\r\n\"");
        token.text = rest.substr(0, end);
        rest = end == std::string_view::npos ? std::string_view() : rest.substr(end);
        token.last = end == std::string_view::npos;
    }
    return token;
}

bool has_word(std::string_view text) {
    for (std::size_t at = 0; at < text.size();) {
        const Folded folded = fold_at(text, at);
        if (is_word_character(folded.character)) {
            return true;
        }
        at += folded.bytes;
    }
    return false;
}

std::optional<UnixSeconds> parse_day(std::string_view text) {
    int year = 0;
    unsigned month = 0;
    unsigned day = 0;
    const auto number = [](std::string_view digits, auto& value) {
        const auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
        return ec == std::errc{} && end == digits.data() + digits.size();
    };
    if (text.size() != 10 || text[4] != '-' || text[7] != '-' || !number(text.substr(0, 4), year) ||
        !number(text.substr(5, 2), month) || !number(text.substr(8, 2), day)) {
        return std::nullopt;
    }
    const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(month), std::chrono::day(day)};
    if (!date.ok()) {
        return std::nullopt;
    }
    return std::chrono::sys_days(date).time_since_epoch() / std::chrono::seconds(1);
}

// Takes `name:value` when it is one of ours.
bool take_filter(SearchQuery& query, std::string_view text) {
    const auto colon = text.find(':');
    if (colon == std::string_view::npos) {
        return false;
    }
    const std::string name = base::ascii_lower(text.substr(0, colon));
    const std::string value = base::ascii_lower(text.substr(colon + 1));
    if (name == "in" && value == "title") {
        query.titles_only = true;
    } else if (name == "from" && value == "me") {
        query.role = ItemRole::user;
    } else if (name == "from" && value == "assistant") {
        query.role = ItemRole::assistant;
    } else if (name == "model" && !value.empty()) {
        query.model = value;
    } else if (const auto day = parse_day(value); day && name == "before") {
        query.until = day;
    } else if (day && name == "after") {
        query.from = day;
    } else {
        return false;
    }
    return true;
}

}  // namespace

SearchQuery parse_search_query(std::string_view text) {
    SearchQuery query;
    bool ends_in_word = false;
    std::string_view rest = base::utf8_prefix(text, kQueryBytesMax);
    while (query.terms.size() + query.excluded.size() < kQueryTermsMax) {
        const auto begin = rest.find_first_not_of(" \t\r\n");
        if (begin == std::string_view::npos) {
            break;
        }
        rest.remove_prefix(begin);
        const Token token = take_token(rest);
        if (!token.quoted && !token.excluded && take_filter(query, token.text)) {
            if (ends_in_word) {
                query.terms.back().is_prefix = true;  // filters are chosen after the word that is being typed, too
            }
            continue;
        }
        if (!has_word(token.text)) {
            continue;
        }
        auto& terms = token.excluded ? query.excluded : query.terms;
        terms.push_back({std::string(token.text), token.last && !token.excluded});
        ends_in_word = !token.excluded && !token.quoted;
    }
    return query;
}

IndexTerm index_term(const SearchTerm& term) {
    std::string words = index_words(term.text);
    std::size_t characters = 0;
    bool cjk = true;
    for (std::size_t at = 0; at < term.text.size();) {
        const Folded folded = fold_at(term.text, at);
        cjk = cjk && is_cjk(folded.character);
        at += folded.bytes;
        ++characters;
    }
    if (cjk && characters > 1) {
        words = words.substr(0, words.find_last_of(' '));  // without the last character alone
    }
    std::erase_if(words, [](char c) { return c == '"' || c == '\0'; });
    return {std::move(words), cjk ? characters == 1 : term.is_prefix};
}

}  // namespace confab::store

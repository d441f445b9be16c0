#include "base/json_skim.hpp"

#include <cstddef>

#include "base/bytes.hpp"
#include "base/json.hpp"
#include "base/text.hpp"

namespace confab::base {

namespace {

constexpr std::ptrdiff_t kExponentDigitsMax = 4;  // more is for the parser to judge
bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

bool is_hex(char c) {
    return hex_value(c) >= 0;
}

// One pass over the text, without recursion.
class Skimmer {
public:
    explicit Skimmer(std::string_view text) : at_(text.data()), end_(at_ + text.size()) {}

    bool run(const std::function<void(const SkimmedMember&)>& take) {
        skip_space();
        if (!accept('{')) {
            return false;
        }
        skip_space();
        if (accept('}')) {
            return at_end();
        }
        do {
            SkimmedMember member;
            skip_space();
            const char* key = at_;
            bool escaped = false;
            if (!skip_string(&escaped) || escaped) {
                return false;
            }
            member.key = std::string_view(key + 1, at_ - 1);
            skip_space();
            if (!accept(':')) {
                return false;
            }
            skip_space();
            const char* value = at_;
            if (!skip_value()) {
                return false;
            }
            member.value = std::string_view(value, at_);
            take(member);
            skip_space();
        } while (accept(','));
        return accept('}') && at_end();
    }

private:
    bool at_end() {
        skip_space();
        return at_ == end_;
    }

    bool accept(char c) {
        if (at_ == end_ || *at_ != c) {
            return false;
        }
        ++at_;
        return true;
    }

    void skip_space() {
        while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t')) {
            ++at_;
        }
    }

    // A value of any depth: `open_` holds the brackets that are open.
    bool skip_value() {
        depth_ = 0;
        for (;;) {
            skip_space();
            if (at_ == end_) {
                return false;
            }
            bool opened = false;
            if (*at_ == '{' || *at_ == '[') {
                if (depth_ + 1 >= kJsonDepthMax) {
                    return false;
                }
                open_[depth_++] = *at_++;
                skip_space();
                opened = !accept_closing();
                if (opened && open_[depth_ - 1] == '{' && !skip_key()) {
                    return false;
                }
            } else if (!skip_scalar()) {
                return false;
            }
            if (opened) {
                continue;
            }
            if (!close_what_ends()) {
                return false;
            }
            if (depth_ == 0) {
                return true;
            }
        }
    }

    bool accept_closing() {
        if (!accept(open_[depth_ - 1] == '{' ? '}' : ']')) {
            return false;
        }
        --depth_;
        return true;
    }

    // After a value: closes every bracket that ends here, and goes to the next value if there is one.
    bool close_what_ends() {
        while (depth_ > 0) {
            skip_space();
            if (accept(',')) {
                return open_[depth_ - 1] != '{' || skip_key();
            }
            if (!accept_closing()) {
                return false;
            }
        }
        return true;
    }

    bool skip_key() {
        skip_space();
        if (!skip_string(nullptr)) {
            return false;
        }
        skip_space();
        return accept(':');
    }

    bool skip_scalar() {
        switch (*at_) {
            case '"': return skip_string(nullptr);
            case 't': return skip_word("true");
            case 'f': return skip_word("false");
            case 'n': return skip_word("null");
            default: return skip_number();
        }
    }

    bool skip_word(std::string_view word) {
        if (!std::string_view(at_, end_).starts_with(word)) {
            return false;
        }
        at_ += word.size();
        return true;
    }

    bool skip_digits() {
        const char* begin = at_;
        while (at_ != end_ && is_digit(*at_)) {
            ++at_;
        }
        return at_ != begin;
    }

    bool skip_number() {
        accept('-');
        if (!accept('0') && !skip_digits()) {
            return false;
        }
        if (accept('.') && !skip_digits()) {
            return false;
        }
        if (accept('e') || accept('E')) {
            if (!accept('+')) {
                accept('-');
            }
            const char* exponent = at_;
            return skip_digits() && at_ - exponent <= kExponentDigitsMax;
        }
        return true;
    }

    bool skip_string(bool* escaped) {
        if (!accept('"')) {
            return false;
        }
        for (;;) {
            while (end_ - at_ >= 8 && !has_json_special(load_bytes(at_))) {
                at_ += 8;
            }
            if (at_ == end_) {
                return false;
            }
            const auto c = static_cast<unsigned char>(*at_);
            if (c == '"') {
                ++at_;
                return true;
            }
            if (c < 0x20) {
                return false;
            }
            if (c == '\\') {
                if (escaped != nullptr) {
                    *escaped = true;
                }
                if (!skip_escape()) {
                    return false;
                }
            } else if (c >= 0x80) {
                const std::size_t length = utf8_sequence_length(std::string_view(at_, end_));
                if (length == 0) {
                    return false;
                }
                at_ += length;
            } else {
                ++at_;
            }
        }
    }

    bool skip_escape() {
        if (end_ - at_ < 2) {
            return false;
        }
        const char c = at_[1];
        if (c != 'u') {
            at_ += 2;
            return std::string_view("\"\\/bfnrt").find(c) != std::string_view::npos;
        }
        const int unit = code_unit(at_);
        if (unit < 0 || (unit >= 0xDC00 && unit <= 0xDFFF)) {
            return false;
        }
        at_ += 6;
        if (unit >= 0xD800 && unit <= 0xDBFF) {  // the second half must follow
            const int second = code_unit(at_);
            if (second < 0xDC00 || second > 0xDFFF) {
                return false;
            }
            at_ += 6;
        }
        return true;
    }

    // The value of \uXXXX at `at`, or -1.
    int code_unit(const char* at) const {
        if (end_ - at < 6 || at[0] != '\\' || at[1] != 'u') {
            return -1;
        }
        int value = 0;
        for (int i = 2; i < 6; ++i) {
            if (!is_hex(at[i])) {
                return -1;
            }
            value = value * 16 + hex_value(at[i]);
        }
        return value;
    }

    const char* at_;
    const char* end_;
    std::size_t depth_ = 0;
    char open_[kJsonDepthMax] = {};
};

}  // namespace

bool skim_object(std::string_view text, const std::function<void(const SkimmedMember&)>& take) {
    return Skimmer(text).run(take);
}

}  // namespace confab::base

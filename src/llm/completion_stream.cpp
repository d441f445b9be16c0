#include "llm/completion_stream.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "base/text.hpp"
#include "llm/lenient_json.hpp"

namespace confab::llm {

namespace {

namespace json = base::json;

constexpr std::string_view kSpace = " \t\r\n";

// A web page instead of an answer: this much of it is enough for its title.
constexpr std::size_t kPageStartBytesMax = 4096;

// How often the rest of an event that cannot be parsed is tried again from a later place. Each try may read the whole
// rest.
constexpr int kGluedTriesMax = 8;

const json::object* find_object(const json::object& object, std::string_view key) {
    const json::value* member = base::find(object, key);
    return member != nullptr ? member->if_object() : nullptr;
}

const json::array* find_array(const json::object& object, std::string_view key) {
    const json::value* member = base::find(object, key);
    return member != nullptr ? member->if_array() : nullptr;
}

// `error` counts when it says something: an object or a text. Some servers send `"error": null` with every chunk.
bool names_error(const json::object& object) {
    const json::value* error = base::find(object, "error");
    if (error != nullptr && ((error->is_object() && !error->get_object().empty()) ||
                             (error->is_string() && !error->get_string().empty()))) {
        return true;
    }
    return base::find_string(object, "type") == "error" || base::find_string(object, "object") == "error";
}

// A token count; servers write it as integer or as float. Nonsense counts as 0.
std::int64_t count_of(const json::object& object, std::string_view key) {
    const json::value* member = base::find(object, key);
    if (member == nullptr) {
        return 0;
    }
    if (member->is_double()) {
        const double number = member->get_double();
        return number >= 0 && number < 1e15 ? static_cast<std::int64_t>(number) : 0;
    }
    json::error_code ec;
    const auto number = member->to_number<std::int64_t>(ec);
    return ec ? 0 : std::max<std::int64_t>(0, number);
}

std::int64_t first_count(const json::object& object, std::initializer_list<std::string_view> keys) {
    for (const std::string_view key : keys) {
        if (const std::int64_t count = count_of(object, key); count != 0) {
            return count;
        }
    }
    return 0;
}

Usage usage_of(const json::object& object) {
    Usage usage;
    usage.input_tokens = first_count(object, {"prompt_tokens", "input_tokens"});
    usage.output_tokens = first_count(object, {"completion_tokens", "output_tokens"});
    usage.total_tokens = count_of(object, "total_tokens");
    if (usage.total_tokens == 0) {
        usage.total_tokens = usage.input_tokens + usage.output_tokens;
    }
    usage.cached_tokens = first_count(object, {"cached_tokens", "prompt_cache_hit_tokens"});  // Moonshot, DeepSeek
    if (const json::object* details = find_object(object, "prompt_tokens_details")) {
        usage.cached_tokens = std::max(usage.cached_tokens, count_of(*details, "cached_tokens"));
    }
    if (const json::object* details = find_object(object, "completion_tokens_details")) {
        usage.reasoning_tokens = count_of(*details, "reasoning_tokens");
    }
    return usage;
}

struct ReasonRow {
    std::string_view raw;
    FinishReason reason;
};

constexpr std::array kReasons{
    ReasonRow{"stop", FinishReason::stop},
    ReasonRow{"eos", FinishReason::stop},
    ReasonRow{"end_turn", FinishReason::stop},
    ReasonRow{"stop_sequence", FinishReason::stop},
    ReasonRow{"length", FinishReason::length},
    ReasonRow{"max_tokens", FinishReason::length},
    ReasonRow{"model_length", FinishReason::length},
    ReasonRow{"tool_calls", FinishReason::tool_calls},
    ReasonRow{"function_call", FinishReason::tool_calls},
    ReasonRow{"tool_use", FinishReason::tool_calls},
    ReasonRow{"content_filter", FinishReason::content_filter},
    ReasonRow{"safety", FinishReason::content_filter},
};

// A finish reason in a server's own words (rule 9); words nobody knows mean stop.
FinishReason known_reason(std::string_view raw) {
    const auto row =
        std::ranges::find_if(kReasons, [&](const ReasonRow& entry) { return base::iequals(entry.raw, raw); });
    return row != kReasons.end() ? row->reason : FinishReason::stop;
}

}  // namespace

void CompletionStream::begin(std::string_view content_type) {
    const std::string type = base::ascii_lower(content_type);
    if (type.find("json") != std::string::npos) {
        announced_shape_ = Shape::document;
    } else if (type.find("html") != std::string::npos) {
        announced_shape_ = Shape::page;
    }
}

void CompletionStream::feed(std::string_view bytes) {
    if (shape_ == Shape::unknown) {
        detect_shape(bytes);
    }
    if (done_ || bytes.empty()) {
        return;
    }
    if (shape_ == Shape::events) {
        if (const auto fed = parser_.feed(bytes, *this); !fed) {
            fail(Fault::Kind::too_large, fed.error().message, fed.error().code);
        }
        return;
    }
    const std::size_t bytes_max = shape_ == Shape::page ? kPageStartBytesMax : kEventBytesMax;
    if (body_.size() + bytes.size() <= bytes_max) {
        body_ += bytes;
        return;
    }
    body_ += bytes.substr(0, bytes_max - body_.size());
    if (shape_ == Shape::page) {
        done_ = true;
    } else {
        fail(Fault::Kind::too_large, "The model server's answer is too large.", "event_too_large");
    }
}

// Drops white space and a byte order mark before the body, then looks at its first byte. No event stream begins with a
// bracket and no JSON document with a letter of a field name, whatever the Content-Type says.
void CompletionStream::detect_shape(std::string_view& bytes) {
    while (!bytes.empty() && shape_ == Shape::unknown) {
        const char first = bytes.front();
        if (lead_bytes_ < base::kUtf8Bom.size() && first == base::kUtf8Bom[lead_bytes_]) {
            ++lead_bytes_;
        } else if (kSpace.find(first) == std::string_view::npos) {
            if (first == '{' || first == '[') {
                shape_ = Shape::document;
            } else if (first == '<') {
                shape_ = Shape::page;
            } else {
                shape_ =
                    std::string_view("deir:").find(first) != std::string_view::npos ? Shape::events : announced_shape_;
            }
            return;
        }
        bytes.remove_prefix(1);
    }
}

SseHandler::Next CompletionStream::on_event(const SseEvent& event) {
    const std::string_view data = base::trim(event.data);
    const bool is_error = base::iequals(event.type, "error");
    if (data == "[DONE]") {
        terminated_ = done_ = true;
    } else if (!data.empty() && !data.starts_with(':')) {  // some gateways send comments on as data
        take_data(data, is_error);
    }
    return done_ ? Next::stop : Next::more;
}

void CompletionStream::take_data(std::string_view data, bool is_error) {
    if (!is_error && !torn_event_) {
        if (const auto piece = template_.match(data)) {
            text(*piece);
            check_budget();
            return;
        }
    }
    EventArena arena;
    if (const auto parsed = parse_whole(data, arena.storage())) {
        pieces_ = 0;
        only_text_ = {};
        take_value(*parsed, is_error);
        if (pieces_ == 1 && !done_) {
            template_.learn(data, only_text_);
        }
        return;
    }
    split_glued(data, is_error);
}

// Data that is not one JSON value: several events glued together, or one cut short with something after it.
void CompletionStream::split_glued(std::string_view data, bool is_error) {
    std::size_t values = 0;
    std::string_view rest = data;
    for (int tries = 0; tries < kGluedTriesMax && !done_;) {
        rest = base::trim(rest);
        if (rest.starts_with("data:")) {
            rest = base::trim(rest.substr(5));
        }
        if (rest.empty()) {
            return;
        }
        if (rest.starts_with("[DONE]")) {
            terminated_ = done_ = true;
            return;
        }
        EventArena arena;
        if (const auto parsed = parse_prefix(rest, arena.storage()); parsed && parsed->bytes > 0) {
            rest.remove_prefix(parsed->bytes);
            take_value(parsed->value, is_error);
            ++values;
            continue;
        }
        ++tries;
        torn_event_ = true;
        const auto next = std::min({rest.find('\n', 1), rest.find("data:", 1), rest.find("{\"error\"", 1)});
        if (next == std::string_view::npos) {
            break;
        }
        rest.remove_prefix(next);
    }
    if (is_error && values == 0 && !done_) {
        fail(Fault::Kind::upstream_error, data);
    }
}

void CompletionStream::take_value(const json::value& value, bool is_error) {
    if (const json::object* object = value.if_object()) {
        take_object(*object, is_error);
    } else if (const json::array* list = value.if_array(); list != nullptr && !list->empty()) {
        if (const json::object* first = list->front().if_object()) {
            take_object(*first, is_error);  // Gemini wraps its errors in an array
        }
    } else if (is_error) {
        fail(Fault::Kind::upstream_error, value.is_string() ? std::string_view(value.get_string()) : std::string_view());
    }
}

void CompletionStream::take_object(const json::object& object, bool is_error) {
    const bool failed = is_error || names_error(object);
    if (torn_event_ && !failed) {
        // Going on would deliver a text with a hole in it.
        fail(Fault::Kind::malformed, "The model server sent an event that cannot be understood.");
    }
    if (done_) {
        return;
    }
    take_usage(object);
    if (!torn_event_) {
        take_choices(object);
    }
    if (failed && !done_) {
        fail_from(error_of(object));
    }
}

std::optional<Usage> find_usage(const json::object& object) {
    const json::object* usage = find_object(object, "usage");
    if (usage == nullptr) {
        if (const json::object* groq = find_object(object, "x_groq")) {
            usage = find_object(*groq, "usage");
        }
    }
    return usage != nullptr && !usage->empty() ? std::optional(usage_of(*usage)) : std::nullopt;
}

void CompletionStream::take_usage(const json::object& object) {
    if (auto usage = find_usage(object)) {
        usage_ = usage;
    }
}

void CompletionStream::take_choices(const json::object& object) {
    const json::array* choices = find_array(object, "choices");
    if (choices == nullptr) {
        return;
    }
    for (const json::value& entry : *choices) {
        const json::object* choice = entry.if_object();
        if (choice != nullptr && count_of(*choice, "index") == 0 && !done_) {
            take_choice(*choice);
            check_budget();
        }
    }
}

void CompletionStream::take_choice(const json::object& choice) {
    take_usage(choice);  // Moonshot puts it here
    if (const json::object* delta = find_object(choice, "delta")) {
        take_delta(*delta);
        has_deltas_ = has_deltas_ || said_something_;
    } else if (const json::object* message = find_object(choice, "message"); message != nullptr && !has_deltas_) {
        take_delta(*message);
    }
    const std::string_view reason = base::find_string(choice, "finish_reason");
    if (reason.empty() || reason == "null") {  // SGLang and Qwen mean "none yet"
        return;
    }
    raw_finish_reason_ = tidy_message(reason);
}

void CompletionStream::take_delta(const json::object& delta) {
    take_reasoning(delta);
    if (const json::value* content = base::find(delta, "content")) {
        take_content(*content);
    }
    if (const std::string_view refusal = refusal_joiner_.join(base::find_string(delta, "refusal"), scratch_);
        !refusal.empty()) {
        if (const std::string_view fitting = budget_.take(refusal); !fitting.empty()) {
            said_something_ = true;
            ++pieces_;
            sink_.on_refusal(fitting);
        }
    }
    take_tool_calls(delta);
}

void CompletionStream::take_content(const json::value& content) {
    if (const json::string* whole = content.if_string()) {
        only_text_ = std::string_view(*whole);
        text(only_text_);
    } else if (const json::array* parts = content.if_array()) {
        std::ranges::for_each(*parts, [this](const json::value& part) { take_part(part); });
    }
}

// Mistral: {"type":"text","text":".."} and {"type":"thinking","thinking":[{"type":"text","text":".."}]}.
void CompletionStream::take_part(const json::value& part) {
    if (const json::string* whole = part.if_string()) {
        text(std::string_view(*whole));
    } else if (const json::object* object = part.if_object()) {
        text(base::find_string(*object, "text"));
        reasoning(base::find_string(*object, "thinking"));
        take_thoughts(*object, "thinking");
    }
}

void CompletionStream::take_reasoning(const json::object& delta) {
    for (const std::string_view key : {"reasoning_content", "reasoning"}) {
        if (const std::string_view piece = base::find_string(delta, key); !piece.empty()) {
            reasoning(piece);
            return;
        }
    }
    take_thoughts(delta, "reasoning_details");
}

// A list of objects with a `text`.
void CompletionStream::take_thoughts(const json::object& object, std::string_view key) {
    const json::array* thoughts = find_array(object, key);
    if (thoughts == nullptr) {
        return;
    }
    for (const json::value& entry : *thoughts) {
        if (const json::object* thought = entry.if_object()) {
            reasoning(base::find_string(*thought, "text"));
        }
    }
}

void CompletionStream::take_tool_calls(const json::object& delta) {
    bool few_enough = true;
    if (const json::array* calls = find_array(delta, "tool_calls")) {
        for (const json::value& entry : *calls) {
            if (const json::object* call = entry.if_object()) {
                few_enough = few_enough && tools_.add(*call);
            }
        }
    } else if (const json::object* call = find_object(delta, "function_call")) {
        few_enough = tools_.add(*call);  // OpenAI's form of 2023
    }
    if (!few_enough) {
        fail(Fault::Kind::too_large, "The model server sent too many tool calls.", "too_many_tool_calls");
    }
    said_something_ = said_something_ || !tools_.empty();
    pieces_ += tools_.empty() ? 0 : 2;  // whatever it was, it was not only text
}

void CompletionStream::text(std::string_view piece) {
    if (const std::string_view fitting = budget_.take(text_joiner_.join(piece, scratch_)); !fitting.empty()) {
        said_something_ = true;
        ++pieces_;
        sink_.on_text(fitting);
    }
}

void CompletionStream::reasoning(std::string_view piece) {
    if (const std::string_view fitting = budget_.take(reasoning_joiner_.join(piece, scratch_)); !fitting.empty()) {
        said_something_ = true;
        ++pieces_;
        sink_.on_reasoning(fitting);
    }
}

void CompletionStream::check_budget() {
    if (budget_.exceeded()) {
        fail(Fault::Kind::too_large, "The model server's answer is longer than this server keeps.", "answer_too_large");
    }
}

void CompletionStream::fail(Fault::Kind kind, std::string_view message, std::string_view code) {
    if (!fault_) {
        fault_ = Fault{kind, tidy_message(code), tidy_message(message)};
        if (fault_->message.empty()) {
            fault_->message = "The model server reported an error without explaining it.";
        }
    }
    done_ = true;
}

void CompletionStream::fail_from(const ErrorBody& error) {
    fail(Fault::Kind::upstream_error, error.message, error.code);
}

Outcome CompletionStream::finish() {
    if (!done_ && shape_ == Shape::events) {
        if (const auto flushed = parser_.finish(*this); !flushed) {
            fail(Fault::Kind::too_large, flushed.error().message, flushed.error().code);
        }
    } else if (!fault_ && (shape_ == Shape::document || shape_ == Shape::page)) {
        finish_document();
    }
    flush_text();
    done_ = true;
    return Outcome{end(), usage_, raw_finish_reason_};
}

// The whole body is here: a chat.completion, an error, or something else altogether.
void CompletionStream::finish_document() {
    if (shape_ == Shape::page) {
        fail(Fault::Kind::malformed, parse_error_body(200, body_).message, "not_an_api");
        return;
    }
    EventArena arena;
    const auto parsed = parse_whole(base::trim(body_), arena.storage());
    if (!parsed && parsed.error() == JsonFlaw::cut_short) {
        fail(Fault::Kind::truncated, "The model server's answer broke off.");
        return;
    }
    if (!parsed) {
        fail(Fault::Kind::malformed, "The model server's answer is not valid JSON.");
        return;
    }
    take_value(*parsed, false);
    const json::object* object = parsed->if_object();
    if (!fault_ && (object == nullptr || find_array(*object, "choices") == nullptr)) {
        const ErrorBody error = object != nullptr ? error_of(*object) : ErrorBody();
        const bool explained = !error.message.empty();
        fail(
            Fault::Kind::malformed,
            explained ? error.message : "The model server's answer is no chat completion.",
            error.code
        );
    }
    terminated_ = true;
}

// Half characters at the end of the answer cannot be completed any more.
void CompletionStream::flush_text() {
    if (const std::string_view rest = budget_.take(reasoning_joiner_.finish()); !rest.empty()) {
        sink_.on_reasoning(rest);
    }
    if (const std::string_view rest = budget_.take(text_joiner_.finish()); !rest.empty()) {
        sink_.on_text(rest);
    }
    if (const std::string_view rest = budget_.take(refusal_joiner_.finish()); !rest.empty()) {
        sink_.on_refusal(rest);
    }
    tools_.finish();
}

std::variant<FinishReason, Fault> CompletionStream::end() const {
    if (fault_) {
        return *fault_;
    }
    if (torn_event_) {
        return Fault{
            terminated_ ? Fault::Kind::malformed : Fault::Kind::truncated,
            {},
            "The model server's answer broke off within an event."
        };
    }
    if (raw_finish_reason_.empty()) {
        return end_without_reason();
    }
    if (base::iequals(raw_finish_reason_, "error")) {
        return Fault{Fault::Kind::upstream_error, "error", "The model server broke off its answer with an error."};
    }
    const FinishReason reason = known_reason(raw_finish_reason_);
    return reason == FinishReason::stop && !tools_.empty() ? FinishReason::tool_calls : reason;
}

std::variant<FinishReason, Fault> CompletionStream::end_without_reason() const {
    if (!said_something_) {
        return Fault{
            Fault::Kind::truncated, "empty_answer", "The model server closed the answer without saying anything."
        };
    }
    if (!tools_.empty() && (terminated_ || tools_.complete())) {
        return FinishReason::tool_calls;
    }
    if (terminated_) {
        return FinishReason::stop;
    }
    return Fault{Fault::Kind::truncated, {}, "The model server's answer broke off."};
}

}  // namespace confab::llm

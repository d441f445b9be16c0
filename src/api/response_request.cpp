#include "api/response_request.hpp"

#include "api/tools.hpp"

namespace confab::api {

namespace {

using base::invalid;
using base::Result;
using base::Status;

constexpr std::size_t kInstructionsBytesMax = 1024 * 1024;

// The item that the new ones follow; null: none, they begin the conversation anew. A member that is not there at all is
// neither: they follow what is shown.
Result<std::optional<store::AfterItem>> parse_after(const Fields& fields) {
    if (!fields.has("after")) {
        return std::nullopt;
    }
    TRY(const auto text, fields.text("after"));
    store::AfterItem after;
    if (text) {
        after.item = store::ItemId::parse(*text);
        if (!after.item) {
            return base::not_found("There is no such item in this conversation.", "item_not_found", "after");
        }
    }
    return after;
}

Status parse_target(const Fields& fields, store::RunTarget& target) {
    const json::value* conversation = fields.any("conversation");
    if (conversation != nullptr) {
        const std::string_view text =
            conversation->is_string()
                ? std::string_view(conversation->get_string().data(), conversation->get_string().size())
            : conversation->is_object() ? base::find_string(conversation->get_object(), "id")
                                        : std::string_view();
        if (text.empty()) {
            return invalid("conversation", "'conversation' is an id or an object with an id.", "invalid_type");
        }
        target.conversation = store::ConversationId::parse(text);
        if (!target.conversation) {
            return base::not_found(
                "Conversation with id '" + std::string(text) + "' not found.", "not_found", "conversation"
            );
        }
    }
    TRY(const auto previous, fields.text("previous_response_id"));
    TRY(target.after, parse_after(fields));
    if (target.after && !target.conversation) {
        return invalid("after", "'after' names an item of a 'conversation', which is missing.", "invalid_after");
    }
    if (previous) {
        if (target.conversation) {
            return invalid(
                "previous_response_id",
                "'conversation' and 'previous_response_id' exclude each other.",
                "mutually_exclusive_parameters"
            );
        }
        target.previous_response = store::ResponseId::parse(*previous);
        if (!target.previous_response) {
            return invalid(
                "previous_response_id",
                "Previous response with id '" + *previous + "' not found.",
                "previous_response_not_found"
            );
        }
    }
    return {};
}

Status parse_modes(const Fields& fields, ResponseRequest& request) {
    TRY(const auto stream, fields.boolean("stream"));
    TRY(const auto background, fields.boolean("background"));
    TRY(const auto store, fields.boolean("store"));
    request.stream = stream.value_or(false);
    request.run.background = background.value_or(false);
    request.run.stored = store.value_or(true);
    TRY(const auto continues, fields.boolean("continue"));
    request.run.continues = continues.value_or(false);
    if (request.run.continues && request.run.target.after) {
        return invalid("after", "'continue' goes on with the last answer; it takes no 'after'.", "invalid_after");
    }
    if (request.run.continues && !request.run.target.conversation) {
        return invalid("continue", "Only an answer in a conversation can be continued.", "nothing_to_continue");
    }
    if (request.run.background && !request.run.stored) {
        return invalid("background", "background can only be used when `store` is true");
    }
    return {};
}

// Without a word from the caller, a conversation is not ended by the model's context; a request with all of its input
// in it is taken at its word, as at OpenAI.
Status parse_truncation(const Fields& fields, chat::RunRequest& run) {
    TRY(const auto truncation, fields.text("truncation"));
    if (truncation && *truncation != "auto" && *truncation != "disabled") {
        return invalid("truncation", "truncation is 'auto' or 'disabled'.");
    }
    const bool goes_on = run.target.conversation || run.target.previous_response;
    const bool automatic = truncation ? *truncation == "auto" : goes_on;
    run.truncation = automatic ? store::Truncation::automatic : store::Truncation::disabled;
    return {};
}

// The members of the Response object that repeat the request. All of them, always: strict clients want every one
// present.
class Echo {
public:
    explicit Echo(std::string& text) : out_(text) { out_.begin_object(); }

    void finish() { out_.end_object(); }

    void raw(std::string_view name, const json::value* value, std::string_view otherwise) {
        out_.raw_member(name, value == nullptr ? std::string(otherwise) : base::to_string(*value));
    }

    template <class T>
    void optional(std::string_view name, const std::optional<T>& value) {
        out_.key(name);
        if (value) {
            out_.value(*value);
        } else {
            out_.value(nullptr);
        }
    }

    base::JsonWriter& writer() { return out_; }

private:
    base::JsonWriter out_;
};

Status parse_parameters(const Fields& fields, chat::RunRequest& run) {
    TRY(run.parameters.temperature, fields.number("temperature", 0, 2));
    TRY(run.parameters.top_p, fields.number("top_p", 0, 1));
    TRY(run.parameters.output_tokens_max, fields.integer("max_output_tokens", 1, 10'000'000));
    TRY(const json::object* text, fields.object("text"));
    if (text != nullptr) {
        TRY(const json::object* format, Fields(*text, "text.").object("format"));
        if (format != nullptr && base::find_string(*format, "type") == "json_object") {
            run.parameters.extra_members.emplace_back("response_format", R"({"type":"json_object"})");
        } else if (format != nullptr && base::find_string(*format, "type") == "json_schema") {
            json::object schema = *format;
            schema.erase("type");
            json::object wrapped;
            wrapped["type"] = "json_schema";
            wrapped["json_schema"] = std::move(schema);
            run.parameters.extra_members.emplace_back("response_format", base::to_string(wrapped));
        }
    }
    return {};
}

Status render_echo(const Fields& fields, const ToolFields& tools, chat::RunRequest& run) {
    TRY(const auto metadata, parse_metadata(fields));
    TRY(const auto instructions, fields.text("instructions", kInstructionsBytesMax));
    TRY(const auto user, fields.text("user"));
    TRY(const auto safety, fields.text("safety_identifier"));
    TRY(const auto cache_key, fields.text("prompt_cache_key"));
    run.instructions = instructions.value_or(std::string());
    Echo echo(run.echo);
    echo.optional("instructions", instructions);
    echo.writer().raw_member("metadata", metadata.value_or("{}"));
    echo.writer().member("temperature", run.parameters.temperature.value_or(1.0));
    echo.writer().member("top_p", run.parameters.top_p.value_or(1.0));
    echo.optional("max_output_tokens", run.parameters.output_tokens_max);
    echo.writer().raw_member("tools", tools.tools);
    echo.writer().raw_member("tool_choice", tools.tool_choice);
    echo.writer().member("parallel_tool_calls", tools.parallel_tool_calls);
    echo.writer().member("truncation", run.truncation == store::Truncation::automatic ? "auto" : "disabled");
    echo.raw("text", fields.any("text"), R"({"format":{"type":"text"}})");
    echo.raw("reasoning", fields.any("reasoning"), R"({"effort":null,"summary":null})");
    echo.raw("max_tool_calls", nullptr, "null");
    echo.raw("presence_penalty", nullptr, "0");
    echo.raw("frequency_penalty", nullptr, "0");
    echo.raw("top_logprobs", nullptr, "0");
    echo.raw("service_tier", nullptr, R"("default")");
    echo.optional("safety_identifier", safety);
    echo.optional("prompt_cache_key", cache_key);
    echo.optional("user", user);
    echo.finish();
    return {};
}

}  // namespace

Result<ResponseRequest> parse_response_request(const json::object& body) {
    const Fields fields(body);
    ResponseRequest request;
    TRY(request.run.model, fields.required_text("model", kModelBytesMax));
    if (request.run.model.empty()) {
        return invalid("model", "Missing required parameter: 'model'.", "missing_required_parameter");
    }
    TRY_VOID(parse_target(fields, request.run.target));
    TRY_VOID(parse_modes(fields, request));
    TRY_VOID(parse_truncation(fields, request.run));
    TRY(const ToolFields tools, parse_tools(fields, request.run.parameters));
    TRY_VOID(parse_reasoning(fields, request.run.parameters));
    TRY_VOID(parse_parameters(fields, request.run));
    TRY_VOID(render_echo(fields, tools, request.run));
    const json::value* input = fields.any("input");
    const bool continues = request.run.target.conversation || request.run.target.previous_response;
    if (input != nullptr) {
        TRY(request.input, parse_input(*input, "input", kInputItemsMax));
    }
    if (request.run.continues && !request.input.items.empty()) {
        return invalid("continue", "To continue an answer, 'input' has to be empty.", "nothing_to_continue");
    }
    if (request.input.items.empty() && !continues) {
        return invalid("input", "Missing required parameter: 'input'.", "missing_required_parameter");
    }
    return request;
}

}  // namespace confab::api

#include "chat/prompt.hpp"

#include "chat/chat_messages.hpp"
#include "chat/prompt_budget.hpp"
#include "llm/token_estimate.hpp"
#include "net/deadline.hpp"

namespace confab::chat {

namespace {

constexpr std::chrono::milliseconds kMemoryLookEvery{50};

// Few servers know OpenAI's newer name of the system role.
std::string_view chat_role(store::ItemRole role) {
    switch (role) {
        case store::ItemRole::user: return "user";
        case store::ItemRole::assistant: return "assistant";
        case store::ItemRole::tool: return "tool";
        case store::ItemRole::system:
        case store::ItemRole::developer: return "system";
    }
    return "user";
}

// The content of a chat message, rendered.
base::Result<std::string> render_content(store::BodyFormat format, const std::string& body) {
    if (format == store::BodyFormat::json) {
        return llm::chat_content(body);
    }
    std::string rendered;
    base::JsonWriter(rendered).value(body);
    return rendered;
}

base::Status write_tool_output(ChatMessages& messages, const std::string& body) {
    TRY(const base::json::value parsed, base::parse_json(body));
    const base::json::object* item = parsed.if_object();
    const base::json::value* output = item == nullptr ? nullptr : base::find(*item, "output");
    if (output == nullptr) {
        return {};
    }
    std::string content = base::to_string(*output);
    if (output->is_array()) {
        TRY(content, render_content(store::BodyFormat::json, content));
    }
    messages.function_call_output(base::find_string(*item, "call_id"), content);
    return {};
}

// `item` is a store::NewItem or a store::Item.
template <class AnyItem>
base::Status write_item(ChatMessages& messages, const AnyItem& item) {
    if (item.body.empty()) {
        return {};  // an answer that never began, or a message that was deleted
    }
    switch (item.id.type()) {
        case base::ItemType::message: {
            TRY(auto content, render_content(item.format, item.body));
            messages.message(chat_role(item.role), std::move(content));
            return {};
        }
        case base::ItemType::function_call:  // of one cut off nobody knows what it wanted
            return item.status == store::ItemStatus::completed ? messages.function_call(item.body) : base::Status();
        case base::ItemType::function_call_output: return write_tool_output(messages, item.body);
        case base::ItemType::reasoning:
        case base::ItemType::other: break;  // not for the model
    }
    return {};
}

// One message for all that goes before the conversation: some models' templates take no second one.
std::string system_text(const std::string& instructions, const std::optional<store::BegunRun>& begun) {
    std::string text = instructions.empty() && begun ? begun->conversation_instructions : instructions;
    if (begun && begun->summary) {
        text += text.empty() ? "" : "\n\n";
        text.append(kSummaryTitle).append("\n").append(begun->summary->text);
    }
    return text;
}

// A prompt being rendered.
struct Rendering {
    store::RunStore& store;
    meter::Lease& lease;
    ChatMessages& messages;
    RenderedPrompt& prompt;
    std::uint64_t held;  // by the lease before the prompt was begun
};

// The question is committed already: a moment without memory does not lose it its answer. The budget counts each look.
net::Task<base::Status> grow_patiently(meter::Lease& lease, std::uint64_t more) {
    const auto patience = net::Deadline::after(kMemoryWaitMax);
    auto grown = lease.grow(more);
    while (!grown && !patience.passed()) {
        co_await net::sleep_for(kMemoryLookEvery);
        grown = lease.grow(more);
    }
    co_return grown;
}

// The items [first, last] of a run's path, page by page.
net::Task<base::Status> write_items(
    Rendering& rendering,
    const store::BegunRun& begun,
    store::Position first,
    store::Position last
) {
    while (first <= last) {
        CO_TRY_VOID(co_await grow_patiently(rendering.lease, 2 * store::kPageBytesMax));  // a page, and its rendered copy
        CO_TRY(
            const auto page,
            co_await rendering.store.list_prompt_items(begun.conversation_no, begun.branch, first, last)
        );
        if (page.empty()) {
            break;
        }
        for (const store::Item& item : page) {
            CO_TRY_VOID(write_item(rendering.messages, item));
            rendering.prompt.tokens += item.tokens;
            first = item.position + 1;
        }
        rendering.lease.shrink_to(rendering.held + rendering.prompt.body.size());
        if (rendering.prompt.body.size() > kPromptBytesMax) {
            co_return base::fail(
                base::Errc::invalid_request,
                "The messages are too long for one request.",
                "context_length_exceeded",
                "input"
            );
        }
    }
    co_return base::Status();
}

}  // namespace

net::Task<base::Result<RenderedPrompt>> render_prompt(
    store::RunStore& store,
    meter::Lease& lease,
    const llm::ChatRequest& parameters,
    const std::string& instructions,
    const std::optional<store::BegunRun>& begun,
    const std::vector<store::NewItem>& input
) {
    RenderedPrompt prompt;
    prompt.tokens = estimate_parameters(parameters);
    llm::ChatRequestWriter writer(prompt.body);
    writer.begin(parameters);
    ChatMessages messages(writer);
    const std::string system = system_text(instructions, begun);
    if (!system.empty()) {
        std::string content;
        base::JsonWriter(content).value(system);
        messages.message("system", std::move(content));
        prompt.tokens += llm::estimate_tokens(system) + llm::kMessageTokens;
    }
    if (!begun) {
        for (const store::NewItem& item : input) {
            CO_TRY_VOID(co_await grow_patiently(lease, 2 * item.body.size()));
            CO_TRY_VOID(write_item(messages, item));
            prompt.tokens += item.tokens;
        }
    } else {
        const store::PromptPlan& plan = begun->prompt;
        Rendering rendering{store, lease, messages, prompt, lease.bytes()};
        if (plan.question > 0) {
            CO_TRY_VOID(co_await write_items(rendering, *begun, plan.question, plan.question));
        }
        CO_TRY_VOID(co_await write_items(rendering, *begun, plan.anchor, plan.head));
    }
    if (begun && begun->continued) {
        std::string asked;
        base::JsonWriter(asked).value(kContinueRequest);
        messages.message("user", std::move(asked));
        prompt.tokens += llm::estimate_tokens(kContinueRequest);
    }
    messages.finish();
    writer.end();
    co_return prompt;
}

}  // namespace confab::chat

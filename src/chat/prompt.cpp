#include "chat/prompt.hpp"

namespace confab::chat {

namespace {

// Few servers know OpenAI's newer name of the system role.
std::string_view chat_role(store::ItemRole role) {
    switch (role) {
        case store::ItemRole::user: return "user";
        case store::ItemRole::assistant: return "assistant";
        case store::ItemRole::system:
        case store::ItemRole::developer: return "system";
    }
    return "user";
}

base::Status write_message(
    llm::ChatRequestWriter& writer,
    store::ItemRole role,
    store::BodyFormat format,
    const std::string& body
) {
    if (body.empty()) {
        return {};  // an answer that never began, or a message that was deleted
    }
    llm::ChatMessage message;
    message.role = chat_role(role);
    if (format == store::BodyFormat::text) {
        message.content = body;
        writer.message(message);
        return {};
    }
    TRY(const auto content, llm::chat_content(body));
    message.content = content;
    message.format = llm::ContentFormat::json;
    writer.message(message);
    return {};
}

}  // namespace

net::Task<base::Result<std::string>> render_prompt(
    store::RunStore& store,
    meter::Lease& lease,
    const llm::ChatRequest& parameters,
    const std::string& instructions,
    const std::optional<store::BegunRun>& begun,
    const std::vector<store::NewItem>& input
) {
    std::string body;
    llm::ChatRequestWriter writer(body);
    writer.begin(parameters);
    const std::string& system = instructions.empty() && begun ? begun->conversation_instructions : instructions;
    CO_TRY_VOID(write_message(writer, store::ItemRole::system, store::BodyFormat::text, system));
    if (!begun) {
        for (const store::NewItem& item : input) {
            if (!lease.grow(2 * item.body.size())) {
                co_return base::fail(
                    base::Errc::unavailable, "The server is short of memory. Try again shortly.", "overloaded"
                );
            }
            CO_TRY_VOID(write_message(writer, item.role, item.format, item.body));
        }
    } else {
        store::Position position = begun->prompt.anchor;
        while (position <= begun->prompt.head) {
            CO_TRY(
                const auto page,
                co_await store.list_prompt_items(begun->conversation_no, begun->branch, position, begun->prompt.head)
            );
            if (page.empty()) {
                break;
            }
            if (!lease.grow(2 * store::kPageBytesMax)) {  // a page, and its rendered copy
                co_return base::fail(
                    base::Errc::unavailable, "The server is short of memory. Try again shortly.", "overloaded"
                );
            }
            for (const store::Item& item : page) {
                CO_TRY_VOID(write_message(writer, item.role, item.format, item.body));
                position = item.position + 1;
            }
            if (body.size() > kPromptBytesMax) {
                co_return base::fail(
                    base::Errc::invalid_request,
                    "The messages are too long for one request.",
                    "context_length_exceeded",
                    "input"
                );
            }
        }
    }
    if (begun && begun->continued) {
        CO_TRY_VOID(write_message(writer, store::ItemRole::user, store::BodyFormat::text, std::string(kContinueRequest))
        );
    }
    writer.end();
    co_return body;
}

}  // namespace confab::chat

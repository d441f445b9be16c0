#include "api/demo_chat.hpp"

#include "base/ids.hpp"
#include "base/json.hpp"
#include "llm/demo.hpp"

namespace confab::api {

namespace {

std::string make_id() {
    return "chatcmpl-" + base::to_hex(base::make_uuid_v7());
}

void begin(base::JsonWriter& out, const std::string& id, std::string_view object) {
    out.begin_object();
    out.member("id", id);
    out.member("object", object);
    out.member("created", base::unix_now());
    out.member("model", llm::kDemoModel);
    out.key("choices");
    out.begin_array();
    out.begin_object();
    out.member("index", 0);
}

void end(base::JsonWriter& out, std::string_view finish_reason) {
    out.member("logprobs", nullptr);
    out.member_or_null("finish_reason", finish_reason);
    out.end_object();
    out.end_array();
    out.end_object();
}

std::string render_chunk(
    const std::string& id,
    std::string_view role,
    std::string_view content,
    std::string_view finish_reason
) {
    std::string text = "data: ";
    base::JsonWriter out(text);
    begin(out, id, "chat.completion.chunk");
    out.key("delta");
    out.begin_object();
    if (!role.empty()) {
        out.member("role", role);
    }
    if (finish_reason.empty()) {
        out.member("content", content);
    }
    out.end_object();
    end(out, finish_reason);
    text += "\n\n";
    return text;
}

class DemoChatStreamer final : public web::Streamer {
public:
    net::Task<void> stream(web::StreamWriter& writer) override {
        const std::string id = make_id();
        std::string_view rest = llm::demo_text();
        std::string chunk = render_chunk(id, "assistant", "", "");
        while (co_await writer.write(chunk) && !rest.empty()) {
            const std::string_view piece = llm::demo_piece(rest);
            rest.remove_prefix(piece.size());
            chunk = render_chunk(id, "", piece, "");
            co_await net::sleep_for(llm::kDemoPace);
        }
        if (!writer.client_gone()) {
            chunk = render_chunk(id, "", "", "stop") + "data: [DONE]\n\n";
            co_await writer.write(chunk);
        }
    }
};

}  // namespace

std::string demo_chat_document() {
    std::string text;
    base::JsonWriter out(text);
    begin(out, make_id(), "chat.completion");
    out.key("message");
    out.begin_object();
    out.member("role", "assistant");
    out.member("content", llm::demo_text());
    out.member("refusal", nullptr);
    out.end_object();
    end(out, "stop");
    return text;
}

std::unique_ptr<web::Streamer> make_demo_chat_streamer() {
    return std::make_unique<DemoChatStreamer>();
}

}  // namespace confab::api

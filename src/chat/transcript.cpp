#include "chat/transcript.hpp"

#include "base/json.hpp"
#include "base/text.hpp"

namespace confab::chat {

namespace {

// The texts of a content array; what is not text is named.
std::string text_of_content(const base::json::value& content) {
    if (content.is_string()) {
        return std::string(content.get_string());
    }
    std::string text;
    if (const auto* parts = content.if_array()) {
        for (const auto& part : *parts) {
            if (!part.is_object()) {
                continue;
            }
            const std::string_view words = base::find_string(part.get_object(), "text");
            text += text.empty() ? "" : "\n";
            text += words.empty() ? "[" + std::string(base::find_string(part.get_object(), "type")) + "]"
                                  : std::string(words);
        }
    }
    return text;
}

void append(std::string& out, std::string_view who, std::string_view text) {
    const std::string_view shown = base::utf8_prefix(text, kTranscriptItemBytesMax);
    out.append(who).append(": ").append(shown).append(shown.size() < text.size() ? " [...]\n\n" : "\n\n");
}

std::string_view speaker(store::ItemRole role) {
    switch (role) {
        case store::ItemRole::user: return "User";
        case store::ItemRole::assistant: return "Assistant";
        case store::ItemRole::tool: return "Tool";
        case store::ItemRole::system:
        case store::ItemRole::developer: return "Instructions";
    }
    return "User";
}

}  // namespace

void append_to_transcript(std::string& out, const store::Item& item) {
    if (item.body.empty()) {
        return;
    }
    const base::ItemType type = item.id.type();
    if (type == base::ItemType::message && item.format == store::BodyFormat::text) {
        append(out, speaker(item.role), item.body);
        return;
    }
    const auto parsed = base::parse_json(item.body);
    if (!parsed) {
        return;
    }
    if (type == base::ItemType::message) {
        append(out, speaker(item.role), text_of_content(*parsed));
    } else if (type == base::ItemType::function_call && parsed->is_object()) {
        const auto& call = parsed->get_object();
        const std::string name(base::find_string(call, "name"));
        append(out, "Assistant calls the tool " + name, base::find_string(call, "arguments"));
    } else if (type == base::ItemType::function_call_output && parsed->is_object()) {
        if (const base::json::value* output = base::find(parsed->get_object(), "output")) {
            append(out, "Tool", text_of_content(*output));
        }
    }
}

}  // namespace confab::chat

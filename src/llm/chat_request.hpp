// Renders the body of POST /chat/completions, piece by piece: a prompt of any length goes through a small buffer.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.hpp"

namespace confab::llm {

// OpenAI renamed the field; most other servers know only the old name. A setting of the upstream decides (rule 13).
enum class TokenLimitField : std::uint8_t { max_tokens, max_completion_tokens };

enum class ContentFormat : std::uint8_t { text, json };  // json: a rendered array of chat parts or a rendered string

struct ChatMessage {
    std::string_view role;
    std::string_view content;
    ContentFormat format = ContentFormat::text;
};

// Everything of a request but its messages.
struct ChatRequest {
    std::string model;
    bool stream = true;
    bool include_usage = true;  // stream_options.include_usage; only with `stream`, and old servers refuse it
    std::optional<std::int64_t> output_tokens_max;
    TokenLimitField token_limit_field = TokenLimitField::max_tokens;
    std::optional<double> temperature;
    std::optional<double> top_p;
    std::vector<std::string> stop;
    // Further members: name and rendered JSON. One whose name this request already has is left out.
    std::vector<std::pair<std::string, std::string>> extra_members;
};

// Appends to `out`, which the caller owns and may empty between two calls: begin, any number of messages, end.
//   ChatRequestWriter writer(body); writer.begin(request); writer.message({"user", "Hi"}); writer.end();
class ChatRequestWriter {
public:
    explicit ChatRequestWriter(std::string& out) : json_(out) {}

    void begin(const ChatRequest& request);
    void message(const ChatMessage& message);

    // A whole message as rendered JSON, for what has more than a role and a content (tool calls and their results).
    void raw_message(std::string_view rendered) { json_.raw(rendered); }

    void end();

private:
    base::JsonWriter json_;
};

// Where an image that lies in a file belongs in a rendered prompt: kImageMark, the file's id, a blank, the detail,
// kImageMark, in the place of a whole content part. No rendered JSON holds that character otherwise: it is escaped
// wherever it occurs in a text. chat/prompt_images.hpp puts the image there.
inline constexpr char kImageMark = '\x01';

// The `content` array of a Responses item -> the `content` of a chat message, rendered (a string when it is one text,
// else an array of parts). Knows input_text, output_text, refusal, input_image, input_file and input_audio; chat parts
// pass as they are. An input_image with a file_id leaves a mark (kImageMark). Fails with `invalid_request` for parts
// that chat completions cannot carry.
base::Result<std::string> chat_content(std::string_view content_json);

}  // namespace confab::llm

#include "review/subject.hpp"

#include "base/json.hpp"

namespace confab::review {

namespace {

constexpr std::string_view kQuestion = "Say something short about measuring servers, please.";
constexpr const char* kResponsesText = "response.output_text.delta";
constexpr const char* kCompletionsText = "content\":";  // also the end of "reasoning_content":

std::string render_completion(const std::string& model, int tokens_max) {
    std::string body;
    base::JsonWriter out(body);
    out.begin_object();
    if (!model.empty()) {
        out.member("model", model);
    }
    out.key("messages");
    out.begin_array();
    out.begin_object();
    out.member("role", "user");
    out.member("content", kQuestion);
    out.end_object();
    out.end_array();
    out.member("stream", true);
    out.member("max_tokens", tokens_max);
    out.end_object();
    return body;
}

std::string render_response(const std::string& model, const std::string& conversation) {
    std::string body;
    base::JsonWriter out(body);
    out.begin_object();
    out.member("model", model);
    out.member("conversation", conversation);
    out.member("input", kQuestion);
    out.member("stream", true);
    out.end_object();
    return body;
}

}  // namespace

std::vector<std::string> Subject::headers(const std::string& its_key) const {
    return its_key.empty() ? std::vector<std::string>() : std::vector<std::string>{"Authorization: Bearer " + its_key};
}

Ask Subject::open_request(const Person& person, const std::string& conversation) const {
    Ask ask;
    ask.target = is_ours() ? "/v1/conversations/" + conversation + "/items?limit=50" : "/v1/models";
    ask.headers = headers(person.key);
    return ask;
}

Ask Subject::turn_request(const Person& person, const std::string& conversation, const Script& script) const {
    Ask ask;
    ask.method = "POST";
    ask.headers = headers(person.key);
    if (is_ours()) {
        ask.target = "/v1/responses";
        ask.text_marker = kResponsesText;
        ask.body = render_response(script.model(), conversation);
    } else {
        ask.target = "/v1/chat/completions";
        ask.text_marker = kCompletionsText;
        ask.text_follows = true;
        ask.body = render_completion(model, script.pieces);
    }
    return ask;
}

Ask Subject::export_request(const Person& person, const std::string& conversation) const {
    Ask ask;
    ask.target = "/api/conversations/" + conversation + "/export";
    ask.headers = headers(person.key);
    return ask;
}

Ask Subject::import_request(const Person& person, const std::string& file) const {
    Ask ask;
    ask.method = "POST";
    ask.target = "/api/imports?filename=review.ndjson";
    ask.headers = headers(person.key);
    ask.body_path = file;
    return ask;
}

Ask Subject::import_state_request(const Person& person, const std::string& id) const {
    Ask ask;
    ask.target = "/api/imports/" + id;
    ask.headers = headers(person.key);
    return ask;
}

}  // namespace confab::review

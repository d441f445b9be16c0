// A model server's answer: however the bytes are cut, the same is told, all of it is UTF-8, and it stays within its cap.
// The first byte of the input chooses the cuts.
#include <map>
#include <string>

#include "base/text.hpp"
#include "llm/completion_stream.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace {

constexpr std::size_t kAnswerBytesMax = 4096;

// Everything that was told, by kind, so that it does not depend on how it was cut.
class Story final : public confab::llm::CompletionSink {
public:
    void on_text(std::string_view text) override { add("text", text); }

    void on_reasoning(std::string_view text) override { add("reasoning", text); }

    void on_refusal(std::string_view text) override { add("refusal", text); }

    void on_tool_call(const confab::llm::ToolCallDelta& delta) override {
        FUZZ_CHECK(!delta.id.empty());
        FUZZ_CHECK(confab::base::is_utf8(delta.id) && confab::base::is_utf8(delta.name));
        FUZZ_CHECK(confab::base::is_utf8(delta.arguments));
        told_["call " + std::to_string(delta.slot)] += delta.arguments;
        bytes_ += delta.arguments.size();
    }

    void end(const confab::llm::Outcome& outcome) {
        const auto* fault = outcome.fault();
        told_["end"] = fault == nullptr ? "regular" : fault->code + "|" + fault->message;
        FUZZ_CHECK(bytes_ <= kAnswerBytesMax);
    }

    bool operator==(const Story& other) const { return told_ == other.told_; }

private:
    void add(const char* kind, std::string_view text) {
        FUZZ_CHECK(!text.empty());
        FUZZ_CHECK(confab::base::is_utf8(text));
        told_[kind] += text;
        bytes_ += text.size();
    }

    std::map<std::string, std::string> told_;
    std::size_t bytes_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) {
        return 0;
    }
    const std::string_view body = confab::fuzz::as_text(data + 1, size - 1);
    Story whole;
    confab::llm::CompletionStream at_once(whole, kAnswerBytesMax);
    at_once.feed(body);
    whole.end(at_once.finish());

    Story cut;
    confab::llm::CompletionStream in_pieces(cut, kAnswerBytesMax);
    for (confab::fuzz::Cutter cutter(body, data[0]); !cutter.done();) {
        in_pieces.feed(cutter.next());
    }
    cut.end(in_pieces.finish());
    FUZZ_CHECK(whole == cut);
    return 0;
}

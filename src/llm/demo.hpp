// The built-in model `confab-demo`: streams a short text that says plainly that no model is connected, and how to
// connect one.
#pragma once

#include <string_view>

#include "llm/completion.hpp"

namespace confab::llm {

// The whole reply, in Markdown.
std::string_view demo_text();

// The next piece of `rest`, about a word.
std::string_view demo_piece(std::string_view rest);

inline constexpr std::chrono::milliseconds kDemoPace{18};  // between two pieces

class DemoCompletion final : public Completion {
public:
    DemoCompletion(net::Executor executor, CompletionSink& sink) : timer_(executor), sink_(sink) {}

    net::Task<base::Result<Outcome>> run() override;
    void cancel() override;

private:
    net::Timer timer_;
    CompletionSink& sink_;
    bool cancelled_ = false;
};

}  // namespace confab::llm

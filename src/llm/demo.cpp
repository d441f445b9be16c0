#include "llm/demo.hpp"

#include <algorithm>

namespace confab::llm {

namespace {

constexpr std::string_view kText =
    R"(**No model is connected yet.** This is Confab's built-in demonstration: it does not understand you, it only shows how an answer looks when it streams in.

To connect a model, start Confab with the address of any OpenAI-compatible server:

```sh
OLLAMA_BASE_URL=http://127.0.0.1:11434 ./run.sh
# or
OPENAI_BASE_URL=https://api.openai.com/v1 OPENAI_API_KEY=... ./run.sh
```

| server | usual address |
|---|---|
| Ollama | `http://127.0.0.1:11434/v1` |
| llama.cpp | `http://127.0.0.1:8080/v1` |
| LM Studio | `http://127.0.0.1:1234/v1` |
| vLLM | `http://127.0.0.1:8000/v1` |

An administrator can also connect one in the page:

1. Open **Settings**, then **Model servers**.
2. Let Confab look for a server on this machine, or type its address.
3. Choose a model above the message box, and ask again.

> Your message is saved. It will be here when a model is.
)";

}  // namespace

std::string_view demo_text() {
    return kText;
}

std::string_view demo_piece(std::string_view rest) {
    const auto word = rest.find_first_not_of(" \n");
    const auto end = word == std::string_view::npos ? word : rest.find_first_of(" \n", word);
    return rest.substr(0, std::min(end, rest.size()));
}

net::Task<base::Result<Outcome>> DemoCompletion::run() {
    std::string_view rest = kText;
    while (!rest.empty() && !cancelled_) {
        const std::string_view piece = demo_piece(rest);
        sink_.on_text(piece);
        sink_.on_read_end();
        rest.remove_prefix(piece.size());
        timer_.expires_after(kDemoPace);
        boost::system::error_code ec;
        co_await timer_.async_wait(net::asio::redirect_error(net::use_task, ec));
    }
    if (cancelled_) {
        co_return base::fail(base::Errc::cancelled, "The request was cancelled.", "cancelled");
    }
    co_return Outcome{};
}

void DemoCompletion::cancel() {
    cancelled_ = true;
    timer_.cancel();
}

}  // namespace confab::llm

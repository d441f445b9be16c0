#include "llm/events.hpp"

namespace confab::llm {

std::string_view to_string(FinishReason reason) noexcept {
    switch (reason) {
        case FinishReason::stop: return "stop";
        case FinishReason::length: return "length";
        case FinishReason::tool_calls: return "tool_calls";
        case FinishReason::content_filter: return "content_filter";
    }
    return "stop";
}

std::string_view to_string(Fault::Kind kind) noexcept {
    switch (kind) {
        case Fault::Kind::upstream_error: return "upstream_error";
        case Fault::Kind::truncated: return "truncated";
        case Fault::Kind::malformed: return "malformed";
        case Fault::Kind::too_large: return "too_large";
    }
    return "upstream_error";
}

}  // namespace confab::llm

#include "chat/run_end.hpp"

#include "chat/run.hpp"
#include "chat/output_item.hpp"
#include "chat/run_usage.hpp"

namespace confab::chat {

namespace {

using store::RunStatus;

void end_with_reason(ResponseEnd& end, llm::FinishReason reason) {
    switch (reason) {
        case llm::FinishReason::stop:
        case llm::FinishReason::tool_calls: end.status = RunStatus::completed; break;
        case llm::FinishReason::length:
            end.status = RunStatus::incomplete;
            end.incomplete_reason = "max_output_tokens";
            break;
        case llm::FinishReason::content_filter:
            end.status = RunStatus::incomplete;
            end.incomplete_reason = "content_filter";
            break;
    }
}

void end_with_failure(ResponseEnd& end, std::string code, std::string message) {
    end.status = RunStatus::failed;
    end.error_code = code.empty() ? "server_error" : std::move(code);
    end.error_message = message.empty() ? "The model server failed without saying why." : std::move(message);
}

}  // namespace

ResponseEnd end_of(const Run& run, const base::Result<llm::Outcome>& outcome) {
    ResponseEnd end;
    end.completed_at = base::unix_now();
    end.timing = run.timing();
    if (outcome && outcome->usage) {
        end.usage = render_usage(*outcome->usage);
        if (end.timing) {
            end.timing->output_tokens = outcome->usage->output_tokens;
        }
    }
    if (outcome && !outcome->fault()) {
        end_with_reason(end, std::get<llm::FinishReason>(outcome->end));
    } else if (run.cancelled()) {
        end.status = RunStatus::cancelled;
    } else if (run.interrupted() && !run.out_of_memory()) {
        end.status = RunStatus::incomplete;
        end.incomplete_reason = kInterrupted;
    } else if (outcome) {
        end_with_failure(end, outcome->fault()->code, outcome->fault()->message);
    } else {
        end_with_failure(end, outcome.error().code, outcome.error().message);
        end.errc = outcome.error().errc;
        end.retry_after = outcome.error().retry_after;
    }
    if (run.out_of_memory() && end.status != RunStatus::cancelled) {
        end_with_failure(end, "overloaded", "The server is short of memory; the answer was cut off.");
    } else if (run.overflowed() && end.status != RunStatus::cancelled) {
        end_with_failure(end, "too_many_items", "The model server's answer has more parts than this server keeps.");
    }
    return end;
}

store::FinishRun finish_row(store::RunNo no, const ResponseEnd& end) {
    store::FinishRun row;
    row.run = no;
    row.completed_at = end.completed_at;
    row.status = end.status;
    row.error_code = end.error_code;
    row.error_message = end.error_message;
    row.incomplete_reason = end.incomplete_reason;
    row.usage = end.usage;
    row.timing = end.timing;
    for (const OutputItem& item : end.output) {
        row.output.push_back(stored_item(item));
    }
    return row;
}

}  // namespace confab::chat

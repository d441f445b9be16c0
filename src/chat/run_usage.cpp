#include "chat/run_usage.hpp"

#include "base/json.hpp"

namespace confab::chat {

std::string render_usage(const llm::Usage& usage) {
    std::string text;
    base::JsonWriter out(text);
    out.begin_object();
    out.member("input_tokens", usage.input_tokens);
    out.key("input_tokens_details");
    out.begin_object();
    out.member("cached_tokens", usage.cached_tokens);
    out.member("cache_write_tokens", 0);
    out.end_object();
    out.member("output_tokens", usage.output_tokens);
    out.key("output_tokens_details");
    out.begin_object();
    out.member("reasoning_tokens", usage.reasoning_tokens);
    out.end_object();
    out.member("total_tokens", usage.total_tokens);
    out.end_object();
    return text;
}

store::UsageCount count_usage(
    const Run& run,
    const base::Result<llm::Outcome>& outcome,
    const Asked& asked,
    const UsageBook* book
) {
    store::UsageCount taken;
    if (outcome && outcome->usage) {
        taken.input_tokens = outcome->usage->input_tokens;
        taken.cached_tokens = outcome->usage->cached_tokens;
        taken.output_tokens = outcome->usage->output_tokens;
    } else if (run.timing()) {
        taken.estimated = true;
        taken.input_tokens = asked.prompt_tokens;
        for (const OutputItem& item : run.end().output) {
            taken.output_tokens += stored_item(item).tokens;
        }
    }
    if (book != nullptr) {
        book->prices().put_cost(run.facts().model, taken);
    }
    return taken;
}

void settle_usage(Run& run, const store::UsageCount& taken, const Asked& asked, UsageBook* book) {
    const auto ticket = run.take_ticket();
    const std::int64_t tokens = taken.input_tokens + taken.output_tokens;
    if (ticket && tokens > 0) {
        ticket->charge(tokens);
    }
    if (book != nullptr && tokens > 0 && !run.origin().persistent) {
        store::UsageEntry entry;
        entry.payer = run.origin().payer;
        entry.model = run.facts().model;
        entry.upstream = asked.upstream;
        entry.count = taken;
        book->add(std::move(entry), nullptr);
    }
}

}  // namespace confab::chat

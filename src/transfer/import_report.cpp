#include "transfer/import_report.hpp"

#include "base/json.hpp"
#include "base/text.hpp"

namespace confab::transfer {

namespace {

constexpr std::size_t kMessageBytesMax = 300;

}  // namespace

void ImportReport::add_problem(std::string_view where, std::string_view code, std::string_view message) {
    if (++progress_.problems_total > kProblemsShownMax) {
        return;
    }
    if (!problems_.empty()) {
        problems_ += ',';
    }
    base::JsonWriter out(problems_);
    out.begin_object();
    out.member("where", base::utf8_prefix(where, kWhereBytesMax));
    out.member("code", code);
    out.member("message", base::utf8_prefix(message, kMessageBytesMax));
    out.end_object();
}

store::ImportProgress ImportReport::progress() const {
    store::ImportProgress progress = progress_;
    progress.problems = "[" + problems_ + "]";
    return progress;
}

}  // namespace confab::transfer

// The phases about what is streamed, what is large, and who leaves.
#include <filesystem>

#include <fmt/format.h>

#include "base/json.hpp"
#include "review/samples.hpp"
#include "review/workload.hpp"

namespace confab::review {

namespace {

using base::Result;
using base::Status;
using net::Task;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kTransferPatience{120};
constexpr std::chrono::seconds kImportPatience{900};
constexpr std::chrono::milliseconds kImportLookEvery{200};
constexpr Script kPaced{40, 25, 5};        // a second
constexpr Script kLarge{256, 0, 4'096};    // 1 MiB
constexpr Script kLong{200, 50, 5};        // ten seconds
constexpr int kForeignTokens = 256;        // of a foreign model, where we have 40 pieces
constexpr int kForeignTokensMany = 4'096;
constexpr int kPageViewers = 4;
constexpr std::chrono::seconds kViewersStay{2};
constexpr double kViewerNoise = 2 * kMib;
constexpr double kExportNoise = 2 * kMib;
constexpr double kImportNoise = 4 * kMib;
constexpr std::chrono::seconds kListen{1};          // before they leave
constexpr std::chrono::seconds kAfterLeaving{3};
constexpr std::chrono::milliseconds kSocketsPatience{2'000};  // beyond that
constexpr double kTooShort = 20;  // ms: an answer in less tells nothing about streaming

}  // namespace

Task<Status> Workload::first_text() {
    HttpProbe visitor = probe();
    std::vector<double> shares;
    std::vector<double> first_ms;
    std::vector<double> whole_ms;
    Script script = kPaced;
    if (!parts_.subject.is_ours()) {
        script.pieces = kForeignTokens;
    }
    for (int i = 0; i < parts_.amount.paced_answers; ++i) {
        Ask ask = parts_.subject.turn_request(person(1), own_conversation(1), script);
        CO_TRY(const Heard heard, co_await visitor.ask(std::move(ask), kTransferPatience));
        if (!Subject::is_answer(heard)) {
            co_return base::fail(base::Errc::upstream_failed, fmt::format("status {} to a question", heard.status));
        }
        shares.push_back(heard.first_text_ms / heard.whole_ms);
        first_ms.push_back(heard.first_text_ms);
        whole_ms.push_back(heard.whole_ms);
        parts_.progress("streaming", (i + 1.0) / parts_.amount.paced_answers);
    }
    if (median(whole_ms) < kTooShort) {
        co_return base::fail(base::Errc::internal, fmt::format("an answer took {:.1f} ms, too short to tell", median(whole_ms)));
    }
    set("streaming.first_text",
        median(shares),
        fmt::format("the first text after {:.0f} ms, the whole after {:.0f} ms", median(first_ms), median(whole_ms)));
    co_return Status();
}

Task<Status> Workload::slow_viewers() {
    const Subject& subject = parts_.subject;
    Script script = kLarge;
    if (!subject.is_ours()) {
        script.pieces = kForeignTokensMany;
    }
    CO_TRY(const ProcessFigures before, parts_.timeline.look());
    std::vector<HttpProbe> viewers;
    for (int i = 0; i < kPageViewers && subject.is_ours(); ++i) {
        viewers.push_back(probe());
        Ask ask = subject.open_request(person(kOwner), subject.seeded.conversations.back().id);
        CO_TRY_VOID(co_await viewers.back().send_only(std::move(ask), kTransferPatience));
    }
    for (std::size_t who = 1; who <= kNeighbours; ++who) {
        viewers.push_back(probe());
        Ask ask = subject.turn_request(person(who), own_conversation(who), script);
        CO_TRY_VOID(co_await viewers.back().send_only(std::move(ask), kTransferPatience));
    }
    std::uint64_t most = 0;
    const auto until = Clock::now() + kViewersStay;
    while (Clock::now() < until) {
        co_await net::sleep_for(std::chrono::milliseconds(100));
        CO_TRY(const ProcessFigures now, parts_.timeline.look());
        most = std::max(most, now.rss_bytes);
    }
    const double more = above(most, before.rss_bytes);
    set("streaming.slow_viewer",
        beyond(more, kViewerNoise * parts_.amount.noise) / kKib / static_cast<double>(viewers.size()),
        fmt::format("{:.1f} MiB more with {} viewers who read nothing", more / kMib, viewers.size()));
    viewers.clear();
    co_await net::sleep_for(std::chrono::seconds(1));  // until the conversations are free again
    co_return Status();
}

// ---- transfers ----

Task<Result<std::string>> Workload::download(const std::string& conversation, const std::string& file) {
    HttpProbe visitor = probe();
    parts_.timeline.reset_peak();
    CO_TRY(const ProcessFigures before, parts_.timeline.look());
    Ask ask = parts_.subject.export_request(person(kOwner), conversation);
    ask.save_path = file;
    CO_TRY(const Heard heard, co_await visitor.ask(std::move(ask), kTransferPatience));
    if (!heard.ok()) {
        co_return base::fail(base::Errc::upstream_failed, fmt::format("status {} to a download", heard.status));
    }
    CO_TRY(const ProcessFigures after, parts_.timeline.look());
    const double more = above(after.peak_rss_bytes, before.rss_bytes);
    const auto bytes = static_cast<double>(heard.bytes);
    set("streaming.export",
        beyond(more, kExportNoise * parts_.amount.noise) / bytes,
        fmt::format("{:.1f} MiB more while {:.1f} MiB were downloaded", more / kMib, bytes / kMib));
    co_return file;
}

Task<Status> Workload::import(const std::string& file) {
    HttpProbe visitor = probe();
    parts_.timeline.reset_peak();
    CO_TRY(const ProcessFigures before, parts_.timeline.look());
    Ask ask = parts_.subject.import_request(person(kImporter), file);
    CO_TRY(const Heard taken, co_await visitor.ask(std::move(ask), kTransferPatience));
    if (!taken.ok()) {
        co_return base::fail(base::Errc::upstream_failed, fmt::format("status {} to an import", taken.status));
    }
    CO_TRY(const auto job, base::parse_json(taken.body));
    const std::string id(job.is_object() ? base::find_string(job.get_object(), "id") : "");
    const auto until = Clock::now() + kImportPatience;
    std::string status;
    while (status != "completed" && Clock::now() < until) {
        co_await net::sleep_for(kImportLookEvery);
        Ask look = parts_.subject.import_state_request(person(kImporter), id);
        CO_TRY(const Heard state, co_await visitor.ask(std::move(look), kTransferPatience));
        CO_TRY(const auto value, base::parse_json(state.body));
        status = value.is_object() ? base::find_string(value.get_object(), "status") : "";
        if (status == "failed" || status == "cancelled") {
            co_return base::fail(base::Errc::upstream_failed, "the import ended as " + status);
        }
    }
    CO_TRY(const ProcessFigures after, parts_.timeline.look());
    const double more = above(after.peak_rss_bytes, before.rss_bytes);
    std::error_code ec;
    const auto bytes = static_cast<double>(std::filesystem::file_size(file, ec));
    set("streaming.import",
        beyond(more, kImportNoise * parts_.amount.noise) / bytes,
        fmt::format("{:.1f} MiB more while {:.1f} MiB were imported", more / kMib, bytes / kMib));
    co_return Status();
}

Task<Status> Workload::transfers() {
    const SizedConversation* chosen = &parts_.subject.seeded.conversations.front();
    for (const SizedConversation& conversation : parts_.subject.seeded.conversations) {
        if (conversation.messages <= parts_.amount.transfer_messages_max) {
            chosen = &conversation;
        }
    }
    const std::string path = parts_.subject.data_dir + "/../download";
    CO_TRY(const std::string file, co_await download(chosen->id, path));
    parts_.progress("transfers", 0.3);
    if (!parts_.subject.has_imports()) {
        leave_out({"streaming.import"}, "the reviewed application had no import");
        co_return Status();
    }
    co_return co_await import(file);
}

// ---- clients that leave ----

Task<Status> Workload::abandoned() {
    const Subject& subject = parts_.subject;
    Script script = kLong;
    if (!subject.is_ours()) {
        script.pieces = kForeignTokensMany;
    }
    CO_TRY(const ProcessFigures before, parts_.timeline.look());
    const auto model_live = [this] { return parts_.model != nullptr ? parts_.model->counts().connections_live : 0; };
    const std::uint64_t kept_before = model_live();
    std::vector<HttpProbe> clients;
    for (std::size_t who = 1; who <= kNeighbours; ++who) {
        clients.push_back(probe());
        Ask ask = subject.turn_request(person(who), own_conversation(who), script);
        CO_TRY_VOID(co_await clients.back().send_only(std::move(ask), kTransferPatience));
    }
    CO_TRY(const double busy, co_await busy_share(std::chrono::duration<double>(kListen).count()));
    const std::uint64_t live = parts_.model != nullptr ? parts_.model->counts().answers_live : 0;
    clients.clear();
    const auto left = Clock::now();
    co_await net::sleep_for(kAfterLeaving - std::chrono::seconds(1));
    CO_TRY(const double still_busy, co_await busy_share(1));
    if (parts_.model != nullptr && live > 0) {
        const std::uint64_t still = parts_.model->counts().answers_live;
        set("lifecycle.abandoned",
            static_cast<double>(still) / static_cast<double>(live),
            fmt::format("{} of {} answers were still being made 3 s after their readers left", still, live));
    } else if (parts_.model == nullptr && busy > 0.2) {
        set("lifecycle.abandoned",
            std::min(1.0, still_busy / busy),
            fmt::format("{:.0f} % of a processor while they read, {:.0f} % 2 to 3 s after they left", busy * 100, still_busy * 100));
    } else {
        leave_out({"lifecycle.abandoned"}, "not measurable from outside: the answers were over, or cost nothing, before their readers left");
    }
    const auto kept = [&] { return std::max(model_live(), kept_before) - kept_before; };
    const auto gone = [&](const ProcessFigures& now) { return now.sockets <= before.sockets + kept(); };
    co_await settle(gone, kSocketsPatience);
    CO_TRY(const ProcessFigures after, parts_.timeline.look());
    if (!after.sees_descriptors) {
        co_return base::fail(base::Errc::forbidden, "the kernel does not show another user's descriptors; run as root");
    }
    // A connection on which the model server is still answering somebody who left is not one that is kept.
    const std::uint64_t answering = parts_.model != nullptr ? parts_.model->counts().answers_live : 0;
    const double sockets = above(after.sockets + answering, before.sockets + kept());
    set("lifecycle.sockets",
        sockets,
        fmt::format(
            "{} sockets before, {} {:.0f} s after {} clients left, {} of them half closed",
            before.sockets,
            after.sockets,
            std::chrono::duration<double>(Clock::now() - left).count(),
            kNeighbours,
            after.half_closed
        ));
    co_await settle([&](const ProcessFigures&) { return parts_.model == nullptr || parts_.model->counts().answers_live == 0; }, std::chrono::seconds(10));
    co_return Status();
}

}  // namespace confab::review

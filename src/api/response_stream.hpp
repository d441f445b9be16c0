// The event stream of a response: live from the run while it is under way, else from what the store kept. A viewer may
// begin anywhere and gets the same bytes as every other.
#pragma once

#include "api/context.hpp"

namespace confab::api {

inline constexpr std::chrono::seconds kKeepAliveEvery{10
};  // a comment line, so that nothing on the way takes silence for death

// A viewer that takes nothing for so long while the run's log is so far ahead of it is dropped: it can come back and
// resume. One that lags but takes what it gets (an old log over a slow line) is not.
inline constexpr std::int64_t kViewerLagBytesMax = 64 * 1024;  // rendered
inline constexpr std::chrono::seconds kViewerStuckMax{2};
inline constexpr std::size_t kViewerPieceBytes = 16 * 1024;  // taking so much is progress

class ResponseStreamer final : public web::Streamer, private chat::DirectViewer {
public:
    // `own_run` is set for the connection that started a run which must not outlive it (not background): its leaving
    // cancels the run.
    ResponseStreamer(
        Context& context,
        store::UserNo user,
        store::ResponseId id,
        chat::Sequence from,
        chat::RunPtr own_run
    )
        : context_(context),
          viewer_(context.counters.runs.viewers_live),
          user_(user),
          id_(id),
          next_(from),
          own_run_(std::move(own_run)) {}

    ~ResponseStreamer() override { ResponseStreamer::client_gone(); }  // however the stream ended: nobody reads on

    Task<void> stream(web::StreamWriter& writer) override;
    void client_gone() override;

private:
    enum class Step : std::uint8_t { more, done, not_live };
    Task<Step> follow(web::StreamWriter& writer);
    Task<std::optional<chat::Batch>> look();
    void take_news() override;

    chat::Sequence position() const override { return next_; }

    bool stuck() const override { return writer_->has_rest(); }

    Task<bool> write_watched(web::StreamWriter& writer, const chat::Batch& batch);
    void look_at_viewer(web::StreamWriter& writer, std::chrono::steady_clock::time_point now);
    Task<void> replay(web::StreamWriter& writer);
    Task<bool> replay_chunks(web::StreamWriter& writer, const store::Run& run);
    Task<bool> log_is_kept(const store::Run& run);
    Task<void> replay_rebuilt(web::StreamWriter& writer, const store::Run& run);
    Task<bool> write_end(web::StreamWriter& writer, const store::Run& run);
    Task<bool> write_events(
        web::StreamWriter& writer,
        const store::Run& run,
        const chat::EventLog& log,
        chat::Sequence log_first
    );

    Context& context_;
    meter::LiveHandle viewer_;
    store::UserNo user_;
    store::ResponseId id_;
    chat::Sequence next_;
    chat::RunPtr own_run_;
    chat::RunPtr near_run_;                 // the run, while it is on this shard and this viewer follows it
    web::StreamWriter* writer_ = nullptr;   // while stream() runs
    const chat::Batch* writing_ = nullptr;  // the batch that the viewer is taking
    std::chrono::steady_clock::time_point progress_at_{};
    bool told_end_ = false;                 // of what replay() tells
    bool log_broken_ = false;               // a part of it is damaged or missing
    net::Ticker::Subscription tick_;
};

}  // namespace confab::api

#include "api/response_stream.hpp"

#include "chat/output_writer.hpp"
#include "chat/recovery.hpp"

namespace confab::api {

Task<void> ResponseStreamer::stream(web::StreamWriter& writer) {
    writer_ = &writer;
    tick_ = context_.shard.ticker().every_tick([this, &writer](auto now) { look_at_viewer(writer, now); });
    Step step = Step::more;
    while (step == Step::more) {
        step = co_await follow(writer);
    }
    tick_.cancel();
    if (step == Step::not_live) {
        co_await replay(writer);
    }
}

void ResponseStreamer::client_gone() {
    if (own_run_ && !own_run_->facts().background) {
        own_run_->cancel();
    }
}

Task<ResponseStreamer::Step> ResponseStreamer::follow(web::StreamWriter& writer) {
    const chat::Sequence began_at = next_;
    auto batch = co_await look();
    if (!batch) {
        co_return Step::not_live;
    }
    const bool silent = batch->bytes.empty() && next_ == began_at && !writer.has_rest();
    next_ = batch->next;
    if (batch->finished) {
        batch->bytes += chat::kDoneEvent;
    } else if (silent) {
        batch->bytes = ":\n\n";
    }
    if (batch->finished && batch->bytes.size() <= kViewerPieceBytes) {
        writer.end_with(batch->bytes);
        co_return Step::done;
    }
    const bool written = co_await write_watched(writer, *batch);
    co_return written && !batch->finished ? Step::more : Step::done;
}

// What is to be written next; nothing when the run is not under way.
Task<std::optional<chat::Batch>> ResponseStreamer::look() {
    const auto deadline = net::Deadline::after(kKeepAliveEvery);
    near_run_ = own_run_ ? own_run_ : context_.runs.find(user_, id_);
    if (!near_run_) {
        if (writer_->has_rest()) {
            co_await writer_->write({});  // the run may have no news for long
        }
        co_return co_await context_.directory.next(user_, id_, next_, deadline);
    }
    if (!own_run_ && !near_run_->facts().stored) {
        co_return std::nullopt;
    }
    co_await near_run_->wait_for_news(*this, deadline);
    co_return near_run_->render(next_);
}

// Straight to the client's socket, without this stream's coroutine. The end of the stream is left to it.
void ResponseStreamer::take_news() {
    if (near_run_->finished()) {
        return;
    }
    thread_local std::string bytes;  // of the shard; empty between two calls
    bytes.clear();
    const chat::Sequence next = near_run_->render_to(bytes, next_);
    if (!bytes.empty() && writer_->offer(bytes) != web::StreamWriter::Offer::refused) {
        next_ = next;
    }
}

// Piece by piece, so that progress shows.
Task<bool> ResponseStreamer::write_watched(web::StreamWriter& writer, const chat::Batch& batch) {
    writing_ = &batch;
    bool written = true;
    std::size_t at = 0;
    do {  // once at least: an offer may have left something over
        progress_at_ = net::Deadline::Clock::now();
        written = co_await writer.write(std::string_view(batch.bytes).substr(at, kViewerPieceBytes));
        at += kViewerPieceBytes;
    } while (written && at < batch.bytes.size());
    writing_ = nullptr;
    co_return written;
}

void ResponseStreamer::look_at_viewer(web::StreamWriter& writer, std::chrono::steady_clock::time_point now) {
    const bool pressed = context_.pressure.active(meter::Action::refuse_connections);
    if (writing_ == nullptr || (!pressed && now - progress_at_ < kViewerStuckMax)) {
        return;
    }
    if (writing_->shown->load(std::memory_order_relaxed) - writing_->start > kViewerLagBytesMax) {
        writing_ = nullptr;  // once
        context_.counters.runs.viewers_dropped.add();
        if (pressed) {
            context_.pressure.count(meter::Shed::viewer_dropped);
        }
        writer.drop();
    }
}

// ---- after the end ----

Task<void> ResponseStreamer::replay(web::StreamWriter& writer) {
    const auto run = co_await context_.store.find_run(user_, id_);
    if (!run || !store::is_final(run->status)) {
        co_return;  // deleted meanwhile, or its end could not be saved
    }
    const chat::Sequence asked = next_;
    if (!run->output_deleted && !co_await replay_chunks(writer, *run)) {  // what was deleted is not shown again
        co_return;
    }
    const bool kept = !run->output_deleted && co_await log_is_kept(*run);
    if (next_ == asked && !kept) {
        co_await replay_rebuilt(writer, *run);
    } else if (!told_end_ && (next_ != asked || log_broken_)) {
        // The log expired on the way, or is damaged: the end holds the whole answer.
        co_await write_end(writer, *run);
    }
    co_await writer.write(chat::kDoneEvent);
}

// Whether "nothing after this" means that the viewer has seen everything, rather than that the log has expired.
Task<bool> ResponseStreamer::log_is_kept(const store::Run& run) {
    const auto first = co_await context_.store.list_run_chunks(run.no, 0);
    co_return first && !first->empty();
}

// The log itself, as long as it is kept. False when the client left, or the store failed.
Task<bool> ResponseStreamer::replay_chunks(web::StreamWriter& writer, const store::Run& run) {
    while (true) {
        const auto chunks = co_await context_.store.list_run_chunks(run.no, next_);
        if (!chunks) {
            co_return false;  // whoever comes back sees the rest
        }
        if (chunks->empty()) {
            co_return true;
        }
        const chat::Sequence before = next_;
        for (const store::RunChunk& chunk : *chunks) {
            chat::EventLog log;
            if (!log.append_records(chunk.data)) {
                log_broken_ = true;
                co_return true;
            }
            if (chunk.seq_first > next_) {
                if (!chat::closes_after_crash(run, log)) {
                    log_broken_ = true;
                    co_return true;
                }
                next_ = chunk.seq_first;
            }
            if (!co_await write_events(writer, run, log, chunk.seq_first)) {
                co_return false;
            }
        }
        if (next_ == before) {
            co_return true;
        }
    }
}

Task<bool> ResponseStreamer::write_events(
    web::StreamWriter& writer,
    const store::Run& run,
    const chat::EventLog& log,
    chat::Sequence log_first
) {
    const auto facts = chat::facts_of(run);
    const auto end = chat::end_of(run);
    const chat::EventRenderer renderer(facts, end);
    std::string bytes;
    while (next_ < log_first + log.size()) {
        const chat::Event event = log.at(next_ - log_first);
        told_end_ = told_end_ || event.kind == chat::EventKind::finished;
        renderer.render(bytes, next_, event);
        ++next_;
        if (bytes.size() >= chat::kBatchBytesMax || next_ == log_first + log.size()) {
            if (!co_await writer.write(bytes)) {
                co_return false;
            }
            bytes.clear();
        }
    }
    co_return true;
}

// The log has expired: the same story told from the stored items, with one delta for each part. Whoever had seen more
// than that gets the end.
Task<void> ResponseStreamer::replay_rebuilt(web::StreamWriter& writer, const store::Run& run) {
    const chat::EventLog log = chat::rebuild_log(chat::facts_of(run), chat::end_of(run));
    if (next_ >= log.size()) {
        co_await write_end(writer, run);
        co_return;
    }
    co_await write_events(writer, run, log, 0);
}

Task<bool> ResponseStreamer::write_end(web::StreamWriter& writer, const store::Run& run) {
    chat::EventLog last;
    last.append(chat::EventKind::finished);
    co_return co_await write_events(writer, run, last, next_);
}

}  // namespace confab::api

// BodyFeed: gives a BodySource to libcurl bit by bit, holding one piece of one part at a time.
#pragma once

#include <optional>

#include "net/body_source.hpp"
#include "net/task.hpp"

namespace confab::net {

class BodyFeed {
public:
    // `source` must outlive the feed. `on_news` is called from the event loop after read() had to say `wait`.
    BodyFeed(const BodySource& source, Executor executor, std::function<void()> on_news);
    BodyFeed(const BodyFeed&) = delete;
    BodyFeed& operator=(const BodyFeed&) = delete;
    ~BodyFeed();

    enum class State : std::uint8_t {
        bytes,  // `count` were written
        end,
        wait,    // call again after on_news
        failed,  // error() says why
    };

    struct Taken {
        State state = State::end;
        std::size_t count = 0;
    };

    // Writes at most `room` bytes to `out`.
    Taken read(char* out, std::size_t room);

    // From the beginning again.
    void rewind();

    const std::optional<base::Error>& error() const { return error_; }

private:
    struct Ticket {  // of the read under way; `feed` is null when nobody wants the answer any more
        BodyFeed* feed;
    };

    bool in_part() const;
    void load();
    void loaded(base::Result<std::string> piece);
    void forget_read();

    const BodySource& source_;
    Executor executor_;
    std::function<void()> on_news_;
    std::size_t text_at_ = 0;
    std::size_t insertion_ = 0;  // the next one, or the one being sent
    std::uint64_t part_at_ = 0;  // bytes of it that were read
    std::string piece_;          // the piece being sent
    std::size_t piece_at_ = 0;
    std::shared_ptr<Ticket> reading_;
    std::optional<base::Error> error_;
};

}  // namespace confab::net

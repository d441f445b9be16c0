#include "chat/titles.hpp"

#include <spdlog/spdlog.h>

#include "base/json.hpp"
#include "chat/title_text.hpp"
#include "llm/upstream_call.hpp"

namespace confab::chat {

namespace {

using base::Errc;
using net::Task;

constexpr std::chrono::milliseconds kRoomLookEvery{500};

// Another title request must not be what an answer waits for.
bool has_slot_to_spare(const llm::Upstream& upstream) {
    if (!upstream.slots) {
        return true;
    }
    const auto counts = upstream.slots->counts();
    return counts.waiting == 0 && counts.in_use < counts.limit;
}

// choices[0].message.content of a whole chat completion.
std::string content_of(std::string_view reply) {
    const auto parsed = base::parse_json(reply);
    if (!parsed || !parsed->is_object()) {
        return {};
    }
    const base::json::value* choices = base::find(parsed->get_object(), "choices");
    if (choices == nullptr || !choices->is_array() || choices->get_array().empty()) {
        return {};
    }
    const base::json::value& first = choices->get_array()[0];
    const base::json::value* message = first.is_object() ? base::find(first.get_object(), "message") : nullptr;
    return message != nullptr && message->is_object() ? std::string(base::find_string(message->get_object(), "content"))
                                                      : std::string();
}

}  // namespace

// One exchange. On the list of live ones for as long as it lives.
class TitleService::Request final : private net::HttpSink {
public:
    Request(TitleService& service, llm::UpstreamPtr upstream, std::string body)
        : service_(service),
          upstream_(std::move(upstream)),
          call_(
              service.environment_.client,
              service.environment_.shard.executor(),
              upstream_,
              request(*upstream_, std::move(body)),
              *this,
              0
          ) {
        service_.live_.push_back(this);
    }

    Request(const Request&) = delete;
    Request& operator=(const Request&) = delete;

    ~Request() override { std::erase(service_.live_, this); }

    Task<base::Result<net::HttpHead>> send() { return call_.send(); }

    void cancel() { call_.cancel(); }

    const llm::Upstream& upstream() const { return *upstream_; }

    const std::string& reply() const { return reply_; }

private:
    static net::HttpRequest request(const llm::Upstream& upstream, std::string body) {
        net::HttpRequest request;
        request.method = "POST";
        request.url = upstream.base_url + "/chat/completions";
        request.headers = llm::request_headers(upstream);
        request.body.text = std::move(body);
        request.deadline = net::Deadline::after(kTitleTimeMax);
        request.body_bytes_max = kTitleReplyBytesMax;
        return request;
    }

    void on_head(const net::HttpHead& /*head*/) override {}

    net::Flow on_body(std::string_view bytes) override {
        reply_ += bytes;
        return net::Flow::go_on;
    }

    TitleService& service_;
    llm::UpstreamPtr upstream_;
    llm::UpstreamCall call_;
    std::string reply_;
};

TitleService::TitleService(TitleEnvironment environment)
    : environment_(environment), tasks_(environment.shard.executor(), "titles") {
    tick_ = environment_.shard.ticker().every_tick([this](auto) { give_way(); }, net::Ticker::Pace::calm);
}

TitleService::~TitleService() = default;

void TitleService::offer(const Run& run) {
    const auto& conversation = run.facts().conversation;
    const bool answered = run.end().status == store::RunStatus::completed && !run.end().output.empty();
    if (stopped_ || !conversation || !answered) {
        return;
    }
    if (waiting_.size() >= kTitlesWaiting) {
        environment_.counters.dropped.add();
        return;
    }
    waiting_.push_back({run.origin().user, *conversation, run.facts().model});
    if (workers_ < kTitlesAtOnce) {
        ++workers_;
        if (!tasks_.spawn(work())) {
            --workers_;
        }
    }
}

Task<void> TitleService::work() {
    while (!waiting_.empty() && !stopped_) {
        co_await wait_for_room();
        if (waiting_.empty()) {
            break;
        }
        Wish wish = std::move(waiting_.front());
        waiting_.pop_front();
        try {
            co_await grant(std::move(wish));
        } catch (const std::exception& e) {
            environment_.counters.failed.add();
            spdlog::error("title_failed error=\"{}\"", e.what());
        }
    }
    --workers_;
}

// Titles are the first thing to wait when memory is short.
Task<void> TitleService::wait_for_room() {
    if (environment_.pressure.active(meter::Action::defer_background)) {
        environment_.pressure.count(meter::Shed::background_deferred);
    }
    while (environment_.pressure.active(meter::Action::defer_background) && !stopped_) {
        co_await net::sleep_for(kRoomLookEvery);
    }
}

Task<void> TitleService::grant(Wish wish) {
    auto& counters = environment_.counters;
    const auto setting = co_await environment_.store.get_setting(std::string(store::kSettingTitleModel));
    if (!setting || !*setting || (*setting)->empty()) {
        co_return;
    }
    const std::string model = **setting == "same" ? wish.model : **setting;
    const auto upstream = environment_.upstreams.snapshot()->resolve(model);
    if (!upstream || !*upstream) {
        co_return;  // the built-in demonstration knows no titles
    }
    if (!has_slot_to_spare(**upstream)) {
        counters.dropped.add();
        co_return;
    }
    const auto items = co_await environment_.store.begin_title(wish.user, wish.conversation);
    if (!items || !*items || stopped_) {
        co_return;
    }
    std::string body = title_request(**items, model, (*upstream)->max_tokens_field);
    if (body.empty()) {
        co_return;
    }
    const auto reply = co_await ask(*upstream, std::move(body));
    if (!reply) {
        (reply.error().errc == Errc::cancelled ? counters.dropped : counters.failed).add();
        co_return;
    }
    std::string title = clean_title(content_of(*reply));
    if (title.empty()) {
        counters.failed.add();
        co_return;
    }
    const auto put = co_await environment_.store.put_model_title(wish.user, wish.conversation, std::move(title));
    (!put ? counters.failed : *put ? counters.made : counters.dropped).add();
}

Task<base::Result<std::string>> TitleService::ask(llm::UpstreamPtr upstream, std::string body) {
    Request request(*this, std::move(upstream), std::move(body));
    const auto sent = co_await request.send();
    if (!sent) {
        co_return std::unexpected(sent.error());
    }
    if (sent->status != 200) {
        co_return base::fail(Errc::upstream_failed, "The model server refused.");
    }
    co_return request.reply();
}

// Each tick: a title is worth less than an answer that waits.
void TitleService::give_way() {
    for (Request* request : live_) {
        const auto& slots = request->upstream().slots;
        if (slots && slots->counts().waiting > 0) {
            request->cancel();
        }
    }
}

void TitleService::stop() {
    stopped_ = true;
    waiting_.clear();
    for (Request* request : live_) {
        request->cancel();
    }
}

Task<void> TitleService::join() {
    co_await tasks_.join();
}

}  // namespace confab::chat

#include "net/http_client.hpp"

#include <algorithm>
#include <array>
#include <list>
#include <set>

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <curl/curl.h>

#include "base/text.hpp"
#include "net/body_feed.hpp"
#include "net/curl_handles.hpp"
#include "net/http_failure.hpp"
#include "net/http_transfer.hpp"
#include "net/plain_http.hpp"

namespace confab::net {

namespace {

constexpr long kConnectTimeoutMs = 10'000;
constexpr std::uint64_t kDrainBytesMax = 64 * 1024;  // a new connection is cheaper than more
constexpr std::chrono::seconds kDrainMax{2};         // for what follows the end of an answer
constexpr int kEventsPerWake = 128;
constexpr int kRoundsPerWake = 8;  // then others have their turn

void init_curl_once() {
    static const CURLcode result = curl_global_init(CURL_GLOBAL_DEFAULT);
    CONFAB_ASSERT(result == CURLE_OK);
}

template <class T>
void set(CURL* handle, CURLoption option, T value) {
    const CURLcode result = curl_easy_setopt(handle, option, value);
    CONFAB_ASSERT(result == CURLE_OK);
}

}  // namespace

struct HttpClient::Impl final : PlainHttp::Owner {
    using Transfer = HttpTransfer;

    explicit Impl(Shard& shard)
        : executor(shard.executor()),
          epoll(executor, ::epoll_create1(EPOLL_CLOEXEC)),
          timer(executor),
          plain(executor, epoll.native_handle(), *this) {
        init_curl_once();
        multi = curl_multi_init();
        CONFAB_ASSERT(multi != nullptr);
        curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, &Impl::socket_changed);
        curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, this);
        curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, &Impl::timer_changed);
        curl_multi_setopt(multi, CURLMOPT_TIMERDATA, this);
        tick = shard.ticker().every_tick([this](auto now) { enforce_deadlines(now); }, Ticker::Pace::calm);
        watch();
    }

    ~Impl() {
        *alive = false;
        for (auto& transfer : draining) {
            detach(*transfer);
        }
        draining.clear();
        CONFAB_ASSERT(live.empty());
        curl_multi_cleanup(multi);
    }

    // ---- libcurl's sockets and timer ----

    static int socket_changed(CURL* /*easy*/, curl_socket_t fd, int what, void* self, void* known) {
        auto& impl = *static_cast<Impl*>(self);
        if (what == CURL_POLL_REMOVE) {
            ::epoll_ctl(impl.epoll.native_handle(), EPOLL_CTL_DEL, fd, nullptr);  // the socket may be closed already
            return 0;
        }
        epoll_event event{};
        event.data.fd = fd;
        event.events = ((what & CURL_POLL_IN) != 0 ? EPOLLIN : 0U) | ((what & CURL_POLL_OUT) != 0 ? EPOLLOUT : 0U);
        const int operation = known != nullptr ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
        if (::epoll_ctl(impl.epoll.native_handle(), operation, fd, &event) != 0) {
            ::epoll_ctl(
                impl.epoll.native_handle(), operation == EPOLL_CTL_ADD ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event
            );
        }
        curl_multi_assign(impl.multi, fd, self);
        return 0;
    }

    // The timer is armed anew only to fire earlier; when it fires too early it is armed for the rest. libcurl changes
    // its mind at nearly every read, and each change would be a system call.
    static int timer_changed(CURLM* /*multi*/, long timeout_ms, void* self) {
        auto& impl = *static_cast<Impl*>(self);
        using Clock = std::chrono::steady_clock;
        impl.timer_due =
            timeout_ms < 0 ? Clock::time_point::max() : Clock::now() + std::chrono::milliseconds(timeout_ms);
        if (impl.timer_due < impl.timer_armed) {
            impl.arm_timer();
        }
        return 0;
    }

    void arm_timer() {
        timer_armed = timer_due;
        timer.expires_at(timer_due);
        timer.async_wait([this, alive = alive](const boost::system::error_code& ec) {
            if (ec || !*alive) {
                return;
            }
            timer_armed = std::chrono::steady_clock::time_point::max();
            if (timer_due <= std::chrono::steady_clock::now()) {
                timer_due = std::chrono::steady_clock::time_point::max();
                act(CURL_SOCKET_TIMEOUT, 0);  // sets the next one
                collect_finished();
            } else if (timer_due != std::chrono::steady_clock::time_point::max()) {
                arm_timer();
            }
        });
    }

    void watch() {
        epoll.async_wait(decltype(epoll)::wait_read, [this, alive = alive](const boost::system::error_code& ec) {
            if (!ec && *alive) {
                serve_ready_sockets();
                watch();
            }
        });
    }

    // Until none is ready: the outer set reports only changes.
    void serve_ready_sockets() {
        std::array<epoll_event, kEventsPerWake> events{};
        int count = kEventsPerWake;
        for (int round = 0; count == kEventsPerWake; ++round) {
            if (round == kRoundsPerWake) {
                asio::post(executor, [this, alive = alive] {
                    if (*alive) {
                        serve_ready_sockets();
                    }
                });
                break;
            }
            count = ::epoll_wait(epoll.native_handle(), events.data(), kEventsPerWake, 0);
            for (int i = 0; i < count; ++i) {
                const auto& event = events[static_cast<std::size_t>(i)];
                if (plain.on_ready(event.data.fd, event.events)) {
                    continue;
                }
                int mask = 0;
                mask |= (event.events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0 ? CURL_CSELECT_IN : 0;
                mask |= (event.events & EPOLLOUT) != 0 ? CURL_CSELECT_OUT : 0;
                act(event.data.fd, mask);
            }
        }
        collect_finished();
    }

    void act(curl_socket_t fd, int mask) {
        int running = 0;
        fed = nullptr;
        inside = true;
        curl_multi_socket_action(multi, fd, mask, &running);
        inside = false;
        if (fed != nullptr && fed->sink != nullptr) {
            fed->sink->on_read_end();
        }
    }

    void collect_finished() {
        int left = 0;
        while (const CURLMsg* message = curl_multi_info_read(multi, &left)) {
            if (message->msg != CURLMSG_DONE) {
                continue;
            }
            Transfer* transfer = nullptr;
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
            ended(*transfer, message->data.result);
        }
    }

    // ---- the life of a transfer ----

    void attach(Transfer& transfer) {
        live.insert(&transfer);
        tick.set_pace(Ticker::Pace::brisk);
        ++counters.requests;
        counters.requests_live = live.size();
        transfer.patience = Deadline::after(transfer.request.first_byte_max);
        transfer.begun_at = Deadline::Clock::now();
        route(transfer);
    }

    // Chooses the engine.
    void route(Transfer& transfer) {
        const auto url = has_proxy ? std::nullopt : parse_plain_url(transfer.request.url);
        if (url && plain.begin_on_kept(transfer, *url)) {
            ++counters.connections_reused;
            transfer.connected_at = transfer.begun_at;
            return;
        }
        transfer.curl = std::make_unique<Transfer::Curl>();
        transfer.curl->handle = handles.take();
        transfer.curl->only_connects = url.has_value();
        configure_connection(transfer);
        if (url) {
            transfer.curl->origin = "http://" + url->origin + "/";
            set(transfer.curl->handle, CURLOPT_URL, transfer.curl->origin.c_str());
            set(transfer.curl->handle, CURLOPT_CONNECT_ONLY, 1L);
        } else {
            configure_request(transfer);
        }
        const CURLMcode added = curl_multi_add_handle(multi, transfer.curl->handle);
        CONFAB_ASSERT(added == CURLM_OK);
    }

    // libcurl has ended a transfer, or has connected for PlainHttp.
    void ended(Transfer& transfer, CURLcode result) {
        if (transfer.curl->only_connects && result == CURLE_OK) {
            hand_over(transfer);
            return;
        }
        deliver_curl_head(transfer);
        std::optional<base::Error> error;
        if (result != CURLE_OK) {
            error = curl_failure(result, transfer.curl->detail.data());
        }
        conclude(transfer, std::move(error));
    }

    void hand_over(Transfer& transfer) {
        curl_socket_t socket = CURL_SOCKET_BAD;
        curl_easy_getinfo(transfer.curl->handle, CURLINFO_ACTIVESOCKET, &socket);
        const int own = socket == CURL_SOCKET_BAD ? -1 : ::fcntl(socket, F_DUPFD_CLOEXEC, 0);
        if (own < 0) {
            conclude(transfer, curl_failure(CURLE_COULDNT_CONNECT, "no socket is left"));
            return;
        }
        ::epoll_ctl(epoll.native_handle(), EPOLL_CTL_DEL, socket, nullptr);  // would outlive its number otherwise
        release_curl(transfer);
        ++counters.connections_opened;
        transfer.connected_at = Deadline::Clock::now();
        plain.begin(transfer, *parse_plain_url(transfer.request.url), own);
    }

    void plain_ended(Transfer& transfer, std::optional<base::Error> error) override {
        conclude(transfer, std::move(error));
    }

    void plain_lost(Transfer& transfer) override {
        --counters.connections_reused;
        route(transfer);
    }

    void conclude(Transfer& transfer, std::optional<base::Error> error) {
        detach(transfer);
        if (transfer.drains) {
            draining.remove_if([&](const auto& entry) { return entry.get() == &transfer; });
        } else {
            transfer.finish(std::move(error));
        }
    }

    // Takes the transfer out of its engine. An exchange that is not over loses its connection here.
    void detach(Transfer& transfer) {
        if (transfer.curl) {
            long opened = 0;
            curl_easy_getinfo(transfer.curl->handle, CURLINFO_NUM_CONNECTS, &opened);
            counters.connections_opened += static_cast<std::uint64_t>(opened);
            if (opened == 0 && transfer.head_delivered) {
                ++counters.connections_reused;
            }
            release_curl(transfer);
        }
        if (transfer.connection != nullptr) {
            plain.drop(transfer);
        }
        live.erase(&transfer);
        if (live.empty()) {
            tick.set_pace(Ticker::Pace::calm);
        }
        counters.requests_live = live.size();
    }

    void release_curl(Transfer& transfer) {
        CONFAB_ASSERT(!inside);
        curl_multi_remove_handle(multi, transfer.curl->handle);
        handles.give(transfer.curl->handle);
        curl_slist_free_all(transfer.curl->headers);
        transfer.curl.reset();
        if (fed == &transfer) {
            fed = nullptr;
        }
    }

    void configure_connection(Transfer& transfer) {
        CURL* handle = transfer.curl->handle;
        set(handle, CURLOPT_PRIVATE, &transfer);
        set(handle, CURLOPT_PROTOCOLS_STR, "http,https");
        set(handle, CURLOPT_NOSIGNAL, 1L);
        set(handle, CURLOPT_QUICK_EXIT, 1L);  // removing a handle must not wait for a name server that does not answer
        set(handle, CURLOPT_ERRORBUFFER, transfer.curl->detail.data());
        set(handle, CURLOPT_CONNECTTIMEOUT_MS, kConnectTimeoutMs);
    }

    void configure_request(Transfer& transfer) {
        CURL* handle = transfer.curl->handle;
        const HttpRequest& request = transfer.request;
        curl_slist* headers = nullptr;
        for (const std::string& header : request.headers) {
            headers = curl_slist_append(headers, header.c_str());
        }
        transfer.curl->headers = curl_slist_append(headers, "Expect:");  // no 100-continue round trip
        set(handle, CURLOPT_URL, request.url.c_str());
        set(handle, CURLOPT_FOLLOWLOCATION, 0L);  // a redirect must not carry the key elsewhere
        set(handle, CURLOPT_HTTPHEADER, transfer.curl->headers);
        set(handle, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS));
        set(handle, CURLOPT_USERAGENT, "Confab");
        set(handle, CURLOPT_HEADERFUNCTION, &Impl::header_arrived);
        set(handle, CURLOPT_HEADERDATA, &transfer);
        set(handle, CURLOPT_WRITEFUNCTION, &Impl::body_arrived);
        set(handle, CURLOPT_WRITEDATA, &transfer);
        if (request.method == "POST") {
            set(handle, CURLOPT_POST, 1L);
            set(handle, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
            if (request.body.insertions.empty()) {
                set(handle, CURLOPT_POSTFIELDS, request.body.text.data());
            } else {
                feed_body(transfer);
            }
        } else if (request.method != "GET") {
            set(handle, CURLOPT_CUSTOMREQUEST, request.method.c_str());
        }
    }

    // ---- a body that is read while it is sent ----

    void feed_body(Transfer& transfer) {
        transfer.curl->feed =
            std::make_unique<BodyFeed>(transfer.request.body, executor, [&transfer] { go_on(transfer); });
        set(transfer.curl->handle, CURLOPT_READFUNCTION, &Impl::body_wanted);
        set(transfer.curl->handle, CURLOPT_READDATA, &transfer);
        set(transfer.curl->handle, CURLOPT_SEEKFUNCTION, &Impl::body_sought);
        set(transfer.curl->handle, CURLOPT_SEEKDATA, &transfer);
    }

    static std::size_t body_wanted(char* out, std::size_t size, std::size_t count, void* self) {
        auto& transfer = *static_cast<Transfer*>(self);
        const BodyFeed::Taken taken = transfer.curl->feed->read(out, size * count);
        if (taken.state == BodyFeed::State::wait) {
            return CURL_READFUNC_PAUSE;
        }
        if (taken.state == BodyFeed::State::failed) {
            transfer.finish(transfer.curl->feed->error());
            return CURL_READFUNC_ABORT;
        }
        return taken.count;
    }

    // libcurl begins anew when a connection from its pool turns out to be dead.
    static int body_sought(void* self, curl_off_t offset, int origin) {
        if (offset != 0 || origin != SEEK_SET) {
            return CURL_SEEKFUNC_CANTSEEK;
        }
        static_cast<Transfer*>(self)->curl->feed->rewind();
        return CURL_SEEKFUNC_OK;
    }

    // The next piece is there.
    static void go_on(Transfer& transfer) {
        if (transfer.curl) {
            transfer.client->inside = true;
            curl_easy_pause(transfer.curl->handle, transfer.paused ? CURLPAUSE_RECV : CURLPAUSE_CONT);
            transfer.client->inside = false;
        }
    }

    // ---- what arrives ----

    static std::size_t header_arrived(char* data, std::size_t size, std::size_t count, void* self) {
        auto& transfer = *static_cast<Transfer*>(self);
        const std::string_view line(data, size * count);
        if (line.starts_with("HTTP/")) {
            transfer.head = HttpHead{};  // the head of a 1xx answer or of a proxy comes first
            transfer.location.clear();
            return line.size();
        }
        const auto colon = line.find(':');
        if (colon != std::string_view::npos) {
            const std::string_view name = line.substr(0, colon);
            const std::string_view value = base::trim(line.substr(colon + 1));
            if (base::iequals(name, "content-type")) {
                transfer.head.content_type = value;
            } else if (base::iequals(name, "retry-after")) {
                transfer.head.retry_after = value;
            } else if (base::iequals(name, "location")) {
                transfer.location = value;
            }
        }
        return line.size();
    }

    static void deliver_curl_head(Transfer& transfer) {
        if (transfer.head_delivered) {
            return;
        }
        curl_off_t microseconds = 0;
        curl_easy_getinfo(transfer.curl->handle, CURLINFO_PRETRANSFER_TIME_T, &microseconds);
        if (microseconds > 0) {
            transfer.connected_at = transfer.begun_at + std::chrono::microseconds(microseconds);
        }
        long status = 0;
        curl_easy_getinfo(transfer.curl->handle, CURLINFO_RESPONSE_CODE, &status);
        if (status != 0) {
            transfer.deliver_head(static_cast<unsigned>(status));
        }
    }

    static std::size_t body_arrived(char* data, std::size_t size, std::size_t count, void* self) {
        auto& transfer = *static_cast<Transfer*>(self);
        const std::size_t bytes = size * count;
        deliver_curl_head(transfer);
        transfer.client->fed = &transfer;
        const auto flow = transfer.deliver_body({data, bytes});
        if (!flow) {
            return CURL_WRITEFUNC_ERROR;
        }
        return *flow == Flow::pause ? CURL_WRITEFUNC_PAUSE : bytes;
    }

    void enforce_deadlines(std::chrono::steady_clock::time_point now) {
        late.clear();
        for (Transfer* transfer : live) {
            if (std::min(transfer->patience.at(), transfer->request.deadline.at()) <= now) {
                late.push_back(transfer);
            }
        }
        for (Transfer* transfer : late) {
            const char* why = transfer->body_bytes == 0 ? "The model server did not begin to answer in time."
                                                        : "The model server fell silent in the middle of its answer.";
            conclude(*transfer, http_failure(base::Errc::upstream_timeout, "upstream_timeout", why));
        }
        plain.close_idle(now);
    }

    Executor executor;
    asio::posix::basic_stream_descriptor<Executor> epoll;
    Timer timer;
    std::chrono::steady_clock::time_point timer_due = std::chrono::steady_clock::time_point::max();    // libcurl's wish
    std::chrono::steady_clock::time_point timer_armed = std::chrono::steady_clock::time_point::max();  // when it fires
    CURLM* multi = nullptr;
    Ticker::Subscription tick;
    std::set<Transfer*> live;  // every transfer that libcurl holds, draining ones too
    std::vector<Transfer*> late;
    std::list<std::unique_ptr<Transfer>> draining;
    CurlHandles handles;
    HttpClientCounters counters;
    std::shared_ptr<bool> alive = std::make_shared<bool>(true);
    Transfer* fed = nullptr;  // who got bytes during the present action of libcurl
    bool inside = false;      // within a libcurl callback: no handle may be removed
    const bool has_proxy = proxy_in_environment();
    PlainHttp plain;
};

// ---- HttpTransfer ----

void HttpTransfer::deliver_head(unsigned status) {
    if (head_delivered || sink == nullptr) {
        return;
    }
    head.status = status;
    head_delivered = true;
    if (status >= 300 && status < 400) {
        sink = nullptr;
        finish(redirected(status, location));
        return;
    }
    sink->on_head(head);
}

std::optional<Flow> HttpTransfer::deliver_body(std::string_view bytes) {
    client->counters.bytes_received += bytes.size();
    if (sink == nullptr) {
        drained_bytes += bytes.size();
        return drained_bytes <= kDrainBytesMax ? std::optional(Flow::go_on) : std::nullopt;
    }
    if (body_bytes + bytes.size() > request.body_bytes_max) {
        finish(
            http_failure(base::Errc::upstream_failed, "upstream_too_large", "The model server's answer is too large.")
        );
        return std::nullopt;
    }
    const Flow flow = sink->on_body(bytes);
    if (flow == Flow::pause) {
        paused = true;
        patience = Deadline::never();
        return flow;
    }
    body_bytes += bytes.size();
    patience = Deadline::after(request.idle_max);
    if (flow == Flow::finish) {
        sink = nullptr;
        patience = Deadline::after(kDrainMax);
        finish(std::nullopt);
    }
    return flow;
}

HttpClient::HttpClient(Shard& shard) : impl_(std::make_unique<Impl>(shard)) {}

HttpClient::~HttpClient() = default;

HttpClientCounters HttpClient::counters() const {
    HttpClientCounters now = impl_->counters;
    now.connections_live = impl_->handles.sockets() + impl_->plain.connections();
    return now;
}

HttpCall::HttpCall(HttpClient& client, HttpRequest request, HttpSink& sink)
    : transfer_(std::make_unique<HttpTransfer>(*client.impl_, client.impl_->executor)) {
    transfer_->request = std::move(request);
    transfer_->sink = &sink;
}

HttpCall::~HttpCall() {
    HttpClient::Impl& client = *transfer_->client;
    if (!transfer_->curl && transfer_->connection == nullptr) {
        return;
    }
    if (transfer_->over && !transfer_->error) {
        // The sink has all it wants; what follows is drained in the background, so that the connection can be reused.
        transfer_->drains = true;
        client.draining.push_back(std::move(transfer_));
        return;
    }
    client.detach(*transfer_);
}

Task<base::Result<HttpHead>> HttpCall::send() {
    if (!transfer_->over) {
        transfer_->client->attach(*transfer_);
        while (!transfer_->over) {
            co_await transfer_->ended.wait();
        }
    }
    if (transfer_->error) {
        co_return std::unexpected(*transfer_->error);
    }
    co_return transfer_->head;
}

void HttpCall::cancel() {
    if (transfer_->over) {
        return;
    }
    transfer_->sink = nullptr;
    transfer_->client->detach(*transfer_);
    transfer_->finish(http_failure(base::Errc::cancelled, "cancelled", "The request was cancelled."));
}

std::optional<Deadline::Clock::time_point> HttpCall::connected_at() const {
    return transfer_->connected_at;
}

HttpRequest HttpCall::take_request() {
    CONFAB_ASSERT(transfer_->over && !transfer_->curl && transfer_->connection == nullptr);
    return std::move(transfer_->request);
}

void HttpCall::resume() {
    if (!std::exchange(transfer_->paused, false)) {
        return;
    }
    transfer_->patience = Deadline::after(transfer_->request.idle_max);
    HttpClient::Impl& client = *transfer_->client;
    if (transfer_->connection != nullptr) {
        client.plain.resume(*transfer_);
    } else if (transfer_->curl) {
        client.inside = true;  // held-back bytes are delivered from within this call
        curl_easy_pause(transfer_->curl->handle, CURLPAUSE_CONT);
        client.inside = false;
    }
}

}  // namespace confab::net

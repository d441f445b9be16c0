#include "net/http_client.hpp"

#include <array>
#include <list>
#include <set>

#include <spdlog/spdlog.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <curl/curl.h>

#include "base/text.hpp"

namespace confab::net {

namespace {

constexpr long kConnectTimeoutMs = 10'000;
constexpr long kReadBufferBytes = 4096;  // per live transfer; tokens are small, and 1,000 streams times 16 KiB is not
constexpr std::chrono::seconds kDrainMax{2};  // for what follows the end of an answer
constexpr std::size_t kIdleHandlesMax = 32;   // easy handles kept for reuse
constexpr int kEventsPerWake = 64;

void init_curl_once() {
    static const CURLcode result = curl_global_init(CURL_GLOBAL_DEFAULT);
    CONFAB_ASSERT(result == CURLE_OK);
}

template <class T>
void set(CURL* handle, CURLoption option, T value) {
    const CURLcode result = curl_easy_setopt(handle, option, value);
    CONFAB_ASSERT(result == CURLE_OK);
}

base::Error failed(base::Errc errc, std::string code, std::string message) {
    base::Error error;
    error.errc = errc;
    error.code = std::move(code);
    error.message = std::move(message);
    return error;
}

// Scheme and host of where a redirect points, without what could be secret (user, path, query).
std::string redirect_target(std::string_view location) {
    const auto slashes = location.find("//");
    const bool absolute = slashes == 0 || (slashes <= 10 && location[slashes - 1] == ':');
    if (!absolute) {
        return "another path of the same server";
    }
    const std::string_view rest = location.substr(slashes + 2);
    std::string_view host = rest.substr(0, rest.find_first_of("/?#\\"));
    host.remove_prefix(host.rfind('@') == std::string_view::npos ? 0 : host.rfind('@') + 1);
    std::string target(location.substr(0, slashes + 2));
    for (const char c : host.substr(0, 253)) {
        target += c > ' ' && c < 0x7F ? c : '?';
    }
    return target;
}

base::Error redirected(unsigned status, std::string_view location) {
    return failed(
        base::Errc::upstream_failed,
        "upstream_redirect",
        "The model server redirects (HTTP " + std::to_string(status) + ") to " + redirect_target(location) +
            ". Confab does not follow, for the API key must not go elsewhere: correct the server's base URL."
    );
}

base::Error translate(CURLcode result, const char* detail) {
    const std::string text = *detail != '\0' ? detail : curl_easy_strerror(result);
    switch (result) {
        case CURLE_COULDNT_RESOLVE_HOST:
        case CURLE_COULDNT_RESOLVE_PROXY:
            return failed(
                base::Errc::upstream_failed,
                "upstream_unreachable",
                "The model server's host name cannot be resolved: " + text + "."
            );
        case CURLE_COULDNT_CONNECT:
            return failed(
                base::Errc::upstream_failed, "upstream_unreachable", "The model server cannot be reached: " + text + "."
            );
        case CURLE_OPERATION_TIMEDOUT:
            return failed(
                base::Errc::upstream_timeout,
                "upstream_timeout",
                "The model server did not answer in time: " + text + "."
            );
        case CURLE_SSL_CONNECT_ERROR:
        case CURLE_PEER_FAILED_VERIFICATION:
        case CURLE_SSL_CERTPROBLEM:
        case CURLE_SSL_CACERT_BADFILE:
        case CURLE_SSL_CIPHER:
        case CURLE_SSL_ISSUER_ERROR:
        case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
        case CURLE_SSL_INVALIDCERTSTATUS:
            return failed(
                base::Errc::upstream_failed,
                "upstream_tls",
                "The secure connection to the model server failed: " + text + "."
            );
        case CURLE_URL_MALFORMAT:
        case CURLE_UNSUPPORTED_PROTOCOL:
            return failed(
                base::Errc::upstream_failed,
                "upstream_bad_url",
                "The model server's base URL is not usable: " + text + "."
            );
        default:
            return failed(
                base::Errc::upstream_failed,
                "upstream_disconnected",
                "The connection to the model server broke: " + text + "."
            );
    }
}

}  // namespace

// What libcurl knows of one exchange. Owned by its HttpCall, or by the client while it drains.
struct HttpCall::Transfer {
    Transfer(HttpClient::Impl& impl, Executor executor) : client(&impl), ended(executor) {}

    HttpClient::Impl* client;
    HttpRequest request;
    HttpSink* sink = nullptr;  // null while draining
    CURL* handle = nullptr;    // null before send() and after the end
    curl_slist* headers = nullptr;
    HttpHead head;
    std::string location;  // of a redirect
    bool head_delivered = false;
    bool over = false;  // `error` and `head` are final
    bool drains = false;
    bool paused = false;
    std::optional<base::Error> error;
    Waker ended;
    Deadline patience = Deadline::never();  // of the next byte
    std::uint64_t body_bytes = 0;
    std::array<char, CURL_ERROR_SIZE> detail{};

    void finish(std::optional<base::Error> result) {
        if (!over) {
            over = true;
            error = std::move(result);
            ended.notify();
        }
    }
};

struct HttpClient::Impl {
    using Transfer = HttpCall::Transfer;

    explicit Impl(Shard& shard)
        : executor(shard.executor()), epoll(executor, ::epoll_create1(EPOLL_CLOEXEC)), timer(executor) {
        init_curl_once();
        multi = curl_multi_init();
        CONFAB_ASSERT(multi != nullptr);
        curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, &Impl::socket_changed);
        curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, this);
        curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, &Impl::timer_changed);
        curl_multi_setopt(multi, CURLMOPT_TIMERDATA, this);
        tick = shard.ticker().every_tick([this](auto now) { enforce_deadlines(now); });
        watch();
    }

    ~Impl() {
        *alive = false;
        for (auto& transfer : draining) {
            detach(*transfer);
        }
        CONFAB_ASSERT(live.empty());
        for (CURL* handle : idle_handles) {
            curl_easy_cleanup(handle);
        }
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

    static int timer_changed(CURLM* /*multi*/, long timeout_ms, void* self) {
        auto& impl = *static_cast<Impl*>(self);
        if (timeout_ms < 0) {
            impl.timer.cancel();
            return 0;
        }
        impl.timer.expires_after(std::chrono::milliseconds(timeout_ms));
        impl.timer.async_wait([&impl, alive = impl.alive](const boost::system::error_code& ec) {
            if (!ec && *alive) {
                impl.act(CURL_SOCKET_TIMEOUT, 0);
                impl.collect_finished();
            }
        });
        return 0;
    }

    void watch() {
        epoll.async_wait(decltype(epoll)::wait_read, [this, alive = alive](const boost::system::error_code& ec) {
            if (!ec && *alive) {
                serve_ready_sockets();
                watch();
            }
        });
    }

    void serve_ready_sockets() {
        std::array<epoll_event, kEventsPerWake> events{};
        const int count = ::epoll_wait(epoll.native_handle(), events.data(), kEventsPerWake, 0);
        for (int i = 0; i < count; ++i) {
            const auto& event = events[static_cast<std::size_t>(i)];
            int mask = 0;
            mask |= (event.events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0 ? CURL_CSELECT_IN : 0;
            mask |= (event.events & EPOLLOUT) != 0 ? CURL_CSELECT_OUT : 0;
            act(event.data.fd, mask);
        }
        collect_finished();
    }

    void act(curl_socket_t fd, int mask) {
        int running = 0;
        inside = true;
        curl_multi_socket_action(multi, fd, mask, &running);
        inside = false;
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

    void ended(Transfer& transfer, CURLcode result) {
        deliver_head(transfer);
        std::optional<base::Error> error;
        if (result != CURLE_OK) {
            error = translate(result, transfer.detail.data());
        }
        detach(transfer);
        if (transfer.drains) {
            draining.remove_if([&](const auto& entry) { return entry.get() == &transfer; });
            return;
        }
        transfer.finish(std::move(error));
    }

    void attach(Transfer& transfer) {
        transfer.handle = take_handle();
        configure(transfer);
        live.insert(&transfer);
        ++counters.requests;
        counters.requests_live = live.size();
        transfer.patience = Deadline::after(transfer.request.first_byte_max);
        const CURLMcode added = curl_multi_add_handle(multi, transfer.handle);
        CONFAB_ASSERT(added == CURLM_OK);
    }

    // Takes the transfer out of libcurl. An exchange that is not over loses its connection here.
    void detach(Transfer& transfer) {
        if (transfer.handle == nullptr) {
            return;
        }
        CONFAB_ASSERT(!inside);
        long opened = 0;
        curl_easy_getinfo(transfer.handle, CURLINFO_NUM_CONNECTS, &opened);
        counters.connections_opened += static_cast<std::uint64_t>(opened);
        if (opened == 0 && transfer.head_delivered) {
            ++counters.connections_reused;
        }
        curl_multi_remove_handle(multi, transfer.handle);
        give_handle(std::exchange(transfer.handle, nullptr));
        curl_slist_free_all(std::exchange(transfer.headers, nullptr));
        live.erase(&transfer);
        counters.requests_live = live.size();
    }

    CURL* take_handle() {
        while (!idle_handles.empty()) {
            CURL* handle = idle_handles.back();
            idle_handles.pop_back();
            // A handle whose host name could not be resolved keeps its buffer, and then refuses another size.
            if (curl_easy_setopt(handle, CURLOPT_BUFFERSIZE, kReadBufferBytes) == CURLE_OK) {
                return handle;
            }
            curl_easy_cleanup(handle);
        }
        CURL* handle = curl_easy_init();
        CONFAB_ASSERT(handle != nullptr);
        set(handle, CURLOPT_BUFFERSIZE, kReadBufferBytes);
        return handle;
    }

    void give_handle(CURL* handle) {
        if (idle_handles.size() < kIdleHandlesMax) {
            curl_easy_reset(handle);
            idle_handles.push_back(handle);
        } else {
            curl_easy_cleanup(handle);
        }
    }

    void configure(Transfer& transfer) {
        CURL* handle = transfer.handle;
        const HttpRequest& request = transfer.request;
        for (const std::string& header : request.headers) {
            transfer.headers = curl_slist_append(transfer.headers, header.c_str());
        }
        transfer.headers = curl_slist_append(transfer.headers, "Expect:");  // no 100-continue round trip
        set(handle, CURLOPT_PRIVATE, &transfer);
        set(handle, CURLOPT_URL, request.url.c_str());
        set(handle, CURLOPT_PROTOCOLS_STR, "http,https");
        set(handle, CURLOPT_FOLLOWLOCATION, 0L);  // a redirect must not carry the key elsewhere
        set(handle, CURLOPT_HTTPHEADER, transfer.headers);
        set(handle, CURLOPT_NOSIGNAL, 1L);
        set(handle, CURLOPT_QUICK_EXIT, 1L);  // removing a handle must not wait for a name server that does not answer
        set(handle, CURLOPT_ERRORBUFFER, transfer.detail.data());
        set(handle, CURLOPT_CONNECTTIMEOUT_MS, kConnectTimeoutMs);
        set(handle, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS));
        set(handle, CURLOPT_USERAGENT, "Confab");
        set(handle, CURLOPT_HEADERFUNCTION, &Impl::header_arrived);
        set(handle, CURLOPT_HEADERDATA, &transfer);
        set(handle, CURLOPT_WRITEFUNCTION, &Impl::body_arrived);
        set(handle, CURLOPT_WRITEDATA, &transfer);
        if (request.method == "POST") {
            set(handle, CURLOPT_POST, 1L);
            set(handle, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
            set(handle, CURLOPT_POSTFIELDS, request.body.data());
        } else if (request.method != "GET") {
            set(handle, CURLOPT_CUSTOMREQUEST, request.method.c_str());
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

    static void deliver_head(Transfer& transfer) {
        long status = 0;
        curl_easy_getinfo(transfer.handle, CURLINFO_RESPONSE_CODE, &status);
        if (transfer.head_delivered || status == 0 || transfer.sink == nullptr) {
            return;
        }
        transfer.head.status = static_cast<unsigned>(status);
        transfer.head_delivered = true;
        if (status >= 300 && status < 400) {
            transfer.sink = nullptr;
            transfer.finish(redirected(transfer.head.status, transfer.location));
            return;
        }
        transfer.sink->on_head(transfer.head);
    }

    static std::size_t body_arrived(char* data, std::size_t size, std::size_t count, void* self) {
        auto& transfer = *static_cast<Transfer*>(self);
        const std::size_t bytes = size * count;
        transfer.client->counters.bytes_received += bytes;
        if (transfer.sink == nullptr) {
            return bytes;  // draining
        }
        deliver_head(transfer);
        if (transfer.sink == nullptr) {
            return bytes;  // a redirect: the call is over
        }
        if (transfer.body_bytes + bytes > transfer.request.body_bytes_max) {
            transfer.finish(
                failed(base::Errc::upstream_failed, "upstream_too_large", "The model server's answer is too large.")
            );
            return CURL_WRITEFUNC_ERROR;
        }
        const Flow flow = transfer.sink->on_body({data, bytes});
        if (flow == Flow::pause) {
            transfer.paused = true;
            transfer.patience = Deadline::never();
            return CURL_WRITEFUNC_PAUSE;
        }
        transfer.body_bytes += bytes;
        transfer.patience = Deadline::after(transfer.request.idle_max);
        if (flow == Flow::finish) {
            transfer.sink = nullptr;
            transfer.patience = Deadline::after(kDrainMax);
            transfer.finish(std::nullopt);
        }
        return bytes;
    }

    void enforce_deadlines(std::chrono::steady_clock::time_point now) {
        late.clear();
        for (Transfer* transfer : live) {
            if (std::min(transfer->patience.at(), transfer->request.deadline.at()) <= now) {
                late.push_back(transfer);
            }
        }
        for (Transfer* transfer : late) {
            const bool drains = transfer->drains;
            detach(*transfer);
            if (drains) {
                draining.remove_if([&](const auto& entry) { return entry.get() == transfer; });
            } else {
                transfer->finish(failed(
                    base::Errc::upstream_timeout,
                    "upstream_timeout",
                    transfer->body_bytes == 0 ? "The model server did not begin to answer in time."
                                              : "The model server fell silent in the middle of its answer."
                ));
            }
        }
    }

    Executor executor;
    asio::posix::basic_stream_descriptor<Executor> epoll;
    Timer timer;
    CURLM* multi = nullptr;
    Ticker::Subscription tick;
    std::set<Transfer*> live;  // every transfer that libcurl holds, draining ones too
    std::vector<Transfer*> late;
    std::list<std::unique_ptr<Transfer>> draining;
    std::vector<CURL*> idle_handles;
    HttpClientCounters counters;
    std::shared_ptr<bool> alive = std::make_shared<bool>(true);
    bool inside = false;  // within a libcurl callback: no handle may be removed
};

HttpClient::HttpClient(Shard& shard) : impl_(std::make_unique<Impl>(shard)) {}

HttpClient::~HttpClient() = default;

const HttpClientCounters& HttpClient::counters() const {
    return impl_->counters;
}

HttpCall::HttpCall(HttpClient& client, HttpRequest request, HttpSink& sink)
    : transfer_(std::make_unique<Transfer>(*client.impl_, client.impl_->executor)) {
    transfer_->request = std::move(request);
    transfer_->sink = &sink;
}

HttpCall::~HttpCall() {
    HttpClient::Impl& client = *transfer_->client;
    if (transfer_->handle == nullptr) {
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
    transfer_->finish(failed(base::Errc::cancelled, "cancelled", "The request was cancelled."));
}

HttpRequest HttpCall::take_request() {
    CONFAB_ASSERT(transfer_->over && transfer_->handle == nullptr);
    return std::move(transfer_->request);
}

void HttpCall::resume() {
    if (std::exchange(transfer_->paused, false) && transfer_->handle != nullptr) {
        transfer_->patience = Deadline::after(transfer_->request.idle_max);
        transfer_->client->inside = true;  // held-back bytes are delivered from within this call
        curl_easy_pause(transfer_->handle, CURLPAUSE_CONT);
        transfer_->client->inside = false;
    }
}

}  // namespace confab::net

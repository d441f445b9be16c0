#include "app/server.hpp"

#include <algorithm>
#include <csignal>
#include <cstdio>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "api/admission.hpp"
#include "app/complain.hpp"
#include "auth/tokens.hpp"
#include "chat/recovery.hpp"
#include "store/blobs.hpp"

namespace confab::app {

namespace {

using base::Status;
using net::Task;

constexpr store::UnixSeconds kChunksKept =
    600;  // seconds after the end of a run: viewers may resume exactly for so long
constexpr std::chrono::seconds kMaintainEvery{30};
constexpr std::chrono::milliseconds kDrainPoll{50};
constexpr std::size_t kHeaviestUsers = 16;  // looked at for an answer to interrupt
constexpr unsigned kReaders = 2;

meter::BudgetLimits budget_limits(const Config& config, std::uint64_t limit_bytes) {
    constexpr std::uint64_t kHashingBytes = auth::PasswordPool::kAtOnce * auth::PasswordPool::kBytesEach;
    meter::BudgetLimits limits;
    limits.bytes_max = meter::budget_of(limit_bytes, store::cache_bytes(kReaders), kHashingBytes);
    limits.user_bytes_max = config.user_memory_mib * 1024 * 1024;
    limits.user_runs_max = config.user_runs;
    return limits;
}

// The kernel spreads an address's connections over the shards, about evenly.
std::size_t connections_per_address(const Config& config, std::size_t shards) {
    const std::size_t all = config.connections_per_address != 0 ? config.connections_per_address : kConnectionsPerAddress;
    return (all + shards - 1) / shards;
}

unsigned shard_count(const Config& config) {
    return config.shards != 0 ? config.shards : std::clamp(std::thread::hardware_concurrency(), 1U, 64U);
}

}  // namespace

Server::Station::Station(Server& server, net::Shard& its_shard)
    : shard(its_shard),
      client(its_shard),
      background(its_shard.executor(), "background"),
      authenticator(*server.accounts_, *server.allowances_, *server.people_, background) {}

base::Result<std::unique_ptr<Server>> Server::build(Config config, std::string version) {
    TRY_VOID(prepare_data_dir(config.data_dir));
    std::unique_ptr<Server> server(new Server(std::move(config), std::move(version)));
    TRY_VOID(server->open());
    return server;
}

Server::Server(Config config, std::string version)
    : config_(std::move(config)),
      version_(std::move(version)),
      bounds_(meter::find_memory_bounds(config_.memory_mib * 1024 * 1024)),
      budget_(budget_limits(config_, meter::least_limit(bounds_)), &pressure_),
      tracer_(config_.trace_percent / 100.0),
      shards_(shard_count(config_)),
      signals_(shards_[0].executor(), SIGTERM, SIGINT),
      hangups_(shards_[0].executor()) {}

Server::~Server() = default;

Status Server::open() {
    auth::init_crypto();
    TRY(proxies_, web::TrustedProxies::parse(config_.trusted_proxies));
    if (!config_.tls_certificate.empty()) {
        TRY(tls_, web::load_certificate(config_.tls_certificate, config_.tls_key));
        hangups_.add(SIGHUP);
    }
    store::SqliteOptions options{
        .path = database_path(config_.data_dir), .readers = kReaders, .counters = counters_.store, .pressure = &pressure_
    };
    auto store = store::SqliteStore::open(std::move(options));
    if (!store) {
        return std::unexpected(store.error());
    }
    store_ = std::move(*store);
    blobs_ = std::make_unique<store::BlobDisk>(store::blob_dir_beside(database_path(config_.data_dir)));
    imports_ = std::make_unique<transfer::ImportService>(*store_, *blobs_, imports_dir(config_.data_dir), transfer::ImportRoom{&pressure_, &budget_});
    TRY(auto sealer, auth::Sealer::open_key_file(key_file_path(config_.data_dir)));
    TRY(auto control_path, ControlSocketPath::open(config_.data_dir));
    const net::Executor home = shards_[0].executor();
    calibration_ = std::make_unique<chat::TokenCalibration>(*store_);
    passwords_ = std::make_unique<auth::PasswordPool>();
    accounts_ = std::make_unique<auth::Accounts>(*store_, *store_, *passwords_, home);
    accounts_->when_ended([this](const auth::EndedCredentials& ended) { end_requests_with(ended); });
    people_ = std::make_unique<auth::ExternalPeople>(*accounts_, *store_, config_.sign_in);
    attempt_sealer_ = std::make_unique<auth::Sealer>(sealer);
    allowances_ = std::make_unique<auth::Allowances>(*store_);
    tasks_ = std::make_unique<net::TaskGroup>(home, "server");
    if (!config_.otlp_endpoint.empty()) {
        exporter_ = std::make_unique<TraceExporter>(shards_[0], tracer_, config_.otlp_endpoint, version_);
    }
    for (const auto& shard : shards_) {
        stations_.push_back(std::make_unique<Station>(*this, *shard));
    }
    upstreams_ = std::make_unique<llm::Upstreams>(home, stations_[0]->client);
    registry_ =
        std::make_unique<api::UpstreamRegistry>(home, *store_, *upstreams_, std::move(sealer), config_.upstreams);
    TransferEnvironment transfers{*store_, *blobs_, config_.data_dir, version_};
    control_ = std::make_unique<ControlServer>(home, *accounts_, *store_, std::move(transfers), *imports_, std::move(control_path));
    auto queues = [this] { return meter::QueueDepths{blobs_->queued(), passwords_->queued(), imports_->queued()}; };
    meters_ = std::unique_ptr<const api::MeterSources>(
        new api::MeterSources{
            counters_, budget_, pressure_, title_counters_, *upstreams_, tracer_, started_at_, std::move(queues)
        }
    );
    if (!config_.sign_in.openid.issuer.empty()) {
        openid_ = std::make_unique<auth::OpenIdProvider>(home, stations_[0]->client, config_.sign_in.openid);
    }
    build_stations();
    monitor_ = std::make_unique<meter::PressureMonitor>(meter::MemoryMeter(bounds_), pressure_, budget_, [this] {
        ask_to_interrupt();
    });
    return {};
}

void Server::build_stations() {
    std::vector<chat::RunDirectory::Place> places;
    for (const auto& station : stations_) {
        station->titles = std::make_unique<chat::TitleService>(
            chat::TitleEnvironment{station->shard, *store_, *upstreams_, station->client, title_counters_, pressure_}
        );
        station->usage = std::make_unique<chat::UsageBook>(station->shard, *store_, prices_);
        chat::RunEnvironment environment{
            station->shard,
            *store_,
            *upstreams_,
            station->client,
            budget_,
            counters_.runs,
            shards_.size(),
            *store_,
            *blobs_,
            [titles = station->titles.get()](const chat::Run& run) { titles->offer(run); },
            store_.get(),
            calibration_.get(),
            &pressure_,
            exporter_ ? &tracer_ : nullptr,
            station->usage.get()
        };
        station->runs = std::make_unique<chat::RunService>(environment);
        places.push_back({station->shard.executor(), station->runs.get()});
    }
    directory_ = std::make_unique<chat::RunDirectory>(std::move(places));
    for (const auto& station : stations_) {
        station->context = std::unique_ptr<api::Context>(new api::Context{
            station->shard,
            *store_,
            *accounts_,
            station->authenticator,
            *station->runs,
            *directory_,
            *upstreams_,
            *registry_,
            station->client,
            station->background,
            counters_,
            budget_,
            pressure_,
            draining_,
            version_,
            *blobs_,
            *imports_,
            *calibration_,
            [this](std::int64_t user_no, std::string except) { end_requests_of(user_no, except); },
            *meters_,
            history_,
            *allowances_,
            prices_,
            *station->usage,
            config_.sign_in,
            *people_,
            openid_.get(),
            *attempt_sealer_,
            shared_rate_,
            *store_,
            refusals_audited_,
            model_access_
        });
        api::add_all_routes(station->router, station->context.get());
        build_environment(*station);
        station->tick = station->shard.ticker().every_tick(
            [this, place = station.get()](auto) { count_upstream(*place); }, net::Ticker::Pace::calm
        );
    }
}

// What the shard's sessions share.
void Server::build_environment(Station& station) {
    auto admit = [context = station.context.get()](web::Request& request, const web::Route& route) {
        return api::admit(*context, request, route);
    };
    station.environment = std::unique_ptr<web::SessionEnvironment>(new web::SessionEnvironment{
        station.shard,
        station.router,
        budget_,
        pressure_,
        counters_.http,
        config_.allowed_hosts,
        draining_,
        proxies_,
        connections_per_address(config_, shards_.size()),
        config_.connections_per_address != 0,
        tls_,
        std::move(admit),
        config_.log_format == "json" ? spdlog::level::info : spdlog::level::debug,
        exporter_ ? &tracer_ : nullptr
    });
}

void Server::end_requests_of(std::int64_t user_no, const std::string& except) {
    for (const auto& station : stations_) {
        auto end_here = [listener = station->listener.get(), user_no, except] {
            listener->end_requests_of(user_no, except);
        };
        boost::asio::post(station->shard.executor(), std::move(end_here));
    }
}

void Server::ask_to_interrupt() {
    if (interrupting_.exchange(true)) {
        return;
    }
    boost::asio::post(shards_[0].executor(), [this] {
        if (!tasks_->spawn(interrupt_heaviest())) {
            interrupting_ = false;
        }
    });
}

Task<void> Server::interrupt_heaviest() {
    std::optional<store::ResponseId> interrupted;
    for (const meter::UserHolding& user : budget_.heaviest_users(kHeaviestUsers)) {
        interrupted = co_await directory_->interrupt_largest_of(store::UserNo(user.user_no));
        if (interrupted) {
            break;
        }
    }
    if (interrupted) {
        pressure_.count(meter::Shed::run_interrupted);
        spdlog::warn("run_interrupted id={} reason=pressure used_mib={}", interrupted->str(), pressure_.usage_bytes() >> 20);
    }
    interrupting_ = false;
}

void Server::end_requests_with(const auth::EndedCredentials& ended) {
    const auto user_no = static_cast<std::int64_t>(ended.user);
    const auto text = [](const auto& id) { return id ? id->str() : std::string(); };
    auto fits = [user_no, key = text(ended.key), session = text(ended.session), others = ended.other_sessions,
                 keep = text(ended.keep)](const web::Caller& caller) {
        if (caller.user_no != user_no) {
            return false;
        }
        if (others) {
            return caller.carrier == web::Carrier::cookie && caller.session_id != keep;
        }
        return (!key.empty() && caller.key_id == key) || (!session.empty() && caller.session_id == session);
    };
    for (const auto& station : stations_) {
        web::Listener* const listener = station->listener.get();
        if (listener == nullptr) {
            continue;  // at the start, before anybody can have asked for anything
        }
        auto end_here = [listener, fits] { listener->end_requests_where(fits); };
        boost::asio::post(station->shard.executor(), std::move(end_here));
    }
}

void Server::count_upstream(Station& station) {
    const net::HttpClientCounters now = station.client.counters();
    auto& sum = counters_.upstream;
    sum.requests.add(now.requests - station.counted.requests);
    sum.connections_opened.add(now.connections_opened - station.counted.connections_opened);
    sum.connections_reused.add(now.connections_reused - station.counted.connections_reused);
    sum.bytes_received.add(now.bytes_received - station.counted.bytes_received);
    sum.connections_live.add(
        static_cast<std::int64_t>(now.connections_live) - static_cast<std::int64_t>(station.counted.connections_live)
    );
    sum.requests_live.add(
        static_cast<std::int64_t>(now.requests_live) - static_cast<std::int64_t>(station.counted.requests_live)
    );
    station.counted = now;
}

// ---- running ----

int Server::run() {
    boost::asio::co_spawn(shards_[0].executor(), main(), [this](std::exception_ptr failure) {
        if (failure) {
            exit_status_ = 1;
            try {
                std::rethrow_exception(failure);
            } catch (const std::exception& e) {
                spdlog::critical("server_failed error=\"{}\"", e.what());
            }
        }
        shards_.stop();
    });
    shards_.run();
    monitor_->stop();
    passwords_->stop();
    imports_->stop();
    blobs_->stop();
    store_->stop();
    return exit_status_;
}

Task<void> Server::main() {
    const auto started = co_await start();
    if (!started) {
        exit_status_ = complain(started.error());
    } else {
        co_await wait_for_signal();
    }
    co_await drain();
}

Task<Status> Server::start() {
    CO_TRY(const auto recovered, co_await chat::recover_runs(*store_));
    if (recovered > 0) {
        counters_.runs.recovered.add(recovered);
        spdlog::warn("runs_recovered count={}", recovered);
    }
    CO_TRY_VOID(co_await imports_->start());
    CO_TRY_VOID(co_await calibration_->load());
    CO_TRY_VOID(co_await prices_.load(*store_));
    CO_TRY_VOID(co_await model_access_.load(*store_));
    CO_TRY_VOID(co_await registry_->load());
    CO_TRY_VOID(co_await prepare_accounts());
    CO_TRY(const auto setup_token, co_await accounts_->open_setup());
    CO_TRY_VOID(control_->start());
    CO_TRY_VOID(listen());
    monitor_->start();
    announce(setup_token);
    tasks_->spawn(maintain());
    if (tls_) {
        tasks_->spawn(renew_certificate());
    }
    tasks_->spawn(record_history());
    if (exporter_) {
        tasks_->spawn(exporter_->run());
    }
    co_return Status{};
}

// Unattended set-up: the first administrator from the environment.
Task<Status> Server::prepare_accounts() {
    CO_TRY(const bool required, co_await accounts_->setup_required());
    auth::NewUser admin;
    admin.email = config_.admin_email;
    admin.password = config_.admin_password;
    if (config_.sign_in.single_user && admin.email.empty()) {
        admin.email = "me@localhost";
        admin.password = auth::make_password();  // that nobody knows
    }
    if (!required || admin.email.empty()) {
        co_return Status{};
    }
    admin.role = store::Role::admin;
    const auto added = co_await accounts_->add_user(std::move(admin), store::IfFirst::yes);
    if (!added) {
        co_return base::fail(
            added.error().errc, "CONFAB_ADMIN_EMAIL and CONFAB_ADMIN_PASSWORD: " + added.error().message
        );
    }
    spdlog::info("administrator_created email={}", added->email);
    store::AuditEntry entry;
    entry.at = base::unix_now();
    entry.kind = "person_made";
    entry.email = store::kAuditCommandLine;
    entry.object = added->id.str();
    entry.detail = added->email + " admin";
    CO_TRY_VOID(co_await store_->add_audit(std::move(entry)));
    co_return Status{};
}

Status Server::listen() {
    TRY(const auto address, parse_listen(config_.listen));
    boost::asio::ip::tcp::endpoint endpoint(boost::asio::ip::make_address(address.host), address.port);
    {
        // Acceptors that share a port by SO_REUSEPORT would also share it with another server: a bind without it tells.
        net::TcpAcceptor probe(shards_[0].executor());
        boost::system::error_code ec;
        probe.open(endpoint.protocol(), ec);
        probe.set_option(boost::asio::socket_base::reuse_address(true), ec);
        probe.bind(endpoint, ec);
        if (ec) {
            return base::invalid("listen", "Cannot listen on " + config_.listen + ": " + ec.message() + ".");
        }
        endpoint.port(probe.local_endpoint(ec).port());
    }
    for (const auto& station : stations_) {
        TRY(auto acceptor, web::Listener::bind(station->shard.executor(), endpoint));
        station->listener = std::make_unique<web::Listener>(*station->environment, std::move(acceptor));
        boost::asio::post(station->shard.executor(), [listener = station->listener.get()] { listener->start(); });
    }
    port_ = endpoint.port();
    return {};
}

void Server::announce(const std::string& setup_token) const {
    const auto address = parse_listen(config_.listen);
    std::string host = address ? address->host : "127.0.0.1";
    if (host == "0.0.0.0" || host == "::") {
        host = "127.0.0.1";
    }
    if (host.find(':') != std::string::npos) {
        host = "[" + host + "]";
    }
    const std::string_view scheme = tls_ ? "https" : "http";
    fmt::print("Confab listens on {}://{}:{}\n", scheme, host, port_);
    if (!setup_token.empty()) {
        fmt::print(
            "Nobody has an account yet. Create the administrator here (the address works once):\n  "
            "{}://{}:{}/setup#{}\n",
            scheme,
            host,
            port_,
            setup_token
        );
    }
    std::fflush(stdout);
    spdlog::info(
        "listening address={} shards={} data_dir={} budget_mib={} limit_mib={}",
        config_.listen,
        shards_.size(),
        config_.data_dir,
        budget_.bytes_max() >> 20,
        meter::least_limit(bounds_) >> 20
    );
}

Task<void> Server::wait_for_signal() {
    boost::system::error_code ec;
    co_await signals_.async_wait(boost::asio::redirect_error(net::use_task, ec));
}

// A certificate that cannot be read leaves the one in use.
Task<void> Server::renew_certificate() {
    while (true) {
        boost::system::error_code ec;
        co_await hangups_.async_wait(boost::asio::redirect_error(net::use_task, ec));
        if (ec) {
            co_return;
        }
        auto renewed = web::load_certificate(config_.tls_certificate, config_.tls_key);
        if (!renewed) {
            spdlog::error("certificate_not_renewed error=\"{}\"", renewed.error().message);
            continue;
        }
        tls_ = std::move(*renewed);
        for (const auto& station : stations_) {
            auto take = [environment = station->environment.get(), tls = tls_] { environment->tls = tls; };
            boost::asio::post(station->shard.executor(), std::move(take));
        }
        spdlog::info("certificate_renewed file={}", config_.tls_certificate);
    }
}

Task<void> Server::maintain() {
    (void)co_await upstreams_->fresh(std::chrono::seconds(0));
    while (true) {
        const store::UnixSeconds now = base::unix_now();
        (void)co_await store_->delete_chunks_of_runs_finished_before(now - kChunksKept);
        (void)co_await store_->delete_sessions_before(now - auth::Authenticator::kSessionIdleMax);
        (void)co_await store_->delete_invitations_expired_before(now - store::kInvitationKept);
        (void)co_await store_->delete_shares_expired_before(now - store::kShareKept);
        (void)co_await store_->delete_expired(now);
        while ((co_await store_->delete_calls_before(now - store::kCallKept)).value_or(false)) {
        }
        (void)co_await store_->sweep_audit(now);
        co_await net::sleep_for(kMaintainEvery);
    }
}

Task<void> Server::record_history() {
    while (true) {
        meter::ResourceHistory::Collector now;
        api::visit_meters(*meters_, now);
        history_.add(base::unix_now(), now);
        co_await net::sleep_for(meter::ResourceHistory::kInterval);
    }
}

// ---- the end ----

bool Server::idle() const {
    return counters_.runs.live.value() == 0 && counters_.upstream.requests_live.value() == 0;
}

Task<void> Server::refuse_new_work(Station& station) {
    station.runs->refuse_new();
    station.titles->stop();
    co_return;
}

Task<void> Server::drain() {
    draining_ = true;  // readyz says so, and new answers are refused; looking things up still works until the end
    spdlog::info("draining runs={} grace_seconds={}", counters_.runs.live.value(), config_.drain_seconds);
    control_->stop();
    for (const auto& station : stations_) {
        co_await net::run_on(station->shard.executor(), refuse_new_work(*station));
    }
    // A second signal ends the grace period.
    bool impatient = false;
    signals_.async_wait([&impatient](const boost::system::error_code& ec, int) { impatient = impatient || !ec; });
    const auto deadline = net::Deadline::after(std::chrono::seconds(config_.drain_seconds));
    while (!idle() && !deadline.passed() && !impatient) {
        co_await net::sleep_for(kDrainPoll);
    }
    signals_.cancel();
    co_await net::sleep_for(std::chrono::milliseconds(0));  // lets the cancelled wait see `impatient` while it is there
    for (const auto& station : stations_) {
        co_await net::run_on(station->shard.executor(), interrupt_runs(*station));
    }
    for (const auto& station : stations_) {
        co_await net::run_on(station->shard.executor(), close_station(*station));
    }
    tasks_->cancel();
    co_await tasks_->join();
    if (exporter_) {
        co_await exporter_->flush();
    }
    co_await upstreams_->close();
    co_await control_->close();
    spdlog::info("stopped");
}

Task<void> Server::interrupt_runs(Station& station) {
    co_await station.runs->interrupt_all();
}

Task<void> Server::close_station(Station& station) {
    co_await net::sleep_for(kDrainPoll);  // viewers send the last events
    station.background.cancel();
    if (station.listener) {
        station.listener->stop_accepting();
        co_await station.listener->close();
    }
    co_await station.runs->interrupt_all();  // one that a request began while it was being ended
    co_await station.titles->join();
    co_await station.background.join();
    co_await station.usage->close();
}

}  // namespace confab::app

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
constexpr std::uint64_t kFixedBytes = 96ULL * 1024 * 1024;  // of the limit: program, database caches, password hashing

// Four fifths of what we may use, less what is spent anyway; never less than 16 MiB.
std::uint64_t budget_bytes(const Config& config) {
    const std::uint64_t limit = config.memory_mib != 0 ? config.memory_mib * 1024 * 1024 : meter::memory_limit_bytes();
    const std::uint64_t most = limit / 5 * 4;
    return std::max<std::uint64_t>(most > kFixedBytes ? most - kFixedBytes : 0, 16ULL * 1024 * 1024);
}

unsigned shard_count(const Config& config) {
    return config.shards != 0 ? config.shards : std::clamp(std::thread::hardware_concurrency(), 1U, 64U);
}

}  // namespace

Server::Station::Station(Server& server, net::Shard& its_shard)
    : shard(its_shard),
      client(its_shard),
      background(its_shard.executor(), "background"),
      authenticator(*server.accounts_, background) {}

base::Result<std::unique_ptr<Server>> Server::build(Config config, std::string version) {
    TRY_VOID(prepare_data_dir(config.data_dir));
    std::unique_ptr<Server> server(new Server(std::move(config), std::move(version)));
    TRY_VOID(server->open());
    return server;
}

Server::Server(Config config, std::string version)
    : config_(std::move(config)),
      version_(std::move(version)),
      budget_(budget_bytes(config_)),
      shards_(shard_count(config_)),
      signals_(shards_[0].executor(), SIGTERM, SIGINT) {}

Server::~Server() = default;

Status Server::open() {
    auth::init_crypto();
    store::SqliteOptions options{.path = database_path(config_.data_dir), .readers = 2, .counters = counters_.store};
    auto store = store::SqliteStore::open(std::move(options));
    if (!store) {
        return std::unexpected(store.error());
    }
    store_ = std::move(*store);
    blobs_ = std::make_unique<store::BlobDisk>(store::blob_dir_beside(database_path(config_.data_dir)));
    imports_ = std::make_unique<transfer::ImportService>(*store_, *blobs_, imports_dir(config_.data_dir));
    TRY(auto sealer, auth::Sealer::open_key_file(key_file_path(config_.data_dir)));
    TRY(auto control_path, ControlSocketPath::open(config_.data_dir));
    const net::Executor home = shards_[0].executor();
    calibration_ = std::make_unique<chat::TokenCalibration>(*store_);
    passwords_ = std::make_unique<auth::PasswordPool>();
    accounts_ = std::make_unique<auth::Accounts>(*store_, *store_, *passwords_, home);
    tasks_ = std::make_unique<net::TaskGroup>(home, "server");
    for (const auto& shard : shards_) {
        stations_.push_back(std::make_unique<Station>(*this, *shard));
    }
    upstreams_ = std::make_unique<llm::Upstreams>(home, stations_[0]->client);
    registry_ =
        std::make_unique<api::UpstreamRegistry>(home, *store_, *upstreams_, std::move(sealer), config_.upstreams);
    TransferEnvironment transfers{*store_, *blobs_, config_.data_dir, version_};
    control_ = std::make_unique<ControlServer>(home, *accounts_, std::move(transfers), *imports_, std::move(control_path));
    build_stations();
    return {};
}

void Server::build_stations() {
    std::vector<chat::RunDirectory::Place> places;
    for (const auto& station : stations_) {
        station->titles = std::make_unique<chat::TitleService>(
            chat::TitleEnvironment{station->shard, *store_, *upstreams_, station->client, title_counters_}
        );
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
            calibration_.get()
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
            draining_,
            version_,
            *blobs_,
            title_counters_,
            *imports_,
            *calibration_,
            [this](std::int64_t user_no, std::string except) { end_requests_of(user_no, except); }
        });
        api::add_all_routes(station->router, station->context.get());
        auto admit = [context = station->context.get()](web::Request& request, const web::Route& route) {
            return api::admit(*context, request, route);
        };
        station->environment = std::unique_ptr<web::SessionEnvironment>(new web::SessionEnvironment{
            station->shard, station->router, budget_, counters_.http, config_.allowed_hosts, draining_, std::move(admit)
        });
        station->tick =
            station->shard.ticker().every_tick([this, place = station.get()](auto) { count_upstream(*place); });
    }
}

void Server::end_requests_of(std::int64_t user_no, const std::string& except) {
    for (const auto& station : stations_) {
        auto end_here = [listener = station->listener.get(), user_no, except] {
            listener->end_requests_of(user_no, except);
        };
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
    CO_TRY_VOID(co_await registry_->load());
    CO_TRY_VOID(co_await prepare_accounts());
    CO_TRY(const auto setup_token, co_await accounts_->open_setup());
    CO_TRY_VOID(control_->start());
    CO_TRY_VOID(listen());
    announce(setup_token);
    tasks_->spawn(maintain());
    co_return Status{};
}

// Unattended set-up: the first administrator from the environment.
Task<Status> Server::prepare_accounts() {
    CO_TRY(const bool required, co_await accounts_->setup_required());
    if (!required || config_.admin_email.empty()) {
        co_return Status{};
    }
    auth::NewUser admin;
    admin.email = config_.admin_email;
    admin.password = config_.admin_password;
    admin.role = store::Role::admin;
    const auto added = co_await accounts_->add_user(std::move(admin), store::IfFirst::yes);
    if (!added) {
        co_return base::fail(
            added.error().errc, "CONFAB_ADMIN_EMAIL and CONFAB_ADMIN_PASSWORD: " + added.error().message
        );
    }
    spdlog::info("administrator_created email={}", added->email);
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
    fmt::print("Confab listens on http://{}:{}\n", host, port_);
    if (!setup_token.empty()) {
        fmt::print(
            "Nobody has an account yet. Create the administrator here (the address works once):\n  "
            "http://{}:{}/setup#{}\n",
            host,
            port_,
            setup_token
        );
    }
    std::fflush(stdout);
    spdlog::info(
        "listening address={} shards={} data_dir={} budget_mib={}",
        config_.listen,
        shards_.size(),
        config_.data_dir,
        budget_.bytes_max() >> 20
    );
}

Task<void> Server::wait_for_signal() {
    boost::system::error_code ec;
    co_await signals_.async_wait(boost::asio::redirect_error(net::use_task, ec));
}

Task<void> Server::maintain() {
    (void)co_await upstreams_->fresh(std::chrono::seconds(0));
    while (true) {
        const store::UnixSeconds now = base::unix_now();
        (void)co_await store_->delete_chunks_of_runs_finished_before(now - kChunksKept);
        (void)co_await store_->delete_sessions_before(now - auth::Authenticator::kSessionIdleMax);
        (void)co_await store_->delete_invitations_expired_before(now - store::kInvitationKept);
        (void)co_await store_->delete_expired(now);
        co_await net::sleep_for(kMaintainEvery);
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
}

}  // namespace confab::app

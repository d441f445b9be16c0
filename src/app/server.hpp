// Server: everything wired together in dependency order, its start, its drain.
//
//   open the store -> shards -> one HTTP client, run service, route table and listener for each shard -> recover ->
//   listen
// The end is the same backwards: refuse new work -> grace -> break off what is left -> join -> close the store.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include <boost/asio/signal_set.hpp>

#include "api/address_rate.hpp"
#include "api/metrics.hpp"
#include "api/routes.hpp"
#include "api/upstream_registry.hpp"
#include "app/config.hpp"
#include "app/control_server.hpp"
#include "app/trace_exporter.hpp"
#include "auth/model_access.hpp"
#include "auth/openid.hpp"
#include "chat/titles.hpp"
#include "meter/pressure_monitor.hpp"
#include "meter/resource_history.hpp"
#include "store/sqlite/sqlite_store.hpp"
#include "transfer/import_service.hpp"
#include "web/listener.hpp"

namespace confab::app {

class Server {
public:
    // Opens the store and builds everything; nothing listens yet.
    static base::Result<std::unique_ptr<Server>> build(Config config, std::string version);
    ~Server();

    // Serves until SIGTERM or SIGINT and the drain. The process's exit status.
    int run();

private:
    // What belongs to one shard. Declared in the order in which it is needed; destroyed backwards.
    struct Station {
        Station(Server& server, net::Shard& shard);
        net::Shard& shard;
        net::HttpClient client;
        net::TaskGroup background;
        auth::Authenticator authenticator;
        std::unique_ptr<chat::TitleService> titles;
        std::unique_ptr<chat::UsageBook> usage;
        std::unique_ptr<chat::RunService> runs;
        std::unique_ptr<api::Context> context;
        web::Router router;
        std::unique_ptr<web::SessionEnvironment> environment;
        std::unique_ptr<web::Listener> listener;
        net::HttpClientCounters counted;  // what the process-wide counters know of this client already
        net::Ticker::Subscription tick;
    };

    Server(Config config, std::string version);

    base::Status open();
    void build_stations();
    void build_environment(Station& station);
    net::Task<void> main();
    net::Task<base::Status> start();
    base::Status listen();
    net::Task<base::Status> prepare_accounts();
    void announce(const std::string& setup_token) const;
    net::Task<void> wait_for_signal();
    net::Task<void> maintain();
    net::Task<void> renew_certificate();  // on each SIGHUP
    net::Task<void> record_history();
    net::Task<void> drain();
    net::Task<void> interrupt_runs(Station& station);
    net::Task<void> close_station(Station& station);
    net::Task<void> refuse_new_work(Station& station);
    bool idle() const;
    void count_upstream(Station& station);
    // Ends the heaviest user's largest answer. From any thread; returns at once.
    void ask_to_interrupt();
    net::Task<void> interrupt_heaviest();
    // On every shard, soon: see api::Context::end_requests.
    void end_requests_of(std::int64_t user_no, const std::string& except);
    // What lasts of requests made with a credential that has ended; on every shard, soon.
    void end_requests_with(const auth::EndedCredentials& ended);

    Config config_;
    std::string version_;
    meter::Counters counters_;
    meter::TitleCounters title_counters_;
    std::vector<meter::MemoryBound> bounds_;
    meter::Pressure pressure_;
    meter::ByteBudget budget_;
    meter::ResourceHistory history_;
    std::int64_t started_at_ = base::unix_now();
    meter::Tracer tracer_;
    net::ShardPool shards_;
    std::unique_ptr<store::SqliteStore> store_;
    std::unique_ptr<store::BlobDisk> blobs_;
    std::unique_ptr<transfer::ImportService> imports_;
    std::unique_ptr<auth::PasswordPool> passwords_;
    std::unique_ptr<auth::Accounts> accounts_;
    std::unique_ptr<auth::ExternalPeople> people_;
    std::unique_ptr<auth::Sealer> attempt_sealer_;  // of sign-ins under way
    std::unique_ptr<auth::Allowances> allowances_;
    chat::Prices prices_;
    auth::ModelAccess model_access_;
    api::AddressRate shared_rate_{api::kSharedReadsPerMinute};
    api::AddressRate refusals_audited_{api::kRefusalsAuditedPerMinute};
    std::unique_ptr<chat::TokenCalibration> calibration_;
    std::unique_ptr<llm::Upstreams> upstreams_;
    std::unique_ptr<api::UpstreamRegistry> registry_;
    std::unique_ptr<const api::MeterSources> meters_;
    std::unique_ptr<chat::RunDirectory> directory_;
    std::vector<std::unique_ptr<Station>> stations_;
    std::unique_ptr<auth::OpenIdProvider> openid_;  // of shard 0; null: not configured
    std::unique_ptr<ControlServer> control_;
    std::unique_ptr<TraceExporter> exporter_;  // of shard 0; null: no traces
    std::unique_ptr<net::TaskGroup> tasks_;    // of shard 0
    std::atomic<bool> interrupting_{false};  // one answer at a time
    std::unique_ptr<meter::PressureMonitor> monitor_;
    web::TrustedProxies proxies_;
    web::TlsContext tls_;  // null: plain HTTP
    boost::asio::basic_signal_set<net::Executor> signals_;
    boost::asio::basic_signal_set<net::Executor> hangups_;  // none without TLS
    std::atomic<bool> draining_{false};
    std::uint16_t port_ = 0;
    int exit_status_ = 0;
};

}  // namespace confab::app

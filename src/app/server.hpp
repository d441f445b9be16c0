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

#include "api/routes.hpp"
#include "api/upstream_registry.hpp"
#include "app/config.hpp"
#include "app/control_server.hpp"
#include "chat/titles.hpp"
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
    net::Task<void> main();
    net::Task<base::Status> start();
    base::Status listen();
    net::Task<base::Status> prepare_accounts();
    void announce(const std::string& setup_token) const;
    net::Task<void> wait_for_signal();
    net::Task<void> maintain();
    net::Task<void> drain();
    net::Task<void> interrupt_runs(Station& station);
    net::Task<void> close_station(Station& station);
    net::Task<void> refuse_new_work(Station& station);
    bool idle() const;
    void count_upstream(Station& station);
    // On every shard, soon: see api::Context::end_requests.
    void end_requests_of(std::int64_t user_no, const std::string& except);

    Config config_;
    std::string version_;
    meter::Counters counters_;
    meter::TitleCounters title_counters_;
    meter::ByteBudget budget_;
    net::ShardPool shards_;
    std::unique_ptr<store::SqliteStore> store_;
    std::unique_ptr<store::BlobDisk> blobs_;
    std::unique_ptr<transfer::ImportService> imports_;
    std::unique_ptr<auth::PasswordPool> passwords_;
    std::unique_ptr<auth::Accounts> accounts_;
    std::unique_ptr<chat::TokenCalibration> calibration_;
    std::unique_ptr<llm::Upstreams> upstreams_;
    std::unique_ptr<api::UpstreamRegistry> registry_;
    std::unique_ptr<chat::RunDirectory> directory_;
    std::vector<std::unique_ptr<Station>> stations_;
    std::unique_ptr<ControlServer> control_;
    std::unique_ptr<net::TaskGroup> tasks_;  // of shard 0
    boost::asio::basic_signal_set<net::Executor> signals_;
    std::atomic<bool> draining_{false};
    std::uint16_t port_ = 0;
    int exit_status_ = 0;
};

}  // namespace confab::app

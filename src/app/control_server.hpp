// ControlServer: lets the command line act through the running server, over a Unix socket in the data directory that
// only the server's own user may open. One line of JSON in, one out; what is
// large comes in frames before it (transfer_commands.hpp).
#pragma once

#include <boost/asio/local/stream_protocol.hpp>

#include "app/admin_commands.hpp"
#include "app/data_dir.hpp"
#include "app/transfer_commands.hpp"
#include "net/task_group.hpp"
#include "transfer/import_service.hpp"

namespace confab::app {

class ControlServer {
public:
    ControlServer(
        net::Executor executor,
        auth::Accounts& accounts,
        store::AuditStore& audit,
        TransferEnvironment transfers,
        transfer::ImportService& imports,
        ControlSocketPath path
    );

    base::Status start();
    void stop();
    net::Task<void> close();

private:
    using Socket = ControlSocket;
    using Acceptor = boost::asio::basic_socket_acceptor<boost::asio::local::stream_protocol, net::Executor>;

    net::Task<void> accept_loop();
    net::Task<void> serve(Socket socket);

    auth::Accounts& accounts_;
    store::AuditStore& audit_;
    const TransferEnvironment transfers_;
    transfer::ImportService& imports_;
    ControlSocketPath path_;
    Acceptor acceptor_;
    net::TaskGroup tasks_;
};

// The command line's side. `unavailable` when no server listens there.
base::Result<std::string> ask_server(const std::string& data_dir, const AdminCommand& command);

}  // namespace confab::app

// `confab export` and `confab backup`: made by the server when it runs, and sent over the control socket, else by this
// very process. Either way the command line writes the file.
#pragma once

#include <functional>

#include <boost/asio/local/stream_protocol.hpp>

#include "app/admin_commands.hpp"
#include "app/config.hpp"
#include "transfer/exporter.hpp"

namespace confab::app {

// What the server's side needs.
struct TransferEnvironment {
    store::Store& store;
    store::BlobDisk& blobs;
    std::string data_dir;
    std::string version;
};

// "export" (email, key: a conversation's id, label: the format) and "backup".
bool is_transfer(const AdminCommand& command);

net::Task<base::Result<std::unique_ptr<transfer::Producer>>> open_transfer(
    TransferEnvironment environment,
    AdminCommand command
);

using ControlSocket = boost::asio::basic_stream_socket<boost::asio::local::stream_protocol, net::Executor>;

// Sends what the command makes, in frames: a line {"data":N,"progress":TEXT} and N bytes; then the outcome's line.
net::Task<void> send_transfer(ControlSocket& socket, TransferEnvironment environment, AdminCommand command);

// Writes to `file`, or to standard output for "-". A file gets its name when it is whole and on the disk, before that
// it is FILE.part. The process's exit status.
int transfer_from_command_line(
    const Config& config,
    const AdminCommand& command,
    const std::string& file,
    std::string version
);

}  // namespace confab::app

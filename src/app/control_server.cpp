#include "app/control_server.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include "app/import_command.hpp"

namespace confab::app {

namespace {

namespace asio = boost::asio;
using net::Task;
using net::use_task;

constexpr std::size_t kCommandBytesMax = 16 * 1024;
constexpr std::size_t kAnswerBytesMax = 16 * 1024 * 1024;

}  // namespace

ControlServer::ControlServer(
    net::Executor executor,
    auth::Accounts& accounts,
    store::AuditStore& audit,
    TransferEnvironment transfers,
    transfer::ImportService& imports,
    ControlSocketPath path
)
    : accounts_(accounts),
      audit_(audit),
      transfers_(std::move(transfers)),
      imports_(imports),
      path_(std::move(path)),
      acceptor_(executor),
      tasks_(executor, "control") {}

base::Status ControlServer::start() {
    const std::string path = path_.str();
    ::unlink(path.c_str());  // left by a crash; the store's lock says that no other server runs here
    boost::system::error_code ec;
    acceptor_.open(asio::local::stream_protocol(), ec);
    const mode_t before = ::umask(0177);
    if (!ec) {
        acceptor_.bind(asio::local::stream_protocol::endpoint(path), ec);
    }
    ::umask(before);
    if (!ec) {
        acceptor_.listen(16, ec);
    }
    if (ec) {
        return base::fail(
            base::Errc::internal, "Cannot open the control socket in the data directory: " + ec.message() + "."
        );
    }
    tasks_.spawn(accept_loop());
    return {};
}

Task<void> ControlServer::accept_loop() {
    while (acceptor_.is_open()) {
        boost::system::error_code ec;
        Socket socket = co_await acceptor_.async_accept(asio::redirect_error(use_task, ec));
        if (!ec) {
            tasks_.spawn(serve(std::move(socket)));
        }
    }
}

Task<void> ControlServer::serve(Socket socket) {
    std::string line;
    boost::system::error_code ec;
    auto buffer = asio::dynamic_buffer(line, kCommandBytesMax);
    co_await asio::async_read_until(socket, buffer, '\n', asio::redirect_error(use_task, ec));
    if (ec) {
        co_return;
    }
    auto command = parse_command(line.substr(0, line.find('\n')));
    if (command && is_transfer(*command)) {
        co_await send_transfer(socket, transfers_, std::move(*command));
        co_return;
    }
    base::Result<std::string> outcome = std::string();
    if (command && command->name.starts_with("import ")) {
        outcome = co_await execute_import(accounts_, imports_, std::move(*command));
    } else if (command) {
        outcome = co_await execute(accounts_, audit_, std::move(*command));
    } else {
        outcome = std::unexpected(command.error());
    }
    const std::string answer = render_outcome(outcome);
    co_await asio::async_write(socket, asio::buffer(answer), asio::redirect_error(use_task, ec));
}

void ControlServer::stop() {
    boost::system::error_code ec;
    acceptor_.close(ec);
    ::unlink(path_.str().c_str());
    tasks_.cancel();
}

Task<void> ControlServer::close() {
    co_await tasks_.join();
}

base::Result<std::string> ask_server(const std::string& data_dir, const AdminCommand& command) {
    TRY(const auto path, ControlSocketPath::open(data_dir));
    asio::io_context context;
    asio::local::stream_protocol::socket socket(context);
    boost::system::error_code ec;
    socket.connect(asio::local::stream_protocol::endpoint(path.str()), ec);
    if (ec) {
        return base::fail(
            base::Errc::unavailable,
            "Another process has the data directory open but does not answer (" + ec.message() + "). Try again shortly."
        );
    }
    const std::string line = render_command(command);
    asio::write(socket, asio::buffer(line), ec);
    std::string answer;
    if (!ec) {
        asio::read_until(socket, asio::dynamic_buffer(answer, kAnswerBytesMax), '\n', ec);
    }
    if (ec) {
        return base::fail(base::Errc::unavailable, "The server closed the connection: " + ec.message() + ".");
    }
    return parse_outcome(answer.substr(0, answer.find('\n')));
}

}  // namespace confab::app

#include "app/transfer_commands.hpp"

#include <array>

#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <fmt/format.h>

#include "app/complain.hpp"
#include "app/data_dir.hpp"
#include "app/output_file.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "store/blobs.hpp"
#include "store/sqlite/sqlite_store.hpp"
#include "transfer/backup.hpp"

namespace confab::app {

namespace {

namespace asio = boost::asio;
using base::Errc;
using base::Result;
using base::Status;
using net::Task;
using net::use_task;

constexpr std::size_t kFrameLineBytesMax = 16 * 1024;
constexpr std::int64_t kFrameBytesMax = 1LL << 30;

// ---- what is to be sent ----

// Whose conversations: the named user's; without a name the owner of the conversation, or the only user there is.
Task<Result<store::UserNo>> find_owner(
    store::Store& store,
    std::string email,
    std::optional<store::ConversationId> conversation
) {
    if (!email.empty()) {
        auto user = co_await store.find_user_by_email(base::ascii_lower(base::trim(email)));
        if (!user && user.error().errc == Errc::not_found) {
            co_return base::not_found(
                "There is no user with the address " + email + ". 'confab user list' shows all.", "user_not_found"
            );
        }
        if (!user) {
            co_return std::unexpected(user.error());
        }
        co_return user->no;
    }
    CO_TRY(const auto users, co_await store.list_users());
    if (!conversation && users.size() == 1) {
        co_return users.front().no;
    }
    if (!conversation) {
        co_return base::invalid("user", "Say whose conversations: --user EMAIL. 'confab user list' shows all.");
    }
    for (const store::User& user : users) {
        if (co_await store.find_conversation(user.no, *conversation)) {
            co_return user.no;
        }
    }
    co_return base::not_found("There is no conversation " + conversation->str() + ".");
}

Task<Result<std::unique_ptr<transfer::Producer>>> open_export(TransferEnvironment environment, AdminCommand command) {
    const auto format = transfer::parse_export_format(command.label);
    if (!format) {
        co_return base::invalid("format", "A format is 'md', 'json' or 'ndjson'.");
    }
    std::optional<store::ConversationId> conversation;
    if (!command.key.empty()) {
        conversation = store::ConversationId::parse(command.key);
        if (!conversation) {
            co_return base::invalid("conversation", "'" + command.key + "' is no conversation's id (conv_...).");
        }
    } else if (*format != transfer::ExportFormat::ndjson) {
        co_return base::invalid("format", "All conversations together are exported as 'ndjson' only.");
    }
    CO_TRY(const auto user, co_await find_owner(environment.store, command.email, conversation));
    transfer::ExportSources sources{environment.store, environment.blobs, environment.version};
    if (!conversation) {
        co_return transfer::export_everything(std::move(sources), user);
    }
    CO_TRY(auto opened, co_await transfer::export_conversation(std::move(sources), user, *conversation, *format));
    co_return std::move(opened.producer);
}

// ---- what the command line takes ----

using Take = std::function<Status(std::string_view bytes, const std::string& progress)>;

Task<Status> produce(TransferEnvironment environment, AdminCommand command, const Take& take) {
    CO_TRY(const auto producer, co_await open_transfer(std::move(environment), std::move(command)));
    std::string piece;
    for (bool more = true; more;) {
        piece.clear();
        CO_TRY(more, co_await producer->next(piece));
        CO_TRY_VOID(take(piece, producer->progress()));
    }
    co_return Status{};
}

// Without a server: this process opens the store itself.
Status transfer_alone(const Config& config, const AdminCommand& command, std::string version, const Take& take) {
    meter::StoreCounters counters;
    store::SqliteOptions options{.path = database_path(config.data_dir), .readers = 1, .counters = counters};
    TRY(const auto store, store::SqliteStore::open(std::move(options)));
    store::BlobDisk blobs(store::blob_dir_beside(database_path(config.data_dir)));
    TransferEnvironment environment{*store, blobs, config.data_dir, std::move(version)};
    Status outcome;
    net::asio::io_context context{1};
    net::asio::co_spawn(
        context,
        produce(environment, command, take),
        [&outcome](std::exception_ptr failure, Status result) {
            if (failure) {
                std::rethrow_exception(failure);
            }
            outcome = std::move(result);
        }
    );
    context.run();
    return outcome;
}

std::unexpected<base::Error> server_gone(const boost::system::error_code& ec) {
    return base::fail(Errc::unavailable, "The server closed the connection: " + ec.message() + ".");
}

struct Frame {
    std::int64_t bytes = 0;
    std::string progress;
};

// Nothing for the last line, which is good; its error otherwise.
Result<std::optional<Frame>> parse_frame(std::string_view line) {
    TRY(const auto value, base::parse_json(line));
    const auto* object = value.if_object();
    const auto* bytes = object != nullptr ? base::find(*object, "data") : nullptr;
    if (bytes == nullptr) {
        TRY_VOID(parse_outcome(line));
        return std::nullopt;
    }
    if (!bytes->is_int64() || bytes->get_int64() < 0 || bytes->get_int64() > kFrameBytesMax) {
        return base::fail(Errc::internal, "The server's answer is malformed.");
    }
    return Frame{bytes->get_int64(), std::string(base::find_string(*object, "progress"))};
}

Status receive_frames(asio::local::stream_protocol::socket& socket, const Take& take) {
    std::string input;
    boost::system::error_code ec;
    while (true) {
        const std::size_t end =
            asio::read_until(socket, asio::dynamic_buffer(input, kFrameLineBytesMax + input.size()), '\n', ec);
        if (ec) {
            return server_gone(ec);
        }
        TRY(const auto frame, parse_frame(std::string_view(input).substr(0, end)));
        input.erase(0, end);
        if (!frame) {
            return {};
        }
        const auto wanted = static_cast<std::size_t>(frame->bytes);
        if (input.size() < wanted) {
            const std::size_t had = input.size();
            input.resize(wanted);
            asio::read(socket, asio::buffer(input.data() + had, wanted - had), ec);
        }
        if (ec) {
            return server_gone(ec);
        }
        TRY_VOID(take(std::string_view(input).substr(0, wanted), frame->progress));
        input.erase(0, wanted);
    }
}

Status transfer_by_server(const std::string& data_dir, const AdminCommand& command, const Take& take) {
    TRY(const auto path, ControlSocketPath::open(data_dir));
    asio::io_context context;
    asio::local::stream_protocol::socket socket(context);
    boost::system::error_code ec;
    socket.connect(asio::local::stream_protocol::endpoint(path.str()), ec);
    if (ec) {
        return base::fail(
            Errc::unavailable,
            "Another process has the data directory open but does not answer (" + ec.message() + "). Try again shortly."
        );
    }
    asio::write(socket, asio::buffer(render_command(command)), ec);
    if (ec) {
        return server_gone(ec);
    }
    return receive_frames(socket, take);
}

}  // namespace

bool is_transfer(const AdminCommand& command) {
    return command.name == "export" || command.name == "backup";
}

Task<Result<std::unique_ptr<transfer::Producer>>> open_transfer(TransferEnvironment environment, AdminCommand command) {
    if (command.name == "export") {
        co_return co_await open_export(std::move(environment), std::move(command));
    }
    transfer::BackupSources sources{environment.store, environment.data_dir, environment.version};
    co_return transfer::make_backup(std::move(sources));
}

Task<void> send_transfer(ControlSocket& socket, TransferEnvironment environment, AdminCommand command) {
    Result<std::string> outcome = std::string();
    boost::system::error_code ec;
    auto producer = co_await open_transfer(std::move(environment), std::move(command));
    if (!producer) {
        outcome = std::unexpected(producer.error());
    }
    for (bool more = producer.has_value(); more;) {
        std::string piece;
        const auto made = co_await (*producer)->next(piece);
        if (!made) {
            outcome = std::unexpected(made.error());
            break;
        }
        more = *made;
        std::string line;
        base::JsonWriter out(line);
        out.begin_object();
        out.member("data", static_cast<std::uint64_t>(piece.size()));
        out.member("progress", (*producer)->progress());
        out.end_object();
        line += '\n';
        const std::array<asio::const_buffer, 2> frame{asio::buffer(line), asio::buffer(piece)};
        co_await asio::async_write(socket, frame, asio::redirect_error(use_task, ec));
        if (ec) {
            co_return;
        }
    }
    const std::string last = render_outcome(outcome);
    co_await asio::async_write(socket, asio::buffer(last), asio::redirect_error(use_task, ec));
}

int transfer_from_command_line(
    const Config& config,
    const AdminCommand& command,
    const std::string& file,
    std::string version
) {
    auto output = OutputFile::open(file);
    Status done;
    if (output) {
        const Take take = [&output](std::string_view bytes, const std::string& progress) -> Status {
            TRY_VOID(output->write(bytes));
            output->show(progress);
            return {};
        };
        done = transfer_alone(config, command, std::move(version), take);
        if (!done && done.error().code == "database_in_use") {
            done = transfer_by_server(config.data_dir, command, take);  // which has it open, as a rule
        }
        output->end_show();
    } else {
        done = std::unexpected(output.error());
    }
    if (done) {
        done = output->keep();
    }
    if (!done) {
        return complain(done.error());
    }
    return 0;
}

}  // namespace confab::app

#include "app/import_command.hpp"

#include <algorithm>
#include <filesystem>

#include <boost/asio/steady_timer.hpp>
#include <fmt/format.h>
#include <unistd.h>

#include "app/complain.hpp"
#include "app/control_server.hpp"
#include "app/data_dir.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "store/blobs.hpp"
#include "store/sqlite/sqlite_store.hpp"

namespace confab::app {

namespace {

using base::Result;
using net::Task;

constexpr std::chrono::milliseconds kLookEvery{300};
constexpr std::size_t kProblemsPrinted = 10;
constexpr int kBarColumns = 30;

Task<Result<store::User>> find_user(store::AccountStore& store, std::string email) {
    auto user = co_await store.find_user_by_email(base::ascii_lower(base::trim(email)));
    if (!user && user.error().errc == base::Errc::not_found) {
        co_return base::not_found(
            "There is no user with the address " + email + ". 'confab user list' shows all.", "user_not_found"
        );
    }
    co_return user;
}

// ---- what is shown ----

void show_bar(std::int64_t done, std::int64_t bytes, std::int64_t messages) {
    if (::isatty(STDERR_FILENO) == 0) {
        return;
    }
    const double share = bytes > 0 ? std::clamp(static_cast<double>(done) / static_cast<double>(bytes), 0.0, 1.0) : 0;
    const auto filled = static_cast<std::size_t>(share * kBarColumns);
    const std::string bar = std::string(filled, '#') + std::string(kBarColumns - filled, '.');
    fmt::print(stderr, "\r[{}] {:3.0f} %  {} messages ", bar, share * 100, messages);
}

void end_bar() {
    if (::isatty(STDERR_FILENO) != 0) {
        fmt::print(stderr, "\n");
    }
}

// What comes from a file must not steer the terminal: control characters, also those of two bytes, become '?'.
std::string printable(std::string_view text) {
    std::string shown(text);
    for (std::size_t i = 0; i < shown.size(); ++i) {
        const auto byte = static_cast<unsigned char>(shown[i]);
        const bool two = byte == 0xC2 && i + 1 < shown.size() && static_cast<unsigned char>(shown[i + 1]) < 0xA0;
        if (byte < 0x20 || byte == 0x7F) {
            shown[i] = '?';
        } else if (two) {
            shown.replace(i, 2, "?");
        }
    }
    return shown;
}

void print_problems(const base::json::value& problems, std::int64_t total) {
    if (!problems.is_array()) {
        return;
    }
    std::size_t printed = 0;
    for (const auto& problem : problems.get_array()) {
        if (problem.is_object() && ++printed <= kProblemsPrinted) {
            fmt::print(
                stderr,
                "  {}: {}\n",
                printable(base::find_string(problem.get_object(), "where")),
                printable(base::find_string(problem.get_object(), "message"))
            );
        }
    }
    if (total > static_cast<std::int64_t>(kProblemsPrinted)) {
        fmt::print(stderr, "  and {} more\n", total - static_cast<std::int64_t>(kProblemsPrinted));
    }
}

int conclude(const store::ImportProgress& progress, bool whole) {
    end_bar();
    fmt::print(
        "Imported {} messages in {} conversations; {} were there already or could not be taken.\n",
        progress.messages,
        progress.conversations,
        progress.skipped
    );
    if (progress.problems_total > 0) {
        fmt::print(stderr, "{} problems:\n", progress.problems_total);
        if (const auto problems = base::parse_json(progress.problems)) {
            print_problems(*problems, progress.problems_total);
        }
    }
    if (!whole) {
        fmt::print(stderr, "confab: the file was not imported to its end. Importing it again adds nothing twice.\n");
    }
    return whole ? 0 : 1;
}

int stop(const base::Error& error) {
    end_bar();
    return complain(error);
}

// ---- by the server ----

std::int64_t number(const base::json::object& object, std::string_view name) {
    const base::json::value* value = base::find(object, name);
    return value != nullptr && value->is_int64() ? value->get_int64() : 0;
}

Result<base::json::object> ask(const std::string& data_dir, const AdminCommand& command) {
    TRY(const std::string answer, ask_server(data_dir, command));
    TRY(const auto value, base::parse_json(answer));
    if (!value.is_object()) {
        return base::fail(base::Errc::internal, "The server's answer is malformed.");
    }
    return value.get_object();
}

int import_by_server(const std::string& data_dir, const std::string& file, const std::string& email) {
    AdminCommand command;
    command.name = "import start";
    command.email = email;
    command.path = file;
    auto job = ask(data_dir, command);
    if (!job) {
        return stop(job.error());
    }
    command.name = "import show";
    command.key = base::find_string(*job, "id");
    net::asio::io_context loop;
    while (true) {
        const std::string status(base::find_string(*job, "status"));
        show_bar(number(*job, "bytes_read"), number(*job, "bytes"), number(*job, "messages"));
        if (status != "queued" && status != "running") {
            store::ImportProgress progress;
            progress.conversations = number(*job, "conversations");
            progress.messages = number(*job, "messages");
            progress.skipped = number(*job, "skipped");
            progress.problems_total = number(*job, "problems_total");
            const base::json::value* problems = base::find(*job, "problems");
            progress.problems = problems == nullptr ? "[]" : base::to_string(*problems);
            return conclude(progress, status == "completed");
        }
        boost::asio::steady_timer timer(loop, kLookEvery);
        timer.wait();
        job = ask(data_dir, command);
        if (!job) {
            return stop(job.error());
        }
    }
}

// ---- by this process ----

Result<store::User> find_user_now(store::AccountStore& store, const std::string& email) {
    net::asio::io_context loop{1};
    std::optional<Result<store::User>> found;
    net::asio::co_spawn(loop, find_user(store, email), [&](std::exception_ptr failure, Result<store::User> user) {
        if (failure) {
            std::rethrow_exception(failure);
        }
        found = std::move(user);
    });
    loop.run();
    return *std::move(found);
}

int import_alone(store::SqliteStore& store, const Config& config, const std::string& file, const std::string& email) {
    const auto user = find_user_now(store, email);
    if (!user) {
        return stop(user.error());
    }
    store::BlobDisk blobs(store::blob_dir_beside(database_path(config.data_dir)));
    std::error_code ec;
    const auto bytes = static_cast<std::int64_t>(std::filesystem::file_size(file, ec));
    transfer::ImportEnvironment environment{store, store, blobs, imports_dir(config.data_dir)};
    store::ImportProgress last;
    const auto watch = [&](const store::ImportProgress& progress) {
        show_bar(progress.bytes_read, bytes, progress.messages);
        last = progress;
    };
    const auto done = transfer::import_now(std::move(environment), *user, file, watch);
    if (!done && last.format.empty()) {
        return stop(done.error());
    }
    return conclude(done ? *done : last, done.has_value());
}

}  // namespace

Task<Result<std::string>> execute_import(
    auth::Accounts& accounts,
    transfer::ImportService& imports,
    AdminCommand command
) {
    CO_TRY(const auto user, co_await find_user(accounts.store(), command.email));
    if (command.name == "import start") {
        CO_TRY(const auto job, co_await imports.import_path(user.no, command.path));
        co_return transfer::render_import(job);
    }
    const auto id = store::ImportId::parse(command.key);
    if (!id) {
        co_return base::not_found("There is no such import.", "import_not_found");
    }
    if (command.name == "import cancel") {
        CO_TRY(const auto job, co_await imports.cancel(user.no, *id));
        co_return transfer::render_import(job);
    }
    CO_TRY(const auto job, co_await imports.jobs().find_import(user.no, *id));
    co_return transfer::render_import(job);
}

int import_from_command_line(const Config& config, const std::string& file, const std::string& email) {
    const std::string path = std::filesystem::absolute(file).string();
    if (::access(path.c_str(), R_OK) != 0) {
        return stop(base::not_found("Cannot read " + file + ".").error());
    }
    meter::StoreCounters counters;
    store::SqliteOptions options{.path = database_path(config.data_dir), .readers = 1, .counters = counters};
    const auto store = store::SqliteStore::open(std::move(options));
    if (store) {
        return import_alone(**store, config, path, email);
    }
    if (store.error().errc != base::Errc::unavailable) {
        return stop(store.error());
    }
    return import_by_server(config.data_dir, path, email);  // which has it open, as a rule
}

}  // namespace confab::app

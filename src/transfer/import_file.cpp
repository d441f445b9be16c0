#include "transfer/import_file.hpp"

#include <optional>

#include "transfer/confab_reader.hpp"
#include "transfer/foreign_reader.hpp"
#include "transfer/source_file.hpp"

namespace confab::transfer {

namespace {

using base::Result;
using base::Status;
using net::Task;

constexpr std::chrono::milliseconds kProgressEvery{250};
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

class FileImport {
public:
    FileImport(ImportEnvironment environment, Importing importing, ImportReport& report, KeepGoing keep_going)
        : environment_(std::move(environment)),
          importing_(importing),
          report_(report),
          keep_going_(std::move(keep_going)),
          sink_(environment_.store, importing, report, [this] { return say_progress(); }),
          builder_(sink_, report, importing, environment_.spool_dir) {}

    Task<Status> run(const std::string& path) {
        CO_TRY(const auto file, SourceFile::open(path));
        file_ = file.get();
        const Status read = co_await read_streams(*file);
        report_.set_bytes_read(file->bytes_read());
        const bool writable = read || read.error().errc == base::Errc::invalid_request;
        if (writable) {  // what is whole is kept, also of a file that ends in the middle
            CO_TRY_VOID(co_await sink_.flush());
        }
        co_return read;
    }

private:
    Task<Status> read_streams(SourceFile& file) {
        std::size_t streams = 0;
        while (true) {
            CO_TRY(const SourceFile::Step step, file.next_stream());
            if (step == SourceFile::Step::end) {
                break;
            }
            if (step == SourceFile::Step::skipped) {
                CO_TRY_VOID(co_await say_progress());
                continue;
            }
            ++streams;
            CO_TRY_VOID(co_await read_stream(file));
        }
        if (streams == 0) {
            co_return base::invalid(
                "file", "The zip archive holds no conversations.json, as ChatGPT and Claude export it.", "unknown_format"
            );
        }
        co_return Status{};
    }

    Task<Status> read_stream(SourceFile& file) {
        CO_TRY(std::string_view piece, file.read());
        if (piece.starts_with(kByteOrderMark)) {
            piece.remove_prefix(kByteOrderMark.size());
        }
        if (piece.find_first_not_of(" \t\r\n") == std::string_view::npos) {
            co_return base::invalid("file", "The file is empty.", "empty_file");
        }
        std::optional<ConfabReader> own;
        std::optional<ForeignReader> foreign;
        if (ConfabReader::is_header(piece.substr(0, piece.find('\n')))) {
            own.emplace(environment_.store, environment_.files, environment_.blobs, builder_, report_, importing_);
        } else {
            foreign.emplace(builder_, report_);
        }
        while (!piece.empty()) {
            if (own) {
                CO_TRY_VOID(co_await own->take(piece));
            } else {
                CO_TRY_VOID(co_await foreign->take(piece));
            }
            CO_TRY_VOID(co_await say_progress());
            CO_TRY(piece, file.read());
        }
        if (own) {
            co_return co_await own->finish();
        }
        co_return foreign->finish();
    }

    Task<Status> say_progress() {
        const auto now = std::chrono::steady_clock::now();
        if (now - said_at_ < kProgressEvery) {
            co_return Status{};
        }
        said_at_ = now;
        report_.set_bytes_read(file_->bytes_read());
        const auto go_on = co_await keep_going_(report_);
        if (!go_on && go_on.error().errc != base::Errc::unavailable) {
            co_return std::unexpected(go_on.error());
        }
        if (go_on && !*go_on) {
            co_return base::fail(base::Errc::cancelled, "The import was cancelled.", "cancelled");
        }
        co_return Status{};
    }

    const ImportEnvironment environment_;
    const Importing importing_;
    ImportReport& report_;
    const KeepGoing keep_going_;
    PieceSink sink_;
    ConversationBuilder builder_;
    const SourceFile* file_ = nullptr;
    std::chrono::steady_clock::time_point said_at_;
};

}  // namespace

Task<Status> import_file(
    ImportEnvironment environment,
    Importing importing,
    std::string path,
    ImportReport& report,
    KeepGoing keep_going
) {
    FileImport import(std::move(environment), importing, report, std::move(keep_going));
    co_return co_await import.run(path);
}

}  // namespace confab::transfer

#include "store/blob_disk.hpp"

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include <fcntl.h>
#include <sodium.h>
#include <unistd.h>

#include "store/blobs.hpp"

namespace confab::store {

namespace {

using base::Errc;
using base::fail;
using base::Result;
using base::Status;
using net::Task;

constexpr std::size_t kDiskThreads = 2;
constexpr std::size_t kJobsQueuedMax = 1'024;  // beyond it callers are told to come again

Status write_all(int descriptor, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written < 0) {
            return std::unexpected(disk_error("write"));
        }
        bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
}

Result<std::string> read_at(const std::string& path, std::uint64_t offset, std::size_t bytes_max) {
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
        return errno == ENOENT ? base::not_found("The file's content is gone.", "file_not_found")
                               : std::unexpected(disk_error("open"));
    }
    std::string piece(bytes_max, '\0');
    std::size_t got = 0;
    bool good = true;
    while (got < bytes_max) {
        const ssize_t read = ::pread(descriptor, piece.data() + got, bytes_max - got, static_cast<off_t>(offset + got));
        if (read < 0 && errno == EINTR) {
            continue;
        }
        if (read <= 0) {
            good = read == 0;
            break;
        }
        got += static_cast<std::size_t>(read);
    }
    Result<std::string> result = good ? Result<std::string>() : std::unexpected(disk_error("read"));
    ::close(descriptor);
    if (result) {
        piece.resize(got);
        result = std::move(piece);
    }
    return result;
}

std::unexpected<base::Error> unsupported_type() {
    return fail(
        Errc::invalid_request,
        "The file is none of the supported images: PNG, JPEG, WebP and GIF.",
        "unsupported_file_type",
        "file"
    );
}

}  // namespace

// Used by one job at a time.
struct BlobWriter::State {
    explicit State(std::string its_path) : path(std::move(its_path)) { crypto_hash_sha256_init(&hash); }

    State(const State&) = delete;
    State& operator=(const State&) = delete;

    ~State() {
        if (descriptor >= 0) {
            ::close(descriptor);
            ::unlink(path.c_str());  // adopted, it has another name by now
        }
    }

    Status append(std::string_view piece) {
        if (descriptor < 0) {
            descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
            if (descriptor < 0) {
                return std::unexpected(disk_error("open"));
            }
        }
        crypto_hash_sha256_update(&hash, reinterpret_cast<const unsigned char*>(piece.data()), piece.size());
        return write_all(descriptor, piece);
    }

    Result<Sha256> finish() {
        if (::fsync(descriptor) != 0) {
            return std::unexpected(disk_error("fsync"));
        }
        Sha256 result{};
        crypto_hash_sha256_final(&hash, result.data());
        return result;
    }

    const std::string path;
    int descriptor = -1;
    crypto_hash_sha256_state hash{};
    std::int64_t bytes = 0;
    std::string head;  // the first kMediaTypeHeadBytes
};

BlobWriter::BlobWriter(BlobDisk& disk)
    : disk_(&disk), state_(std::make_shared<State>(make_temporary_path(disk.dir_))) {}

// Closing and removing may block as well.
BlobWriter::~BlobWriter() {
    if (state_ && state_->descriptor >= 0) {
        disk_->pool_.post([state = std::move(state_)](BlobDisk::Worker*) mutable { state.reset(); });
    }
}

Task<Status> BlobWriter::append(std::string_view bytes) {
    if (state_->bytes + static_cast<std::int64_t>(bytes.size()) > kFileBytesMax) {
        co_return fail(Errc::too_large, "A file has at most 20 MiB.", "file_too_large", "file");
    }
    state_->bytes += static_cast<std::int64_t>(bytes.size());
    state_->head += bytes.substr(0, kMediaTypeHeadBytes - state_->head.size());
    if (state_->head.size() == kMediaTypeHeadBytes && image_media_type(state_->head).empty()) {
        co_return unsupported_type();
    }
    auto job = [state = state_, bytes](BlobDisk::Worker&) { return state->append(bytes); };
    co_return co_await disk_->pool_.run(std::move(job));
}

Task<Result<NewFile>> BlobWriter::finish() {
    NewFile file;
    file.file.media_type = image_media_type(state_->head);
    if (file.file.media_type.empty()) {
        co_return unsupported_type();
    }
    file.file.bytes = state_->bytes;
    file.temporary = state_->path;
    auto job = [state = state_](BlobDisk::Worker&) { return state->finish(); };
    CO_TRY(file.file.hash, co_await disk_->pool_.run(std::move(job)));
    co_return file;
}

BlobDisk::BlobDisk(std::string dir) : dir_(std::move(dir)), pool_(std::vector<Worker>(kDiskThreads), kJobsQueuedMax) {}

Task<Result<DiskRoom>> BlobDisk::room() {
    auto job = [dir = dir_](Worker&) -> Result<DiskRoom> {
        std::error_code ec;
        const auto space = std::filesystem::space(dir, ec);
        if (ec) {
            return fail(Errc::internal, "The disk does not say how much room it has: " + ec.message() + ".", "disk_failed");
        }
        return DiskRoom{space.available, space.capacity};
    };
    co_return co_await pool_.run(std::move(job));
}

Task<Result<std::string>> BlobDisk::read(Sha256 hash, std::uint64_t offset, std::size_t bytes_max) {
    auto job = [path = blob_path(dir_, hash), offset, bytes_max](Worker&) { return read_at(path, offset, bytes_max); };
    co_return co_await pool_.run(std::move(job));
}

void BlobDisk::read_then(
    Sha256 hash,
    std::uint64_t offset,
    std::size_t bytes_max,
    std::move_only_function<void(Result<std::string>)> done
) {
    pool_.post([path = blob_path(dir_, hash), offset, bytes_max, done = std::move(done)](Worker* worker) mutable {
        if (worker == nullptr) {
            done(fail(Errc::unavailable, "The server is overloaded. Try again shortly.", "overloaded"));
        } else {
            done(read_at(path, offset, bytes_max));
        }
    });
}

}  // namespace confab::store

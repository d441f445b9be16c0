// BlobDisk: reading and writing of blobs from the shards. The blocking calls run on a small pool; nobody holds more
// than a piece of a file in memory.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "net/blocking_pool.hpp"
#include "store/file_rows.hpp"

namespace confab::store {

inline constexpr std::size_t kBlobPieceBytes = 64 * 1024;  // read or written at a time

class BlobDisk;

// One file being written. What is not adopted (FileStore::create_file) vanishes with this object.
class BlobWriter {
public:
    explicit BlobWriter(BlobDisk& disk);
    BlobWriter(BlobWriter&&) noexcept = default;
    BlobWriter& operator=(BlobWriter&&) = delete;
    ~BlobWriter();

    // `bytes` must stay until the call returns. Errors: too_large (file_too_large) beyond kFileBytesMax, storage_full,
    // invalid_request (unsupported_file_type) as soon as the bytes cannot be an image, unavailable, internal.
    net::Task<base::Status> append(std::string_view bytes);

    // Syncs the file. Hash, bytes and media type are filled in, and the path of the temporary file; the rest is the
    // caller's. Errors: unsupported_file_type, storage_full, unavailable, internal.
    net::Task<base::Result<NewFile>> finish();

private:
    struct State;

    BlobDisk* disk_;
    std::shared_ptr<State> state_;  // shared with the job under way
};

// Of the file system that the blobs lie on.
struct DiskRoom {
    std::uint64_t free_bytes = 0;  // that this process may use
    std::uint64_t bytes = 0;
};

class BlobDisk {
public:
    // `dir` as prepare_blob_dir left it.
    explicit BlobDisk(std::string dir);

    net::Task<base::Result<DiskRoom>> room();

    // At most `bytes_max` bytes of a blob from `offset` on; empty at its end. Errors: not_found (the blob is gone),
    // unavailable, internal.
    net::Task<base::Result<std::string>> read(Sha256 hash, std::uint64_t offset, std::size_t bytes_max);

    // The same for callers that are no coroutine; `done` is called once, from any thread.
    void read_then(
        Sha256 hash,
        std::uint64_t offset,
        std::size_t bytes_max,
        std::move_only_function<void(base::Result<std::string>)> done
    );

    std::size_t queued() const { return pool_.queued(); }

    // Finishes what is queued and joins the threads.
    void stop() { pool_.stop(); }

private:
    friend class BlobWriter;

    struct Worker {};

    const std::string dir_;
    net::BlockingPool<Worker> pool_;
};

}  // namespace confab::store

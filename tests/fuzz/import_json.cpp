// The file of an import that is no archive: exports of ChatGPT, Claude and Open WebUI, and Confab's own. However the bytes
// are cut, the same comes out, and all of it is within the bounds that the store relies on. The first byte of the input
// chooses the cuts.
#include <filesystem>
#include <optional>

#include <sys/mman.h>
#include <unistd.h>

#include "store/blobs.hpp"
#include "tests/fuzz/import_store.hpp"
#include "tests/support/run_task.hpp"
#include "transfer/confab_reader.hpp"
#include "transfer/foreign_reader.hpp"
#include "transfer/import_file.hpp"

namespace {

using confab::fuzz::CheckingStore;
using confab::support::run_task;
using namespace confab;

const transfer::Importing kImporting{CheckingStore::kUser, {}};

// Where images of Confab's exports go; gone with the process.
class Place {
public:
    Place() {
        std::string name = std::filesystem::exists("/dev/shm") ? "/dev/shm/confab-fuzz-XXXXXX" : "/tmp/confab-fuzz-XXXXXX";
        FUZZ_CHECK(::mkdtemp(name.data()) != nullptr);
        dir = name;
        FUZZ_CHECK(store::prepare_blob_dir(dir));
        blobs.emplace(dir);
        descriptor = ::memfd_create("import", MFD_CLOEXEC);
        FUZZ_CHECK(descriptor >= 0);
    }

    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;

    ~Place() {
        blobs->stop();
        std::filesystem::remove_all(dir);
    }

    std::string write(std::string_view bytes) const {
        FUZZ_CHECK(::ftruncate(descriptor, 0) == 0);
        FUZZ_CHECK(::pwrite(descriptor, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
        return "/proc/self/fd/" + std::to_string(descriptor);
    }

    std::string dir;
    std::optional<store::BlobDisk> blobs;
    int descriptor = -1;
};

Place& place() {
    static Place one;
    return one;
}

// What came of it, but for the bytes that were read.
std::string outcome(const CheckingStore& store, const transfer::ImportReport& report, const base::Status& done) {
    const store::ImportProgress progress = report.progress();
    const auto problems = base::parse_json(progress.problems);
    FUZZ_CHECK(problems && problems->is_array());
    FUZZ_CHECK(static_cast<std::int64_t>(problems->get_array().size()) <= transfer::kProblemsShownMax);
    FUZZ_CHECK(progress.conversations >= 0 && progress.messages >= 0 && progress.skipped >= 0);
    FUZZ_CHECK(done || done.error().errc == base::Errc::invalid_request);
    FUZZ_CHECK(done || (!done.error().message.empty() && base::is_utf8(done.error().message)));
    return store.told() + progress.format + " " + std::to_string(progress.conversations) + " " +
           std::to_string(progress.messages) + " " + std::to_string(progress.skipped) + " " +
           std::to_string(progress.problems_total) + " " + progress.problems + (done ? "" : done.error().message);
}

net::Task<base::Result<bool>> go_on(const transfer::ImportReport&) {
    co_return true;
}

net::Task<base::Status> nothing_between() {
    co_return base::Status{};
}

std::string import_at_once(std::string_view bytes) {
    CheckingStore store(place().dir);
    transfer::ImportReport report;
    transfer::ImportEnvironment environment{store, store, *place().blobs, place().dir};
    const base::Status done = run_task(transfer::import_file(environment, kImporting, place().write(bytes), report, go_on));
    return outcome(store, report, done);
}

template <class Reader>
net::Task<base::Status> take_all(Reader& reader, fuzz::Cutter cutter) {
    while (!cutter.done()) {
        CO_TRY_VOID(co_await reader.take(cutter.next()));
    }
    co_return base::Status{};
}

net::Task<base::Status> read_in_pieces(CheckingStore& store, transfer::ImportReport& report, fuzz::Cutter cutter, bool own) {
    transfer::PieceSink sink(store, kImporting, report, nothing_between);
    transfer::ConversationBuilder builder(sink, report, kImporting, place().dir);
    base::Status read;
    if (own) {
        transfer::ConfabReader reader(store, store, *place().blobs, builder, report, kImporting);
        read = co_await take_all(reader, cutter);
        if (read) {
            read = co_await reader.finish();
        }
    } else {
        transfer::ForeignReader reader(builder, report);
        read = co_await take_all(reader, cutter);
        if (read) {
            read = reader.finish();
        }
    }
    CO_TRY_VOID(co_await sink.flush());
    co_return read;
}

std::string import_in_pieces(std::string_view bytes, std::uint8_t seed) {
    CheckingStore store(place().dir);
    transfer::ImportReport report;
    const bool own = transfer::ConfabReader::is_header(bytes.substr(0, bytes.find('\n')));
    const base::Status done = run_task(read_in_pieces(store, report, fuzz::Cutter(bytes, seed), own));
    return outcome(store, report, done);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) {
        return 0;
    }
    std::string_view bytes = fuzz::as_text(data + 1, size - 1);
    if (bytes.starts_with("PK\x03\x04")) {
        return 0;  // for import_zip
    }
    const std::string whole = import_at_once(bytes);
    bytes.remove_prefix(bytes.starts_with("\xEF\xBB\xBF") ? 3 : 0);
    if (bytes.find_first_not_of(" \t\r\n") != std::string_view::npos) {
        FUZZ_CHECK(import_in_pieces(bytes, data[0]) == whole);
    }
    return 0;
}

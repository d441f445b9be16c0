// The archive of an import: whatever the bytes are, reading comes to an end, only conversations come out of it, under names
// that lead nowhere, and no more of them than the bytes that went in allow. Reading stops early, as a person may cancel it.
// It does not when the first byte of the input is 0xFF and its length a multiple of 16; then the rest stands in the file
// eight times. So a bomb fits into a small input, and few inputs take long.
#include <sys/mman.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.hpp"
#include "transfer/source_file.hpp"

namespace {

using confab::transfer::SourceFile;

constexpr unsigned kTimes = 8;

bool reads_whole(const std::uint8_t* data, std::size_t size) {
    return data[0] == 0xFF && size % 16 == 0;
}

constexpr int kPiecesLooked = 3;  // of one entry, when reading stops early; a piece has up to 256 KiB

int make_file(std::string_view bytes, unsigned times) {
    static const int descriptor = ::memfd_create("import", MFD_CLOEXEC);
    FUZZ_CHECK(descriptor >= 0 && ::ftruncate(descriptor, 0) == 0);
    for (unsigned i = 0; i < times; ++i) {
        const auto at = static_cast<off_t>(i * bytes.size());
        FUZZ_CHECK(::pwrite(descriptor, bytes.data(), bytes.size(), at) == static_cast<ssize_t>(bytes.size()));
    }
    return descriptor;
}

void check_name(std::string_view name) {
    FUZZ_CHECK(!name.empty() && name.front() != '/');
    FUZZ_CHECK(name.find('\\') == std::string_view::npos && name.find("..") == std::string_view::npos);
    FUZZ_CHECK(name.find('\0') == std::string_view::npos);
    const std::string_view last = name.substr(name.find_last_of('/') + 1);
    FUZZ_CHECK(last.starts_with("conversations") && last.ends_with(".json"));
}

void check_error(const confab::base::Error& error) {
    FUZZ_CHECK(error.errc == confab::base::Errc::invalid_request);
    FUZZ_CHECK(error.code == "malformed_zip" || error.code == "zip_encrypted" || error.code == "zip_bomb");
}

class Reading {
public:
    Reading(SourceFile& file, bool whole) : file_(file), whole_(whole) {}

    // False: an error, or given up.
    bool streams() {
        for (;;) {
            count_step();
            const auto step = file_.next_stream();
            if (!step) {
                check_error(step.error());
                return false;
            }
            if (*step == SourceFile::Step::end) {
                return true;
            }
            passed_over_ = *step == SourceFile::Step::skipped ? passed_over_ + 1 : 0;
            if (!whole_ && passed_over_ > 4 * kPiecesLooked) {
                return false;
            }
            if (*step == SourceFile::Step::stream) {
                FUZZ_CHECK(file_.is_zip() ? (check_name(file_.name()), true) : file_.name().empty());
                if (!stream()) {
                    return false;
                }
            }
        }
    }

    const std::string& beginning() const { return beginning_; }

private:
    bool stream() {
        for (int pieces = 0; whole_ || pieces < kPiecesLooked; ++pieces) {
            count_step();
            const auto piece = file_.read();
            if (!piece) {
                check_error(piece.error());
                return false;
            }
            if (piece->empty()) {
                return true;
            }
            out_ += piece->size();
            beginning_ += file_.is_zip() ? std::string_view() : *piece;
            const std::uint64_t in = std::max<std::uint64_t>(file_.bytes_read(), 1);
            FUZZ_CHECK(!file_.is_zip() || out_ <= confab::transfer::kRatioFreeBytes ||
                       out_ / confab::transfer::kUnpackedRatioMax <= in);
            FUZZ_CHECK(in <= std::max<std::uint64_t>(file_.bytes(), 1));
        }
        return false;
    }

    // Each one takes in something or gives out something: there are not many more of them than bytes.
    void count_step() { FUZZ_CHECK(++steps_ <= 1'000 + 2 * file_.bytes()); }

    SourceFile& file_;
    const bool whole_;
    int passed_over_ = 0;
    std::string beginning_;
    std::uint64_t out_ = 0;
    std::uint64_t steps_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) {
        return 0;
    }
    const std::string_view bytes = confab::fuzz::as_text(data + 1, size - 1);
    const unsigned times = reads_whole(data, size) ? kTimes : 1;
    const int descriptor = make_file(bytes, times);
    const auto file = SourceFile::open("/proc/self/fd/" + std::to_string(descriptor));
    if (!file) {
        check_error(file.error());
        return 0;
    }
    FUZZ_CHECK((*file)->bytes() == times * bytes.size());
    FUZZ_CHECK((*file)->is_zip() == bytes.starts_with("PK\x03\x04") || bytes.size() < 4);
    Reading reading(**file, reads_whole(data, size));
    const bool whole = reading.streams();
    if (!(*file)->is_zip()) {
        FUZZ_CHECK(whole && reading.beginning().size() == times * bytes.size() && reading.beginning().starts_with(bytes));
    }
    return 0;
}

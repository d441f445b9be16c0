#include "transfer/tar_writer.hpp"

#include <sys/stat.h>

#include <archive.h>
#include <archive_entry.h>

#include "base/clock.hpp"

namespace confab::transfer {

namespace {

la_ssize_t append(archive*, void* target, const void* bytes, std::size_t size) {
    static_cast<std::string*>(target)->append(static_cast<const char*>(bytes), size);
    return static_cast<la_ssize_t>(size);
}

}  // namespace

TarWriter::TarWriter() : archive_(archive_write_new()) {
    archive_write_set_format_pax_restricted(archive_);
    archive_write_set_bytes_per_block(archive_, 0);  // no gathering: what is written comes at once
    archive_write_open(archive_, &written_, nullptr, append, nullptr);
}

TarWriter::~TarWriter() {
    archive_write_free(archive_);
}

base::Status TarWriter::begin_file(const std::string& name, std::int64_t bytes) {
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, name.c_str());
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, S_IRUSR | S_IWUSR);
    archive_entry_set_size(entry, bytes);
    archive_entry_set_mtime(entry, base::unix_now(), 0);
    const int code = archive_write_header(archive_, entry);
    archive_entry_free(entry);
    return code == ARCHIVE_OK ? base::Status() : failed();
}

base::Status TarWriter::data(std::string_view bytes) {
    const auto written = archive_write_data(archive_, bytes.data(), bytes.size());
    return written == static_cast<la_ssize_t>(bytes.size()) ? base::Status() : failed();
}

base::Status TarWriter::finish() {
    return archive_write_close(archive_) == ARCHIVE_OK ? base::Status() : failed();
}

void TarWriter::take(std::string& out) {
    out += written_;
    written_.clear();
}

base::Status TarWriter::failed() const {
    const char* why = archive_error_string(archive_);
    return base::fail(base::Errc::internal, std::string("The archive could not be written: ") + (why ? why : "?"));
}

}  // namespace confab::transfer

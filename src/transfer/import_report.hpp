// ImportReport: what an import has done so far, and what it could not do.
#pragma once

#include <string>
#include <string_view>

#include "base/error.hpp"
#include "store/import_rows.hpp"

namespace confab::transfer {

inline constexpr std::int64_t kProblemsShownMax = 100;
inline constexpr std::size_t kWhereBytesMax = 120;

class ImportReport {
public:
    // `where` names a conversation or a message of the source, for people.
    void add_problem(std::string_view where, std::string_view code, std::string_view message);

    void add_problem(std::string_view where, const base::Error& error) {
        add_problem(where, error.code, error.message);
    }

    void set_format(std::string_view format) { progress_.format = format; }

    void set_bytes_read(std::uint64_t bytes) { progress_.bytes_read = static_cast<std::int64_t>(bytes); }

    void count_conversation() { ++progress_.conversations; }

    void count_messages(std::int64_t added, std::int64_t skipped) {
        progress_.messages += added;
        progress_.skipped += skipped;
    }

    const std::string& format() const { return progress_.format; }

    store::ImportProgress progress() const;

private:
    store::ImportProgress progress_;
    std::string problems_;  // rendered, with commas between them
};

}  // namespace confab::transfer

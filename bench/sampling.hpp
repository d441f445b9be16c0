// What the measuring programs share: samples and their quantiles, this process's memory, tables in Markdown.
#pragma once

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <fstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "base/error.hpp"

namespace confab::bench {

using Clock = std::chrono::steady_clock;

inline double us_since(Clock::time_point begin) {
    return std::chrono::duration<double, std::micro>(Clock::now() - begin).count();
}

class Samples {
public:
    void add(double value) { values_.push_back(value); }
    std::size_t size() const { return values_.size(); }

    // 0 <= quantile <= 1; 0 without samples.
    double quantile(double quantile) const {
        if (values_.empty()) {
            return 0;
        }
        std::vector<double> sorted = values_;
        const auto index = static_cast<std::size_t>(quantile * static_cast<double>(sorted.size() - 1) + 0.5);
        std::nth_element(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(index), sorted.end());
        return sorted[index];
    }
    double median() const { return quantile(0.5); }
    double p99() const { return quantile(0.99); }

private:
    std::vector<double> values_;
};

// Resident memory of this process.
inline double rss_mib() {
    std::ifstream statm("/proc/self/statm");
    std::uint64_t total = 0;
    std::uint64_t resident = 0;
    statm >> total >> resident;
    return static_cast<double>(resident) * static_cast<double>(::sysconf(_SC_PAGESIZE)) / (1024.0 * 1024.0);
}

// The value, or the end of the program: a measurement with errors in it means nothing.
template <class T>
T must(base::Result<T> result) {
    if (!result) {
        throw std::runtime_error(result.error().message);
    }
    return *std::move(result);
}

inline void must(const base::Status& status) {
    if (!status) {
        throw std::runtime_error(status.error().message);
    }
}

using Row = std::vector<std::string>;

inline void print_row(const Row& row) {
    fmt::print("|");
    for (const std::string& cell : row) {
        fmt::print(" {} |", cell);
    }
    fmt::print("\n");
}

inline void print_table(const std::string& title, const Row& head, const std::vector<Row>& rows) {
    fmt::print("\n**{}**\n\n", title);
    print_row(head);
    print_row(Row(head.size(), "---"));
    for (const Row& row : rows) {
        print_row(row);
    }
    fmt::print("\n");
}

}  // namespace confab::bench

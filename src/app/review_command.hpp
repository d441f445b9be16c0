// `confab review`: the resource review from the command line, and the hidden `confab serve-as-reviewed`, the server that
// it starts to compare with.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

namespace confab::app {

// What was given on the command line.
struct ReviewFlags {
    bool quick = false;
    bool thorough = false;  // --long
    bool as_reviewed = false;
    std::vector<std::int64_t> lengths;
    std::uint64_t memory_limit_mib = 192;
    std::string scratch;
    std::string target;
    std::vector<int> pids;
    std::string process;
    std::string cgroup;
    std::string model;
    std::string markdown;
    std::string json;
    std::string html;
    double max_score = 10;
};

// Adds the grammar. `choose` gets what is to be done when the command was given; `flags` outlives that.
void add_review_command(
    CLI::App& app,
    ReviewFlags& flags,
    const std::string& version,
    const std::function<void(std::function<int()>)>& choose
);

}  // namespace confab::app

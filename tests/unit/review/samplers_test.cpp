// The small samplers: files being opened, a server's own numbers, memory limits, child processes.
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <unistd.h>

#include "review/child_process.hpp"
#include "review/file_watch.hpp"
#include "review/memory_limit.hpp"
#include "review/process_figures.hpp"
#include "review/prometheus_text.hpp"
#include "support/run_task.hpp"

namespace confab::review {
namespace {

namespace fs = std::filesystem;

net::Task<bool> end(ChildProcess& child) {
    co_await child.stop(std::chrono::seconds(20));
    co_return !child.running();
}

class ScratchTest : public testing::Test {
protected:
    void SetUp() override {
        folder_ = fs::temp_directory_path() / ("confab-samplers-" + std::to_string(::getpid()));
        fs::remove_all(folder_);
        fs::create_directories(folder_);
    }

    void TearDown() override { fs::remove_all(folder_); }

    // A program of one line of shell.
    Launch shell(const std::string& script) const {
        Launch launch;
        launch.program = "/bin/sh";
        launch.args = {"-c", script};
        launch.log_path = (folder_ / "log").string();
        return launch;
    }

    fs::path folder_;
};

using FileWatchTest = ScratchTest;

TEST_F(FileWatchTest, CountsEachOpeningOfEachFile) {
    std::ofstream(folder_ / "a") << "x";
    auto watch = FileWatch::open(folder_.string());
    ASSERT_TRUE(watch);
    for (int i = 0; i < 3; ++i) {
        const std::ifstream file(folder_ / "a");
    }
    std::ofstream(folder_ / "b") << "y";
    watch->poll();
    EXPECT_EQ(watch->opened("a"), 3U);
    EXPECT_EQ(watch->opened("b"), 1U);
    EXPECT_EQ(watch->opened("c"), 0U);
    EXPECT_EQ(watch->opened_all(), 4U);
    EXPECT_FALSE(watch->overflowed());
}

TEST_F(FileWatchTest, AMissingFolderIsAnError) {
    EXPECT_FALSE(FileWatch::open((folder_ / "missing").string()));
}

TEST(PrometheusText, AddsUpTheLabelsOfAMetric) {
    const auto told = parse_prometheus_text(
        "# HELP a_total What it is.\n# TYPE a_total counter\na_total 3\n"
        "b{upstream=\"one {two} \\\" three\"} 2.5\nb{upstream=\"x\"} 1 1700000000000\nbroken\nc{ 7\nd nonsense\n"
    );
    EXPECT_THAT(told, testing::UnorderedElementsAre(testing::Pair("a_total", 3), testing::Pair("b", 3.5)));
}

TEST(PrometheusText, NothingIsNothing) {
    EXPECT_TRUE(parse_prometheus_text("").empty());
    EXPECT_TRUE(parse_prometheus_text("\n\n").empty());
}

using ChildProcessTest = ScratchTest;

TEST_F(ChildProcessTest, ReadsTheLineThatItPrintsAndTellsHowItEnded) {
    auto child = ChildProcess::start(shell("echo noise; echo 'ready at 5'; exec sleep 60"));
    ASSERT_TRUE(child);
    const auto line = support::run_task((*child)->wait_for_line("ready at ", std::chrono::seconds(20)));
    ASSERT_TRUE(line);
    EXPECT_EQ(*line, "5");
    EXPECT_TRUE((*child)->running());
    EXPECT_TRUE(support::run_task(end(**child)));
    EXPECT_EQ((*child)->ending(), "was killed by signal 15");
}

TEST_F(ChildProcessTest, OneThatEndsBeforeItIsReadySaysWhatItPrinted) {
    auto child = ChildProcess::start(shell("echo 'no luck'; exit 4"));
    ASSERT_TRUE(child);
    const auto line = support::run_task((*child)->wait_for_line("ready", std::chrono::seconds(20)));
    ASSERT_FALSE(line);
    EXPECT_THAT(line.error().message, testing::AllOf(testing::HasSubstr("ended with status 4"), testing::HasSubstr("no luck")));
}

TEST_F(ChildProcessTest, GetsOnlyTheEnvironmentThatItIsGiven) {
    Launch launch = shell("echo \"is $ONLY,$HOME,\"; exec sleep 60");
    launch.env = {"ONLY=this"};
    auto child = ChildProcess::start(std::move(launch));
    const auto line = support::run_task((*child)->wait_for_line("is ", std::chrono::seconds(20)));
    EXPECT_EQ(*line, "this,,");
}

using MemoryLimitTest = ScratchTest;

TEST_F(MemoryLimitTest, EndsOrRefusesWhatWantsMore) {
    const MemoryLimit limit = MemoryLimit::make(64ULL * 1024 * 1024);
    // A shell variable of 256 MiB, by doubling.
    Launch launch = shell("x=0123456789abcdef; i=0; while [ $i -lt 24 ]; do x=$x$x; i=$((i+1)); done; echo ready");
    launch.limit = &limit;
    auto child = ChildProcess::start(std::move(launch));
    ASSERT_TRUE(child);
    EXPECT_FALSE(support::run_task((*child)->wait_for_line("ready", std::chrono::seconds(60))));
    EXPECT_FALSE((*child)->running());
    EXPECT_EQ(limit.oom_kills() > 0, limit.is_group());
    EXPECT_THAT(limit.kind(), testing::AnyOf("RLIMIT_DATA", testing::HasSubstr("control group")));
}

TEST_F(MemoryLimitTest, LeavesNoGroupBehind) {
    std::string group;
    {
        const MemoryLimit limit = MemoryLimit::make(64ULL * 1024 * 1024);
        Launch launch = shell("cat /proc/self/cgroup; echo; echo ready");
        launch.env = {"PATH=/usr/bin:/bin"};
        launch.limit = &limit;
        auto child = ChildProcess::start(std::move(launch));
        EXPECT_TRUE(support::run_task((*child)->wait_for_line("ready", std::chrono::seconds(20))));
        if (!limit.is_group()) {
            GTEST_SKIP() << "no control group can be made here";
        }
        const auto line = (*child)->log_end();
        EXPECT_THAT(line, testing::HasSubstr("confab-review-"));
        group = CgroupFolder::of_process(::getpid())->path();
        EXPECT_TRUE(support::run_task(end(**child)));
    }
    for (const auto& entry : fs::directory_iterator(group)) {
        EXPECT_THAT(entry.path().string(), testing::Not(testing::HasSubstr("confab-review-" + std::to_string(::getpid()))));
    }
}

}  // namespace
}  // namespace confab::review

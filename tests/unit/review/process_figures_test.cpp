#include "review/process_figures.hpp"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <unistd.h>

namespace confab::review {
namespace {

namespace fs = std::filesystem;

class ProcFolderTest : public testing::Test {
protected:
    void SetUp() override {
        root_ = fs::temp_directory_path() / ("confab-proc-" + std::to_string(::getpid()));
        fs::remove_all(root_);
    }

    void TearDown() override { fs::remove_all(root_); }

    void write(const std::string& name, const std::string& text) const {
        fs::create_directories((root_ / name).parent_path());
        std::ofstream(root_ / name) << text;
    }

    void link(const std::string& name, const std::string& to) const {
        fs::create_directories((root_ / name).parent_path());
        fs::create_symlink(to, root_ / name);
    }

    // A process as the kernel shows it; its name tries to be mistaken for the fields behind it.
    void add_process(const std::string& pid) const {
        write(pid + "/status", "Name:\tserver\nVmHWM:\t    3000 kB\nVmRSS:\t    2000 kB\nThreads:\t5\n");
        write(pid + "/stat", pid + " (ser) 1 (ver) S 1 1 1 0 -1 4194304 77 0 3 0 150 50 0 0 20 0 5 0 100 1 1\n");
        write(pid + "/comm", "server\n");
        link(pid + "/exe", "/usr/bin/server");
        link(pid + "/fd/0", "/dev/null");
        link(pid + "/fd/3", "socket:[111]");
        link(pid + "/fd/4", "socket:[222]");
        link(pid + "/fd/5", "anon_inode:[eventpoll]");
        write(
            pid + "/net/tcp",
            "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
            "   0: 0100007F:1F90 0100007F:C350 08 00000000:00000000 00:00000000 00000000     0        0 111 1 0 20 4 30 10 -1\n"
            "   1: 0100007F:1F90 0100007F:C351 01 00000000:00000000 00:00000000 00000000     0        0 222 1 0 20 4 30 10 -1\n"
            "   2: 0100007F:1F91 0100007F:C352 08 00000000:00000000 00:00000000 00000000     0        0 999 1 0 20 4 30 10 -1\n"
        );
    }

    fs::path root_;
};

TEST_F(ProcFolderTest, ReadsTheFiguresOfAProcess) {
    add_process("42");
    const auto figures = ProcFolder(root_.string()).read(42);
    ASSERT_TRUE(figures);
    EXPECT_EQ(figures->rss_bytes, 2000U * 1024);
    EXPECT_EQ(figures->peak_rss_bytes, 3000U * 1024);
    EXPECT_EQ(figures->threads, 5U);
    EXPECT_EQ(figures->minor_faults, 77U);
    EXPECT_DOUBLE_EQ(figures->cpu_seconds, 200.0 / static_cast<double>(::sysconf(_SC_CLK_TCK)));
    EXPECT_EQ(figures->descriptors, 4U);
    EXPECT_EQ(figures->sockets, 2U);
    EXPECT_EQ(figures->files, 1U);
}

TEST_F(ProcFolderTest, CountsOnlyTheHalfClosedSocketsOfTheProcessItself) {
    add_process("42");
    EXPECT_EQ(ProcFolder(root_.string()).read(42)->half_closed, 1U);
}

TEST_F(ProcFolderTest, SaysWhenDescriptorsCannotBeSeen) {
    add_process("42");
    fs::remove_all(root_ / "42/fd");
    EXPECT_FALSE(ProcFolder(root_.string()).read(42)->sees_descriptors);
}

TEST_F(ProcFolderTest, AddsSeveralProcessesUpAndLeavesOutThoseThatEnded) {
    add_process("42");
    add_process("43");
    const auto figures = ProcFolder(root_.string()).read_all({42, 43, 44});
    ASSERT_TRUE(figures);
    EXPECT_EQ(figures->rss_bytes, 2 * 2000U * 1024);
    EXPECT_EQ(figures->descriptors, 8U);
}

TEST_F(ProcFolderTest, AProcessThatIsGoneIsNotFound) {
    fs::create_directories(root_);
    const ProcFolder proc(root_.string());
    EXPECT_EQ(proc.read(42).error().errc, base::Errc::not_found);
    EXPECT_EQ(proc.read_all({42}).error().errc, base::Errc::not_found);
    write("43/stat", "43 (server) Z 1 1 1 0 -1 4194304 77 0 3 0 150 50 0 0 20 0 5 0 100 1 1\n");
    EXPECT_EQ(proc.read(43).error().errc, base::Errc::not_found);
}

TEST_F(ProcFolderTest, FindsProcessesByTheirNameOrTheirProgram) {
    add_process("43");
    add_process("42");
    write("99/comm", "other\n");
    write("self/comm", "server\n");
    const ProcFolder proc(root_.string());
    EXPECT_THAT(*proc.find("server"), testing::ElementsAre(42, 43));
    EXPECT_EQ(proc.find("nothing").error().errc, base::Errc::not_found);
}

TEST(ProcFolder, SeesThisProcess) {
    const ProcFolder proc;
    const auto before = proc.read(::getpid());
    ASSERT_TRUE(before);
    EXPECT_GT(before->rss_bytes, 1024U * 1024);
    EXPECT_GT(before->cpu_seconds, 0);
    {
        const std::ifstream one("/dev/null");
        EXPECT_EQ(proc.read(::getpid())->descriptors, before->descriptors + 1);
    }
    EXPECT_EQ(proc.read(::getpid())->descriptors, before->descriptors);
}

}  // namespace
}  // namespace confab::review

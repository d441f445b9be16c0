#include "review/cgroup_figures.hpp"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <unistd.h>

namespace confab::review {
namespace {

namespace fs = std::filesystem;

class CgroupFolderTest : public testing::Test {
protected:
    void SetUp() override {
        root_ = fs::temp_directory_path() / ("confab-cgroup-" + std::to_string(::getpid()));
        fs::remove_all(root_);
    }

    void TearDown() override { fs::remove_all(root_); }

    void write(const std::string& name, const std::string& text) const {
        fs::create_directories((root_ / name).parent_path());
        std::ofstream(root_ / name) << text;
    }

    fs::path root_;
};

TEST_F(CgroupFolderTest, ReadsVersionTwo) {
    write("g/memory.current", "1000\n");
    write("g/memory.max", "5000\n");
    write("g/memory.events", "low 0\nhigh 4\nmax 5\noom 2\noom_kill 1\noom_group_kill 0\n");
    const auto figures = CgroupFolder((root_ / "g").string()).read();
    ASSERT_TRUE(figures);
    EXPECT_EQ(figures->used_bytes, 1000U);
    EXPECT_EQ(figures->limit_bytes, 5000U);
    EXPECT_EQ(figures->oom_kills, 1U);
}

TEST_F(CgroupFolderTest, VersionTwoWithoutALimit) {
    write("g/memory.current", "1000\n");
    write("g/memory.max", "max\n");
    EXPECT_FALSE(CgroupFolder((root_ / "g").string()).read()->limit_bytes);
}

TEST_F(CgroupFolderTest, ReadsVersionOne) {
    write("g/memory.usage_in_bytes", "1000\n");
    write("g/memory.limit_in_bytes", "5000\n");
    write("g/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n");
    const auto figures = CgroupFolder((root_ / "g").string()).read();
    ASSERT_TRUE(figures);
    EXPECT_EQ(figures->limit_bytes, 5000U);
    EXPECT_EQ(figures->oom_kills, 3U);
}

TEST_F(CgroupFolderTest, VersionOneWithoutALimit) {
    write("g/memory.usage_in_bytes", "1000\n");
    write("g/memory.limit_in_bytes", "9223372036854771712\n");
    EXPECT_FALSE(CgroupFolder((root_ / "g").string()).read()->limit_bytes);
}

TEST_F(CgroupFolderTest, AFolderWithoutFiguresIsNotFound) {
    fs::create_directories(root_);
    EXPECT_EQ(CgroupFolder(root_.string()).read().error().errc, base::Errc::not_found);
    EXPECT_EQ(CgroupFolder(root_.string()).processes().error().errc, base::Errc::not_found);
}

TEST_F(CgroupFolderTest, ListsItsProcesses) {
    write("g/cgroup.procs", "12\n345\n");
    EXPECT_THAT(*CgroupFolder((root_ / "g").string()).processes(), testing::ElementsAre(12, 345));
}

TEST_F(CgroupFolderTest, FindsTheGroupOfAProcess) {
    write("proc/7/cgroup", "5:cpu:/x\n4:memory:/apps/chat\n0::/\n");
    const auto one = CgroupFolder::of_process(7, (root_ / "proc").string(), "/mnt");
    ASSERT_TRUE(one);
    EXPECT_EQ(one->path(), "/mnt/memory/apps/chat");
    write("proc/8/cgroup", "0::/apps/chat\n");
    write("mnt/apps/chat/memory.current", "1\n");
    const auto two = CgroupFolder::of_process(8, (root_ / "proc").string(), (root_ / "mnt").string());
    ASSERT_TRUE(two);
    EXPECT_EQ(two->path(), (root_ / "mnt/apps/chat").string());
    EXPECT_FALSE(CgroupFolder::of_process(9, (root_ / "proc").string(), (root_ / "mnt").string()));
}

}  // namespace
}  // namespace confab::review

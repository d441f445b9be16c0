#include "meter/memory_bounds.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <unistd.h>

namespace confab::meter {
namespace {

constexpr std::uint64_t kMebibyte = 1024 * 1024;

// A folder that looks like the root of a machine with 1 GiB.
class MemoryBounds : public ::testing::Test {
protected:
    MemoryBounds() {
        root_ = std::filesystem::temp_directory_path() / ("confab-bounds-" + std::to_string(::getpid()));
        std::filesystem::remove_all(root_);
        put("proc/meminfo", "MemTotal:        1048576 kB\nMemFree:          524288 kB\n");
        put("proc/self/statm", "9000 5000 1000 5 0 123 0\n");
        put("proc/self/cgroup", "");
    }

    ~MemoryBounds() override { std::filesystem::remove_all(root_); }

    void put(const std::string& path, const std::string& text) const {
        const std::filesystem::path full = root_ / path;
        std::filesystem::create_directories(full.parent_path());
        std::ofstream(full) << text;
    }

    std::vector<MemoryBound> bounds(std::uint64_t configured_bytes = 0) const {
        return find_memory_bounds(configured_bytes, root_.string());
    }

    MemoryReading reading(std::uint64_t configured_bytes = 0) const {
        return MemoryMeter(bounds(configured_bytes), root_.string()).read();
    }

    std::filesystem::path root_;
};

TEST_F(MemoryBounds, are_the_machine_and_the_process_without_a_group) {
    EXPECT_EQ(least_limit(bounds()), 1024 * kMebibyte);
    const auto read = reading();
    EXPECT_EQ(read.source, BoundSource::machine);
    EXPECT_EQ(read.usage_bytes, 4000U * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE))) << "resident less files";
}

TEST_F(MemoryBounds, take_what_is_configured_when_it_is_less) {
    EXPECT_EQ(least_limit(bounds(64 * kMebibyte)), 64 * kMebibyte);
    EXPECT_EQ(reading(64 * kMebibyte).source, BoundSource::configured);
    EXPECT_EQ(least_limit(bounds(4096 * kMebibyte)), 1024 * kMebibyte) << "the machine has no more";
}

TEST_F(MemoryBounds, of_version_2_are_the_least_of_max_and_high_on_the_way_up) {
    put("proc/self/cgroup", "0::/system.slice/confab.service\n");
    put("sys/fs/cgroup/system.slice/confab.service/memory.max", "max\n");
    put("sys/fs/cgroup/system.slice/confab.service/memory.high", "314572800\n");
    put("sys/fs/cgroup/system.slice/memory.max", "209715200\n");
    EXPECT_EQ(least_limit(bounds()), 200 * kMebibyte);
    put("sys/fs/cgroup/system.slice/memory.max", "max\n");
    EXPECT_EQ(least_limit(bounds()), 300 * kMebibyte);
}

TEST_F(MemoryBounds, of_a_container_stand_at_the_mount_point_when_the_path_is_the_hosts) {
    put("proc/self/cgroup", "0::/docker/0123456789abcdef\n");
    put("sys/fs/cgroup/memory.max", "201326592\n");
    EXPECT_EQ(least_limit(bounds()), 192 * kMebibyte);
    put("proc/self/cgroup", "0::/\n");
    EXPECT_EQ(least_limit(bounds()), 192 * kMebibyte);
}

TEST_F(MemoryBounds, of_version_1_are_found_beside_other_controllers_and_ignore_no_limit) {
    put("proc/self/cgroup", "9:name=systemd:/\n4:hugetlb,memory:/a/b\n3:cpu,cpuacct:/x\n0::/\n");
    put("sys/fs/cgroup/memory/a/b/memory.limit_in_bytes", "9223372036854771712\n");
    put("sys/fs/cgroup/memory/a/memory.limit_in_bytes", "201326592\n");
    EXPECT_EQ(least_limit(bounds()), 192 * kMebibyte);
    EXPECT_EQ(std::ranges::count(bounds(), BoundSource::cgroup1, &MemoryBound::source), 1);
}

TEST_F(MemoryBounds, of_version_2_count_what_the_kernel_cannot_take_back) {
    put("proc/self/cgroup", "0::/c\n");
    put("sys/fs/cgroup/c/memory.max", "201326592\n");
    put("sys/fs/cgroup/c/memory.current", "199999999\n");  // mostly page cache: does not count
    put("sys/fs/cgroup/c/memory.stat",
        "anon 104857600\nfile 90000000\nkernel 10485760\nkernel_stack 65536\nsock 2097152\nshmem 0\n"
        "slab_reclaimable 4194304\nslab_unreclaimable 1048576\nanon_thp 33554432\n");
    const auto read = reading();
    EXPECT_EQ(read.source, BoundSource::cgroup2);
    EXPECT_EQ(read.usage_bytes, (100 + 10 + 2 - 4) * kMebibyte);
    EXPECT_DOUBLE_EQ(read.fraction(), 108.0 / 192.0);
}

TEST_F(MemoryBounds, of_version_2_add_up_the_parts_where_an_old_kernel_tells_no_sum) {
    put("proc/self/cgroup", "0::/c\n");
    put("sys/fs/cgroup/c/memory.max", "104857600\n");
    put("sys/fs/cgroup/c/memory.stat",
        "anon 52428800\nkernel_stack 1048576\npagetables 2097152\npercpu 0\nsock 0\n"
        "slab_reclaimable 9437184\nslab_unreclaimable 3145728\n");
    EXPECT_EQ(reading().usage_bytes, (50 + 1 + 2 + 3) * kMebibyte);
}

TEST_F(MemoryBounds, of_version_1_count_the_group_with_all_below_it_and_its_sockets) {
    put("proc/self/cgroup", "4:memory:/c\n");
    put("sys/fs/cgroup/memory/c/memory.limit_in_bytes", "201326592\n");
    put("sys/fs/cgroup/memory/c/memory.stat",
        "cache 99999999\nrss 1048576\ntotal_cache 99999999\ntotal_rss 73400320\n");
    put("sys/fs/cgroup/memory/c/memory.kmem.usage_in_bytes", "5242880\n");
    put("sys/fs/cgroup/memory/c/memory.kmem.tcp.usage_in_bytes", "1048576\n");
    const auto read = reading();
    EXPECT_EQ(read.source, BoundSource::cgroup1);
    EXPECT_EQ(read.usage_bytes, (70 + 5 + 1) * kMebibyte);
}

TEST_F(MemoryBounds, give_the_one_that_is_nearest_to_being_reached) {
    put("proc/self/cgroup", "0::/parent/child\n");
    put("sys/fs/cgroup/parent/child/memory.max", "104857600\n");  // 100 MiB, 10 used
    put("sys/fs/cgroup/parent/child/memory.stat", "anon 10485760\nkernel 0\nsock 0\n");
    put("sys/fs/cgroup/parent/memory.max", "209715200\n");  // 200 MiB, 190 used: by others, but it is reached first
    put("sys/fs/cgroup/parent/memory.stat", "anon 199229440\nkernel 0\nsock 0\n");
    const auto read = reading();
    EXPECT_EQ(read.limit_bytes, 200 * kMebibyte);
    EXPECT_EQ(read.usage_bytes, 190 * kMebibyte);
}

TEST_F(MemoryBounds, are_read_anew_each_time) {
    put("proc/self/cgroup", "0::/c\n");
    put("sys/fs/cgroup/c/memory.max", "104857600\n");
    put("sys/fs/cgroup/c/memory.stat", "anon 20971520\n");
    MemoryMeter meter(bounds(), root_.string());
    EXPECT_EQ(meter.read().usage_bytes, 20 * kMebibyte);
    put("sys/fs/cgroup/c/memory.stat", "anon 94371840\n");
    EXPECT_EQ(meter.read().usage_bytes, 90 * kMebibyte);
    EXPECT_EQ(meter.limit_bytes(), 100 * kMebibyte);
}

TEST(MemoryMeter, reads_this_process) {
    MemoryMeter meter(find_memory_bounds(std::uint64_t{1} << 60));
    EXPECT_GT(meter.limit_bytes(), 16 * kMebibyte);
    EXPECT_LT(meter.limit_bytes(), std::uint64_t{1} << 50) << "the machine has less";
    const auto read = meter.read();
    EXPECT_GT(read.usage_bytes, 1024U);
    EXPECT_LT(read.fraction(), 1.0);
}

}  // namespace
}  // namespace confab::meter

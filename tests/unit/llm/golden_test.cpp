// tests/golden/upstreams: what servers really send, beside what Confab makes of it. Each file is fed whole, byte by
// byte, and cut in two at every offset; all must give the same. CONFAB_UPDATE_GOLDEN=1 rewrites the expectations: read
// the difference.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <gtest/gtest.h>

#include "recorder.hpp"

namespace confab::llm {
namespace {

namespace fs = std::filesystem;

const fs::path kFolder = fs::path(CONFAB_TESTS_DIR) / "golden" / "upstreams";

std::string read_file(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<std::string> names() {
    std::vector<std::string> result;
    for (const auto& entry : fs::directory_iterator(kFolder)) {
        if (entry.path().extension() != ".expected") {
            result.push_back(entry.path().filename().string());
        }
    }
    std::ranges::sort(result);
    return result;
}

std::string_view content_type(const fs::path& path) {
    if (path.extension() == ".json") {
        return "application/json";
    }
    return path.extension() == ".html" ? "text/html; charset=utf-8" : "text/event-stream";
}

std::string parse(const fs::path& path, const std::vector<std::string_view>& pieces, std::string_view source) {
    Recorder recorder;
    CompletionStream stream(recorder);
    stream.begin(content_type(path));
    for (const std::string_view piece : pieces) {
        const std::string copy(piece);  // so that a view kept too long is found by the address sanitizer
        stream.feed(copy);
    }
    const Outcome outcome = stream.finish();
    EXPECT_TRUE(stream.done());
    return recorder.rendered(source) + rendered(outcome);
}

class Golden : public testing::TestWithParam<std::string> {};

TEST_P(Golden, is_understood_however_the_bytes_are_cut) {
    const fs::path path = kFolder / GetParam();
    const fs::path expected_path = kFolder / (path.stem().string() + ".expected");
    const std::string source = read_file(path);
    const std::string whole = parse(path, {source}, source);
    if (std::getenv("CONFAB_UPDATE_GOLDEN") != nullptr) {
        std::ofstream(expected_path, std::ios::binary) << whole;
    }
    ASSERT_TRUE(fs::exists(expected_path)) << "run once with CONFAB_UPDATE_GOLDEN=1 and read what it wrote";
    EXPECT_EQ(whole, read_file(expected_path));

    std::vector<std::string_view> bytes;
    for (std::size_t i = 0; i < source.size(); ++i) {
        bytes.push_back(std::string_view(source).substr(i, 1));
    }
    EXPECT_EQ(parse(path, bytes, source), whole) << "byte by byte";
    for (std::size_t cut = 0; cut <= source.size(); ++cut) {
        const std::string_view view(source);
        ASSERT_EQ(parse(path, {view.substr(0, cut), view.substr(cut)}, source), whole) << "cut at byte " << cut;
    }
}

std::string test_name(const testing::TestParamInfo<std::string>& info) {
    std::string name = info.param.substr(0, info.param.find('.'));
    return name;
}

INSTANTIATE_TEST_SUITE_P(upstreams, Golden, testing::ValuesIn(names()), test_name);

}  // namespace
}  // namespace confab::llm

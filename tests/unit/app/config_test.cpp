#include "app/config.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <unistd.h>

namespace confab::app {
namespace {

class ConfigTest : public testing::Test {
protected:
    void SetUp() override {
        folder_ = std::filesystem::temp_directory_path() / ("confab-config-" + std::to_string(::getpid()));
        std::filesystem::create_directories(folder_);
        for (const char* name :
             {"CONFAB_LISTEN",
              "CONFAB_DATA_DIR",
              "CONFAB_CONFIG",
              "CONFAB_ALLOWED_HOSTS",
              "OPENAI_API_KEY",
              "OPENAI_BASE_URL",
              "OPENAI_API_BASE_URL",
              "OLLAMA_BASE_URL"}) {
            ::unsetenv(name);
        }
        ::setenv("XDG_DATA_HOME", "/data-home", 1);
        ::setenv("XDG_CONFIG_HOME", folder_.c_str(), 1);
    }

    void TearDown() override { std::filesystem::remove_all(folder_); }

    std::string write(const std::string& text) {
        const std::string path = folder_ / "test.toml";
        std::ofstream(path) << text;
        return path;
    }

    std::filesystem::path folder_;
    Flags flags_;
};

TEST_F(ConfigTest, HasSaneDefaults) {
    const auto config = load_config(flags_);
    ASSERT_TRUE(config) << config.error().message;
    EXPECT_EQ(config->listen, "127.0.0.1:8420");
    EXPECT_EQ(config->data_dir, "/data-home/confab");
    EXPECT_TRUE(config->upstreams.empty());
    EXPECT_EQ(config->origins.at("listen"), "default");
}

TEST_F(ConfigTest, AFlagBeatsTheEnvironmentBeatsTheFile) {
    flags_.config_path = write("listen = \"127.0.0.1:1\"\ndata_dir = \"/from-file\"\nlog_level = \"warn\"\n");
    ::setenv("CONFAB_LISTEN", "127.0.0.1:2", 1);
    ::setenv("CONFAB_DATA_DIR", "/from-environment", 1);
    flags_.listen = "127.0.0.1:3";
    const auto config = load_config(flags_);
    ASSERT_TRUE(config);
    EXPECT_EQ(config->listen, "127.0.0.1:3");
    EXPECT_EQ(config->data_dir, "/from-environment");
    EXPECT_EQ(config->log_level, "warn");
    EXPECT_EQ(config->origins.at("listen"), "flag");
    EXPECT_EQ(config->origins.at("data_dir"), "environment CONFAB_DATA_DIR");
    EXPECT_THAT(config->origins.at("log_level"), testing::StartsWith("file "));
}

TEST_F(ConfigTest, ListsUpstreamsOfTheEnvironmentFirst) {
    flags_.config_path = write(
        "[[upstream]]\nname = \"big\"\nbase_url = \"http://10.0.0.1:8000/v1/\"\nmodels = [\"llama-*\"]\ncontext_tokens "
        "= 8192\n"
    );
    ::setenv("OPENAI_BASE_URL", "https://example.com/v1", 1);
    ::setenv("OPENAI_API_KEY", "canary-key", 1);
    ::setenv("OLLAMA_BASE_URL", "http://127.0.0.1:11434/", 1);
    const auto config = load_config(flags_);
    ASSERT_TRUE(config) << config.error().message;
    ASSERT_EQ(config->upstreams.size(), 3U);
    EXPECT_EQ(config->upstreams[0].api_key, "canary-key");
    EXPECT_EQ(config->upstreams[1].base_url, "http://127.0.0.1:11434/v1");
    EXPECT_EQ(config->upstreams[2].base_url, "http://10.0.0.1:8000/v1");
    EXPECT_EQ(config->upstreams[2].context_tokens, 8192);
    EXPECT_TRUE(config->upstreams[2].offers("llama-3"));
    EXPECT_FALSE(config->upstreams[2].offers("qwen"));
    EXPECT_EQ(describe(*config).find("canary-key"), std::string::npos);
}

TEST_F(ConfigTest, RefusesToListenBeyondThisMachineUnlessToldSo) {
    flags_.listen = "0.0.0.0:8420";
    const auto refused = load_config(flags_);
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message, testing::HasSubstr("--insecure-listen"));
    flags_.insecure_listen = true;
    EXPECT_TRUE(load_config(flags_));
}

TEST_F(ConfigTest, NamesWhatIsWrong) {
    flags_.config_path = write("listen = [\n");
    EXPECT_THAT(load_config(flags_).error().message, testing::HasSubstr("test.toml"));
    flags_.config_path = folder_ / "missing.toml";
    EXPECT_THAT(load_config(flags_).error().message, testing::HasSubstr("missing.toml"));
    flags_.config_path = write("[[upstream]]\nname = \"x\"\nbase_url = \"ftp://x\"\n");
    EXPECT_THAT(load_config(flags_).error().message, testing::HasSubstr("base URL"));
    flags_.config_path = write("shards = \"many\"\n");
    EXPECT_THAT(load_config(flags_).error().message, testing::HasSubstr("shards"));
}

TEST_F(ConfigTest, ParsesAddresses) {
    EXPECT_TRUE(parse_listen("127.0.0.1:0")->loopback);
    EXPECT_TRUE(parse_listen("[::1]:80")->loopback);
    EXPECT_TRUE(parse_listen("localhost:80")->loopback);
    EXPECT_FALSE(parse_listen("0.0.0.0:80")->loopback);
    for (const char* text :
         {"", "8420", "127.0.0.1", "127.0.0.1:", "127.0.0.1:99999", "example.com:80", "127.0.0.1:80x"}) {
        EXPECT_FALSE(parse_listen(text)) << text;
    }
}

}  // namespace
}  // namespace confab::app

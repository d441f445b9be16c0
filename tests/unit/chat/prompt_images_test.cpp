#include "chat/prompt_images.hpp"

#include <filesystem>
#include <fstream>
#include <map>

#include <gtest/gtest.h>

#include "base/base64.hpp"
#include "llm/chat_request.hpp"
#include "net/body_feed.hpp"
#include "store/blobs.hpp"
#include "support/run_task.hpp"

namespace confab::chat {
namespace {

using net::Task;
using store::FileId;
using store::StoredFile;
using store::UserNo;
using support::run_task;

class FakeFiles final : public store::FileStore {
public:
    Task<store::Result<StoredFile>> create_file(store::NewFile file) override { co_return file.file; }

    Task<store::Result<StoredFile>> find_file(UserNo user, FileId id) override {
        const auto found = files.find(id.str());
        if (broken) {
            co_return base::fail(base::Errc::unavailable, "busy", "overloaded");
        }
        if (found == files.end() || found->second.user != user) {
            co_return base::not_found("none");
        }
        co_return found->second;
    }

    Task<store::Result<store::Page<StoredFile>>> list_files(UserNo, store::PageRequest<FileId>) override {
        co_return store::Page<StoredFile>{};
    }

    Task<store::Status> delete_file(UserNo, FileId) override { co_return store::Status{}; }

    std::map<std::string, StoredFile> files;
    bool broken = false;
};

constexpr UserNo kAda{1};
constexpr UserNo kBob{2};

class PromptImagesTest : public testing::Test {
protected:
    PromptImagesTest() {
        std::string name = (std::filesystem::temp_directory_path() / "confab-images-XXXXXX").string();
        EXPECT_NE(::mkdtemp(name.data()), nullptr);
        dir_ = name;
        EXPECT_TRUE(store::prepare_blob_dir(dir_));
        blobs_ = std::make_unique<store::BlobDisk>(dir_);
    }

    ~PromptImagesTest() override {
        blobs_.reset();
        std::filesystem::remove_all(dir_);
    }

    FileId add(const std::string& bytes, UserNo user = kAda) {
        StoredFile file;
        file.id = FileId::make();
        file.user = user;
        file.bytes = static_cast<std::int64_t>(bytes.size());
        file.media_type = "image/png";
        file.hash[0] = static_cast<std::uint8_t>(files_.files.size());
        const std::string path = store::blob_path(dir_, file.hash);
        std::filesystem::create_directories(std::filesystem::path(path).parent_path());
        std::ofstream(path, std::ios::binary) << bytes;
        files_.files[file.id.str()] = file;
        return file.id;
    }

    // What chat_content leaves of one image.
    static std::string content(const std::vector<FileId>& ids) {
        std::string parts = R"([{"type":"input_text","text":"Look:"})";
        for (const FileId& id : ids) {
            parts += R"(,{"type":"input_image","detail":"low","file_id":")" + id.str() + "\"}";
        }
        return llm::chat_content(parts + "]").value();
    }

    base::Status insert(net::BodySource& body) {
        meter::Lease lease = *budget_.try_lease(1);
        return run_task(PromptImages(files_, *blobs_, kAda).insert(body, lease));
    }

    // The whole body, as it would be sent.
    static std::string send(const net::BodySource& body) {
        net::asio::io_context context;
        const auto guard = net::asio::make_work_guard(context);
        net::BodyFeed feed(body, context.get_executor(), [] {});
        std::string all;
        char out[1000];
        while (true) {
            const auto taken = feed.read(out, sizeof out);
            if (taken.state == net::BodyFeed::State::bytes) {
                all.append(out, taken.count);
            } else if (taken.state == net::BodyFeed::State::wait) {
                context.run_one();
            } else {
                EXPECT_EQ(taken.state, net::BodyFeed::State::end);
                return all;
            }
        }
    }

    std::string dir_;
    FakeFiles files_;
    std::unique_ptr<store::BlobDisk> blobs_;
    meter::ByteBudget budget_{1'000'000};
};

TEST_F(PromptImagesTest, AreReadFromTheDiskWhileTheyAreSent) {
    for (const std::size_t size : {1UL, 2UL, 3UL, 49'151UL, 49'152UL, 49'153UL, 200'000UL}) {
        std::string bytes(size, '\0');
        for (std::size_t i = 0; i < size; ++i) {
            bytes[i] = static_cast<char>(i * 31 + i / 1000);
        }
        net::BodySource body(content({add(bytes)}));
        ASSERT_TRUE(insert(body));
        EXPECT_LT(body.text.size(), 200U) << "the image itself is not in memory";
        const std::string expected =
            R"([{"type":"text","text":"Look:"},{"type":"image_url","image_url":{"url":"data:image/png;base64,)" +
            base::base64_encode(bytes) + R"(","detail":"low"}}])";
        EXPECT_EQ(body.size(), expected.size());
        EXPECT_EQ(send(body), expected) << size;
        EXPECT_EQ(send(body), expected) << "once more, for a retry";
    }
}

TEST_F(PromptImagesTest, ATextWithoutImagesStaysAsItIs) {
    net::BodySource body(std::string("{\"messages\":[]}"));
    ASSERT_TRUE(insert(body));
    EXPECT_EQ(body.text, "{\"messages\":[]}");
    EXPECT_TRUE(body.insertions.empty());
}

TEST_F(PromptImagesTest, GoneAndForeignOnesLeaveANote) {
    net::BodySource body(content({FileId::make(), add("his", kBob)}));
    ASSERT_TRUE(insert(body));
    const std::string note = R"(,{"type":"text","text":")" + std::string(kGoneImageNote) + "\"}";
    EXPECT_EQ(send(body), R"([{"type":"text","text":"Look:"})" + note + note + "]");
}

TEST_F(PromptImagesTest, OnlyTheNewestAreSent) {
    std::vector<FileId> ids;
    for (std::size_t i = 0; i < kPromptImagesMax + 2; ++i) {
        ids.push_back(add("image " + std::to_string(i)));
    }
    net::BodySource body(content(ids));
    ASSERT_TRUE(insert(body));
    EXPECT_EQ(body.insertions.size(), kPromptImagesMax);
    const std::string sent = send(body);
    EXPECT_EQ(sent.find(base::base64_encode("image 1")), std::string::npos);
    EXPECT_NE(sent.find(base::base64_encode("image 2")), std::string::npos);
    EXPECT_NE(sent.find(kOlderImageNote), std::string::npos);
}

TEST_F(PromptImagesTest, ABusyStoreIsAnErrorAndNoNote) {
    net::BodySource body(content({add("x")}));
    files_.broken = true;
    EXPECT_EQ(insert(body).error().code, "overloaded");
}

TEST_F(PromptImagesTest, TheMarkCannotComeFromAText) {
    const std::string id = add("secret").str();
    std::string text;
    base::JsonWriter(text).value(std::string(1, llm::kImageMark) + id + " auto" + llm::kImageMark);
    EXPECT_EQ(text.find(llm::kImageMark), std::string::npos);
    const std::string parts =
        R"([{"type":"text","text":"\u0001)" + id + R"( auto\u0001"},{"type":"file","x":"\u0001"}])";
    EXPECT_EQ(llm::chat_content(parts).value().find(llm::kImageMark), std::string::npos);
    const std::string in_id = R"([{"type":"input_image","file_id":"a\u0001b"}])";
    EXPECT_FALSE(llm::chat_content(in_id));
}

}  // namespace
}  // namespace confab::chat

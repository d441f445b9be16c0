// Confab's own export: what it says comes back, and what it says of others does not matter.
#include "base/base64.hpp"
#include "chat/item_json.hpp"
#include "import_fixture.hpp"
#include "transfer/conversation_builder.hpp"

namespace confab::transfer {
namespace {

constexpr const char* kHeader = R"({"type":"confab_export","version":1,"exported_at":1700000000,"product":"confab 0.1.0"})";

class ConfabImport : public ImportTest {
protected:
    std::string conversation(store::ConversationId id, const std::string& head, const std::string& more = "") {
        return R"({"type":"conversation","id":")" + id.str() +
               R"(","title":"Kept","model":"m","instructions":"Be brief.","metadata":{"a":"b"},"pinned":true,"archived":false,)" +
               R"("folder_id":null,"tags":[],"compaction":null,"created_at":1600000000,"updated_at":1600000100,"head_item_id":")" +
               head + "\"" + more + "}\n";
    }

    std::string item(const std::string& parent, const std::string& rendered) {
        return R"({"type":"item","parent_id":)" + (parent.empty() ? "null" : "\"" + parent + "\"") + R"(,"item":)" + rendered +
               "}\n";
    }

    std::string message(store::ItemId id, const std::string& text, const std::string& role = "user") {
        const std::string part = role == "assistant"
                                     ? R"({"type":"output_text","text":")" + text + R"(","annotations":[],"logprobs":[]})"
                                     : R"({"type":"input_text","text":")" + text + R"("})";
        return R"({"id":")" + id.str() + R"(","type":"message","status":"completed","role":")" + role + R"(","content":[)" +
               part + R"(],"created_at":1600000001})";
    }

    std::string whole(const std::string& lines) {
        return std::string(kHeader) + "\n" + lines + R"({"type":"end","conversations":1,"items":1,"files":0})" + "\n";
    }

    store::ConversationId conversation_ = store::ConversationId::make();
    std::vector<store::ItemId> ids_{store::ItemId::make(), store::ItemId::make(), store::ItemId::make(), store::ItemId::make()};
};

TEST_F(ConfabImport, KeepsIdsTimesAndBranches) {
    const std::string text = whole(
        conversation(conversation_, ids_[3].str()) + item("", message(ids_[0], "Q")) +
        item(ids_[0].str(), message(ids_[1], "A", "assistant")) + item(ids_[0].str(), message(ids_[2], "B", "assistant")) +
        item(ids_[2].str(), message(ids_[3], "More"))
    );
    EXPECT_EQ(import_text(text), "");
    EXPECT_EQ(counts(), "1 4 0 0");
    const auto all = conversations();
    ASSERT_EQ(all.size(), 1U);
    EXPECT_EQ(all[0].id, conversation_);
    EXPECT_EQ(all[0].head, ids_[3]);
    EXPECT_EQ(all[0].title, "Kept");
    EXPECT_EQ(all[0].instructions, "Be brief.");
    EXPECT_EQ(all[0].metadata, R"({"a":"b"})");
    EXPECT_TRUE(all[0].pinned);
    EXPECT_EQ(all[0].created_at, 1'600'000'000);
    EXPECT_EQ(all[0].updated_at, 1'600'000'100);
    EXPECT_EQ(shown(conversation_), "user:Q assistant:B user:More");
    EXPECT_EQ(good(run_task(store_->find_item(ada_.no, conversation_, ids_[1]))).body, "A");
    EXPECT_EQ(import_text(text), "");
    EXPECT_EQ(counts(), "0 0 4 0");
    EXPECT_EQ(conversations().size(), 1U);
}

// Every kind of item is rendered again as it was.
TEST_F(ConfabImport, ItemsComeBackAsTheyWere) {
    const auto run = store::ResponseId::make().str();
    const auto id = [](base::ItemType type) { return store::ItemId::make(type); };
    const std::string facts = R"(,"created_at":1600000001,"response_id":")" + run + R"(","model":"gpt-x")";
    const std::string other_facts =
        R"(,"created_at":1600000001,"response_id":")" + store::ResponseId::make().str() + R"(","model":"gpt-y")";
    const std::string measures =
        R"(,"usage":{"input_tokens":7,"output_tokens":31,"total_tokens":38},"timing":{"first_token_ms":120,"duration_ms":1120,"tokens_per_second":31})";
    const std::vector<std::pair<store::ItemId, std::string>> kinds{
        {id(base::ItemType::message), R"("type":"message","status":"completed","role":"user","content":[{"type":"input_text","text":"Hi"},{"type":"input_text","text":"there"}],"created_at":1600000001)"},
        {id(base::ItemType::message), R"("type":"message","status":"completed","role":"developer","content":[{"type":"input_text","text":"\u0001\"x\\"}],"created_at":1600000001)"},
        {id(base::ItemType::reasoning), R"("type":"reasoning","status":"completed","summary":[{"type":"summary_text","text":"Hm"}])" + facts},
        {id(base::ItemType::reasoning), R"("type":"reasoning","status":"completed","summary":[],"encrypted_content":"abc")" + facts},
        {id(base::ItemType::function_call), R"("type":"function_call","status":"completed","call_id":"c1","name":"f","arguments":"{\"a\":1}")" + facts},
        {id(base::ItemType::function_call_output), R"("type":"function_call_output","status":"completed","call_id":"c1","output":"done","created_at":1600000001)"},
        {id(base::ItemType::other), R"("type":"web_search_call","status":"completed","action":{"q":[1,2]})" + other_facts},
        {id(base::ItemType::message), R"("type":"message","status":"incomplete","role":"assistant","content":[{"type":"output_text","text":"Part","annotations":[],"logprobs":[]}])" + other_facts + measures},
        {id(base::ItemType::message), R"("type":"message","status":"completed","role":"assistant","content":[{"type":"refusal","refusal":"No."}])" + other_facts + measures},
    };
    std::string lines = conversation(conversation_, kinds.back().first.str());
    std::string parent;
    std::vector<std::string> given;
    for (const auto& [number, members] : kinds) {
        given.push_back(R"({"id":")" + number.str() + "\"," + members + "}");
        lines += item(parent, given.back());
        parent = number.str();
    }
    EXPECT_EQ(import_text(whole(lines)), "");
    EXPECT_EQ(counts(), "1 9 0 0");
    for (std::size_t i = 0; i < kinds.size(); ++i) {
        auto stored = good(run_task(store_->find_item(ada_.no, conversation_, kinds[i].first)));
        EXPECT_EQ(stored.position, static_cast<store::Position>(i + 1));
        stored.position = 0;  // then it is rendered without its place
        std::string rendered;
        chat::render_item(rendered, stored);
        EXPECT_EQ(rendered, given[i]) << i;
        const bool said = i == 0 || i == 1 || i == 4 || i == 5 || i >= 7;
        EXPECT_EQ(stored.tokens > 0, said) << i;
    }
}

TEST_F(ConfabImport, IdsOfOthersAreReplacedAndTheirRowsStay) {
    const std::string text = whole(
        conversation(conversation_, ids_[1].str()) + item("", message(ids_[0], "Mine")) +
        item(ids_[0].str(), message(ids_[1], "Also mine", "assistant"))
    );
    EXPECT_EQ(import_text(text), "");
    const store::User eve = make("eve@example.org");
    const std::string theirs = whole(
        conversation(conversation_, ids_[1].str()) + item("", message(ids_[0], "Evil")) +
        item(ids_[0].str(), message(ids_[1], "Evil too", "assistant"))
    );
    const std::string file = write_file("eve.ndjson", theirs);
    EXPECT_EQ(import(file, eve), "");
    EXPECT_EQ(counts(), "1 2 0 0");
    EXPECT_EQ(import(file, eve), "");
    EXPECT_EQ(counts(), "0 0 2 0");
    ASSERT_EQ(conversations(eve).size(), 1U);
    EXPECT_NE(conversations(eve)[0].id, conversation_);
    EXPECT_EQ(shown(conversations(eve)[0].id, eve), "user:Evil assistant:Evil too");
    EXPECT_EQ(shown(conversation_), "user:Mine assistant:Also mine");

    // A conversation of one's own whose items have others' ids.
    const auto own = store::ConversationId::make();
    const std::string mixed = write_file("mixed.ndjson", whole(conversation(own, ids_[0].str()) + item("", message(ids_[0], "Taken"))));
    EXPECT_EQ(import(mixed, eve), "");
    EXPECT_EQ(counts(), "1 1 0 0");
    EXPECT_EQ(import(mixed, eve), "");
    EXPECT_EQ(counts(), "0 0 1 0");
    EXPECT_EQ(shown(own, eve), "user:Taken");
    EXPECT_EQ(shown(conversation_), "user:Mine assistant:Also mine");
}

TEST_F(ConfabImport, OwnersRolesAndTimesOfTheFileAreNotBelieved) {
    const std::string lines = conversation(
                                  conversation_, "", R"(,"user_no":99,"owner":"root","hidden":1,"deleted_at":5)"
                              ) +
                              item("", R"({"id":")" + ids_[0].str() + R"(","type":"message","role":"root","content":[],"created_at":1})") +
                              item("", R"({"id":")" + ids_[1].str() + R"(","type":"message","status":"in_progress","role":"user","content":[{"type":"input_text","text":"x"}],"created_at":99999999999,"user_no":7})");
    EXPECT_EQ(import_text(whole(lines)), "");
    EXPECT_EQ(problem_codes(), "invalid_item");
    const auto stored = good(run_task(store_->find_item(ada_.no, conversation_, ids_[1])));
    EXPECT_LE(stored.created_at, base::unix_now());
    EXPECT_EQ(stored.status, store::ItemStatus::incomplete);
}

TEST_F(ConfabImport, BadLinesAreReported) {
    const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
    const std::string text = whole(
        "not json\n[1]\n" + item("", message(ids_[2], "no conversation")) + "{\"type\":\"surprise\"}\n" +
        R"({"type":"conversation","id":"conv_x"})" + "\n" + item("", message(ids_[2], "still none")) +
        conversation(conversation_, ids_[0].str()) + item("", message(ids_[0], "Good")) +
        item(ids_[0].str(), R"({"id":")" + ids_[1].str() + R"(","type":"message","role":"user","content":)" + deep + "}") +
        item(ids_[0].str(), R"({"id":"msg_1","type":"message","role":"user","content":[]})") +
        std::string(25 * 1024 * 1024, 'x') + "\n"
    );
    EXPECT_EQ(import_text(text), "");
    EXPECT_EQ(
        problem_codes(),
        "invalid_line invalid_line invalid_item unknown_line invalid_conversation invalid_item invalid_line invalid_item line_too_long"
    );
    EXPECT_EQ(shown(conversation_), "user:Good");
}

TEST_F(ConfabImport, ACutFileAndANewerOneAreSaidToBe) {
    const std::string text = std::string(kHeader) + "\n" + conversation(conversation_, ids_[0].str()) + item("", message(ids_[0], "Good"));
    EXPECT_EQ(import_text(text), "truncated");
    EXPECT_TRUE(conversations().empty());  // whether it is whole nobody knows
    EXPECT_EQ(import_text(R"({"type":"confab_export","version":2})" "\n"), "unknown_version");
}

TEST_F(ConfabImport, FilesComeWithTheirIds) {
    std::string png = std::string("\x89PNG\r\n\x1a\n", 8) + std::string(100'000, 'p');
    const auto file = store::FileId::make();
    const auto lines = [&](const std::string& last) {
        std::string text = R"({"type":"file","id":")" + file.str() + R"(","filename":"cat.png","purpose":"vision","media_type":"image/png","bytes":1,"sha256":"","created_at":1600000000})" "\n";
        for (std::size_t at = 0; at < png.size(); at += 48 * 1024) {
            text += R"({"type":"file_data","id":")" + file.str() + R"(","data":")" + base::base64_encode(png.substr(at, 48 * 1024)) + "\"}\n";
        }
        return text + last;
    };
    const std::string content = R"({"id":")" + ids_[0].str() + R"(","type":"message","status":"completed","role":"user","content":[{"type":"input_text","text":"Look"},{"type":"input_image","file_id":")" + file.str() + R"("}],"created_at":1600000001})";
    const std::string text = whole(
        conversation(conversation_, ids_[1].str()) + item("", content) + lines("") + item(ids_[0].str(), message(ids_[1], "Nice"))
    );
    EXPECT_EQ(import_text(text), "");
    EXPECT_EQ(problem_codes(), "");
    const auto stored = good(run_task(store_->find_file(ada_.no, file)));
    EXPECT_EQ(stored.bytes, 100'008);
    EXPECT_EQ(stored.filename, "cat.png");
    EXPECT_EQ(import_text(text), "");
    EXPECT_EQ(good(run_task(store_->list_files(ada_.no, {}))).rows.size(), 1U);

    // Somebody else gets a copy under another id, and the message names it.
    const store::User eve = make("eve@example.org");
    const std::string path = write_file("eve.ndjson", text);
    EXPECT_EQ(import(path, eve), "");
    const auto copies = good(run_task(store_->list_files(eve.no, {}))).rows;
    ASSERT_EQ(copies.size(), 1U);
    EXPECT_NE(copies[0].id, file);
    EXPECT_NE(shown(conversations(eve)[0].id, eve).find(copies[0].id.str()), std::string::npos);
    EXPECT_EQ(import(path, eve), "");
    EXPECT_EQ(good(run_task(store_->list_files(eve.no, {}))).rows.size(), 1U);

    // What is no image, or damaged, is left out alone.
    png = "#!/bin/sh\n" + std::string(1'000, 'x');
    const auto other = store::FileId::make();
    std::string bad = lines(R"({"type":"file","id":"file-1"})" "\n" R"({"type":"file_data","id":"file-1","data":"####"})" "\n");
    for (auto at = bad.find(file.str()); at != std::string::npos; at = bad.find(file.str())) {
        bad.replace(at, file.str().size(), other.str());
    }
    EXPECT_EQ(import_text(whole(bad)), "");
    EXPECT_EQ(problem_codes(), "unsupported_file_type invalid_file");
}

// What an answer took is a few numbers, however much the file says: pages of items repeat it.
TEST_F(ConfabImport, OfTheUsageOnlyNumbersStay) {
    const std::string facts = R"(,"response_id":")" + store::ResponseId::make().str() +
                              R"(","model":"m","usage":{"input_tokens":7,"input_tokens_details":{"cached_tokens":3,"x":")" +
                              std::string(100'000, 'x') + R"("},"output_tokens":"many","total_tokens":-1,"more":[1,2,3]})";
    std::string answer = message(ids_[0], "A", "assistant");
    answer.insert(answer.size() - 1, facts);
    EXPECT_EQ(import_text(whole(conversation(conversation_, ids_[0].str()) + item("", answer))), "");
    const auto stored = good(run_task(store_->find_item(ada_.no, conversation_, ids_[0])));
    EXPECT_EQ(stored.usage, R"({"input_tokens":7,"input_tokens_details":{"cached_tokens":3}})");
}

TEST_F(ConfabImport, NamesAreAsTheApiTakesThem) {
    const auto folder = [](store::FolderId id, const std::string& name) {
        return R"({"type":"folder","id":")" + id.str() + R"(","name":")" + name + R"(","created_at":1600000000})" + "\n";
    };
    const auto long_one = store::FolderId::make();
    const auto bad_one = store::FolderId::make();
    const auto other = store::ConversationId::make();
    std::string first = conversation(conversation_, "");
    first.replace(first.find("null"), 4, "\"" + long_one.str() + "\"");
    first.replace(first.find(R"("tags":[])"), 9, R"("tags":["  two   words ","tab\there","bell\u0007","","two words"])");
    std::string second = conversation(other, "");
    second.replace(second.find("null"), 4, "\"" + bad_one.str() + "\"");
    second.replace(second.find("Kept"), 4, std::string(5'000'000, 't'));
    const std::string text = whole(
        folder(long_one, " " + std::string(100'000, 'f')) + folder(bad_one, "bell\\u0007") + first +
        item("", message(ids_[0], "A")) + second + item(ids_[3].str(), message(ids_[1], "B"))
    );
    EXPECT_EQ(import_text(text), "");
    const auto folders = good(run_task(store_->list_folders(ada_.no)));
    ASSERT_EQ(folders.size(), 1U);
    EXPECT_EQ(folders[0].name, std::string(store::kFolderNameBytesMax, 'f'));
    const auto tagged = good(run_task(store_->find_conversation(ada_.no, conversation_)));
    EXPECT_EQ(tagged.tags, (std::vector<std::string>{"tab here", "two words"}));
    EXPECT_EQ(good(run_task(store_->find_conversation(ada_.no, other))).title, std::string(kTitleBytesMax, 't'));
    EXPECT_EQ(problem_codes(), "parent_missing");
}

TEST(ConversationBuilderTest, ProblemsNameAConversationShortly) {
    SourceConversation conversation;
    EXPECT_EQ(ConversationBuilder::name_of(conversation), "a conversation");
    conversation.id = "c-1";
    EXPECT_EQ(ConversationBuilder::name_of(conversation), "c-1");
    conversation.title = "\u00e4" + std::string(1'000, 't');
    EXPECT_EQ(ConversationBuilder::name_of(conversation).size(), kWhereBytesMax);
}

TEST_F(ConfabImport, ImagesAreTakenFromHttpsAndFilesOnly) {
    const auto part = [](const std::string& members) { return R"({"type":"input_image",)" + members + "}"; };
    const auto with = [&](std::size_t index, const std::string& image) {
        std::string one = message(ids_[index], "Look");
        one.insert(one.find("]"), "," + image);
        return item("", one);
    };
    const std::string file = store::FileId::make().str();
    const std::string text = whole(
        conversation(conversation_, ids_[0].str()) +
        with(0, part(R"("image_url":"https://example.org/a.png","detail":"enormous","file_id":"x y")")) +
        with(1, part(R"("image_url":"file:///etc/passwd","file_id":")" + file + R"(","detail":"low")")) +
        with(2, part(R"("image_url":"http://localhost/admin")")) +
        with(3, part(R"("image_url":"https://example.org/)" + std::string(9'000, 'a') + "\""))
    );
    EXPECT_EQ(import_text(text), "");
    EXPECT_EQ(problem_codes(), "invalid_item invalid_item");
    const auto body = [&](std::size_t index) {
        return good(run_task(store_->find_item(ada_.no, conversation_, ids_[index]))).body;
    };
    const std::string look = R"([{"type":"input_text","text":"Look"},)";
    EXPECT_EQ(body(0), look + R"({"type":"input_image","image_url":"https://example.org/a.png"}])");
    EXPECT_EQ(body(1), look + R"({"type":"input_image","file_id":")" + file + R"(","detail":"low"}])");
}

}  // namespace
}  // namespace confab::transfer

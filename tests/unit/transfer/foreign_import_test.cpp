// Files of ChatGPT, Claude and Open WebUI, as they export them, brought into a store.
#include "import_fixture.hpp"
#include "transfer/source_file.hpp"

namespace confab::transfer {
namespace {

using Foreign = ImportTest;

std::string chatgpt_node(
    const std::string& id,
    const std::string& parent,
    const std::string& role,
    const std::string& text,
    int time,
    const std::string& more = "{}"
) {
    const std::string up = parent.empty() ? "null" : "\"" + parent + "\"";
    return "\"" + id + R"(":{"id":")" + id + R"(","parent":)" + up + R"(,"children":[],"message":{"id":")" + id +
           R"(","author":{"role":")" + role + R"("},"create_time":)" + std::to_string(time) +
           R"(.5,"content":{"content_type":"text","parts":[")" + text + R"("]},"metadata":)" + more + "}}";
}

std::string chatgpt(const std::string& nodes, const std::string& current, const std::string& id = "c-1") {
    return R"({"title":"Trip","create_time":1700000000.1,"update_time":1700000500,"mapping":{)" + nodes +
           R"(},"current_node":")" + current + R"(","conversation_id":")" + id +
           R"(","is_archived":true,"default_model_slug":"gpt-4o"})";
}

// root - system (hidden) - u1 - a1 - u2
//                             \ a1b - u3
std::string small_tree() {
    return R"("root":{"id":"root","message":null,"parent":null,"children":["s"]},)" +
           chatgpt_node("s", "root", "system", "", 0, R"({"is_visually_hidden_from_conversation":true})") + "," +
           chatgpt_node("u1", "s", "user", "Where to?", 10) + "," +
           chatgpt_node("a1", "u1", "assistant", "Rome.", 11, R"({"model_slug":"gpt-4"})") + "," +
           chatgpt_node("u2", "a1", "user", "Why?", 12) + "," +
           chatgpt_node("a1b", "u1", "assistant", "Oslo.", 13, R"({"model_slug":"gpt-4o"})") + "," +
           chatgpt_node("u3", "a1b", "user", "When?", 14);
}

TEST_F(Foreign, ChatGptComesWithItsBranches) {
    EXPECT_EQ(import_text("[" + chatgpt(small_tree(), "u3") + "]"), "");
    EXPECT_EQ(report_.format(), "chatgpt");
    EXPECT_EQ(counts(), "1 5 0 0");
    const auto all = conversations();
    ASSERT_EQ(all.size(), 1U);
    EXPECT_EQ(all[0].title, "Trip");
    EXPECT_EQ(all[0].model, "gpt-4o");
    EXPECT_TRUE(all[0].archived);
    EXPECT_EQ(all[0].created_at, 1'700'000'000);
    EXPECT_EQ(all[0].updated_at, 1'700'000'500);
    EXPECT_EQ(shown(all[0].id), "user:Where to? assistant:Oslo. user:When?");
    const auto head = good(run_task(store_->find_item(ada_.no, all[0].id, *all[0].head)));
    EXPECT_EQ(head.created_at, 14);
}

TEST_F(Foreign, AnswersKeepTheirModel) {
    EXPECT_EQ(import_text("[" + chatgpt(small_tree(), "a1") + "]"), "");
    const auto all = conversations();
    EXPECT_EQ(shown(all[0].id), "user:Where to? assistant:Rome.");  // in the middle of a branch
    const auto answer = good(run_task(store_->find_item(ada_.no, all[0].id, *all[0].head)));
    EXPECT_EQ(answer.model, "gpt-4");
    ASSERT_TRUE(answer.response);
    const auto run = good(run_task(store_->find_run(ada_.no, *answer.response)));
    ASSERT_EQ(run.output.size(), 1U);
    EXPECT_EQ(run.output[0].body, "Rome.");
}

TEST_F(Foreign, ImportingTwiceAddsNothing) {
    const std::string text = "[" + chatgpt(small_tree(), "u3") + "," + chatgpt(small_tree(), "u2", "c-2") + "]";
    EXPECT_EQ(import_text(text), "");
    EXPECT_EQ(counts(), "2 10 0 0");
    const auto before = conversations();
    EXPECT_EQ(import_text(text), "");
    EXPECT_EQ(counts(), "0 0 10 0");
    const auto after = conversations();
    ASSERT_EQ(after.size(), 2U);
    EXPECT_EQ(shown(after[0].id), shown(before[0].id));
    EXPECT_EQ(after[0].updated_at, before[0].updated_at);
}

TEST_F(Foreign, ALaterExportAddsWhatIsNew) {
    EXPECT_EQ(import_text("[" + chatgpt(small_tree(), "u3") + "]"), "");
    const std::string more = small_tree() + "," + chatgpt_node("a3", "u3", "assistant", "In May.", 15);
    EXPECT_EQ(import_text("[" + chatgpt(more, "a3") + "]"), "");
    EXPECT_EQ(counts(), "1 1 5 0");
    EXPECT_EQ(shown(conversations()[0].id), "user:Where to? assistant:Oslo. user:When? assistant:In May.");
}

TEST_F(Foreign, WhatWasDeletedComesBackOnce) {
    const std::string text = "[" + chatgpt(small_tree(), "u3") + "]";
    EXPECT_EQ(import_text(text), "");
    good(run_task(store_->delete_conversation(ada_.no, conversations()[0].id)));
    EXPECT_EQ(import_text(text), "");
    EXPECT_EQ(counts(), "1 5 0 0");
    EXPECT_EQ(import_text(text), "");
    EXPECT_EQ(counts(), "0 0 5 0");
    EXPECT_EQ(conversations().size(), 1U);
}

TEST_F(Foreign, ABrokenTreeIsReportedAndTheRestImported) {
    const std::string nodes = chatgpt_node("u1", "", "user", "One", 1) + "," + chatgpt_node("a", "b", "user", "Ring a", 2) +
                              "," + chatgpt_node("b", "a", "user", "Ring b", 3) + "," +
                              chatgpt_node("self", "self", "user", "Self", 4) + "," +
                              chatgpt_node("lost", "nowhere", "user", "Lost", 5) + "," +
                              chatgpt_node("u1", "", "user", "Again", 6) + R"(,"odd":7,"odd2":{"parent":"u1","message":{}},)" +
                              chatgpt_node("u2", "odd2", "user", "After odd", 7);
    EXPECT_EQ(import_text("[" + chatgpt(nodes, "nobody") + "]"), "");
    EXPECT_EQ(counts(), "1 6 3 7");
    EXPECT_EQ(
        problem_codes(),
        "invalid_message invalid_message duplicate_id cycle cycle parent_missing head_missing"
    );
    EXPECT_EQ(shown(conversations()[0].id), "user:One user:After odd");  // the newest one is shown
}

TEST_F(Foreign, WrongTypesSpoilOnlyThemselves) {
    const std::string good_one = chatgpt(chatgpt_node("u1", "", "user", "Hi", 1), "u1", "good");
    const std::string text =
        R"([1,null,"x",[],{"mapping":5},{"mapping":[]},{"mapping":{}},{"title":{"a":1},"mapping":{"x":{"message":{"author":5,"content":[]}}}},)"
        R"({"mapping":{"d":{"message":{"author":{"role":"user"},"content":{"content_type":"text","parts":[)" +
        std::string(200, '[') + std::string(200, ']') + R"(]}}}}},)" + good_one + "]";
    EXPECT_EQ(import_text(text), "");
    const auto all = conversations();
    ASSERT_GE(all.size(), 1U);
    EXPECT_TRUE(std::ranges::any_of(all, [&](const auto& one) { return shown(one.id) == "user:Hi"; }));
    EXPECT_GE(report_.progress().problems_total, 7);
}

TEST_F(Foreign, ATruncatedFileKeepsWhatIsWhole) {
    const std::string whole = chatgpt(small_tree(), "u3");
    const std::string text = "[" + whole + "," + chatgpt(small_tree(), "u2", "c-2");
    EXPECT_EQ(import_text(text.substr(0, text.size() - 60)), "truncated");
    EXPECT_EQ(conversations().size(), 1U);
    EXPECT_EQ(shown(conversations()[0].id), "user:Where to? assistant:Oslo. user:When?");
    EXPECT_EQ(import_text("[" + whole + "]]"), "malformed_json");
    EXPECT_EQ(import_text("{}"), "unknown_format");
    EXPECT_EQ(import_text(R"([{"messages":[]}])"), "unknown_format");
    EXPECT_EQ(import_text(""), "empty_file");
    EXPECT_EQ(import_text("\x7f" "ELF"), "malformed_json");
}

TEST_F(Foreign, LongConversationsAndLongMessages) {
    std::string nodes = chatgpt_node("m0", "", "user", "first", 1);
    for (int i = 1; i < 1'000; ++i) {
        nodes += "," + chatgpt_node(
                           "m" + std::to_string(i),
                           "m" + std::to_string(i - 1),
                           i % 2 == 0 ? "user" : "assistant",
                           "text " + std::to_string(i) + std::string(i % 100 == 0 ? 100'000 : 10, 'x'),
                           i
                       );
    }
    nodes += "," + chatgpt_node("other", "m500", "user", "a fork", 2'000) + "," +
             chatgpt_node("huge", "other", "user", std::string(17 * 1024 * 1024, 'x'), 2'001);
    EXPECT_EQ(import_text("[" + chatgpt(nodes, "other") + "]"), "");
    EXPECT_EQ(counts(), "1 1001 1 1");
    EXPECT_EQ(problem_codes(), "message_too_large");
    const auto id = conversations()[0].id;
    EXPECT_EQ(good(run_task(store_->find_item(ada_.no, id, *conversations()[0].head))).body, "a fork");
    store::PageRequest<store::ItemId> all{std::nullopt, store::Order::ascending, 1'000};
    std::size_t seen = 0;
    while (true) {
        const auto page = good(run_task(store_->list_items(ada_.no, id, all)));
        seen += page.rows.size();
        if (!page.has_more) {
            break;
        }
        all.after = page.rows.back().id;
    }
    EXPECT_EQ(seen, 502U);
}

TEST_F(Foreign, OtherContentOfChatGpt) {
    const auto node = [](const std::string& id, const std::string& parent, const std::string& role, const std::string& content) {
        return "\"" + id + R"(":{"parent":)" + (parent.empty() ? "null" : "\"" + parent + "\"") +
               R"(,"message":{"author":{"role":")" + role + R"("},"create_time":null,"content":)" + content + "}}";
    };
    const std::string nodes =
        node("1", "", "user", R"({"content_type":"multimodal_text","parts":[{"content_type":"image_asset_pointer","asset_pointer":"file-service://x"},"Look","More"]})") +
        "," + node("2", "1", "assistant", R"({"content_type":"thoughts","thoughts":[{"summary":"Plan","content":"Hm."}]})") +
        "," + node("3", "2", "assistant", R"({"content_type":"reasoning_recap","content":"Thought for 3s"})") + "," +
        node("4", "3", "assistant", R"x({"content_type":"code","language":"python","text":"print(1)"})x") + "," +
        node("5", "4", "tool", R"({"content_type":"execution_output","text":"1"})") + "," +
        node("6", "5", "assistant", R"({"content_type":"text","parts":["half \ud83d pair"]})");
    EXPECT_EQ(import_text("[" + chatgpt(nodes, "6") + "]"), "");
    EXPECT_EQ(
        shown(conversations()[0].id),
        "user:Look\n\nMore thought:Plan\n\nHm. assistant:```python\nprint(1)\n``` assistant:```\n1\n``` assistant:half "
        "\uFFFD pair"
    );
    EXPECT_EQ(problem_codes(), "files_left_out");
}

// ---- Claude ----

TEST_F(Foreign, ClaudeComesWithThoughtsToolsAndAttachments) {
    const std::string text = R"([{"uuid":"c1","name":"","created_at":"2024-05-01T10:00:00.5Z","updated_at":"2024-05-01T11:00:00Z",
      "account":{"uuid":"someone"},"chat_messages":[
       {"uuid":"m1","sender":"human","text":"Read this","created_at":"2024-05-01T10:00:00Z","content":[{"type":"text","text":"Read this"}],
        "attachments":[{"file_name":"a.txt","file_size":3,"file_type":"txt","extracted_content":"abc"}],"files":[{"file_name":"p.png"}]},
       {"uuid":"m2","sender":"assistant","text":"x","created_at":"2024-05-01T10:00:05Z","content":[{"type":"thinking","thinking":"Hm"},
        {"type":"tool_use","name":"look","input":{"q":1}},{"type":"tool_result","name":"look","content":[{"type":"text","text":"found"}]},
        {"type":"text","text":"Done."}]},
       {"uuid":"m3","sender":"human","text":"Old style","created_at":"2024-05-01T10:00:09Z"}]},
      {"uuid":"c2","name":"Tree","created_at":"2024-05-01T10:00:00Z","chat_messages":[
       {"uuid":"r","sender":"human","text":"Q","created_at":"2024-05-01T10:00:00Z","parent_message_uuid":"00000000-0000-4000-8000-000000000000"},
       {"uuid":"x","sender":"assistant","text":"A1","created_at":"2024-05-01T10:00:01Z","parent_message_uuid":"r"},
       {"uuid":"y","sender":"assistant","text":"A2","created_at":"2024-05-01T10:00:02Z","parent_message_uuid":"r"}]}])";
    EXPECT_EQ(import_text(text), "");
    EXPECT_EQ(report_.format(), "claude");
    EXPECT_EQ(counts(), "2 10 0 1");
    auto all = conversations();
    ASSERT_EQ(all.size(), 2U);
    std::ranges::sort(all, std::ranges::greater(), &store::Conversation::title);  // a.txt, Tree
    EXPECT_EQ(all[0].title.substr(0, 5), "a.txt");
    EXPECT_EQ(
        shown(all[0].id),
        "user:a.txt\n\n```\nabc\n``` user:Read this thought:Hm call:{\"call_id\":\"call_1\",\"name\":\"look\",\"arguments\":"
        "\"{\\\"q\\\":1}\"} output:{\"call_id\":\"call_1\",\"output\":\"found\"} assistant:Done. user:Old style"
    );
    EXPECT_EQ(shown(all[1].id), "user:Q assistant:A2");
    EXPECT_EQ(import_text(text), "");
    EXPECT_EQ(counts(), "0 0 10 1");
}

// ---- Open WebUI ----

TEST_F(Foreign, OpenWebUiComesWithItsBranches) {
    const std::string text = R"([{"id":"w1","user_id":"u","title":"Cats","archived":false,"pinned":true,"created_at":1700000000,
      "updated_at":1700000100,"meta":{"tags":["a"]},"chat":{"title":"Cats","models":["llama3"],"params":{"system":"Be kind."},
      "history":{"currentId":"d","messages":{
        "a":{"id":"a","parentId":null,"childrenIds":["b","d"],"role":"user","content":"Hi","timestamp":1700000000},
        "b":{"id":"b","parentId":"a","childrenIds":[],"role":"assistant","content":"One","model":"llama3","timestamp":1700000001},
        "d":{"id":"d","parentId":"a","childrenIds":[],"role":"assistant","model":"qwen","timestamp":1700000002,
         "content":"<details type=\"reasoning\" done=\"true\" duration=\"2\">\n<summary>Thought for 2 seconds</summary>\n> Hm.\n> So.\n</details>\nTwo"}}},
      "messages":[{"id":"a","role":"user","content":"linear copy"}]}}])";
    EXPECT_EQ(import_text(text), "");
    EXPECT_EQ(report_.format(), "openwebui");
    EXPECT_EQ(counts(), "1 4 0 0");
    const auto all = conversations();
    ASSERT_EQ(all.size(), 1U);
    EXPECT_TRUE(all[0].pinned);
    EXPECT_EQ(all[0].instructions, "Be kind.");
    EXPECT_EQ(all[0].model, "llama3");
    EXPECT_EQ(shown(all[0].id), "user:Hi thought:Hm.\nSo. assistant:Two");
}

// ---- archives ----

TEST_F(Foreign, AZipIsReadForItsConversationsOnly) {
    const std::string content = "[" + chatgpt(small_tree(), "u3") + "]";
    const std::string other = "[" + chatgpt(small_tree(), "u2", "c-2") + "]";
    EXPECT_EQ(import(write_zip("a.zip", {{"chat.html", "<html>"}, {"conversations.json", content}, {"user.json", "{}"}})), "");
    EXPECT_EQ(counts(), "1 5 0 0");
    EXPECT_EQ(import(write_zip("b.zip", {{"x/conversations-000.json", content}, {"x/conversations-001.json", other}})), "");
    EXPECT_EQ(counts(), "1 5 5 0");
    EXPECT_EQ(import(write_zip("c.zip", {{"shared_conversations.json", "[]"}})), "unknown_format");
}

TEST_F(Foreign, PathsInAZipLeadNowhere) {
    const std::string content = "[" + chatgpt(small_tree(), "u3") + "]";
    for (const char* name : {"../conversations.json", "/tmp/conversations.json", "a/../../conversations.json", "..\\conversations.json"}) {
        EXPECT_EQ(import(write_zip("slip.zip", {{name, content}})), "unknown_format") << name;
    }
    EXPECT_FALSE(std::filesystem::exists("/tmp/conversations.json"));
}

TEST_F(Foreign, AZipBombIsNotUnpacked) {
    const std::string zeros = "[" + std::string(64 * 1024 * 1024, ' ');
    EXPECT_EQ(import(write_zip("bomb.zip", {{"conversations.json", zeros}})), "zip_bomb");
    EXPECT_EQ(import(write_zip("bomb2.zip", {{"elsewhere.bin", zeros}, {"conversations.json", "[]"}})), "zip_bomb");
}

TEST_F(Foreign, ADamagedZipIsRefused) {
    const std::string content = "[" + chatgpt(small_tree(), "u3") + "]";
    const std::string file = write_zip("whole.zip", {{"conversations.json", content}});
    std::ifstream in(file, std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(in), {}};
    for (std::size_t length = 4; length < 300; length += 13) {
        EXPECT_NE(import(write_file("cut.zip", bytes.substr(0, length))), "") << length;
    }
}

// Other methods of packing take as much memory as the archive says. Each entry counts: those passed over are unpacked.
TEST_F(Foreign, AZipOfAnUnusualMethodIsRefused) {
    const std::string file = write_zip("method.zip", {{"chat.html", "<html>"}, {"conversations.json", "[]"}});
    std::ifstream in(file, std::ios::binary);
    std::string bytes{std::istreambuf_iterator<char>(in), {}};
    constexpr std::size_t kMethodAt = 8;
    constexpr char kLzma = 14;
    bytes[kMethodAt] = kLzma;
    EXPECT_EQ(import(write_file("lzma.zip", bytes)), "malformed_zip");
}

// A caller that wants to stop is asked between the pieces.
TEST_F(Foreign, WhatIsPassedOverInAZipComesInPieces) {
    const std::string much(8 * 1024 * 1024, ' ');
    const auto file = good(SourceFile::open(write_zip("pieces.zip", {{"a.bin", much}, {"conversations.json", "[]"}})));
    int pieces = 0;
    while (good(file->next_stream()) == SourceFile::Step::skipped) {
        ++pieces;
    }
    EXPECT_GT(pieces, 8);
    EXPECT_EQ(file->name(), "conversations.json");
    EXPECT_EQ(good(file->read()), "[]");
    EXPECT_EQ(good(file->read()), "");
    EXPECT_EQ(good(file->next_stream()), SourceFile::Step::end);
}

}  // namespace
}  // namespace confab::transfer

// What a conversation is handed to the store in: pieces that hold no more than one operation of its writer may.
#include "transfer/conversation_builder.hpp"

#include "import_fixture.hpp"
#include "transfer/message_parts.hpp"

namespace confab::transfer {
namespace {

class Builder : public ImportTest {
protected:
    // A question and an answer of these many parts, then another question.
    net::Task<base::Status> write(std::size_t parts, std::size_t part_bytes) {
        const Importing importing{ada_.no, ada_.id};
        auto count = [this]() -> net::Task<base::Status> {
            ++operations_;
            co_return base::Status{};
        };
        PieceSink sink(*store_, importing, report_, count);
        ConversationBuilder builder(sink, report_, importing, directory_.file(""));
        CO_TRY_VOID(builder.begin());
        SourceMessage question;
        question.id = "q";
        add_text(question, store::ItemRole::user, "Q");
        CO_TRY_VOID(builder.add(question));
        SourceMessage answer;
        answer.id = "a";
        answer.parent = "q";
        answer.model = "m";
        for (std::size_t i = 0; i < parts; ++i) {
            add_text(answer, store::ItemRole::assistant, std::to_string(i) + std::string(part_bytes, '.'));
        }
        CO_TRY_VOID(builder.add(answer));
        SourceMessage more;
        more.id = "m";
        more.parent = "a";
        add_text(more, store::ItemRole::user, "More");
        CO_TRY_VOID(builder.add(more));
        SourceConversation conversation;
        conversation.title = "Long";
        conversation.head = "m";
        CO_TRY_VOID(co_await builder.finish(std::move(conversation), "claude", Sorting::as_given));
        co_return co_await sink.flush();
    }

    int operations_ = 0;
};

TEST_F(Builder, AMessageOfManyPartsIsWrittenInSeveralOperations) {
    constexpr std::size_t kParts = 3 * store::kImportItemsMax;
    good(run_task(write(kParts, 0)));
    EXPECT_EQ(operations_, 4);
    EXPECT_EQ(counts(), "1 770 0 0");
    std::string expected = "user:Q";
    for (std::size_t i = 0; i < kParts; ++i) {
        expected += " assistant:" + std::to_string(i);
    }
    EXPECT_EQ(shown(conversations().at(0).id), expected + " user:More");
}

TEST_F(Builder, AMessageOfLargePartsIsWrittenInSeveralOperations) {
    good(run_task(write(8, store::kImportBytesMax / 2 - 100)));
    EXPECT_GE(operations_, 4);
    EXPECT_EQ(counts(), "1 10 0 0");
}

}  // namespace
}  // namespace confab::transfer

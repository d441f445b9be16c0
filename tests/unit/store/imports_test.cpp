#include "store/import_store.hpp"

#include "store/derived_id.hpp"
#include "store_fixture.hpp"

namespace confab::store {
namespace {

class ImportsTest : public StoreTest {
protected:
    ImportsTest() {
        ada_ = good(run_task(store_->create_user(new_user("ada@example.org"), IfFirst::no)));
        eve_ = good(run_task(store_->create_user(new_user("eve@example.org"), IfFirst::no)));
    }

    static ImportItem item(const std::string& text, std::optional<std::size_t> parent = std::nullopt) {
        ImportItem made;
        made.item = user_item(text, 5);
        made.created_at = 1'600'000'000;
        made.parent = parent;
        return made;
    }

    ImportedPiece import(ImportPiece piece, std::optional<User> as = std::nullopt) {
        const User& user = as ? *as : ada_;
        return good(run_task(store_->import_pieces(user.no, user.id, {std::move(piece)}))).front();
    }

    Texts shown(ConversationId id, std::optional<User> as = std::nullopt) {
        const PageRequest<ItemId> all{std::nullopt, Order::ascending, 1'000};
        return texts_of(good(run_task(store_->list_items(as ? as->no : ada_.no, id, all))).rows);
    }

    ImportJob job(UserNo user) {
        ImportJob made;
        made.id = ImportId::make();
        made.user = user;
        made.filename = "x.json";
        return made;
    }

    User ada_;
    User eve_;
};

TEST_F(ImportsTest, AConversationIsSeenWhenItIsWhole) {
    ImportPiece piece;
    piece.id = ConversationId::make();
    piece.title = "T";
    piece.items = {item("one"), item("two", 0)};
    const auto first = import(piece);
    EXPECT_EQ(first.added, 2);
    EXPECT_EQ(errc_of(run_task(store_->find_conversation(ada_.no, piece.id))), base::Errc::not_found);
    ImportPiece rest;
    rest.conversation = first.conversation;
    rest.id = piece.id;
    rest.items = {item("three")};
    rest.items[0].after = first.places[1];
    rest.last = true;
    rest.head_index = 0;
    import(rest);
    EXPECT_EQ(shown(piece.id), (Texts{"one", "two", "three"}));
}

TEST_F(ImportsTest, WhatStaysHalfImportedIsWipedAndItsIdIsFree) {
    good(run_task(store_->begin_import(job(eve_.no))));
    ImportJob mine = job(ada_.no);
    mine.status = ImportStatus::running;
    good(run_task(store_->begin_import(mine)));
    ImportPiece piece;
    piece.id = ConversationId::make();
    piece.items = {item("secret")};
    import(piece);
    good(run_task(store_->finish_import(mine.id, ImportStatus::failed, {})));
    piece.last = true;
    piece.head_index = 0;
    base::Result<std::vector<ImportedPiece>> again;
    for (int i = 0; i < 100; ++i) {
        again = run_task(store_->import_pieces(ada_.no, ada_.id, {piece}));
        if (again || again.error().errc != base::Errc::unavailable) {
            break;
        }
        run_task([]() -> Task<int> {
            co_await net::sleep_for(std::chrono::milliseconds(20));
            co_return 0;
        }());
    }
    EXPECT_EQ(good(again).front().added, 1);
    EXPECT_EQ(shown(piece.id), Texts{"secret"});
}

TEST_F(ImportsTest, AForkOfAForkKeepsEveryPath) {
    ImportPiece piece;
    piece.id = ConversationId::make();
    piece.items = {item("q"), item("a1", 0), item("a2", 0), item("b", 2), item("c1", 3), item("c2", 3), item("root2")};
    piece.last = true;
    piece.head_index = 5;
    const auto done = import(piece);
    EXPECT_EQ(done.places[1].branch, done.places[0].branch);
    EXPECT_NE(done.places[2].branch, done.places[0].branch);
    EXPECT_EQ(done.places[3].branch, done.places[2].branch);
    EXPECT_NE(done.places[5].branch, done.places[4].branch);
    EXPECT_EQ(done.places[6].position, 1);
    EXPECT_EQ(shown(piece.id), (Texts{"q", "a2", "b", "c2"}));
    const auto last = good(run_task(store_->find_item(ada_.no, piece.id, piece.items[5].item.id)));
    EXPECT_EQ(last.created_at, 1'600'000'000);
}

TEST_F(ImportsTest, AConversationBeingAnsweredIsLeftAlone) {
    const auto conversation = make_conversation(ada_.no, {user_item("hi")});
    begin_in(ada_.no, conversation.id, {user_item("question")});
    ImportPiece piece;
    piece.id = conversation.id;
    piece.items = {item("more")};
    const auto done = import(piece);
    ASSERT_TRUE(done.refused);
    EXPECT_EQ(done.refused->code, "conversation_locked");
}

TEST_F(ImportsTest, OnlyOneAtATimeAndOnlyOnesOwn) {
    const ImportJob mine = job(ada_.no);
    good(run_task(store_->begin_import(mine)));
    EXPECT_EQ(code_of(run_task(store_->begin_import(job(ada_.no)))), "import_running");
    EXPECT_EQ(errc_of(run_task(store_->find_import(eve_.no, mine.id))), base::Errc::not_found);
    EXPECT_EQ(errc_of(run_task(store_->cancel_import(eve_.no, mine.id))), base::Errc::not_found);
    EXPECT_EQ(good(run_task(store_->cancel_import(ada_.no, mine.id))).status, ImportStatus::cancelled);
    EXPECT_EQ(code_of(run_task(store_->queue_import(mine.id, 1))), "import_cancelled");
    const ImportJob next = job(ada_.no);
    good(run_task(store_->begin_import(next)));
    good(run_task(store_->queue_import(next.id, 1)));
    EXPECT_EQ(good(run_task(store_->claim_import()))->id, next.id);
    EXPECT_FALSE(good(run_task(store_->claim_import())));
    good(run_task(store_->cancel_import(ada_.no, next.id)));
    EXPECT_FALSE(good(run_task(store_->save_import(next.id, {}))));
    good(run_task(store_->finish_import(next.id, ImportStatus::completed, {})));
    EXPECT_EQ(good(run_task(store_->find_import(ada_.no, next.id))).status, ImportStatus::cancelled);
}

TEST_F(ImportsTest, ARestartQueuesWhatRanAndForgetsBrokenUploads) {
    ImportJob running = job(ada_.no);
    good(run_task(store_->begin_import(running)));
    good(run_task(store_->queue_import(running.id, 7)));
    good(run_task(store_->claim_import()));
    const ImportJob broken = job(eve_.no);
    good(run_task(store_->begin_import(broken)));
    reopen();
    const auto queued = good(run_task(store_->recover_imports()));
    ASSERT_EQ(queued.size(), 1U);
    EXPECT_EQ(queued[0].id, running.id);
    EXPECT_EQ(queued[0].status, ImportStatus::queued);
    EXPECT_EQ(errc_of(run_task(store_->find_import(eve_.no, broken.id))), base::Errc::not_found);
}

TEST(DerivedId, IsTheSameForTheSameAndSaysItsType) {
    EXPECT_EQ(derived_id({"a", "bc"}), derived_id({"a", "bc"}));
    EXPECT_NE(derived_id({"a", "bc"}), derived_id({"ab", "c"}));
    for (const auto type : {base::ItemType::message, base::ItemType::reasoning, base::ItemType::function_call_output}) {
        const auto id = derived_item_id(type, {"x"});
        EXPECT_EQ(id.type(), type);
        EXPECT_EQ(base::ItemId::parse(id.str()), id);
    }
}

// Ids follow from what is in a file, so others can have taken them all, by chance or not.
TEST_F(ImportsTest, IdsThatAreTakenThroughoutAreReplacedByNewOnes) {
    ImportPiece piece;
    piece.id = ConversationId::make();
    piece.items = {item("mine")};
    piece.last = true;
    std::vector<ImportPiece> theirs(65);
    theirs[0].id = piece.id;
    for (std::size_t i = 1; i < theirs.size(); ++i) {
        const std::string number = std::to_string(i - 1);
        const auto id = derived_id({"conversation", view_of(ada_.id.bytes), view_of(piece.id.bytes), number});
        theirs[i].id = ConversationId{id};
    }
    for (ImportPiece& one : theirs) {
        one.last = true;
        import(one, eve_);
    }
    const auto done = import(piece);
    EXPECT_FALSE(done.refused);
    EXPECT_EQ(done.added, 1);
    const auto mine = good(run_task(store_->list_conversations(ada_.no, {std::nullopt, Order::descending, 10}))).rows;
    ASSERT_EQ(mine.size(), 1U);
    EXPECT_EQ(shown(mine[0].id), Texts{"mine"});
}

TEST_F(ImportsTest, DerivedIdsOfItemsAndRunsThatAreTakenAreReplacedToo) {
    ImportPiece piece;
    piece.id = ConversationId::make();
    piece.last = true;
    piece.items = {item("mine")};
    piece.items[0].run = ImportedRun{ResponseId::make(), "m", "", std::nullopt};
    const ItemId given = piece.items[0].item.id;
    const ResponseId run = piece.items[0].run->id;
    ImportPiece theirs;
    theirs.id = ConversationId::make();
    theirs.items = {item("a"), item("b", 0)};
    theirs.items[0].item.id = given;
    theirs.items[0].run = ImportedRun{run, "m", "", std::nullopt};
    theirs.items[1].item.id = derived_item_id(given.type(), {"item", view_of(piece.id.bytes), view_of(given.bytes)});
    const ResponseId derived{derived_id({"response", view_of(piece.id.bytes), view_of(run.bytes)})};
    theirs.items[1].run = ImportedRun{derived, "m", "", std::nullopt};
    theirs.last = true;
    EXPECT_EQ(import(theirs, eve_).added, 2);
    EXPECT_EQ(import(piece).added, 1);
    EXPECT_EQ(shown(piece.id), Texts{"mine"});
    EXPECT_EQ(shown(theirs.id, eve_), (Texts{"a", "b"}));
}

}  // namespace
}  // namespace confab::store

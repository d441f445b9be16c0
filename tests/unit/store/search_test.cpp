// Search in a real database: what is found, what is no longer, and that nobody finds what is another's.
#include <chrono>
#include <thread>

#include <fmt/format.h>

#include "base/text.hpp"
#include "store/search_query.hpp"
#include "store/snippet.hpp"
#include "store/sqlite/conversations.hpp"
#include "store/sqlite/search_upkeep.hpp"
#include "store/sqlite/wipe.hpp"
#include "store_fixture.hpp"

namespace confab::store {
namespace {

class SearchTest : public StoreTest {
protected:
    SearchPage search(UserNo user, const std::string& text, SearchOrder order = SearchOrder::newest) {
        SearchRequest request;
        request.query = parse_search_query(text);
        request.order = order;
        return good(run_task(store_->search(user, request)));
    }

    // Once everything that is written is indexed.
    SearchPage find(UserNo user, const std::string& text, SearchOrder order = SearchOrder::newest) {
        for (int i = 0; i < 100; ++i) {
            SearchPage page = search(user, text, order);
            if (page.pending == 0 && i > 3) {
                return page;
            }
            std::this_thread::sleep_for(std::chrono::milliseconds(100));
        }
        ADD_FAILURE() << "the index does not catch up";
        return {};
    }

    static Texts texts_of_hits(const SearchPage& page) {
        Texts texts;
        for (const SearchHit& hit : page.hits) {
            std::string text;
            for (const SnippetPart& part : hit.snippet) {
                text += part.hit ? "[" + part.text + "]" : part.text;
            }
            texts.push_back(text);
        }
        return texts;
    }

    Conversation titled(UserNo user, const std::string& title, std::vector<NewItem> items = {}) {
        NewConversation conversation = new_conversation(user, std::move(items));
        conversation.title = title;
        return good(run_task(store_->create_conversation(std::move(conversation))));
    }

    UserNo ada_ = make_user("ada@example.org");
    UserNo bob_ = make_user("bob@example.org");
};

TEST_F(SearchTest, FindsTheNewestFirstWithTheWordMarked) {
    make_conversation(ada_, {user_item("the first Whale"), answer_item("no fish"), user_item("a whale again")});
    EXPECT_EQ(texts_of_hits(find(ada_, "whale")), (Texts{"a [whale] again", "the first [Whale]"}));
}

TEST_F(SearchTest, FindsOnlyOnesOwn) {
    make_conversation(ada_, {user_item("secret whale")});
    titled(ada_, "whale title");
    make_conversation(bob_, {user_item("nothing")});
    EXPECT_EQ(find(ada_, "whale").hits.size(), 2U);
    EXPECT_EQ(find(bob_, "whale").hits.size(), 0U);
}

TEST_F(SearchTest, FindsCjkByPairsAndSingleCharacters) {
    make_conversation(ada_, {user_item("我喜欢自然语言处理。"), user_item("東京タワーへ行く")});
    EXPECT_EQ(find(ada_, "语言").hits.size(), 1U);
    EXPECT_EQ(find(ada_, "自然语言处理").hits.size(), 1U);
    EXPECT_EQ(find(ada_, "理").hits.size(), 1U);
    EXPECT_EQ(find(ada_, "タワー").hits.size(), 1U);
    EXPECT_EQ(find(ada_, "然言").hits.size(), 0U);
    EXPECT_EQ(texts_of_hits(find(ada_, "东京")), Texts{});
}

TEST_F(SearchTest, IgnoresAccentsAndCase) {
    make_conversation(ada_, {user_item("Café ÉTÉ ÜBER")});
    EXPECT_EQ(texts_of_hits(find(ada_, "cafe ete uber")), Texts{"[Café] [ÉTÉ] [ÜBER]"});
}

TEST_F(SearchTest, UnderstandsPhrasesExclusionsAndPrefixes) {
    make_conversation(ada_, {user_item("white whale ahead"), user_item("whale white"), user_item("white elephant")});
    EXPECT_EQ(find(ada_, "\"white whale\"").hits.size(), 1U);
    EXPECT_EQ(find(ada_, "white -whale").hits.size(), 1U);
    EXPECT_EQ(find(ada_, "elep").hits.size(), 1U) << "the word that is being typed";
    EXPECT_EQ(find(ada_, "elep ").hits.size(), 0U) << "a finished word";
    EXPECT_EQ(find(ada_, "white whale elephant").hits.size(), 0U) << "all words";
}

// What begins with the word is looked up as whole words: see sqlite/search_words.hpp.
TEST_F(SearchTest, TheWordThatIsBeingTypedStandsForALimitedNumberOfWords) {
    std::vector<NewItem> items;
    for (int i = 0; i < 60; ++i) {
        items.push_back(user_item(fmt::format("whale{:02}", i)));
    }
    items.push_back(user_item("whale"));
    make_conversation(ada_, std::move(items));
    SearchRequest request;
    request.limit = 100;
    request.query = parse_search_query("whale59");
    EXPECT_EQ(find(ada_, "whale59").hits.size(), 1U);
    request.query = parse_search_query("whal");
    EXPECT_EQ(good(run_task(store_->search(ada_, request))).hits.size(), 50U);
    request.query = parse_search_query("wh");
    EXPECT_EQ(good(run_task(store_->search(ada_, request))).hits.size(), 5U) << "two letters say little";
    request.query = parse_search_query("whale5");
    EXPECT_EQ(good(run_task(store_->search(ada_, request))).hits.size(), 10U) << "more are found when more is typed";
    request.query = parse_search_query("whale");
    EXPECT_EQ(good(run_task(store_->search(ada_, request))).hits.size(), 51U) << "itself is always among them";
}

TEST_F(SearchTest, TheBeginningOfAWordIsCutAsTheIndexIs) {
    make_conversation(ada_, {user_item("tiếng Việt"), user_item("one two-three"), user_item("Straßenbahn")});
    EXPECT_EQ(find(ada_, "vi").hits.size(), 1U);
    EXPECT_EQ(find(ada_, "VIỆ").hits.size(), 1U);
    EXPECT_EQ(find(ada_, "tiếng v").hits.size(), 1U);
    EXPECT_EQ(find(ada_, "two-thr").hits.size(), 1U);
    EXPECT_EQ(find(ada_, "one-thr").hits.size(), 0U);
    EXPECT_EQ(find(ada_, "straß").hits.size(), 1U);
}

TEST_F(SearchTest, FiltersByRoleModelAndDate) {
    const auto id = make_conversation(ada_).id;
    answer(ada_, {id, {}}, "whale question", "whale answer");
    EXPECT_EQ(texts_of_hits(find(ada_, "whale from:me")), Texts{"[whale] question"});
    EXPECT_EQ(texts_of_hits(find(ada_, "whale from:assistant")), Texts{"[whale] answer"});
    EXPECT_EQ(find(ada_, "whale model:model-a").hits.size(), 1U);
    EXPECT_EQ(find(ada_, "whale model:other").hits.size(), 0U);
    EXPECT_EQ(find(ada_, "whale after:2020-01-01").hits.size(), 2U + 1U) << "and the title";
    EXPECT_EQ(find(ada_, "whale before:2020-01-01").hits.size(), 0U);
}

TEST_F(SearchTest, FindsTitlesAndTheirChanges) {
    const auto id = titled(ada_, "Planning Tromsø", {user_item("x")}).id;
    const auto hits = find(ada_, "in:title planning").hits;
    ASSERT_EQ(hits.size(), 1U);
    EXPECT_EQ(hits[0].conversation, id);
    EXPECT_FALSE(hits[0].item);
    ConversationPatch patch;
    patch.title = "Other";
    good(run_task(store_->update_conversation(ada_, id, patch)));
    EXPECT_EQ(find(ada_, "planning").hits.size(), 0U);
    EXPECT_EQ(find(ada_, "other").hits.size(), 1U);
}

TEST_F(SearchTest, ForgetsWhatIsDeleted) {
    const auto kept = make_conversation(ada_, {user_item("whale one"), user_item("whale two")});
    const auto gone = titled(ada_, "whale three", {user_item("whale four")});
    EXPECT_EQ(find(ada_, "whale").hits.size(), 4U);
    const auto first = page(ada_, kept.id, Order::ascending, 1).rows.at(0).id;
    good(run_task(store_->delete_item(ada_, kept.id, first)));
    good(run_task(store_->delete_conversation(ada_, gone.id)));
    EXPECT_EQ(texts_of_hits(find(ada_, "whale")), Texts{"[whale] two"});
    // Not only hidden by a join: the index itself has one row left.
    store_.reset();
    auto db = good(sqlite::Connection::open(path(), sqlite::Access::read_only, counters_));
    auto rows = db->use("SELECT count(*) FROM search_index WHERE search_index MATCH 'whale'");
    ASSERT_TRUE(good(rows.step()));
    EXPECT_EQ(rows.integer(0), 1);
    auto titles = db->use("SELECT count(*) FROM search_titles");
    ASSERT_TRUE(good(titles.step()));
    EXPECT_EQ(titles.integer(0), 0);
    auto check = db->use("SELECT count(*) FROM search_queue");
    ASSERT_TRUE(good(check.step()));
    EXPECT_EQ(check.integer(0), 0);
}

TEST_F(SearchTest, DeletingBeforeItWasIndexedLeavesNothing) {
    for (int i = 0; i < 20; ++i) {
        const auto id = make_conversation(ada_, {user_item("fleeting whale")}).id;
        good(run_task(store_->delete_conversation(ada_, id)));
    }
    EXPECT_EQ(find(ada_, "whale").hits.size(), 0U);
}

TEST_F(SearchTest, CatchesUpAfterAnInterruption) {
    make_conversation(ada_, {user_item("whale")});
    reopen();
    EXPECT_EQ(find(ada_, "whale").hits.size(), 1U);
}

TEST_F(SearchTest, PagesStayInPlaceWhileMessagesArrive) {
    const auto id = make_conversation(ada_).id;
    for (int i = 0; i < 30; ++i) {
        good(run_task(store_->append_items(ada_, id, {user_item("whale " + std::to_string(i))})));
    }
    find(ada_, "whale");
    SearchRequest request;
    request.query = parse_search_query("whale");
    request.limit = 7;
    Texts seen;
    for (int i = 30;; ++i) {
        const SearchPage page = good(run_task(store_->search(ada_, request)));
        for (const std::string& text : texts_of_hits(page)) {
            seen.push_back(text);
        }
        if (page.next.empty()) {
            break;
        }
        request.cursor = page.next;
        good(run_task(store_->append_items(ada_, id, {user_item("whale " + std::to_string(i))})));
    }
    ASSERT_EQ(seen.size(), 30U);
    EXPECT_EQ(seen.front(), "[whale] 29");
    EXPECT_EQ(seen.back(), "[whale] 0");
    request.cursor = "x1";
    EXPECT_EQ(errc_of(run_task(store_->search(ada_, request))), base::Errc::invalid_request);
}

TEST_F(SearchTest, RanksWhatAnswersBest) {
    make_conversation(
        ada_,
        {user_item("whale whale whale white whale"),
         user_item("a whale once, among many other words " + std::string(5'000, 'x'))}
    );
    const auto hits = find(ada_, "whale", SearchOrder::relevance).hits;
    ASSERT_EQ(hits.size(), 2U);
    EXPECT_GT(hits[0].score, hits[1].score);
    EXPECT_TRUE(hits[0].snippet.at(0).hit);
}

TEST_F(SearchTest, AnyTextIsAQuery) {
    make_conversation(ada_, {user_item("x")});
    for (const char* text :
         {"\"", "\"\"", "*", "x*", "NEAR(a b)", "col:x", "text:x", "a AND", "OR", "NOT", "(", ")", "^x", "-", "--", "-\"",
          "{x y}: z", "x OR 1=1", "'; DROP TABLE users;--", "%", "_", "\\", "\x01\x02", "\xff\xfe", "in:", "in:title",
          "from:me", "before:2020-13-45", "after:", "model:", "a\"b", "\"a", "+", "😀", "é", "中", "-中", "-x"}) {
        SearchRequest request;
        request.query = parse_search_query(text);
        EXPECT_TRUE(run_task(store_->search(ada_, request))) << text;
        request.order = SearchOrder::relevance;
        EXPECT_TRUE(run_task(store_->search(ada_, request))) << text;
    }
}

// The database without its writer, so that a test alone decides when something is indexed, forgotten and purged.
class PurgeTest : public StoreTest {
protected:
    PurgeTest() {
        ada_ = make_user("ada@example.org");
        store_.reset();
        db_ = good(sqlite::Connection::open(path(), sqlite::Access::read_write, counters_));
        good(db_->run("BEGIN"));
    }

    void index_all() {
        while (good(sqlite::index_step(*db_))) {
        }
    }

    // Writes, indexes and wipes one conversation.
    void come_and_go(const std::string& text) {
        NewConversation conversation = new_conversation(ada_, {user_item(text)});
        conversation.title = text + "title";
        good(sqlite::create_conversation(*db_, conversation));
        index_all();
        good(sqlite::delete_conversation(*db_, ada_, conversation.id));
        index_all();
    }

    std::int64_t number(sqlite::Sql sql) {
        auto rows = db_->use(sql);
        EXPECT_TRUE(good(rows.step()));
        return rows.integer(0);
    }

    int purge() {
        int steps = 1;
        for (; good(sqlite::purge_step(*db_)); ++steps) {
        }
        return steps;
    }

    UserNo ada_{};
    std::unique_ptr<sqlite::Connection> db_;
};

TEST_F(PurgeTest, DropsTheWordsOfWhatWasDeleted) {
    good(sqlite::create_conversation(*db_, new_conversation(ada_, {user_item("something that stays")})));
    come_and_go("zqconfidential");
    EXPECT_GT(number("SELECT count(*) FROM search_index_data WHERE instr(block, 'zqconfidential')"), 0) << "else why purge";
    EXPECT_GT(number("SELECT count(*) FROM search_titles_data WHERE instr(block, 'zqconfidentialtitle')"), 0);
    EXPECT_EQ(number("SELECT count(*) FROM search_vocabulary WHERE word LIKE 'zqconfidential%'"), 2);
    purge();
    EXPECT_EQ(number("SELECT count(*) FROM search_vocabulary WHERE word LIKE 'zqconfidential%'"), 0);
    EXPECT_EQ(number("SELECT count(*) FROM search_vocabulary WHERE word IN ('something', 'that', 'stays')"), 3);
    EXPECT_EQ(number("SELECT count(*) FROM search_index_data WHERE instr(block, 'zqconfidential')"), 0);
    EXPECT_EQ(number("SELECT count(*) FROM search_titles_data WHERE instr(block, 'zqconfidential')"), 0);
    EXPECT_EQ(number("SELECT count(*) FROM search_index WHERE search_index MATCH 'stays'"), 1);
    EXPECT_EQ(purge(), 1) << "nothing is due any more";
}

TEST_F(PurgeTest, EndsWhileMessagesArrive) {
    come_and_go("gone");
    int steps = 0;
    for (bool more = true; more && steps < 100; ++steps) {
        good(sqlite::create_conversation(*db_, new_conversation(ada_, {user_item("arriving")})));
        index_all();
        more = good(sqlite::purge_step(*db_));
    }
    EXPECT_LT(steps, 20);
}

// A segment has a number of its own, in the upper bits of the rows of its pages (fts5_index.c, "FTS5_SEGMENT_ROWID").
TEST_F(PurgeTest, MergingLeavesOneSegmentInALevel) {
    const sqlite::Sql segments = "SELECT count(DISTINCT id >> 37) FROM search_index_data WHERE id > 10";
    for (int i = 0; i < 3; ++i) {  // at four FTS5 merges by itself
        good(sqlite::create_conversation(*db_, new_conversation(ada_, {user_item("message " + std::to_string(i))})));
        index_all();
        good(db_->run("COMMIT"));
        good(db_->run("BEGIN"));
    }
    EXPECT_EQ(number(segments), 3);
    for (int steps = 0; good(sqlite::merge_step(*db_)); ++steps) {
        ASSERT_LT(steps, 10);
    }
    EXPECT_EQ(number(segments), 1);
    EXPECT_FALSE(good(sqlite::merge_step(*db_)));
    EXPECT_EQ(number("SELECT count(*) FROM search_index WHERE search_index MATCH 'message'"), 3);
    good(db_->run("INSERT INTO search_index (search_index) VALUES ('integrity-check')"));
}

// Each purge leaves two levels in the structure of the index, which cannot be read any more at 2,000.
TEST_F(PurgeTest, DoesNotWearTheIndexOut) {
    good(sqlite::create_conversation(*db_, new_conversation(ada_, {user_item("something that stays")})));
    for (int i = 0; i < 1'200; ++i) {
        come_and_go("gone");
        purge();
    }
    index_all();
    EXPECT_EQ(number("SELECT count(*) FROM search_index WHERE search_index MATCH 'stays'"), 1);
    EXPECT_EQ(number("SELECT count(*) FROM search_index WHERE search_index MATCH 'gone'"), 0);
    good(db_->run("INSERT INTO search_index (search_index) VALUES ('integrity-check')"));
}

TEST(Snippet, NeverCutsACharacterAndStaysShort) {
    std::string text;
    for (int i = 0; i < 100; ++i) {
        text += "中文é";
    }
    text += " needle ";
    for (int i = 0; i < 100; ++i) {
        text += "é中文";
    }
    const auto query = parse_search_query("needle");
    for (std::size_t cut = 0; cut < 20; ++cut) {
        std::size_t bytes = 0;
        bool hit = false;
        for (const SnippetPart& part : make_snippet("x" + std::string(cut, 'y') + text, query)) {
            EXPECT_TRUE(base::is_utf8(part.text));
            bytes += part.text.size();
            hit = hit || part.hit;
        }
        EXPECT_LE(bytes, kSnippetBytesMax + 8);
        EXPECT_TRUE(hit);
    }
}

}  // namespace
}  // namespace confab::store

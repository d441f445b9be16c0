// Paths of branches against parent pointers: whatever is forked where, a run's prompt is what its ancestors say.
#include "store/sqlite/branches.hpp"

#include <map>
#include <random>

#include "store/sqlite/conversations.hpp"
#include "store/sqlite/items.hpp"
#include "store_fixture.hpp"

namespace confab::store {
namespace {

struct Turn {
    ResponseId id;
    std::optional<std::size_t> parent;  // index of the turn it follows
    Texts items;                        // its own input and output
};

class BranchesTest : public StoreTest {
protected:
    static Texts path_of(const std::vector<Turn>& turns, std::optional<std::size_t> last) {
        Texts path;
        for (; last; last = turns[*last].parent) {
            path.insert(path.begin(), turns[*last].items.begin(), turns[*last].items.end());
        }
        return path;
    }

    // Begins a run after `parent`, checks its prompt against the pointers and finishes it.
    void add_turn(std::vector<Turn>& turns, std::optional<std::size_t> parent, std::mt19937& random) {
        Turn turn;
        turn.parent = parent;
        NewRun run = new_run(ada_, {});
        turn.id = run.id;
        if (parent) {
            run.target.previous_response = turns[*parent].id;
        }
        for (unsigned i = 1 + random() % 2; i > 0; --i) {
            turn.items.push_back("in " + std::to_string(turns.size()) + "." + std::to_string(i));
            run.input.push_back(user_item(turn.items.back()));
        }
        const BegunRun begun = good(run_task(store_->begin_run(run)));
        Texts expected = path_of(turns, parent);
        expected.insert(expected.end(), turn.items.begin(), turn.items.end());
        ASSERT_EQ(texts_of(prompt_of(begun)), expected);
        ASSERT_EQ(begun.prompt.head, static_cast<Position>(expected.size()));
        ASSERT_EQ(begun.prompt.tokens, static_cast<std::int64_t>(expected.size())) << "one token each";
        std::vector<NewItem> output;
        for (unsigned i = random() % 3; i > 0; --i) {
            turn.items.push_back("out " + std::to_string(turns.size()) + "." + std::to_string(i));
            output.push_back(answer_item(turn.items.back()));
        }
        finish(begun.no, output);
        turns.push_back(turn);
    }

    UserNo ada_ = make_user("ada@example.org");
};

TEST_F(BranchesTest, AgreeWithParentPointersEverywhere) {
    std::mt19937 random(7);
    std::vector<Turn> turns;
    add_turn(turns, std::nullopt, random);
    for (int i = 0; i < 500; ++i) {
        // Often the newest, so that branches grow long; often any, so that they fork everywhere, also at the same
        // place.
        const bool any = random() % 3 == 0;
        const std::size_t parent = any ? random() % turns.size() : turns.size() - 1;
        ASSERT_NO_FATAL_FAILURE(add_turn(turns, parent, random));
    }
    std::map<BranchNo, int> branches;
    for (const Turn& turn : turns) {
        ++branches[good(run_task(store_->find_run(ada_, turn.id))).branch];
    }
    EXPECT_GT(branches.size(), 100U);
}

// The same for pages, both ways: the conversation's active branch is set to each of the branches in turn.
TEST_F(BranchesTest, PagesFollowThePathBothWays) {
    std::mt19937 random(8);
    const auto id = make_conversation(ada_).id;
    std::vector<Turn> turns{{answer(ada_, {id, {}}, "q0", "a0"), {}, {"q0", "a0"}}};
    for (std::size_t i = 1; i < 60; ++i) {
        const std::size_t parent = random() % 2 == 0 ? turns.size() - 1 : random() % turns.size();
        const std::string number = std::to_string(i);
        turns.push_back(
            {answer(ada_, {{}, turns[parent].id}, "q" + number, "a" + number), parent, {"q" + number, "a" + number}}
        );
    }
    meter::StoreCounters counters;
    for (std::size_t i = 0; i < turns.size(); ++i) {
        const BranchNo branch = good(run_task(store_->find_run(ada_, turns[i].id))).branch;
        store_.reset();
        {
            auto db = good(sqlite::Connection::open(path(), sqlite::Access::read_write, counters));
            good(db->run("UPDATE conversations SET active_br = ?1 WHERE id = ?2", branch, id));
        }
        open_store();
        const Texts all = texts(ada_, id);
        const Texts to_turn = path_of(turns, i);
        ASSERT_GE(all.size(), to_turn.size());
        ASSERT_TRUE(std::equal(to_turn.begin(), to_turn.end(), all.begin()));
        Texts down;
        Texts up;
        for (const Order order : {Order::descending, Order::ascending}) {
            Texts& seen = order == Order::descending ? down : up;
            std::optional<ItemId> after;
            for (bool more = true; more;) {
                const auto one = page(ada_, id, order, 1 + random() % 5, after);
                for (const Item& item : one.rows) {
                    seen.push_back(item.body);
                    after = item.id;
                }
                more = one.has_more;
            }
        }
        ASSERT_EQ(up, all);
        ASSERT_EQ(Texts(down.rbegin(), down.rend()), all);
    }
}

TEST_F(BranchesTest, DoNotNestWithoutEnd) {
    const auto id = make_conversation(ada_).id;
    answer(ada_, {id, {}}, "one", "two");
    const auto first = page(ada_, id, Order::ascending, 1).rows.at(0).id;
    const auto edit = [&] {
        NewRun run = new_run(ada_, {user_item("instead")});
        run.target.conversation = id;
        run.target.after = AfterItem{first};
        return run_task(store_->begin_run(std::move(run)));
    };
    const auto set_depth = [&](std::int64_t depth) {
        store_.reset();
        {
            auto db = good(sqlite::Connection::open(path(), sqlite::Access::read_write, counters_));
            good(db->run("UPDATE branches SET depth = ?1", depth));
        }
        open_store();
    };
    set_depth(sqlite::kBranchDepthMax);
    EXPECT_EQ(code_of(edit()), "too_many_branches");
    EXPECT_EQ(texts(ada_, id), (Texts{"one", "two"})) << "nothing was done";
    set_depth(sqlite::kBranchDepthMax - 1);
    EXPECT_TRUE(edit());
}

TEST_F(BranchesTest, ACursorOfAnotherBranchGoesUpItsOwnPath) {
    const auto id = make_conversation(ada_).id;
    const ResponseId first = answer(ada_, {id, {}}, "one", "two");
    answer(ada_, {id, {}}, "three", "four");
    const ResponseId aside = answer(ada_, {{}, first}, "instead", "else");
    const ItemId cursor = good(run_task(store_->find_run(ada_, aside))).output.at(0).id;
    EXPECT_EQ(texts_of(page(ada_, id, Order::descending, 9, cursor).rows), (Texts{"instead", "two", "one"}));
    EXPECT_EQ(
        errc_of(run_task(store_->list_items(ada_, id, {cursor, Order::ascending, 9}))), base::Errc::invalid_request
    );
}

}  // namespace
}  // namespace confab::store

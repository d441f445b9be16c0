// The tree of a conversation against plain parent pointers: thousands of random operations, and pages both ways, around
// items, shares and dates, from random places, also while another writer appends.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <iostream>
#include <map>
#include <random>

#include "store/sqlite/connection.hpp"
#include "store/sqlite/copies.hpp"
#include "store_fixture.hpp"

namespace confab::store {
namespace {

// A path ends in a leaf that may grow; a node knows the leaf that was looked at last beneath it.
struct Leaf {
    int node = -1;  // -1: the empty path
};

struct Node {
    ItemId id;
    int parent = -1;
    Leaf* made_on = nullptr;  // the branch that owns it
    Leaf* seen = nullptr;     // nothing yet: the one that owns it
    bool deleted = false;
    Position position = 0;
};

class Model {
public:
    Model() { active = add_leaf(-1); }

    // ---- what the store should do
    void append(const std::vector<ItemId>& ids) {
        for (const ItemId& id : ids) {
            nodes.push_back({id, active->node, active, active, false, position_of(active->node) + 1});
            active->node = static_cast<int>(nodes.size()) - 1;
        }
        look_at(active);
    }

    // Where the next item after `node` goes.
    Leaf* open_after(int node) {
        Leaf* own = node >= 0 ? nodes[static_cast<std::size_t>(node)].made_on : nullptr;
        if (own != nullptr && own->node == node) {
            return own;
        }
        for (const auto& leaf : leaves) {  // one that was opened here and got no items
            const bool has_items = std::ranges::any_of(nodes, [&](const Node& one) { return one.made_on == leaf.get(); });
            if (leaf->node == node && !has_items) {
                return leaf.get();
            }
        }
        return add_leaf(node);
    }

    void look_at(Leaf* leaf) {
        active = leaf;
        for (int node = leaf->node; node >= 0; node = at(node).parent) {
            at(node).seen = leaf;
        }
    }

    Leaf* leaf_beneath(int node) { return at(node).seen != nullptr ? at(node).seen : at(node).made_on; }

    // ---- what should be seen
    std::vector<int> path_of(int leaf) const {
        std::vector<int> path;
        for (; leaf >= 0; leaf = at(leaf).parent) {
            if (!at(leaf).deleted) {
                path.push_back(leaf);
            }
        }
        std::ranges::reverse(path);
        return path;
    }

    int visible_parent(int node) const {
        do {
            node = at(node).parent;
        } while (node >= 0 && at(node).deleted);
        return node;
    }

    std::optional<Siblings> siblings_of(int node) const {
        std::vector<int> all;
        for (int one = 0; one < static_cast<int>(nodes.size()); ++one) {
            if (!at(one).deleted && visible_parent(one) == visible_parent(node)) {
                all.push_back(one);
            }
        }
        if (all.size() < 2) {
            return std::nullopt;
        }
        const auto own = std::ranges::find(all, node);
        Siblings siblings;
        siblings.index = own - all.begin() + 1;
        siblings.count = static_cast<std::int64_t>(all.size());
        if (own != all.begin()) {
            siblings.previous = at(*std::prev(own)).id;
        }
        if (std::next(own) != all.end()) {
            siblings.next = at(*std::next(own)).id;
        }
        return siblings;
    }

    Position position_of(int node) const { return node < 0 ? 0 : at(node).position; }

    Node& at(int node) { return nodes[static_cast<std::size_t>(node)]; }

    const Node& at(int node) const { return nodes[static_cast<std::size_t>(node)]; }

    Leaf* add_leaf(int node) {
        leaves.push_back(std::make_unique<Leaf>(Leaf{node}));
        return leaves.back().get();
    }

    std::vector<Node> nodes;
    std::vector<std::unique_ptr<Leaf>> leaves;
    Leaf* active = nullptr;
};

class TreeTest : public StoreTest {
protected:
    TreeTest() {
        const char* given = std::getenv("TREE_SEED");
        seed_ = given != nullptr ? static_cast<unsigned>(std::strtoul(given, nullptr, 10)) : std::random_device{}();
        std::cout << "TREE_SEED=" << seed_ << '\n';
        random_.seed(seed_);
    }

    int any(std::size_t count) { return static_cast<int>(random_() % count); }

    // A node that is not deleted; -1 when there is none.
    int any_visible() {
        for (int tries = 0; tries < 50 && !model_.nodes.empty(); ++tries) {
            const int node = any(model_.nodes.size());
            if (!model_.at(node).deleted) {
                return node;
            }
        }
        return -1;
    }

    std::optional<ItemId> id_of(int node) { return node < 0 ? std::nullopt : std::optional(model_.at(node).id); }

    void append() {
        std::vector<NewItem> items;
        std::vector<ItemId> ids;
        for (int i = 1 + any(3); i > 0; --i) {
            items.push_back(any(2) == 0 ? user_item("u") : answer_item("a"));
            ids.push_back(items.back().id);
            roles_[ids.back()] = items.back().role;
        }
        good(run_task(store_->append_items(ada_, id_, items)));
        model_.append(ids);
    }

    // An edit, or with a user's message before it sometimes a regeneration; answers that fail leave an empty branch.
    void run_after(int node) {
        NewRun run = new_run(ada_, {});
        run.target.conversation = id_;
        run.target.after = AfterItem{id_of(node)};
        std::vector<ItemId> ids;
        const bool regenerates = node >= 0 && roles_.at(model_.at(node).id) == ItemRole::user && any(2) == 0;
        if (!regenerates) {
            run.input.push_back(user_item("u"));
            roles_[run.input.back().id] = ItemRole::user;
            ids.push_back(run.input.back().id);
        }
        const BegunRun begun = good(run_task(store_->begin_run(run)));
        model_.look_at(model_.open_after(node));
        std::vector<NewItem> output;
        if (any(5) != 0) {
            output.push_back(answer_item("a"));
            ids.push_back(output.back().id);
            roles_[ids.back()] = ItemRole::assistant;
        }
        finish(begun.no, output);
        model_.append(ids);
    }

    void switch_to(int node) {
        if (node < 0 || any(4) == 0) {
            good(run_task(store_->set_head(ada_, id_, id_of(node), Descend::no)));
            model_.look_at(model_.open_after(node));
        } else {
            good(run_task(store_->set_head(ada_, id_, id_of(node), Descend::yes)));
            model_.look_at(model_.leaf_beneath(node));
        }
    }

    void remove(int node) {
        if (node >= 0) {
            good(run_task(store_->delete_item(ada_, id_, model_.at(node).id)));
            model_.at(node).deleted = true;
        }
    }

    void check_item(const Item& item, int node) {
        ASSERT_EQ(item.id, model_.at(node).id);
        ASSERT_EQ(item.position, model_.at(node).position);
        ASSERT_EQ(item.parent, id_of(model_.visible_parent(node)));
        const auto siblings = model_.siblings_of(node);
        ASSERT_EQ(item.siblings.has_value(), siblings.has_value()) << "position " << item.position;
        if (siblings) {
            ASSERT_EQ(item.siblings->index, siblings->index);
            ASSERT_EQ(item.siblings->count, siblings->count);
            ASSERT_EQ(item.siblings->previous, siblings->previous);
            ASSERT_EQ(item.siblings->next, siblings->next);
        }
    }

    // `page` is [first, first + size) of the path.
    void check_page(const ItemPage& page, Order order, const std::vector<int>& path, std::size_t first, std::size_t size) {
        ASSERT_EQ(page.rows.size(), size);
        for (std::size_t i = 0; i < size; ++i) {
            const std::size_t at = order == Order::ascending ? first + i : first + size - 1 - i;
            ASSERT_NO_FATAL_FAILURE(check_item(page.rows[i], path[at]));
        }
        ASSERT_EQ(page.has_older, first > 0);
        ASSERT_EQ(page.has_newer, first + size < path.size());
        ASSERT_EQ(page.has_more, order == Order::ascending ? page.has_newer : page.has_older);
        ASSERT_EQ(page.leaf, path.empty() ? std::nullopt : id_of(path.back()));
        ASSERT_EQ(page.head, path.empty() ? 0 : model_.at(path.back()).position);
    }

    ItemPage list(const ItemPageRequest& request) { return good(run_task(store_->list_items(ada_, id_, request))); }

    // A page from a random place of a path, active or named.
    void check_some_page() {
        ItemPageRequest request;
        request.limit = static_cast<std::size_t>(1 + any(6));
        request.order = any(2) == 0 ? Order::ascending : Order::descending;
        int leaf = model_.active->node;
        if (any(2) == 0 && !model_.nodes.empty()) {
            leaf = any(model_.nodes.size());
            request.leaf = model_.at(leaf).id;
        }
        const std::vector<int> path = model_.path_of(leaf);
        std::size_t from = request.order == Order::ascending ? 0 : path.size();  // the first row, or one beyond it
        if (!path.empty() && any(3) != 0) {
            const std::size_t cursor = static_cast<std::size_t>(any(path.size()));
            request.after = id_of(path[cursor]);
            from = request.order == Order::ascending ? cursor + 1 : cursor;
        }
        const ItemPage page = list(request);
        if (request.order == Order::ascending) {
            check_page(page, request.order, path, from, std::min(request.limit, path.size() - from));
        } else {
            const std::size_t size = std::min(request.limit, from);
            check_page(page, request.order, path, from - size, size);
        }
    }

    void check_around() {
        ItemPageRequest request;
        request.limit = static_cast<std::size_t>(1 + any(7));
        const int node = any_visible();
        int leaf = model_.active->node;
        Position centre = 0;
        const int kind = any(3);
        if (kind == 0 && node >= 0) {
            request.around = AtItem{model_.at(node).id};
            centre = model_.at(node).position;
            bool shown = false;
            for (int one = leaf; one >= 0; one = model_.at(one).parent) {
                shown = shown || one == node;
            }
            leaf = shown ? leaf : model_.leaf_beneath(node)->node;
        } else if (kind == 1) {
            const double share = any(101) / 100.0;
            request.around = AtShare{share};
            centre = 1 + std::llround(share * static_cast<double>(std::max<Position>(model_.position_of(leaf), 1) - 1));
        } else {
            return;
        }
        const std::vector<int> path = model_.path_of(leaf);
        std::size_t before = 0;
        while (before < path.size() && model_.at(path[before]).position < centre) {
            ++before;
        }
        const std::size_t half = std::min(request.limit / 2, before);
        const std::size_t newer = std::min(request.limit - half, path.size() - before);
        const std::size_t older = std::min(request.limit - newer, before);
        const ItemPage page = list(request);
        check_page(page, Order::ascending, path, before - older, older + newer);
    }

    void check_tree() {
        std::map<ItemId, std::optional<ItemId>> seen;
        std::optional<ItemId> after;
        for (bool more = true; more;) {
            const PageRequest<ItemId> request{after, Order::ascending, static_cast<std::size_t>(1 + any(40))};
            const auto page = good(run_task(store_->list_tree(ada_, id_, request)));
            for (const TreeItem& item : page.rows) {
                ASSERT_TRUE(!item.parent || seen.contains(*item.parent)) << "after its parent";
                ASSERT_TRUE(seen.emplace(item.id, item.parent).second) << "once";
                after = item.id;
            }
            more = page.has_more;
        }
        std::size_t visible = 0;
        for (int node = 0; node < static_cast<int>(model_.nodes.size()); ++node) {
            if (!model_.at(node).deleted) {
                ++visible;
                ASSERT_EQ(seen.at(model_.at(node).id), id_of(model_.visible_parent(node)));
            }
        }
        ASSERT_EQ(seen.size(), visible);
    }

    void check_copy(int node) {
        if (node < 0) {
            return;
        }
        const Conversation copy = good(run_task(store_->fork_conversation(ada_, id_, model_.at(node).id)));
        const ItemPageRequest whole(std::nullopt, Order::ascending, 1'000'000);
        const auto rows = good(run_task(store_->list_items(ada_, copy.id, whole))).rows;
        ItemPageRequest source = whole;
        source.leaf = model_.at(node).id;
        const auto expected = list(source).rows;
        ASSERT_EQ(texts_of(rows), texts_of(expected));
        for (std::size_t i = 0; i < rows.size(); ++i) {
            ASSERT_EQ(rows[i].role, expected[i].role);
            ASSERT_EQ(rows[i].created_at, expected[i].created_at);
            ASSERT_EQ(rows[i].model, expected[i].model);
            ASSERT_EQ(rows[i].response.has_value(), expected[i].response.has_value());
            ASSERT_NE(rows[i].id, expected[i].id);
            ASSERT_EQ(rows[i].position, static_cast<Position>(i + 1)) << "without the deleted ones";
        }
        good(run_task(store_->delete_conversation(ada_, copy.id)));
    }

    void do_something() {
        switch (any(12)) {
            case 0:
            case 1: append(); break;
            case 2:
            case 3: run_after(any(20) == 0 ? -1 : any_visible()); break;
            case 4: run_after(model_.path_of(model_.active->node).empty() ? -1 : model_.path_of(model_.active->node).back()); break;
            case 5: switch_to(any(20) == 0 ? -1 : any_visible()); break;
            case 6:
                if (any(3) == 0) {
                    remove(any_visible());
                }
                break;
            case 7: check_around(); break;
            case 8:
                if (any(10) == 0) {
                    check_copy(any_visible());
                }
                break;
            default: check_some_page(); break;
        }
    }

    UserNo ada_ = make_user("ada@example.org");
    ConversationId id_ = make_conversation(ada_).id;
    unsigned seed_ = 0;
    std::mt19937 random_;
    Model model_;
    std::map<ItemId, ItemRole> roles_;
};

TEST_F(TreeTest, AgreesWithParentPointersEverywhere) {
    for (int i = 0; i < 3'000; ++i) {
        ASSERT_NO_FATAL_FAILURE(do_something()) << "operation " << i << ", TREE_SEED=" << seed_;
    }
    ASSERT_NO_FATAL_FAILURE(check_tree());
}

// Pages of a named path stay on it, whatever is appended and switched between them.
TEST_F(TreeTest, APinnedPathStaysWhileOthersWrite) {
    for (int i = 0; i < 300; ++i) {
        ASSERT_NO_FATAL_FAILURE(do_something());
    }
    while (model_.path_of(model_.active->node).size() < 5) {
        append();
    }
    for (int round = 0; round < 30; ++round) {
        const std::vector<int> path = model_.path_of(model_.active->node);
        if (path.empty()) {
            append();
            continue;
        }
        const ItemPage first = list({std::nullopt, Order::descending, 1});
        std::vector<ItemId> seen{first.rows.at(0).id};
        ItemPageRequest request(seen.back(), Order::descending, 2);
        request.leaf = first.leaf;
        for (bool more = first.has_more; more;) {
            append();
            run_after(any_visible());
            switch_to(any_visible());
            const ItemPage page = list(request);
            EXPECT_EQ(page.leaf, first.leaf);
            for (const Item& item : page.rows) {
                seen.push_back(item.id);
            }
            request.after = seen.back();
            more = page.has_more;
        }
        std::vector<ItemId> expected;
        for (auto node = path.rbegin(); node != path.rend(); ++node) {
            expected.push_back(model_.at(*node).id);
        }
        ASSERT_EQ(seen, expected) << "TREE_SEED=" << seed_;
    }
}

TEST_F(TreeTest, FindsADateByHalving) {
    for (int i = 0; i < 40; ++i) {
        append();
    }
    store_.reset();
    {
        meter::StoreCounters counters;
        auto db = good(sqlite::Connection::open(path(), sqlite::Access::read_write, counters));
        good(db->run("UPDATE items SET created_at = 1000 + pos / 3 * 10"));
    }
    open_store();
    const std::vector<int> path = model_.path_of(model_.active->node);
    for (UnixSeconds date = 990; date < 1'000 + model_.position_of(path.back()) * 4; date += 3) {
        ItemPageRequest request(std::nullopt, Order::ascending, 1);
        request.around = AtDate{date};
        const Item found = list(request).rows.at(0);
        Position expected = 1;
        while (expected < model_.position_of(path.back()) && 1'000 + expected / 3 * 10 < date) {
            ++expected;
        }
        ASSERT_EQ(found.position, expected) << date;
    }
}

TEST_F(TreeTest, RefusesWhatIsNotThere) {
    append();
    const UserNo bob = make_user("bob@example.org");
    const ItemId mine = model_.nodes[0].id;
    const auto others = make_conversation(bob, {user_item("secret")});
    for (const ItemId item : {ItemId::make(), *others.head}) {
        EXPECT_EQ(code_of(run_task(store_->set_head(ada_, id_, item, Descend::no))), "item_not_found");
        EXPECT_EQ(code_of(run_task(store_->set_head(ada_, id_, item, Descend::yes))), "item_not_found");
        EXPECT_EQ(code_of(run_task(store_->fork_conversation(ada_, id_, item))), "item_not_found");
        NewRun run = new_run(ada_, {user_item("q")});
        run.target.conversation = id_;
        run.target.after = AfterItem{item};
        EXPECT_EQ(code_of(run_task(store_->begin_run(run))), "item_not_found");
        ItemPageRequest request;
        request.leaf = item;
        EXPECT_EQ(code_of(run_task(store_->list_items(ada_, id_, request))), "item_not_found");
        request.leaf.reset();
        request.around = AtItem{item};
        EXPECT_EQ(code_of(run_task(store_->list_items(ada_, id_, request))), "item_not_found");
    }
    EXPECT_EQ(errc_of(run_task(store_->set_head(bob, id_, mine, Descend::no))), base::Errc::not_found);
    EXPECT_EQ(errc_of(run_task(store_->list_tree(bob, id_, {}))), base::Errc::not_found);
    EXPECT_EQ(errc_of(run_task(store_->fork_conversation(bob, id_, mine))), base::Errc::not_found);
    good(run_task(store_->delete_item(ada_, id_, mine)));
    EXPECT_EQ(code_of(run_task(store_->set_head(ada_, id_, mine, Descend::no))), "item_not_found") << "deleted";
}

TEST_F(TreeTest, LocksTheConversationWhileAnyAnswerIsMade) {
    const ResponseId first = answer(ada_, {id_, {}, {}}, "one", "two");
    answer(ada_, {id_, {}, {}}, "three", "four");
    NewRun aside = new_run(ada_, {user_item("aside")});
    aside.target.previous_response = first;
    const BegunRun begun = good(run_task(store_->begin_run(aside)));
    EXPECT_EQ(code_of(run_task(store_->append_items(ada_, id_, {user_item("x")}))), "conversation_locked");
    NewRun run = new_run(ada_, {user_item("q")});
    run.target.conversation = id_;
    run.target.after = AfterItem{};
    EXPECT_EQ(code_of(run_task(store_->begin_run(run))), "conversation_locked");
    NewRun another = new_run(ada_, {user_item("another")});
    another.target.previous_response = first;
    EXPECT_EQ(code_of(run_task(store_->begin_run(another))), "conversation_locked");
    finish(begun.no, {answer_item("done")});
    good(run_task(store_->begin_run(run)));
}

TEST_F(TreeTest, ACopyThatACrashLeftIsNeverSeenAndWiped) {
    for (int i = 0; i < 5; ++i) {
        append();
    }
    store_.reset();
    meter::StoreCounters counters;
    ConversationId left;
    {
        auto db = good(sqlite::Connection::open(path(), sqlite::Access::read_write, counters));
        auto copy = good(sqlite::begin_copy(*db, ada_, id_, model_.nodes.back().id));
        copy = good(sqlite::copy_some(*db, copy));
        left = copy.to_id;
        EXPECT_EQ(errc_of(sqlite::find_conversation(*db, ada_, left)), base::Errc::not_found) << "while it is made";
    }
    open_store();
    EXPECT_EQ(errc_of(run_task(store_->find_conversation(ada_, left))), base::Errc::not_found);
    EXPECT_EQ(good(run_task(store_->list_conversations(ada_, {}))).rows.size(), 1U);
    append();  // an operation: housekeeping follows
    for (int i = 0; i < 100; ++i) {
        good(run_task(store_->ping()));
    }
    store_.reset();
    auto db = good(sqlite::Connection::open(path(), sqlite::Access::read_write, counters));
    auto rows = db->use("SELECT count(*) FROM conversations WHERE hidden = 1 OR building = 1 OR wiping = 1");
    ASSERT_TRUE(good(rows.step()));
    EXPECT_EQ(rows.integer(0), 0);
    auto items = db->use("SELECT count(*) FROM bodies WHERE conv NOT IN (SELECT conv FROM conversations)");
    ASSERT_TRUE(good(items.step()));
    EXPECT_EQ(items.integer(0), 0);
}

}  // namespace
}  // namespace confab::store

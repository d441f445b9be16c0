// What the store's tests share: a directory that goes away, a real database in it, and short ways to make rows.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "meter/counters.hpp"
#include "store/sqlite/sqlite_store.hpp"
#include "support/run_task.hpp"

namespace confab::store {

using support::run_task;

class TempDirectory {
public:
    TempDirectory() {
        std::string name = (std::filesystem::temp_directory_path() / "confab-store-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) {
            std::abort();
        }
        path_ = name;
    }

    TempDirectory(const TempDirectory&) = delete;
    TempDirectory& operator=(const TempDirectory&) = delete;

    ~TempDirectory() { std::filesystem::remove_all(path_); }

    std::string file(const std::string& name) const { return (path_ / name).string(); }

private:
    std::filesystem::path path_;
};

// Unwraps a result that must be good.
template <class T>
T good(Result<T> result) {
    if (!result) {
        ADD_FAILURE() << "unexpected error: " << result.error().message << " (" << result.error().code << ")";
        std::abort();
    }
    if constexpr (!std::is_void_v<T>) {
        return *std::move(result);
    }
}

template <class T>
base::Errc errc_of(const Result<T>& result) {
    EXPECT_FALSE(result) << "an error was expected";
    return result ? base::Errc{} : result.error().errc;
}

template <class T>
std::string code_of(const Result<T>& result) {
    EXPECT_FALSE(result) << "an error was expected";
    return result ? "" : result.error().code;
}

inline User new_user(const std::string& email) {
    User user;
    user.id = UserId::make();
    user.email = email;
    user.name = "Name of " + email;
    user.password_hash = "$argon2id$";
    user.created_at = 1'700'000'000;
    return user;
}

inline NewItem new_item(ItemRole role, const std::string& text, std::int64_t tokens = 1) {
    NewItem item;
    item.id = ItemId::make();
    item.role = role;
    item.body = text;
    item.tokens = tokens;
    return item;
}

inline NewItem user_item(const std::string& text, std::int64_t tokens = 1) {
    return new_item(ItemRole::user, text, tokens);
}

inline NewItem answer_item(const std::string& text, std::int64_t tokens = 1) {
    return new_item(ItemRole::assistant, text, tokens);
}

inline std::vector<std::string> texts_of(const std::vector<Item>& items) {
    std::vector<std::string> texts;
    for (const Item& item : items) {
        texts.push_back(item.body);
    }
    return texts;
}

using Texts = std::vector<std::string>;

class StoreTest : public testing::Test {
protected:
    StoreTest() { open_store(); }

    void open_store() { store_ = good(SqliteStore::open({path(), 2, counters_})); }

    // Closes the store and opens the same file again.
    void reopen() {
        store_.reset();
        open_store();
    }

    std::string path() const { return directory_.file("confab.db"); }

    UserNo make_user(const std::string& email) {
        return good(run_task(store_->create_user(new_user(email), IfFirst::no))).no;
    }

    NewConversation new_conversation(UserNo user, std::vector<NewItem> items = {}) {
        NewConversation conversation;
        conversation.id = ConversationId::make();
        conversation.user = user;
        conversation.items = std::move(items);
        return conversation;
    }

    Conversation make_conversation(UserNo user, std::vector<NewItem> items = {}) {
        return good(run_task(store_->create_conversation(new_conversation(user, std::move(items)))));
    }

    NewRun new_run(UserNo user, std::vector<NewItem> input) {
        NewRun run;
        run.id = ResponseId::make();
        run.user = user;
        run.input = std::move(input);
        run.model = "model-a";
        run.request = R"({"temperature":1})";
        run.prompt_tokens_max = 1'000'000;
        return run;
    }

    BegunRun begin_in(
        UserNo user,
        ConversationId conversation,
        std::vector<NewItem> input,
        ResponseId id = ResponseId::make()
    ) {
        NewRun run = new_run(user, std::move(input));
        run.id = id;
        run.target.conversation = conversation;
        return good(run_task(store_->begin_run(std::move(run))));
    }

    void finish(RunNo run, std::vector<NewItem> output, RunStatus status = RunStatus::completed) {
        FinishRun finish;
        finish.run = run;
        finish.status = status;
        finish.output = std::move(output);
        good(run_task(store_->finish_run(std::move(finish))));
    }

    // A whole turn; the run's id names it for previous_response.
    ResponseId answer(UserNo user, const RunTarget& target, const std::string& question, const std::string& text) {
        NewRun run = new_run(user, {user_item(question)});
        run.target = target;
        const ResponseId id = run.id;
        const BegunRun begun = good(run_task(store_->begin_run(std::move(run))));
        finish(begun.no, {answer_item(text)});
        return id;
    }

    Page<Item> page(
        UserNo user,
        ConversationId id,
        Order order,
        std::size_t limit,
        std::optional<ItemId> after = std::nullopt
    ) {
        PageRequest<ItemId> request{after, order, limit};
        return good(run_task(store_->list_items(user, id, request)));
    }

    // The whole path, oldest first.
    Texts texts(UserNo user, ConversationId id) { return texts_of(page(user, id, Order::ascending, 1'000'000).rows); }

    // The prompt of a begun run, as a run reads it.
    std::vector<Item> prompt_of(const BegunRun& run) {
        std::vector<Item> items;
        for (Position position = run.prompt.anchor;;) {
            auto batch =
                good(run_task(store_->list_prompt_items(run.conversation_no, run.branch, position, run.prompt.head)));
            if (batch.empty()) {
                return items;
            }
            position = batch.back().position + 1;
            std::move(batch.begin(), batch.end(), std::back_inserter(items));
        }
    }

    TempDirectory directory_;
    meter::StoreCounters counters_;
    std::unique_ptr<SqliteStore> store_;
};

}  // namespace confab::store

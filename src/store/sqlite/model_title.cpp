// Titles that a model finds: one try for each conversation, never over what a person wrote.
#include "store/sqlite/conversations.hpp"
#include "store/sqlite/organise.hpp"

namespace confab::store::sqlite {

namespace {

constexpr std::size_t kTitleItems = 8;  // the first of the conversation: a question and the start of an answer

}  // namespace

Result<std::optional<std::vector<Item>>> begin_title(Connection& db, UserNo user, ConversationId id) {
    TRY_VOID(db.run(
        "UPDATE conversations SET title_by = 2 WHERE id = ?1 AND user_no = ?2 AND title_by = 0 AND shelf < 4", id, user
    ));
    if (db.changed_rows() == 0) {
        return std::nullopt;
    }
    TRY(auto page, list_items(db, user, id, {std::nullopt, Order::ascending, kTitleItems}));
    return std::move(page.rows);
}

Result<bool> put_model_title(Connection& db, UserNo user, ConversationId id, const std::string& title) {
    TRY_VOID(db.run(
        "UPDATE conversations SET title = ?3 WHERE id = ?1 AND user_no = ?2 AND title_by = 2 AND shelf IS NOT NULL",
        id,
        user,
        title
    ));
    return db.changed_rows() > 0;
}

}  // namespace confab::store::sqlite

// Tags. One that no conversation has any more goes, with its name.
#include <algorithm>

#include "base/text.hpp"
#include "store/sqlite/organise.hpp"

namespace confab::store::sqlite {

namespace {

std::unexpected<base::Error> too_many_tags(std::size_t max, const char* of_what) {
    return base::invalid(
        "tags", "There can be " + std::to_string(max) + " tags " + of_what + ", not more.", "too_many_tags"
    );
}

Status check_count(Connection& db, UserNo user) {
    auto counted = db.use("SELECT count(*) FROM tags WHERE user_no = ?1", user);
    TRY_VOID(counted.step());
    return counted.integer(0) < static_cast<std::int64_t>(kTagsMax) ? Status() : too_many_tags(kTagsMax, "in all");
}

Result<std::int64_t> find_or_make_tag(Connection& db, UserNo user, const std::string& name) {
    TRY(const auto known, find_tag(db, user, name));
    if (known) {
        return *known;
    }
    TRY_VOID(check_count(db, user));
    TRY_VOID(
        db.run("INSERT INTO tags (user_no, key, name) VALUES (?1, ?2, ?3)", user, base::ascii_lower(name), name)
    );
    return db.inserted_key();
}

Result<std::vector<std::int64_t>> tags_of(Connection& db, ConversationNo conversation) {
    auto rows = db.use("SELECT tag FROM conversation_tags WHERE conv = ?1", conversation);
    std::vector<std::int64_t> tags;
    for (;;) {
        TRY(const bool row, rows.step());
        if (!row) {
            return tags;
        }
        tags.push_back(rows.integer(0));
    }
}

Status untie(Connection& db, ConversationNo conversation, std::int64_t tag) {
    TRY_VOID(db.run("DELETE FROM conversation_tags WHERE conv = ?1 AND tag = ?2", conversation, tag));
    return db.run(
        "DELETE FROM tags WHERE tag = ?1 AND NOT EXISTS (SELECT 1 FROM conversation_tags t WHERE t.tag = ?1)", tag
    );
}

Status tie(Connection& db, ConversationNo conversation, std::int64_t tag) {
    return db.run(
        "INSERT INTO conversation_tags (conv, tag, folder, shelf, updated_at) "
        "SELECT conv, ?2, folder, shelf, updated_at FROM conversations WHERE conv = ?1 ON CONFLICT DO NOTHING",
        conversation,
        tag
    );
}

}  // namespace

Result<std::optional<std::int64_t>> find_tag(Connection& db, UserNo user, const std::string& name) {
    auto found = db.use("SELECT tag FROM tags WHERE user_no = ?1 AND key = ?2", user, base::ascii_lower(name));
    TRY(const bool row, found.step());
    return row ? std::optional(found.integer(0)) : std::nullopt;
}

Result<std::vector<TagCount>> list_tags(Connection& db, UserNo user) {
    auto rows = db.use("SELECT name, conversations FROM tags WHERE user_no = ?1 ORDER BY key", user);
    std::vector<TagCount> tags;
    for (;;) {
        TRY(const bool row, rows.step());
        if (!row) {
            return tags;
        }
        tags.push_back({rows.get<std::string>(0), rows.integer(1)});
    }
}

Result<std::vector<std::string>> load_tags(Connection& db, ConversationNo conversation) {
    auto rows = db.use(
        "SELECT t.name FROM conversation_tags c CROSS JOIN tags t ON t.tag = c.tag WHERE c.conv = ?1", conversation
    );
    std::vector<std::string> names;
    for (;;) {
        TRY(const bool row, rows.step());
        if (!row) {
            std::ranges::sort(names);
            return names;
        }
        names.push_back(rows.get<std::string>(0));
    }
}

Status add_tag(Connection& db, UserNo user, ConversationNo conversation, const std::string& name) {
    TRY(const auto tags, tags_of(db, conversation));
    TRY(const auto known, find_tag(db, user, name));
    if (known && std::ranges::find(tags, *known) != tags.end()) {
        return {};
    }
    if (tags.size() >= kConversationTagsMax) {
        return too_many_tags(kConversationTagsMax, "on a conversation");
    }
    TRY(const std::int64_t tag, find_or_make_tag(db, user, name));
    return tie(db, conversation, tag);
}

Status remove_tag(Connection& db, UserNo user, ConversationNo conversation, const std::string& name) {
    TRY(const auto tag, find_tag(db, user, name));
    return tag ? untie(db, conversation, *tag) : Status();
}

// The new ones first, so that a tag that stays keeps its row.
Status replace_tags(Connection& db, UserNo user, ConversationNo conversation, const std::vector<std::string>& names) {
    TRY(const auto old, tags_of(db, conversation));
    std::vector<std::int64_t> kept;
    for (const std::string& name : names) {
        TRY(const std::int64_t tag, find_or_make_tag(db, user, name));
        TRY_VOID(tie(db, conversation, tag));
        kept.push_back(tag);
    }
    for (const std::int64_t tag : old) {
        if (std::ranges::find(kept, tag) == kept.end()) {
            TRY_VOID(untie(db, conversation, tag));
        }
    }
    std::ranges::sort(kept);
    const auto repeated = std::ranges::unique(kept);
    const auto count = kept.size() - static_cast<std::size_t>(repeated.size());
    return count <= kConversationTagsMax ? Status() : too_many_tags(kConversationTagsMax, "on a conversation");
}

Status clear_tags(Connection& db, ConversationNo conversation) {
    TRY(const auto tags, tags_of(db, conversation));
    for (const std::int64_t tag : tags) {
        TRY_VOID(untie(db, conversation, tag));
    }
    return {};
}

}  // namespace confab::store::sqlite

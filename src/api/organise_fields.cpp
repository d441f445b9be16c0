#include "api/organise_fields.hpp"

#include "store/organise_names.hpp"

namespace confab::api {

namespace {

using base::Result;
using base::Status;

Result<store::FolderId> parse_folder(std::string_view text, std::string_view param) {
    const auto folder = store::FolderId::parse(text);
    if (!folder) {
        return base::not_found("Folder with id '" + std::string(text) + "' not found.", "not_found", std::string(param));
    }
    return *folder;
}

Status set_folder(store::ConversationFilter& filter, std::string_view text) {
    if (text == "none") {
        filter.without_folder = true;
        return {};
    }
    TRY(filter.folder, parse_folder(text, "folder"));
    return {};
}

Result<bool> parse_switch(std::string_view text, std::string_view name) {
    if (text != "true" && text != "false") {
        return base::invalid(std::string(name), std::string(name) + " is 'true' or 'false'.");
    }
    return text == "true";
}

}  // namespace

Result<std::optional<std::optional<store::FolderId>>> parse_folder_id(const Fields& fields) {
    using Folder = std::optional<store::FolderId>;
    TRY(const auto text, fields.text("folder_id"));
    if (!text) {
        return std::nullopt;
    }
    if (text->empty()) {
        return std::optional<Folder>(Folder());
    }
    TRY(const store::FolderId folder, parse_folder(*text, "folder_id"));
    return std::optional<Folder>(Folder(folder));
}

Result<std::optional<std::vector<std::string>>> parse_tags(const Fields& fields) {
    TRY(const json::array* given, fields.array("tags"));
    if (given == nullptr) {
        return std::nullopt;
    }
    if (given->size() > store::kConversationTagsMax) {
        return base::invalid(
            "tags",
            "A conversation has at most " + std::to_string(store::kConversationTagsMax) + " tags.",
            "too_many_tags"
        );
    }
    std::vector<std::string> tags;
    for (const json::value& one : *given) {
        if (!one.is_string()) {
            return base::invalid("tags", "'tags' is an array of strings.", "invalid_type");
        }
        TRY(std::string name, store::normalise_tag({one.get_string().data(), one.get_string().size()}, "tags"));
        tags.push_back(std::move(name));
    }
    return tags;
}

Result<store::ConversationFilter> parse_filter(const web::Request& request) {
    store::ConversationFilter filter;
    if (const auto archived = request.query_value("archived"); archived && *archived != "any") {
        if (*archived != "true" && *archived != "false") {
            return base::invalid("archived", "archived is 'true', 'false' or 'any'.");
        }
        filter.archived = *archived == "true";
    }
    if (const auto pinned = request.query_value("pinned")) {
        TRY(filter.pinned, parse_switch(*pinned, "pinned"));
    }
    if (const auto trash = request.query_value("trash")) {
        TRY(filter.trash, parse_switch(*trash, "trash"));
    }
    if (const auto folder = request.query_value("folder")) {
        TRY_VOID(set_folder(filter, *folder));
    }
    if (const auto tag = request.query_value("tag")) {
        TRY(filter.tag, store::normalise_tag(*tag, "tag"));
    }
    return filter;
}

Result<store::ConversationFilter> parse_filter(const Fields& fields) {
    store::ConversationFilter filter;
    TRY(filter.archived, fields.boolean("archived"));
    TRY(filter.pinned, fields.boolean("pinned"));
    TRY(const auto trash, fields.boolean("trash"));
    filter.trash = trash.value_or(false);
    TRY(const auto folder, fields.text("folder"));
    if (folder) {
        TRY_VOID(set_folder(filter, *folder));
    }
    return filter;  // `tag` is read by the caller: it means another thing to the actions tag and untag
}

}  // namespace confab::api

// What requests say about folders, tags and filters of the conversation list.
#pragma once

#include "api/body.hpp"
#include "store/organise_rows.hpp"

namespace confab::api {

// `folder_id` and `tags` of a conversation. Absent ones are nothing; an empty folder_id means: out of any folder.
base::Result<std::optional<std::optional<store::FolderId>>> parse_folder_id(const Fields& fields);
base::Result<std::optional<std::vector<std::string>>> parse_tags(const Fields& fields);

// From the query of a list (archived, pinned, folder, tag, trash), and from the body of a bulk change.
base::Result<store::ConversationFilter> parse_filter(const web::Request& request);
base::Result<store::ConversationFilter> parse_filter(const Fields& fields);

}  // namespace confab::api

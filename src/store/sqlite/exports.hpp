// Reading conversations to export them, and copying the database. The meaning of each call is that of ExportStore.
#pragma once

#include "store/export_store.hpp"
#include "store/sqlite/connection.hpp"

namespace confab::store::sqlite {

Result<std::optional<ExportStart>> next_export(Connection& db, UserNo user, std::optional<ConversationNo> after);
Result<ExportStart> begin_export(Connection& db, UserNo user, ConversationId id);
Result<ExportPage> export_items(Connection& db, UserNo user, const ExportStart& start, ExportCursor cursor);
Result<Page<Item>> export_path(Connection& db, UserNo user, const ExportStart& start, Position position);

}  // namespace confab::store::sqlite

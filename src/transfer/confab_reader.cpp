#include "transfer/confab_reader.hpp"

#include "base/base64.hpp"
#include "base/clock.hpp"
#include "base/text.hpp"
#include "store/organise_names.hpp"
#include "transfer/confab_item.hpp"
#include "transfer/value_parser.hpp"

namespace confab::transfer {

namespace {

namespace json = base::json;
using base::Result;
using base::Status;
using net::Task;

constexpr std::size_t kFilesRememberedMax = 10'000;
constexpr std::size_t kMetadataPairsMax = 16;
constexpr std::size_t kNameBytesMax = 255;

std::optional<json::value> parse_object(std::string_view line) {
    auto value = parse_value(line);
    return value && value->is_object() ? std::optional(*std::move(value)) : std::nullopt;
}

// As the API takes it; anything else is nothing.
std::string read_metadata(const json::object& object) {
    const json::object* metadata = find_object(object, "metadata");
    if (metadata == nullptr || metadata->size() > kMetadataPairsMax) {
        return "{}";
    }
    for (const auto& member : *metadata) {
        if (!member.value().is_string() || member.key().size() > 256 || member.value().get_string().size() > 2048) {
            return "{}";
        }
    }
    return base::to_string(json::value(*metadata));
}

// Errors of one file, which the rest does not depend on.
bool concerns_only_this(const base::Error& error) {
    return error.errc == base::Errc::invalid_request || error.errc == base::Errc::too_large ||
           error.errc == base::Errc::rate_limited;
}

}  // namespace

ConfabReader::ConfabReader(
    store::ImportStore& store,
    store::FileStore& files,
    store::BlobDisk& blobs,
    ConversationBuilder& builder,
    ImportReport& report,
    Importing importing
)
    : store_(store), files_(files), blobs_(blobs), builder_(builder), report_(report), importing_(importing) {}

bool ConfabReader::is_header(std::string_view first_line) {
    if (first_line.find("confab_export") == std::string_view::npos) {
        return false;
    }
    const auto value = parse_object(first_line);
    return value && base::find_string(value->get_object(), "type") == "confab_export";
}

std::string ConfabReader::where() const {
    return conversation_ ? ConversationBuilder::name_of(*conversation_) : "line " + std::to_string(line_number_);
}

Task<Status> ConfabReader::take(std::string_view piece) {
    while (!piece.empty()) {
        const auto end = piece.find('\n');
        const std::string_view part = piece.substr(0, end);
        if (!too_long_ && line_.size() + part.size() > kLineBytesMax) {
            too_long_ = true;
            line_.clear();
        }
        if (!too_long_) {
            line_ += part;
        }
        if (end == std::string_view::npos) {
            co_return Status{};
        }
        piece.remove_prefix(end + 1);
        ++line_number_;
        if (std::exchange(too_long_, false)) {
            report_.add_problem("line " + std::to_string(line_number_), "line_too_long", "A line has more than 24 MiB.");
            report_.count_messages(0, 1);
        } else {
            CO_TRY_VOID(co_await take_line(line_));
        }
        line_.clear();
        if (line_.capacity() > 1024 * 1024) {
            line_.shrink_to_fit();
        }
    }
    co_return Status{};
}

Task<Status> ConfabReader::take_line(std::string_view line) {
    if (base::trim(line).empty()) {
        co_return Status{};
    }
    auto value = parse_object(line);
    if (!value) {
        report_.add_problem(
            "line " + std::to_string(line_number_), "invalid_line", "The line is no JSON object, or nested too deeply."
        );
        report_.count_messages(0, 1);
        co_return Status{};
    }
    co_return co_await take_object(value->get_object());
}

Task<Status> ConfabReader::take_object(json::object& object) {
    const std::string type(base::find_string(object, "type"));
    if (type == "file_data") {
        co_return co_await take_file_data(object);
    }
    CO_TRY_VOID(co_await end_file());
    if (type == "confab_export") {
        co_return take_header(object);
    }
    if (type == "item") {
        co_return co_await take_item(object);
    }
    if (type == "file") {  // among the items that refer to it
        co_return co_await begin_file(object);
    }
    CO_TRY_VOID(co_await end_conversation());
    if (type == "conversation") {
        co_return begin_conversation(object);
    }
    if (type == "end") {
        ended_ = true;
    } else if (type == "folder") {
        take_folder(object);
    } else {
        report_.add_problem(where(), "unknown_line", "A line of a type that is not known was left out.");
    }
    co_return Status{};
}

Status ConfabReader::take_header(const json::object& object) {
    report_.set_format("confab");
    const json::value* version = base::find(object, "version");
    if (version == nullptr || !version->is_int64() || version->get_int64() != kExportVersion) {
        return base::invalid(
            "file", "The export was made by a newer version of Confab; this one knows version 1.", "unknown_version"
        );
    }
    return {};
}

// Remembered for the conversations that name it.
void ConfabReader::take_folder(const json::object& object) {
    const auto id = store::FolderId::parse(base::find_string(object, "id"));
    const auto name = store::normalise_folder_name(
        base::utf8_prefix(base::trim(base::find_string(object, "name")), store::kFolderNameBytesMax)
    );
    if (id && name && folders_.size() < store::kFoldersMax) {
        store::ImportFolder folder{*id, *name, 0};
        folder.created_at = read_time(base::find(object, "created_at"));
        folders_.insert_or_assign(id->str(), std::move(folder));
    }
}

std::vector<std::string> ConfabReader::read_tags(const json::object& object) {
    std::vector<std::string> tags;
    const json::value* given = base::find(object, "tags");
    if (given != nullptr && given->is_array()) {
        for (const json::value& tag : given->get_array()) {
            if (!tag.is_string() || tags.size() == store::kConversationTagsMax) {
                continue;
            }
            if (auto name = store::normalise_tag(std::string_view(tag.get_string()), "tags")) {
                tags.push_back(*std::move(name));
            }
        }
    }
    return tags;
}

Status ConfabReader::begin_conversation(const json::object& object) {
    given_up_ = false;
    SourceConversation made;
    made.given_id = store::ConversationId::parse(base::find_string(object, "id"));
    if (!made.given_id) {
        report_.add_problem(where(), "invalid_conversation", "A conversation without an id was left out.");
        return {};
    }
    made.id = made.given_id->str();
    made.title = base::utf8_prefix(base::find_string(object, "title"), kTitleBytesMax);
    made.model = base::utf8_prefix(base::find_string(object, "model"), kModelBytesMax);
    made.instructions = base::utf8_prefix(base::find_string(object, "instructions"), kInstructionsBytesMax);
    made.metadata = read_metadata(object);
    made.pinned = read_flag(object, "pinned");
    made.archived = read_flag(object, "archived");
    made.created_at = read_time(base::find(object, "created_at"));
    made.updated_at = read_time(base::find(object, "updated_at"));
    made.head = read_id(base::find(object, "head_item_id"));
    const auto folder = folders_.find(std::string(base::find_string(object, "folder_id")));
    if (folder != folders_.end()) {
        made.folder = folder->second;
    }
    made.tags = read_tags(object);
    const std::string_view compaction = base::find_string(object, "compaction");
    made.compaction = compaction == "auto"  ? store::Compaction::automatic
                      : compaction == "off" ? store::Compaction::off
                                            : store::Compaction::inherit;
    conversation_ = std::move(made);
    return builder_.begin();
}

Task<Status> ConfabReader::end_conversation() {
    if (!conversation_) {
        co_return Status{};
    }
    SourceConversation made = *std::exchange(conversation_, std::nullopt);
    if (given_up_) {
        co_return Status{};
    }
    co_return co_await builder_.finish(std::move(made), "confab", Sorting::as_given);
}

Task<Status> ConfabReader::take_item(json::object& object) {
    json::value* inner = object.if_contains("item");
    if (!conversation_ || given_up_ || inner == nullptr || !inner->is_object()) {
        if (!given_up_) {
            report_.add_problem(where(), "invalid_item", "An item without its conversation was left out.");
        }
        report_.count_messages(0, 1);
        co_return Status{};
    }
    CO_TRY_VOID(co_await rename_files(*inner));
    auto message = read_confab_item(inner->get_object());
    if (!message) {
        report_.add_problem(where(), message.error());
        report_.count_messages(0, 1);
        SourceMessage joining;
        joining.id = read_id(base::find(inner->get_object(), "id"));
        message = std::move(joining);
    }
    message->parent = read_id(base::find(object, "parent_id"));
    const Status added = builder_.add(*message);
    if (!added && added.error().errc == base::Errc::too_large) {
        report_.add_problem(where(), added.error());
        given_up_ = true;
        co_return Status{};
    }
    co_return added;
}

// ---- files ----

Task<Result<store::FileId>> ConfabReader::importable(store::FileId id) {
    if (const auto known = renamed_.find(id); known != renamed_.end()) {
        co_return known->second;
    }
    CO_TRY(const auto usable, co_await store_.importable_file_id(importing_.user, importing_.user_id, id));
    if (renamed_.size() < kFilesRememberedMax) {
        renamed_.emplace(id, usable);
    }
    co_return usable;
}

Task<Status> ConfabReader::rename_file(json::object& part) {
    const auto id = store::FileId::parse(base::find_string(part, "file_id"));
    if (id) {
        CO_TRY(const auto usable, co_await importable(*id));
        if (usable != *id) {
            part["file_id"] = usable.str();
        }
    }
    co_return Status{};
}

// Content parts that name a file of somebody else's name the importer's copy.
Task<Status> ConfabReader::rename_files(json::value& value) {
    for (const char* name : {"content", "output"}) {
        json::value* parts = value.get_object().if_contains(name);
        if (parts == nullptr || !parts->is_array()) {
            continue;
        }
        for (json::value& part : parts->get_array()) {
            if (json::object* members = part.if_object()) {
                CO_TRY_VOID(co_await rename_file(*members));
            }
        }
    }
    co_return Status{};
}

Task<Status> ConfabReader::begin_file(const json::object& object) {
    Incoming incoming;
    incoming.id = base::find_string(object, "id");
    const auto id = store::FileId::parse(incoming.id);
    if (!id) {
        report_.add_problem(where(), "invalid_file", "A file without an id was left out.");
        incoming.broken = true;
        file_ = std::move(incoming);
        co_return Status{};
    }
    CO_TRY(const auto usable, co_await importable(*id));
    const auto there = co_await files_.find_file(importing_.user, usable);
    if (there) {
        incoming.broken = true;  // it is there: its data is passed over
        file_ = std::move(incoming);
        co_return Status{};
    }
    store::StoredFile& file = incoming.described.file;
    file.id = usable;
    file.user = importing_.user;
    file.filename = base::utf8_prefix(base::find_string(object, "filename"), kNameBytesMax);
    file.purpose = base::utf8_prefix(base::find_string(object, "purpose"), 64);
    const store::UnixSeconds created_at = read_time(base::find(object, "created_at"));
    const store::UnixSeconds now = base::unix_now();
    file.created_at = created_at <= 0 || created_at > now ? now : created_at;
    incoming.writer = std::make_unique<store::BlobWriter>(blobs_);
    file_ = std::move(incoming);
    co_return Status{};
}

Task<Status> ConfabReader::take_file_data(const json::object& object) {
    if (!file_ || file_->broken) {
        co_return Status{};
    }
    const auto bytes = base::base64_decode(base::find_string(object, "data"));
    Status written;
    if (!bytes || base::find_string(object, "id") != file_->id) {
        written = base::invalid("file", "The data of a file is damaged.", "invalid_file");
    } else {
        written = co_await file_->writer->append(*bytes);
    }
    if (!written && concerns_only_this(written.error())) {
        report_.add_problem(file_->id, written.error());
        file_->broken = true;
        co_return Status{};
    }
    co_return written;
}

Task<Status> ConfabReader::end_file() {
    if (!file_) {
        co_return Status{};
    }
    Incoming incoming = *std::exchange(file_, std::nullopt);
    if (incoming.broken) {
        co_return Status{};
    }
    auto finished = co_await incoming.writer->finish();
    Status done;
    if (!finished) {
        done = std::unexpected(finished.error());
    } else {
        store::NewFile made = incoming.described;
        made.temporary = finished->temporary;
        made.file.hash = finished->file.hash;
        made.file.bytes = finished->file.bytes;
        made.file.media_type = finished->file.media_type;
        const auto created = co_await files_.create_file(std::move(made));
        if (!created) {
            done = std::unexpected(created.error());
        }
    }
    if (!done && concerns_only_this(done.error())) {
        report_.add_problem(incoming.id, done.error());
        co_return Status{};
    }
    co_return done;
}

Task<Status> ConfabReader::finish() {
    if (!line_.empty()) {
        ++line_number_;
        std::string last = std::exchange(line_, {});
        CO_TRY_VOID(co_await take_line(last));
    }
    if (!ended_) {
        co_return base::invalid("file", "The file was cut off: its last line is missing.", "truncated");
    }
    co_return Status{};
}

}  // namespace confab::transfer

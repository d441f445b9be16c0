#include "transfer/foreign_reader.hpp"

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "transfer/value_parser.hpp"

namespace confab::transfer {

namespace {

namespace json = base::json;
using base::Status;
using net::Task;
using Event = JsonSplitter::Event;
using Step = JsonSplitter::Step;

constexpr std::array<std::string_view, 18> kMembers{
    "conversation_id", "id",         "uuid",        "title",    "name",   "create_time",
    "update_time",     "created_at", "updated_at",  "archived", "pinned", "is_archived",
    "is_starred",      "model",      "default_model_slug",
    "current_node",    "current_leaf_message_uuid", "meta"
};
constexpr std::array<std::string_view, 4> kChatMembers{"title", "models", "timestamp", "params"};

constexpr std::size_t kMemberBytesMax = 256 * 1024;

bool is_one_of(std::span<const std::string_view> names, std::string_view name) {
    return std::ranges::find(names, name) != names.end();
}

}  // namespace

ForeignReader::ForeignReader(ConversationBuilder& builder, ImportReport& report)
    : builder_(builder),
      report_(report),
      splitter_(kValueBytesMax, [this](const auto& path, char kind) { return decide(path, kind); }) {}

Step ForeignReader::decide(const std::vector<std::string>& path, char kind) {
    if (path.empty()) {
        base_ = kind == '[' ? 1 : 0;
        return Step::descend;
    }
    if (path.size() == base_) {
        return Step::descend;
    }
    const std::string& member = path[base_];
    switch (path.size() - base_) {
        case 1:
            if (member == "mapping" || member == "chat_messages" || member == "chat") {
                return Step::descend;
            }
            return is_one_of(kMembers, member) ? Step::capture : Step::skip;
        case 2:
            if (member != "chat") {
                return Step::capture;
            }
            if (path.back() == "history") {
                return Step::descend;
            }
            return is_one_of(kChatMembers, path.back()) ? Step::capture : Step::skip;
        case 3:
            if (path.back() == "messages") {
                return Step::descend;
            }
            return path.back() == "currentId" ? Step::capture : Step::skip;
        default: return Step::capture;
    }
}

std::size_t ForeignReader::depth() const {
    const std::size_t length = splitter_.path().size();
    return length >= base_ ? length - base_ : SIZE_MAX;
}

Task<Status> ForeignReader::take(std::string_view piece) {
    splitter_.feed(piece);
    while (true) {
        CO_TRY(const Event event, splitter_.next());
        if (event == Event::need_more) {
            co_return Status{};
        }
        CO_TRY_VOID(co_await take_event(event));
    }
}

Status ForeignReader::finish() {
    TRY_VOID(splitter_.finish());
    if (report_.format().empty() && number_ > 0) {
        return base::invalid(
            "file",
            "This is no export that is known: Confab's, ChatGPT's, Claude's or Open WebUI's.",
            "unknown_format"
        );
    }
    return {};
}

Task<Status> ForeignReader::take_event(Event event) {
    const std::size_t below = depth();
    if (event == Event::begin && below == 0) {
        co_return begin_conversation();
    }
    if (event == Event::end && below == 0) {
        co_return co_await end_conversation();
    }
    if (event == Event::begin && below == 1) {
        const std::string& member = splitter_.path().back();
        format_ = member == "mapping"         ? Format::chatgpt
                  : member == "chat_messages" ? Format::claude
                                              : Format::openwebui;
    }
    if (event == Event::value) {
        co_return take_value();
    }
    if (event == Event::too_large) {
        take_too_large();
    }
    co_return Status{};
}

Status ForeignReader::begin_conversation() {
    ++number_;
    format_ = Format::unknown;
    known_.clear();
    previous_.clear();
    messages_ = 0;
    left_out_ = {};
    given_up_ = false;
    return builder_.begin();
}

Status ForeignReader::take_value() {
    const std::size_t below = depth();
    const std::vector<std::string>& path = splitter_.path();
    if (below == 0 || below == SIZE_MAX) {
        ++number_;
        report_.add_problem("conversation " + std::to_string(number_), "invalid_conversation", "This is no conversation.");
        return {};
    }
    const bool is_message = (below == 2 && path[base_] != "chat") || below == 4;
    if (is_message) {
        return given_up_ ? Status() : take_message();
    }
    if (splitter_.text().size() <= kMemberBytesMax) {
        if (auto value = parse_value(splitter_.text())) {
            std::string name = path[base_];
            for (std::size_t i = base_ + 1; i < path.size(); ++i) {
                name += "." + path[i];
            }
            known_[name] = *std::move(value);
        }
    }
    return {};
}

void ForeignReader::take_too_large() {
    report_.add_problem(where(), "message_too_large", "A message has more than 16 MiB; it was left out.");
    report_.count_messages(0, 1);
}

base::Result<SourceMessage> ForeignReader::read_message(const json::value& value) {
    const std::string& key = splitter_.path().back();
    switch (format_) {
        case Format::chatgpt: return read_chatgpt_node(key, value, left_out_);
        case Format::claude: return read_claude_message(value, previous_, messages_, left_out_);
        default: return read_openwebui_message(key, value, left_out_);
    }
}

// In the place of a message that cannot be read: what follows it keeps its place.
SourceMessage ForeignReader::joining(const json::value& value) const {
    SourceMessage message;
    const json::object* object = value.if_object();
    if (format_ == Format::claude) {
        message.id = object == nullptr ? std::string() : read_id(base::find(*object, "uuid"));
        message.id = message.id.empty() ? "#" + std::to_string(messages_) : message.id;
        message.parent = previous_;
    } else {
        message.id = splitter_.path().back();
        const char* name = format_ == Format::chatgpt ? "parent" : "parentId";
        message.parent = object == nullptr ? std::string() : read_id(base::find(*object, name));
    }
    return message;
}

Status ForeignReader::take_message() {
    json::monotonic_resource memory;
    const auto value = parse_value(splitter_.text(), &memory);
    if (!value) {
        report_.add_problem(where(), "invalid_message", "A message is not valid JSON, or nested too deeply.");
        report_.count_messages(0, 1);
        return {};
    }
    auto message = read_message(*value);
    if (!message) {
        report_.add_problem(where(), message.error());
        report_.count_messages(0, 1);
        message = joining(*value);
    }
    ++messages_;
    previous_ = message->id;
    const Status added = builder_.add(*message);
    if (!added && added.error().errc == base::Errc::too_large) {
        report_.add_problem(where(), added.error());
        given_up_ = true;
        return {};
    }
    return added;
}

const json::value* ForeignReader::known(const std::string& name) const {
    const auto found = known_.find(name);
    return found == known_.end() ? nullptr : &found->second;
}

std::string ForeignReader::known_text(const std::string& name) const {
    const json::value* value = known(name);
    return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

std::string ForeignReader::where() const {
    for (const char* name : {"title", "name", "id", "uuid"}) {
        if (std::string text = known_text(name); !text.empty()) {
            return std::string(base::utf8_prefix(text, kWhereBytesMax));
        }
    }
    return "conversation " + std::to_string(number_);
}

SourceConversation ForeignReader::conversation() const {
    const auto flag = [&](const char* name) {
        const json::value* value = known(name);
        return value != nullptr && value->is_bool() && value->get_bool();
    };
    const auto first_text = [&](std::initializer_list<const char*> names, std::size_t bytes_max) {
        std::string text;
        for (const char* name : names) {
            text = text.empty() ? known_text(name) : text;
        }
        return std::string(base::utf8_prefix(text, bytes_max));
    };
    const auto first_time = [&](std::initializer_list<const char*> names) {
        store::UnixSeconds time = 0;
        for (const char* name : names) {
            time = time == 0 ? read_time(known(name)) : time;
        }
        return time;
    };
    SourceConversation made;
    made.id = first_text({"conversation_id", "uuid", "id"}, kSourceIdBytesMax);
    made.title = first_text({"title", "name", "chat.title"}, kTitleBytesMax);
    made.model = first_text({"default_model_slug", "model"}, kModelBytesMax);
    made.created_at = first_time({"create_time", "created_at", "chat.timestamp"});
    made.updated_at = first_time({"update_time", "updated_at"});
    made.pinned = flag("pinned") || flag("is_starred");
    made.archived = flag("archived") || flag("is_archived");
    for (const char* name : {"current_node", "current_leaf_message_uuid", "chat.history.currentId"}) {
        made.head = made.head.empty() ? read_id(known(name)) : made.head;  // cut as the ids of messages are
    }
    if (const json::value* models = known("chat.models"); models != nullptr && models->is_array()) {
        const json::array& names = models->get_array();
        if (names.size() == 1 && names[0].is_string()) {
            made.model = base::utf8_prefix(std::string_view(names[0].get_string()), kModelBytesMax);
        }
    }
    if (const json::value* params = known("chat.params"); params != nullptr && params->is_object()) {
        made.instructions = base::utf8_prefix(base::find_string(params->get_object(), "system"), kInstructionsBytesMax);
    }
    return made;
}

Task<Status> ForeignReader::end_conversation() {
    if (left_out_.images > 0) {
        report_.add_problem(
            where(), "files_left_out", std::to_string(left_out_.images) + " images or other files were left out."
        );
    }
    if (format_ == Format::unknown) {
        report_.add_problem(where(), "no_messages", "There are no messages that could be recognised.");
        co_return Status{};
    }
    static constexpr std::array<const char*, 4> kNames{"", "chatgpt", "claude", "openwebui"};
    std::string name = kNames[static_cast<std::size_t>(format_)];
    report_.set_format(name);
    if (given_up_ || builder_.messages() == 0) {
        co_return Status{};
    }
    SourceConversation made = conversation();
    co_return co_await builder_.finish(std::move(made), std::move(name), Sorting::by_time);
}

}  // namespace confab::transfer

#include "transfer/conversation_builder.hpp"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <unordered_map>

#include "base/clock.hpp"
#include "base/text.hpp"
#include "store/derived_id.hpp"
#include "store/sqlite/title.hpp"
#include "transfer/message_record.hpp"

namespace confab::transfer {

namespace {

using base::Status;
using net::Task;
using store::view_of;

// 0 is kept for "none".
std::uint64_t hash_of(std::string_view id) {
    if (id.empty()) {
        return 0;
    }
    const base::IdBytes bytes = store::derived_id({id});
    std::uint64_t hash = 0;
    std::memcpy(&hash, bytes.data(), 6);  // the bits before the version
    std::uint64_t more = 0;
    std::memcpy(&more, bytes.data() + 9, 2);
    hash |= more << 48;
    return hash == 0 ? 1 : hash;
}

// Times of the file are between the beginning and now; others are what nobody knows.
store::UnixSeconds sane_time(store::UnixSeconds time, store::UnixSeconds now) {
    return time <= 0 || time > now ? now : time;
}

}  // namespace

// One conversation on its way to the store.
struct ConversationBuilder::Writing {
    SourceConversation source;
    std::string format;
    std::string where;
    store::ConversationId id;
    store::UnixSeconds now = 0;
    std::vector<std::uint32_t> by_id;  // indexes in nodes_
    store::ImportPiece piece;
    std::vector<std::uint32_t> in_piece;  // nodes whose places are those of items in the piece
    std::size_t piece_bytes = 0;
    std::optional<store::ConversationNo> number;
    std::uint32_t newest = kNowhere;
    bool refused = false;
    std::int64_t left_out = 0;  // items that come after a refusal
};

ConversationBuilder::ConversationBuilder(
    PieceSink& sink,
    ImportReport& report,
    Importing importing,
    std::string spool_dir
)
    : sink_(sink), report_(report), importing_(importing), spool_(std::move(spool_dir)) {}

Status ConversationBuilder::begin() {
    nodes_.clear();
    nodes_.shrink_to_fit();
    first_id_.clear();
    return spool_.clear();
}

Status ConversationBuilder::add(const SourceMessage& message) {
    if (nodes_.size() >= kMessagesMax) {
        return base::fail(
            base::Errc::too_large, "A conversation has at most 2,000,000 messages.", "conversation_too_large"
        );
    }
    if (nodes_.empty()) {
        first_id_ = message.id;
    }
    Node node;
    node.id = hash_of(message.id);
    node.parent = hash_of(message.parent);
    node.made_at = static_cast<std::uint32_t>(std::clamp<store::UnixSeconds>(message.created_at, 0, UINT32_MAX));
    TRY(node.place, spool_.append(to_record(message)));
    nodes_.push_back(node);
    return {};
}

std::string ConversationBuilder::name_of(const SourceConversation& conversation) {
    const std::string& name = conversation.title.empty() ? conversation.id : conversation.title;
    return name.empty() ? "a conversation" : std::string(base::utf8_prefix(name, kWhereBytesMax));
}

// Of several with one id the first one counts. The others become nobody's parents.
void ConversationBuilder::drop_doubles(Writing& writing) {
    std::vector<std::uint32_t>& by_id = writing.by_id;
    by_id.resize(nodes_.size());
    std::iota(by_id.begin(), by_id.end(), 0);
    std::ranges::stable_sort(by_id, {}, [&](std::uint32_t index) { return nodes_[index].id; });
    const auto same = [&](std::uint32_t a, std::uint32_t b) { return nodes_[a].id == nodes_[b].id; };
    for (std::size_t i = 1; i < by_id.size(); ++i) {
        if (same(by_id[i - 1], by_id[i])) {
            nodes_[by_id[i]].mark = Mark::written;
            report_.add_problem(writing.where, "duplicate_id", "Two messages have the same id; the first one was taken.");
            report_.count_messages(0, 1);
        }
    }
    const auto rest = std::ranges::unique(by_id, same);
    by_id.erase(rest.begin(), rest.end());
}

std::vector<std::uint32_t> ConversationBuilder::sorted(Sorting sorting) const {
    std::vector<std::uint32_t> order(nodes_.size());
    std::iota(order.begin(), order.end(), 0);
    if (sorting == Sorting::by_time) {
        std::ranges::stable_sort(order, {}, [&](std::uint32_t index) { return nodes_[index].made_at; });
    }
    return order;
}

std::uint32_t ConversationBuilder::find(const Writing& writing, std::uint64_t id) const {
    if (id == 0) {
        return kNowhere;
    }
    const auto found =
        std::ranges::lower_bound(writing.by_id, id, {}, [&](std::uint32_t index) { return nodes_[index].id; });
    return found != writing.by_id.end() && nodes_[*found].id == id ? *found : kNowhere;
}

std::uint32_t ConversationBuilder::parent_of(Writing& writing, std::uint32_t index) {
    Node& node = nodes_[index];
    const std::uint32_t parent = find(writing, node.parent);
    if (parent == kNowhere && node.parent != 0) {
        report_.add_problem(
            writing.where, "parent_missing", "A message follows one that is not there; it begins a branch of its own."
        );
        node.parent = 0;
    }
    return parent;
}

Task<Status> ConversationBuilder::finish(SourceConversation conversation, std::string format, Sorting sorting) {
    Writing writing;
    writing.source = std::move(conversation);
    writing.format = std::move(format);
    writing.where = name_of(writing.source);
    writing.now = base::unix_now();
    if (writing.source.id.empty()) {
        writing.source.id = first_id_ + "/" + writing.source.title + "/" + std::to_string(writing.source.created_at);
    }
    writing.id = writing.source.given_id.value_or(store::ConversationId{store::derived_id(
        {"conversation", view_of(importing_.user_id.bytes), writing.format, writing.source.id}
    )});
    drop_doubles(writing);
    begin_piece(writing);
    for (const std::uint32_t index : sorted(sorting)) {
        CO_TRY_VOID(co_await write_with_parents(writing, index));
    }
    CO_TRY_VOID(co_await write_last_piece(writing));
    co_return begin();
}

// Climbs to what is not written yet, then comes down again.
Task<Status> ConversationBuilder::write_with_parents(Writing& writing, std::uint32_t index) {
    std::vector<std::uint32_t> way;
    while (index != kNowhere && nodes_[index].mark == Mark::waiting) {
        nodes_[index].mark = Mark::entered;
        way.push_back(index);
        index = parent_of(writing, index);
    }
    if (index != kNowhere && nodes_[index].mark == Mark::entered) {
        report_.add_problem(
            writing.where, "cycle", "Messages follow one another in a circle; one of them begins a branch of its own."
        );
        nodes_[way.back()].parent = 0;
    }
    while (!way.empty()) {
        CO_TRY_VOID(co_await write_node(writing, way.back()));
        way.pop_back();
    }
    co_return Status{};
}

Task<Status> ConversationBuilder::write_node(Writing& writing, std::uint32_t index) {
    Node& node = nodes_[index];
    node.mark = Mark::written;
    const std::uint32_t parent = find(writing, node.parent);
    if (parent != kNowhere) {
        node.branch = nodes_[parent].branch;
        node.position = nodes_[parent].position;
    }
    if (node.branch == kInPiece) {
        writing.in_piece.push_back(index);
    }
    CO_TRY(const std::string record, spool_.read(node.place));
    SourceMessage message = from_record(record);
    for (std::size_t i = 0; i < message.items.size(); ++i) {
        const std::size_t bytes = message.items[i].item.body.size() + message.model.size() + message.usage.size();
        const bool full = writing.piece.items.size() >= store::kImportItemsMax ||
                          writing.piece_bytes + bytes > store::kImportBytesMax;
        if (full && !writing.piece.items.empty() && !writing.refused) {
            CO_TRY_VOID(co_await write_piece(writing));
        }
        if (writing.refused) {
            writing.left_out += static_cast<std::int64_t>(message.items.size() - i);
            co_return Status{};
        }
        writing.piece_bytes += bytes;
        append_item(writing, index, message, i);
    }
    if (!message.items.empty()) {
        writing.newest = index;
    }
    co_return Status{};
}

// The items of a message follow one another; what follows the message follows its last item.
void ConversationBuilder::append_item(Writing& writing, std::uint32_t index, SourceMessage& message, std::size_t number) {
    Node& node = nodes_[index];
    const std::string_view user = view_of(importing_.user_id.bytes);
    SourceItem& from = message.items[number];
    store::ImportItem item;
    item.item = std::move(from.item);
    item.item.id = message.given_id.value_or(store::derived_item_id(
        from.type, {"item", user, writing.format, writing.source.id, message.id, std::to_string(number)}
    ));
    item.created_at = sane_time(message.created_at, writing.now);
    if (message.given_run || !message.model.empty()) {
        item.run = store::ImportedRun{};
        item.run->id = message.given_run.value_or(store::ResponseId{
            store::derived_id({"response", user, writing.format, writing.source.id, message.id})
        });
        item.run->model = message.model;
        item.run->usage = message.usage;
        item.run->timing = message.timing;
    }
    if (node.branch == kInPiece) {
        item.parent = node.position;
    } else {
        item.after = {store::BranchNo(node.branch), node.position};
        writing.in_piece.push_back(index);
    }
    if (writing.piece.title.empty() && writing.format != "confab" && item.item.role == store::ItemRole::user) {
        writing.piece.title = store::sqlite::title_from(item.item.format, item.item.body);
    }
    node.branch = kInPiece;
    node.position = static_cast<std::uint32_t>(writing.piece.items.size());
    writing.piece.items.push_back(std::move(item));
}

void ConversationBuilder::begin_piece(Writing& writing) const {
    const SourceConversation& source = writing.source;
    store::ImportPiece piece;
    piece.conversation = writing.number;
    piece.id = writing.id;
    piece.title = base::utf8_prefix(source.title, kTitleBytesMax);
    piece.model = base::utf8_prefix(source.model, kModelBytesMax);
    piece.instructions = base::utf8_prefix(source.instructions, kInstructionsBytesMax);
    piece.metadata = source.metadata;
    piece.pinned = source.pinned;
    piece.archived = source.archived;
    piece.folder = source.folder;
    piece.tags = source.tags;
    piece.compaction = source.compaction;
    piece.created_at = sane_time(source.created_at, writing.now);
    piece.updated_at = sane_time(source.updated_at == 0 ? source.created_at : source.updated_at, writing.now);
    writing.piece = std::move(piece);
    writing.piece_bytes = 0;
}

Task<Status> ConversationBuilder::write_piece(Writing& writing) {
    store::ImportPiece piece = std::move(writing.piece);
    CO_TRY(const auto done, co_await sink_.write(std::move(piece), writing.where));
    writing.refused = done.refused.has_value();
    writing.number = done.conversation;
    if (!writing.refused) {
        for (const std::uint32_t index : writing.in_piece) {
            const store::ImportPlace& place = done.places.at(nodes_[index].position);
            nodes_[index].branch = static_cast<std::uint32_t>(place.branch);
            nodes_[index].position = static_cast<std::uint32_t>(place.position);
        }
    }
    writing.in_piece.clear();
    begin_piece(writing);
    co_return Status{};
}

Task<Status> ConversationBuilder::write_last_piece(Writing& writing) {
    report_.count_messages(0, std::exchange(writing.left_out, 0));
    if (writing.refused) {
        co_return Status{};
    }
    std::uint32_t head = find(writing, hash_of(writing.source.head));
    if (head == kNowhere && !writing.source.head.empty()) {
        report_.add_problem(writing.where, "head_missing", "The newest message that it names is not there.");
    }
    head = head == kNowhere ? writing.newest : head;
    writing.piece.last = true;
    if (head != kNowhere) {
        const Node& node = nodes_[head];
        if (node.branch == kInPiece) {
            writing.piece.head_index = node.position;
        } else {
            writing.piece.head = store::ImportPlace{store::BranchNo(node.branch), node.position};
        }
    }
    store::ImportPiece piece = std::move(writing.piece);
    if (writing.number) {
        CO_TRY_VOID(co_await sink_.write(std::move(piece), writing.where));
        co_return Status{};
    }
    co_return co_await sink_.add(std::move(piece), writing.where);
}

}  // namespace confab::transfer

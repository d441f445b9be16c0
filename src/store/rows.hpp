// What the store keeps, as plain values. A row owns its text; nothing here points into a database.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/ids.hpp"
#include "store/organise_rows.hpp"

namespace confab::store {

using base::ConversationId;
using base::ItemId;
using base::ItemType;
using base::KeyId;
using base::ResponseId;
using base::SessionId;
using base::UnixSeconds;
using base::UserId;

// Internal numbers of the store. Distinct types, so that a run cannot be taken for a conversation.
enum class UserNo : std::int64_t {};
enum class ConversationNo : std::int64_t {};
enum class BranchNo : std::int64_t {};
enum class RunNo : std::int64_t {};
using Position =
    std::int64_t;  // of an item in its branch's path: 1, 2, 3, ... A fork goes on counting from its parent's position

using Sha256 = std::array<std::uint8_t, 32>;

// ---- people
// -------------------------------------------------------------------------------------------------------------

enum class Role : std::uint8_t { member, admin, pending };  // pending: an administrator has to let them in

struct User {
    UserNo no{};
    UserId id;
    std::string email;  // lower case
    std::string name;
    Role role = Role::member;
    std::string password_hash;  // argon2id, as libsodium writes it
    UnixSeconds created_at = 0;
    std::optional<UnixSeconds> suspended_at;

    bool may_enter() const { return role != Role::pending && !suspended_at; }
};

struct Session {
    SessionId id;
    UserNo user{};
    Sha256 token_hash{};
    std::string user_agent;
    UnixSeconds created_at = 0;
    UnixSeconds last_seen_at = 0;
    std::string password_hash{};  // of the password that proved the person when it began; empty: something else did. Not kept.
};

struct ApiKey {
    KeyId id;
    UserNo user{};
    Sha256 key_hash{};
    std::string name;
    std::string prefix;  // the first characters of the key, to recognise it by
    UnixSeconds created_at = 0;
    std::optional<UnixSeconds> last_used_at;
    std::string models = "[]";  // that it may ask, a JSON array of names or patterns with '*'; empty: all
    bool read_only = false;     // it may look, and change nothing
    std::optional<UnixSeconds> expires_at;
};

// ---- conversations
// ------------------------------------------------------------------------------------------------------

enum class ItemRole : std::uint8_t { user, assistant, system, developer, tool };  // tool: what a tool gave back
enum class ItemStatus : std::uint8_t { completed, incomplete, in_progress };

// How `body` is to be read. `text`: the whole of a one-part message or of a reasoning's summary. `json`: of a message
// the `content` array, of any other item its own members as one object.
enum class BodyFormat : std::uint8_t { text, json };

// How long an answer took, and the output tokens that its server counted.
struct RunTiming {
    std::int64_t first_token_ms = 0;  // from the beginning of the run
    std::int64_t duration_ms = 0;
    std::optional<std::int64_t> output_tokens;

    friend bool operator==(const RunTiming&, const RunTiming&) = default;
};

struct NewItem {
    ItemId id;  // says what it is
    ItemRole role = ItemRole::user;
    ItemStatus status = ItemStatus::completed;
    BodyFormat format = BodyFormat::text;
    std::string body;
    std::int64_t tokens = 0;  // estimated
};

// The items that could stand in an item's place: what else follows the item before it, oldest first.
struct Siblings {
    std::int64_t index = 1;  // of this one, from 1
    std::int64_t count = 1;
    std::optional<ItemId> previous;
    std::optional<ItemId> next;
};

struct Item {
    ItemId id;
    ItemRole role = ItemRole::user;
    ItemStatus status = ItemStatus::completed;
    BodyFormat format = BodyFormat::text;
    std::string body;  // in a page possibly a head of it, see `truncated`
    bool truncated = false;
    std::int64_t bytes = 0;  // of the whole body
    std::int64_t tokens = 0;
    BranchNo branch{};
    Position position = 0;
    UnixSeconds created_at = 0;
    std::optional<ResponseId> response;  // the run that made it
    std::string model;                   // of that run, like the next two; empty for what people wrote
    std::string usage;                   // a JSON object, empty when unknown
    std::optional<RunTiming> timing;
    std::optional<ItemId> parent;      // the visible item before it on its path; in pages of a path and single items
    std::optional<Siblings> siblings;  // there too, when there are others
};

enum class RunStatus : std::uint8_t { queued, in_progress, completed, incomplete, failed, cancelled };

inline bool is_final(RunStatus status) {
    return status != RunStatus::queued && status != RunStatus::in_progress;
}

struct RunSummary {
    ResponseId id;
    RunStatus status = RunStatus::queued;
    std::string model;
    std::string error_code;  // empty: none
    std::string error_message;
    std::string incomplete_reason;  // "max_output_tokens", "content_filter", "interrupted"; empty: none
};

// Whether a conversation's older part is summarised for the model; `inherit`: as the server's setting says.
enum class Compaction : std::uint8_t { inherit, off, automatic };

struct Conversation {
    ConversationNo no{};
    ConversationId id;
    UserNo user{};
    std::string title;  // empty: none yet
    std::string model;  // empty: the default
    std::string instructions;
    std::string metadata;  // a JSON object of strings
    bool pinned = false;
    bool archived = false;
    std::optional<FolderId> folder;
    std::vector<std::string> tags;  // by name
    std::optional<UnixSeconds> trashed_at;
    Compaction compaction = Compaction::inherit;
    BranchNo active_branch{};
    UnixSeconds created_at = 0;
    UnixSeconds updated_at = 0;
    std::optional<ItemId> head;            // newest visible item
    std::optional<RunSummary> last_run;    // newest run on the active branch
    std::optional<ResponseId> active_run;  // the one in progress on the active branch
};

struct NewConversation {
    ConversationId id;
    UserNo user{};
    std::string title;
    std::string model;
    std::string instructions;
    std::string metadata = "{}";
    std::vector<NewItem> items;
};

// Absent members stay as they are.
struct ConversationPatch {
    std::optional<std::string> title;
    std::optional<std::string> model;
    std::optional<std::string> instructions;
    std::optional<std::string> metadata;
    std::optional<bool> pinned;
    std::optional<bool> archived;
    std::optional<std::optional<FolderId>> folder;  // an empty one: out of any folder
    std::optional<std::vector<std::string>> tags;   // instead of those there are
    std::optional<Compaction> compaction;
};

// ---- paging
// -------------------------------------------------------------------------------------------------------------

enum class Order : std::uint8_t { ascending, descending };

inline constexpr std::size_t kPageBytesMax = 256 * 1024;     // of bodies in one page
inline constexpr std::size_t kPageItemBytesMax = 64 * 1024;  // a larger body comes as a head

template <class Row>
struct Page {
    std::vector<Row> rows;
    bool has_more = false;
};

template <class Key>
struct PageRequest {
    std::optional<Key> after;  // exclusive; absent: from the start of the order
    Order order = Order::descending;
    std::size_t limit = 20;  // rows
};

// ---- runs
// ---------------------------------------------------------------------------------------------------------------

// Where a new run's items go.
struct AfterItem {
    std::optional<ItemId> item;  // nothing: at the very beginning
};

struct RunTarget {
    std::optional<ConversationId> conversation;  // its active branch
    std::optional<ResponseId>
        previous_response;  // right after that response: on its branch if it is the head there, else a new branch
    // Neither: a new hidden conversation, which is never listed.
    // With a conversation: right after this item, on a new branch if something follows there; that becomes the active one.
    std::optional<AfterItem> after = std::nullopt;
};

// What happens to a history that does not fit: its beginning is left out, or the run is refused
// (context_length_exceeded).
enum class Truncation : std::uint8_t { automatic, disabled };

struct NewRun {
    ResponseId id;
    UserNo user{};
    std::optional<KeyId> key;  // what it was asked for with, like the next
    std::optional<SessionId> session;
    RunTarget target;
    std::vector<NewItem> input;  // may be empty when the target's newest item is a user's, or a tool's output
    std::string model;
    std::string request;  // the request's echoed fields, a JSON object
    bool background = false;
    bool stored = true;      // GET /v1/responses/{id} finds it
    bool continues = false;  // goes on with the incomplete answer that the conversation ends with; without input
    std::int64_t prompt_tokens_max = 0;  // budget B for history and input
    Truncation truncation = Truncation::automatic;
    // Estimates the conversation's own instructions, which then count against the budget; null: they are not sent.
    std::int64_t (*count_tokens)(std::string_view) noexcept = nullptr;
};

// What an answer took.
struct UsageCount {
    std::int64_t input_tokens = 0;
    std::int64_t cached_tokens = 0;  // of the input
    std::int64_t output_tokens = 0;
    std::int64_t cost = 0;   // billionths of the currency
    bool estimated = false;  // the model server counted nothing
};

inline constexpr std::size_t kContinuedBytesMax = 2ULL * 1024 * 1024;  // a longer answer is not gone on with

// What the prompt of a run is made of: the path's items from `anchor` to `head`. When that begins inside a turn, the
// turn's question comes before it.
struct PromptPlan {
    Position anchor = 1;
    Position head = 0;
    std::int64_t tokens = 0;  // estimated, anchor..head and the question
    Position question = 0;    // 0: none
};

// What stands for the items of a path up to `upto`, which are not in the prompt themselves.
struct Summary {
    Position upto = 0;
    std::int64_t tokens = 0;  // estimated
    std::string text;
    UnixSeconds created_at = 0;
};

struct BegunRun {
    RunNo no{};
    ConversationNo conversation_no{};
    std::optional<ConversationId> conversation;  // absent when hidden
    BranchNo branch{};
    std::string conversation_instructions;
    PromptPlan prompt;
    std::optional<Summary> summary;  // of what comes before prompt.anchor
    UnixSeconds created_at = 0;
    std::optional<std::string> continued;  // the text of the answer that the run goes on with
};

// A stretch of a run's event log; `data` is opaque to the store. `seq_first` is the sequence number of its first event.
struct RunChunk {
    RunNo run{};
    std::int64_t seq_first = 0;
    std::string data;
};

struct FinishRun {
    RunNo run{};
    UnixSeconds completed_at = 0;  // set by the caller: the final event, already rendered, names it
    RunStatus status = RunStatus::completed;
    std::string error_code;
    std::string error_message;
    std::string incomplete_reason;
    std::string usage;                // a JSON object, empty when unknown
    std::optional<RunTiming> timing;  // nothing when no token came, or nobody measured
    UsageCount taken;                 // for the ledger, like the next
    std::string upstream;
    std::vector<NewItem> output;   // inserted whole, after the branch's head, instead of the answer that was continued
    std::vector<RunChunk> chunks;  // the last stretch of the log, committed in the same transaction
};

struct Run {
    RunNo no{};
    ResponseId id;
    UserNo user{};
    ConversationNo conversation_no{};
    std::optional<ConversationId> conversation;  // absent when hidden
    BranchNo branch{};
    Position input_first = 0;  // positions of the input items: [input_first, input_last]; empty when last < first
    Position input_last = 0;
    RunStatus status = RunStatus::queued;
    bool background = false;
    bool stored = true;
    std::string model;
    std::string request;
    std::string error_code;
    std::string error_message;
    std::string incomplete_reason;
    std::string usage;
    std::optional<RunTiming> timing;
    UnixSeconds created_at = 0;
    std::optional<UnixSeconds> completed_at;
    std::vector<Item> output;     // filled by find_run, whole
    bool output_deleted = false;  // some of its output items were deleted; `output` has the others
    std::optional<ResponseId> previous_response;
};

}  // namespace confab::store

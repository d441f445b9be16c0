// ConversationBuilder: collects the messages of one conversation, in whatever order they come, and writes them to the
// store as a tree.
//
// Memory: 40 bytes for a message; its text is in the spool. When all are there, they are written parents first and
// otherwise in their order, in pieces of bounded size. What is wrong with the tree (two messages with one id, parents
// that do not exist, circles) is reported, and the message in question begins a branch of its own.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "meter/byte_budget.hpp"
#include "transfer/piece_sink.hpp"
#include "transfer/source_model.hpp"
#include "transfer/spool.hpp"

namespace confab::transfer {

inline constexpr std::size_t kMessagesMax = 2'000'000;  // of one conversation

enum class Sorting : bool {
    as_given,  // siblings stand in the order of the file
    by_time,   // siblings stand in the order of their making
};

class ConversationBuilder {
public:
    // `spool_dir` is where a long conversation waits.
    ConversationBuilder(PieceSink& sink, ImportReport& report, Importing importing, std::string spool_dir);

    // Forgets what was collected.
    base::Status begin();

    // Errors: storage_full, internal, too_large (conversation_too_large).
    base::Status add(const SourceMessage& message);

    // Writes it all; `format` goes into the ids of what is written. Errors: those of the store.
    net::Task<base::Status> finish(SourceConversation conversation, std::string format, Sorting sorting);

    std::size_t messages() const { return nodes_.size(); }

    // How it is called in problems, in at most kWhereBytesMax bytes.
    static std::string name_of(const SourceConversation& conversation);

private:
    enum class Mark : std::uint8_t { waiting, entered, written };

    struct Node {
        std::uint64_t id = 0;      // hash of the source's
        std::uint64_t parent = 0;  // the same; 0: none
        std::uint64_t place = 0;   // in the spool
        std::uint32_t made_at = 0;
        std::uint32_t branch = 0;  // where it stands; while its piece is not written, kInPiece and the index there
        std::uint32_t position = 0;
        Mark mark = Mark::waiting;
    };

    struct Writing;

    static constexpr std::uint32_t kInPiece = 0xFFFFFFFF;
    static constexpr std::uint32_t kNowhere = 0xFFFFFFFF;  // an index: no node

    void drop_doubles(Writing& writing);
    std::vector<std::uint32_t> sorted(Sorting sorting) const;
    std::uint32_t find(const Writing& writing, std::uint64_t id) const;
    std::uint32_t parent_of(Writing& writing, std::uint32_t index);
    net::Task<base::Status> write_with_parents(Writing& writing, std::uint32_t index);
    net::Task<base::Status> write_node(Writing& writing, std::uint32_t index);
    void append_item(Writing& writing, std::uint32_t index, SourceMessage& message, std::size_t number);
    net::Task<base::Status> write_piece(Writing& writing);
    net::Task<base::Status> write_last_piece(Writing& writing);
    void begin_piece(Writing& writing) const;

    PieceSink& sink_;
    ImportReport& report_;
    const Importing importing_;
    Spool spool_;
    std::deque<Node> nodes_;
    std::string first_id_;  // stands for a conversation without an id of its own
};

}  // namespace confab::transfer

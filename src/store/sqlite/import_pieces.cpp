// Writing what an import brings: items of a tree at their branches, found again by their ids when they are there.
#include <algorithm>
#include <unordered_map>

#include "base/clock.hpp"
#include "store/derived_id.hpp"
#include "store/sqlite/imports.hpp"
#include "store/sqlite/items.hpp"
#include "store/sqlite/organise.hpp"

namespace confab::store::sqlite {

namespace {

constexpr int kGenerationsMax = 64;      // ids tried for a conversation whose ids are taken or were deleted
constexpr int kLeafAncestorsMax = 1'000;  // branches above the head that remember it

constexpr std::int64_t kVisible = 0;
constexpr std::int64_t kBeingImported = 2;

// The conversation that a piece goes to.
struct Target {
    ConversationNo no{};
    ConversationId id;
    std::int64_t hidden = kBeingImported;
    bool fresh = false;    // made by this very piece: nothing is there yet
    bool renamed = false;  // has another id than the one given
};

Result<Target> make_target(Connection& db, UserNo user, const ImportPiece& piece, ConversationId id) {
    TRY_VOID(db.run(
        "INSERT INTO conversations (id, user_no, hidden, active_br, title, model, instructions, metadata, pinned, "
        "archived, created_at, updated_at, title_by, compaction) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?5 <> '', ?13)",
        id,
        user,
        kBeingImported,
        kFirstBranch,
        piece.title,
        piece.model,
        piece.instructions,
        piece.metadata,
        piece.pinned,
        piece.archived,
        piece.created_at,
        piece.updated_at,
        piece.compaction
    ));
    Target target;
    target.no = static_cast<ConversationNo>(db.inserted_key());
    target.id = id;
    target.fresh = true;
    target.renamed = id != piece.id;
    TRY_VOID(create_first_branch(db, target.no));
    return target;
}

// The first of the ids in question that is the user's, or free. One that the user deleted is not brought back to life:
// its row stays a good cursor, and the conversation comes back under the next id.
Result<Target> find_target(Connection& db, UserNo user, UserId user_id, const ImportPiece& piece) {
    ConversationId id = piece.id;
    for (int generation = 0; generation < kGenerationsMax; ++generation) {
        {
            auto found = db.use(
                "SELECT conv, user_no, hidden, deleted_at IS NOT NULL FROM conversations WHERE id = ?1", id
            );
            TRY(const bool row, found.step());
            if (!row) {
                return make_target(db, user, piece, id);
            }
            const std::int64_t hidden = found.integer(2);
            const bool deleted = found.get<bool>(3);
            const bool own = found.get<UserNo>(1) == user && (hidden == kVisible || hidden == kBeingImported);
            if (own && !deleted) {
                return Target{found.get<ConversationNo>(0), id, hidden, false, id != piece.id};
            }
            if (own && hidden == kBeingImported) {
                return base::fail(base::Errc::unavailable, "The conversation is being wiped.", "being_wiped");
            }
        }
        const std::string number = std::to_string(generation);
        id = ConversationId{derived_id({"conversation", view_of(user_id.bytes), view_of(piece.id.bytes), number})};
    }
    return make_target(db, user, piece, ConversationId::make());  // which another import will not find again
}

Result<Target> open_target(Connection& db, UserNo user, UserId user_id, const ImportPiece& piece) {
    if (!piece.conversation) {
        return find_target(db, user, user_id, piece);
    }
    auto found = db.use(
        "SELECT id, hidden FROM conversations WHERE conv = ?1 AND user_no = ?2 AND deleted_at IS NULL",
        *piece.conversation,
        user
    );
    TRY(const bool row, found.step());
    if (!row) {
        return base::not_found("The conversation was deleted while it was being imported.", "conversation_deleted");
    }
    const auto id = found.get<ConversationId>(0);
    return Target{*piece.conversation, id, found.integer(1), false, id != piece.id};
}

// Writes the items of one piece. Lives for one operation.
class PieceWriter {
public:
    PieceWriter(Connection& db, UserNo user, const Target& target) : db_(db), user_(user), target_(target) {}

    Result<ImportPlace> write(const ImportItem& item, ImportPlace after) {
        TRY(const auto there, find_there(item.item.id));
        if (there) {
            return *there;
        }
        TRY(Branch* branch, branch_after(after));
        Appending to{user_, target_.no, std::nullopt, item.created_at};
        if (item.run) {
            TRY(to.run, open_run(*item.run, item, {branch->no, branch->head + 1}));
            branch->last_run = to.run;
        }
        NewItem copy = item.item;
        copy.id = id_;
        TRY_VOID(append_to_branch(db_, to, *branch, std::span(&copy, 1)));
        ++added_;
        return ImportPlace{branch->no, branch->head};
    }

    Status save() {
        for (auto& [number, branch] : branches_) {
            TRY_VOID(save_branch(db_, target_.no, branch));
        }
        if (runs_made_ > 0) {
            TRY_VOID(db_.run(
                "UPDATE conversations SET live_runs = live_runs + ?2 WHERE conv = ?1", target_.no, runs_made_
            ));
        }
        return {};
    }

    std::int64_t added() const { return added_; }

private:
    // Where the item is already; else `id_` is the id it gets: its own, when that is free.
    Result<std::optional<ImportPlace>> find_there(ItemId given) {
        id_ = given;
        bool taken = target_.renamed;  // then all get other ids, so that it does not matter what becomes of the others
        if (!taken) {
            TRY(const auto place, find_item_place(db_, given));
            if (place && place->conversation == target_.no) {
                return ImportPlace{place->branch, place->position};
            }
            taken = place.has_value();
        }
        if (!taken && target_.fresh) {
            return std::nullopt;
        }
        const ItemId other =
            derived_item_id(given.type(), {"item", view_of(target_.id.bytes), view_of(given.bytes)});
        TRY(const auto place, find_item_place(db_, other));
        if (place && place->conversation == target_.no) {
            return ImportPlace{place->branch, place->position};
        }
        if (taken) {
            id_ = place ? ItemId::make(given.type()) : other;
        }
        return std::nullopt;
    }

    Result<Branch*> load(BranchNo number) {
        if (const auto known = branches_.find(number); known != branches_.end()) {
            return &known->second;
        }
        TRY(const Branch branch, load_branch(db_, target_.no, number));
        return &branches_.emplace(number, branch).first->second;
    }

    // The branch whose next item comes right after that place: the one that ends there, else a new one.
    Result<Branch*> branch_after(ImportPlace after) {
        TRY(Branch* owner, load(after.position == 0 ? kFirstBranch : after.branch));
        if (owner->head == after.position) {
            return owner;
        }
        TRY(const Branch made, fork_branch(db_, target_.no, *owner, after.position));
        return &branches_.emplace(made.no, made).first->second;
    }

    // Answers that belong together have one run; it grows while they follow one another.
    Result<RunNo> open_run(const ImportedRun& run, const ImportItem& item, ImportPlace place) {
        const ResponseId derived{derived_id({"response", view_of(target_.id.bytes), view_of(run.id.bytes)})};
        for (const ResponseId id : {run.id, derived}) {
            auto found = db_.use("SELECT run, conv, br, output_last, status FROM runs WHERE id = ?1", id);
            TRY(const bool row, found.step());
            if (!row) {
                return make_run(id, run, item, place);
            }
            if (found.get<ConversationNo>(1) == target_.no) {
                const auto number = found.get<RunNo>(0);
                const bool follows = found.get<BranchNo>(2) == place.branch && found.integer(3) + 1 == place.position;
                if (follows && is_final(found.get<RunStatus>(4))) {
                    TRY_VOID(extend_run(number, run, item, place.position));
                }
                return number;
            }
        }
        return make_run(ResponseId::make(), run, item, place);
    }

    // Only the message among the items of a run says what it took.
    Status extend_run(RunNo number, const ImportedRun& run, const ImportItem& item, Position last) {
        const auto& timing = run.timing;
        return db_.run(
            "UPDATE runs SET output_last = ?2, usage = CASE WHEN usage = '' THEN ?3 ELSE usage END, "
            "first_token_ms = coalesce(first_token_ms, ?4), duration_ms = coalesce(duration_ms, ?5), "
            "output_tokens = coalesce(output_tokens, ?6), status = max(status, ?7) WHERE run = ?1",
            number,
            last,
            run.usage,
            timing ? std::optional(timing->first_token_ms) : std::nullopt,
            timing ? std::optional(timing->duration_ms) : std::nullopt,
            timing ? timing->output_tokens : std::nullopt,
            item.item.status == ItemStatus::completed ? RunStatus::completed : RunStatus::incomplete
        );
    }

    Result<RunNo> make_run(ResponseId id, const ImportedRun& run, const ImportItem& item, ImportPlace place) {
        const bool whole = item.item.status == ItemStatus::completed;
        TRY_VOID(db_.run(
            "INSERT INTO runs (id, user_no, conv, br, status, background, stored, input_first, input_last, output_first, "
            "output_last, prompt_anchor, prompt_head, prompt_tok, created_at, completed_at, model, usage, request, "
            "first_token_ms, duration_ms, output_tokens, incomplete_reason) "
            "VALUES (?1, ?2, ?3, ?4, ?5, 0, 1, ?6, ?7, ?6, ?6, 1, ?7, 0, ?8, ?8, ?9, ?10, '{}', ?11, ?12, ?13, ?14)",
            id,
            user_,
            target_.no,
            place.branch,
            whole ? RunStatus::completed : RunStatus::incomplete,
            place.position,
            place.position - 1,
            item.created_at,
            run.model,
            run.usage,
            run.timing ? std::optional(run.timing->first_token_ms) : std::nullopt,
            run.timing ? std::optional(run.timing->duration_ms) : std::nullopt,
            run.timing ? run.timing->output_tokens : std::nullopt,
            whole ? "" : "interrupted"
        ));
        ++runs_made_;
        return static_cast<RunNo>(db_.inserted_key());
    }

    Connection& db_;
    const UserNo user_;
    const Target& target_;
    std::unordered_map<BranchNo, Branch> branches_;  // of the piece's items; references stay valid
    ItemId id_;
    std::int64_t added_ = 0;
    std::int64_t runs_made_ = 0;
};

// Its branches remember the way to the head, as if somebody had looked at it.
Status show_head(Connection& db, ConversationNo conversation, ImportPlace head) {
    TRY(Branch leaf, load_branch(db, conversation, head.position == 0 ? kFirstBranch : head.branch));
    if (leaf.head != head.position) {
        TRY(leaf, fork_branch(db, conversation, leaf, head.position));
    }
    TRY_VOID(db.run("UPDATE conversations SET active_br = ?2 WHERE conv = ?1", conversation, leaf.no));
    BranchNo way = leaf.no;
    for (int i = 0; i < kLeafAncestorsMax && way != kNoBranch; ++i) {
        TRY_VOID(db.run("UPDATE branches SET viewed = 1 WHERE conv = ?1 AND br = ?2", conversation, way));
        TRY(const Branch branch, load_branch(db, conversation, way));
        way = branch.parent;
    }
    return {};
}

// Folder and tags, once it stands in the lists. One that does not fit any more (a limit, a name) is left out.
Status organise_imported(Connection& db, UserNo user, ConversationNo conversation, const ImportPiece& piece) {
    if (piece.folder) {
        const auto folder = take_over_folder(db, user, *piece.folder);
        if (folder) {
            TRY_VOID(move_to_folder(db, user, conversation, *folder));
        } else if (folder.error().errc != base::Errc::invalid_request) {
            return std::unexpected(folder.error());
        }
    }
    if (piece.tags.empty()) {
        return {};
    }
    const Status tagged = replace_tags(db, user, conversation, piece.tags);
    return !tagged && tagged.error().errc != base::Errc::invalid_request ? tagged : Status();
}

Status complete(Connection& db, UserNo user, const Target& target, const ImportPiece& piece, const ImportedPiece& done) {
    if (target.hidden != kBeingImported) {
        return {};  // it is somebody's conversation by now: what they look at stays
    }
    const auto head = piece.head_index ? std::optional(done.places.at(*piece.head_index)) : piece.head;
    if (head) {
        TRY_VOID(show_head(db, target.no, *head));
    }
    TRY_VOID(db.run(
        "UPDATE conversations SET hidden = 0, created_at = ?2, updated_at = ?3 WHERE conv = ?1",
        target.no,
        piece.created_at,
        piece.updated_at
    ));
    return organise_imported(db, user, target.no, piece);
}

Result<bool> is_being_answered(Connection& db, ConversationNo conversation) {
    auto found = db.use("SELECT 1 FROM runs WHERE conv = ?1 AND status < 2 LIMIT 1", conversation);
    return found.step();
}

Result<ImportedPiece> import_piece(Connection& db, UserNo user, UserId user_id, const ImportPiece& piece) {
    ImportedPiece done;
    auto target = open_target(db, user, user_id, piece);
    if (!target && target.error().errc == base::Errc::not_found) {
        done.refused = std::move(target).error();
        return done;
    }
    TRY_VOID(target);
    TRY(const bool locked, is_being_answered(db, target->no));
    if (locked) {
        done.refused = base::Error{
            base::Errc::invalid_request,
            "An answer is being made in this conversation. Import again when it is done.",
            "conversation_locked",
            "conversation"
        };
        return done;
    }
    done.conversation = target->no;
    PieceWriter writer(db, user, *target);
    for (const ImportItem& item : piece.items) {
        const ImportPlace after = item.parent ? done.places.at(*item.parent) : item.after;
        TRY(const ImportPlace place, writer.write(item, after));
        done.places.push_back(place);
    }
    TRY_VOID(writer.save());
    done.added = writer.added();
    if (piece.last) {
        TRY_VOID(complete(db, user, *target, piece, done));
    }
    return done;
}

}  // namespace

Result<std::vector<ImportedPiece>> import_pieces(
    Connection& db,
    UserNo user,
    UserId user_id,
    const std::vector<ImportPiece>& pieces
) {
    std::vector<ImportedPiece> done;
    done.reserve(pieces.size());
    for (const ImportPiece& piece : pieces) {
        TRY(ImportedPiece imported, import_piece(db, user, user_id, piece));
        done.push_back(std::move(imported));
    }
    return done;
}

Result<FileId> importable_file_id(Connection& db, UserNo user, UserId user_id, FileId id) {
    auto found = db.use("SELECT user_no FROM files WHERE id = ?1", id);
    TRY(const bool row, found.step());
    if (!row || found.get<UserNo>(0) == user) {
        return id;
    }
    return FileId{derived_id({"file", view_of(user_id.bytes), view_of(id.bytes)})};
}

}  // namespace confab::store::sqlite

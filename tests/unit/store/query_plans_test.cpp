// No statement may cost O(history): after every call was made once on one connection, the plans of all statements that
// it prepared are looked at.
#include <algorithm>
#include <array>
#include <fstream>

#include "store/blobs.hpp"
#include "store/sqlite/accounts.hpp"
#include "store/sqlite/audit.hpp"
#include "store/sqlite/calls.hpp"
#include "store/sqlite/conversations.hpp"
#include "store/sqlite/copies.hpp"
#include "store/sqlite/exports.hpp"
#include "store/sqlite/files.hpp"
#include "store/sqlite/head.hpp"
#include "store/sqlite/identities.hpp"
#include "store/sqlite/imports.hpp"
#include "store/sqlite/migrations.hpp"
#include "store/sqlite/model_access.hpp"
#include "store/sqlite/organise.hpp"
#include "store/sqlite/people.hpp"
#include "store/sqlite/run_chunks.hpp"
#include "store/sqlite/run_prompt.hpp"
#include "store/sqlite/runs.hpp"
#include "store/sqlite/settings.hpp"
#include "store/sqlite/shares.hpp"
#include "store/sqlite/summaries.hpp"
#include "store/sqlite/usage.hpp"
#include "store/sqlite/wipe.hpp"
#include "store_fixture.hpp"

namespace confab::store::sqlite {
namespace {

// Scans that are meant: small tables, and partial indexes that hold only a few rows.
constexpr std::array kAllowedScans{
    std::string_view("SCAN users"),
    std::string_view("SCAN model_rules"),   // at most kModelRulesMax
    std::string_view("SCAN model_people"),  // at most kModelPeopleInAllMax
    std::string_view("SCAN invitations"),  // at most kInvitationsMax
    std::string_view("SCAN sessions"),  // sweeping out old sessions, now and then
    std::string_view("SCAN schema_migrations"),
    std::string_view("SCAN token_factors"),  // at the start; at most kTokenFactorsMax
    std::string_view("SCAN r USING INDEX runs_unfinished"),
    std::string_view("SCAN runs USING INDEX runs_unfinished"),
    std::string_view("SCAN conversations USING INDEX conversations_wiping"),
    std::string_view("SCAN blobs USING INDEX blobs_unreferenced"),
    std::string_view("SCAN blobs USING COVERING INDEX blobs_unreferenced"),
    std::string_view("SCAN imports USING INDEX imports_waiting"),  // of unfinished ones, one for each user
    std::string_view("SCAN imports USING INDEX imports_unfinished"),
    std::string_view("SCAN imports USING COVERING INDEX imports_unfinished"),
    std::string_view("SCAN conversations USING INDEX conversations_importing"),
    std::string_view("SCAN conversations USING INDEX conversations_building"),
    std::string_view("SCAN search_purge"),  // one row
    std::string_view("SCAN search_titles VIRTUAL TABLE INDEX 0:="),  // by its row id
    std::string_view("SCAN CONSTANT ROW"),
    std::string_view("SCAN folders USING INDEX folders_deleting"),
    std::string_view("SCAN (subquery-"),  // the halves of a list's page, each limited to a page
};

bool is_bad(std::string_view step) {
    if (step.starts_with("USE TEMP B-TREE")) {
        return true;
    }
    const auto allowed = [&](std::string_view known) { return step.starts_with(known); };
    return step.starts_with("SCAN") && std::none_of(kAllowedScans.begin(), kAllowedScans.end(), allowed);
}

class QueryPlansTest : public testing::Test {
protected:
    std::vector<std::string> plan_of(const std::string& sql) {
        sqlite3_stmt* explain = nullptr;
        EXPECT_EQ(
            sqlite3_prepare_v2(db_->handle(), ("EXPLAIN QUERY PLAN " + sql).c_str(), -1, &explain, nullptr), SQLITE_OK
        ) << sql;
        std::vector<std::string> steps;
        while (sqlite3_step(explain) == SQLITE_ROW) {
            steps.emplace_back(reinterpret_cast<const char*>(sqlite3_column_text(explain, 3)));
        }
        sqlite3_finalize(explain);
        return steps;
    }

    BegunRun answer(const RunTarget& target, ResponseId id, bool stored = true) {
        NewRun run;
        run.id = id;
        run.user = ada_;
        run.target = target;
        run.stored = stored;
        run.input = {user_item("question", 100)};
        run.prompt_tokens_max = 1'000;
        const BegunRun begun = good(begin_run(*db_, run));
        good(begin_run(*db_, run));
        good(append_run_chunks(*db_, {{begun.no, 0, "data"}}));
        good(list_run_chunks(*db_, begun.no, 0));
        FinishRun finish;
        finish.run = begun.no;
        finish.output = {answer_item("answer", 100)};
        good(finish_run(*db_, finish));
        return begun;
    }

    void use_exports(const NewConversation& large) {
        const auto start = good(next_export(*db_, ada_, std::nullopt));
        ASSERT_TRUE(start);
        const ExportStart one = good(begin_export(*db_, ada_, large.id));
        ExportCursor cursor;
        for (bool done = false; !done;) {
            const ExportPage page = good(export_items(*db_, ada_, one, cursor));
            cursor = page.next;
            done = page.done;
        }
        good(export_path(*db_, ada_, one, 0));
    }

    void use_accounts() {
        const Session session{SessionId::make(), ada_, Sha256{1}, "", 1, 1};
        good(create_session(*db_, session));
        good(find_session(*db_, session.token_hash));
        good(touch_session(*db_, session.id, 2));
        good(list_sessions(*db_, ada_));
        good(set_password(*db_, ada_, "x", session.id));
        good(delete_session(*db_, ada_, session.id));
        good(delete_sessions_before(*db_, 1));
        const ApiKey key{KeyId::make(), ada_, Sha256{2}, "", "", 1, std::nullopt, "[]", false, std::nullopt};
        good(create_key(*db_, key));
        good(find_key(*db_, key.key_hash));
        good(touch_key(*db_, key.id, 2));
        good(list_keys(*db_, ada_));
        good(delete_key(*db_, ada_, key.id));
        good(find_user(*db_, ada_));
        good(find_user_by_email(*db_, "ada@example.org"));
        good(list_users(*db_));
        good(count_users(*db_));
        good(put_setting(*db_, "a", "b"));
        good(get_setting(*db_, "a"));
    }

    void use_usage() {
        UsageEntry entry;
        entry.at = 1'800'000'000;
        entry.payer.user = ada_;
        entry.payer.key = KeyId::make();
        entry.model = "model";
        entry.count.input_tokens = 1;
        good(add_usage(*db_, {entry}));
        good(list_usage_days(*db_, ada_, 0, 100'000));
        good(list_usage_people(*db_, month_of(entry.at), std::nullopt, 10));
        good(list_usage_keys(*db_, ada_, month_of(entry.at)));
        good(list_ledger(*db_, ada_, {}, entry.at + 1, 10));
        good(list_ledger(*db_, std::nullopt, {}, entry.at + 1, 10));
        good(put_limits(*db_, {}, {}));
        good(find_limits(*db_, {}));
        good(find_entitlement(*db_, ada_, entry.payer.key, month_of(entry.at)));
        good(storage_limit(*db_, ada_));
    }

    void use_shares(const NewConversation& large) {
        const NewShare share{ShareId::make(), Sha256{3}, 1, std::nullopt};
        good(create_share(*db_, ada_, large.id, share));
        for (const Order order : {Order::ascending, Order::descending}) {
            good(list_shares(*db_, ada_, large.id, {std::nullopt, order, 2}));
            good(list_shares(*db_, ada_, std::nullopt, {std::nullopt, order, 2}));
        }
        good(read_share(*db_, share.token_hash, 0, 2));
        good(read_shared_item(*db_, share.token_hash, 1));
        good(delete_share(*db_, ada_, share.id));
        good(delete_shares_expired_before(*db_, 1));
    }

    void use_audit() {
        AuditEntry entry;
        entry.at = base::unix_now();
        entry.kind = "sign_in";
        entry.actor_no = ada_;
        good(add_audit(*db_, entry));
        AuditFilter filter;
        good(list_audit(*db_, filter, 10));
        filter.kind = "sign_in";
        good(list_audit(*db_, filter, 10));
        filter.actor = "user_0";
        good(list_audit(*db_, filter, 10));
        filter.kind.reset();
        good(list_audit(*db_, filter, 10));
        good(sweep_audit(*db_, base::unix_now()));
    }

    void use_people() {
        User root = new_user("root@example.org");
        root.role = Role::admin;
        good(create_user(*db_, root, IfFirst::no));
        Invitation invitation;
        invitation.id = InvitationId::make();
        invitation.expires_at = base::unix_now() + 1'000;
        good(create_invitation(*db_, invitation));
        good(find_open_invitation(*db_, invitation.token_hash));
        User person = new_user("person@example.org");
        person.role = Role::pending;
        good(sign_up(*db_, person, invitation.token_hash));
        good(sign_up(*db_, new_user("other@example.org"), std::nullopt));
        for (const Order order : {Order::ascending, Order::descending}) {
            good(list_invitations(*db_, {std::nullopt, order, 2}));
            good(list_people(*db_, {std::nullopt, order, 2}));
        }
        good(delete_invitation(*db_, invitation.id));
        good(delete_invitations_expired_before(*db_, 1));
        UserPatch demoted;
        demoted.role = Role::pending;
        EXPECT_EQ(code_of(change_user(*db_, root.id, demoted)), "last_administrator");
        demoted.role = Role::admin;
        good(change_user(*db_, person.id, demoted));
        const UserNo gone = good(delete_user(*db_, person.id));
        NewConversation left;
        left.id = ConversationId::make();
        left.user = gone;
        good(create_conversation(*db_, left));
        while (good(wipe_users_step(*db_))) {
        }
        good(look_again_at_deleted_user(*db_, gone, base::unix_now() + kDeletedUserKept));
    }

    void use_files() {
        BlobSweep sweep(blob_dir_);
        good(prepare_blob_dir(blob_dir_));
        NewFile file;
        file.file.id = FileId::make();
        file.file.user = ada_;
        file.file.media_type = "image/png";
        file.temporary = make_temporary_path(blob_dir_);
        std::ofstream(file.temporary) << "x";
        good(create_file(*db_, blob_dir_, file));
        file.reuse = true;
        good(create_file(*db_, blob_dir_, file));
        good(find_file(*db_, ada_, file.file.id));
        for (const Order order : {Order::ascending, Order::descending}) {
            good(list_files(*db_, ada_, {file.file.id, order, 20}));
        }
        while (good(sweep.step(*db_))) {
        }
        good(delete_file(*db_, ada_, file.file.id));
        good(sweep.step(*db_));
    }

    void use_imports(const NewConversation& large) {
        ImportJob job;
        job.id = ImportId::make();
        job.user = ada_;
        good(begin_import(*db_, job));
        good(queue_import(*db_, job.id, 1));
        good(claim_import(*db_));
        good(save_import(*db_, job.id, {}));
        good(recover_imports(*db_));
        good(claim_import(*db_));
        good(finish_import(*db_, job.id, ImportStatus::completed, {}));
        good(cancel_import(*db_, ada_, job.id));
        good(find_import(*db_, ada_, job.id));
        for (const Order order : {Order::ascending, Order::descending}) {
            good(list_imports(*db_, ada_, {job.id, order, 20}));
        }
        ImportPiece piece;
        piece.id = large.id;
        piece.last = true;
        ImportItem item;
        item.item = user_item("imported");
        item.run = ImportedRun{ResponseId::make(), "model", {}, {}};
        piece.items = {item, item};
        piece.items[1].item.id = ItemId::make();
        piece.items[1].parent = 0;
        good(import_pieces(*db_, ada_, UserId::make(), {piece}));
        piece.id = ConversationId::make();
        piece.head_index = 0;
        piece.items[0].item.id = ItemId::make();
        const auto made = good(import_pieces(*db_, ada_, UserId::make(), {piece}));
        piece.conversation = made.front().conversation;
        good(import_pieces(*db_, ada_, UserId::make(), {piece}));
        good(importable_file_id(*db_, ada_, UserId::make(), FileId::make()));
        good(delete_import(*db_, job.id));
    }

    void use_branches(const NewConversation& large, ItemId item) {
        const auto shown = good(find_conversation(*db_, ada_, large.id)).head;
        good(set_head(*db_, ada_, large.id, item, Descend::no));
        good(append_items(*db_, ada_, large.id, {user_item("aside")}));
        const auto aside = good(find_conversation(*db_, ada_, large.id)).head;
        good(set_head(*db_, ada_, large.id, std::nullopt, Descend::no));
        good(set_head(*db_, ada_, large.id, aside, Descend::yes));
        ItemPageRequest request(std::nullopt, Order::ascending, 20);
        using Place = std::variant<AtItem, AtShare, AtDate>;
        for (const Place& place : {Place(AtItem{item}), Place(AtShare{0.5}), Place(AtDate{1})}) {
            request.around = place;
            good(list_items(*db_, ada_, large.id, request));
        }
        good(list_tree(*db_, ada_, large.id, {item, Order::ascending, 5}));
        Copy copy = good(begin_copy(*db_, ada_, large.id, item));
        copy = good(copy_some(*db_, copy));
        good(abandon_copy(*db_, copy));
        copy = good(begin_copy(*db_, ada_, large.id, large.items[0].id));
        copy = good(copy_some(*db_, copy));
        good(finish_copy(*db_, copy));
        good(abandon_all_copies(*db_));
        good(set_head(*db_, ada_, large.id, shown, Descend::no));
    }

    void use_conversation(const NewConversation& large) {
        const auto newest = good(list_items(*db_, ada_, large.id, {std::nullopt, Order::descending, 50}));
        EXPECT_EQ(newest.rows.size(), 50U);
        good(list_items(*db_, ada_, large.id, {newest.rows[40].id, Order::ascending, 20}));
        good(find_item(*db_, ada_, large.id, newest.rows[3].id));
        use_branches(large, newest.rows[7].id);
        good(find_items(*db_, ada_, {newest.rows[3].id}, 1'000));
        good(delete_item(*db_, ada_, large.id, newest.rows[3].id));
        good(append_items(*db_, ada_, large.id, {user_item("more")}));
        ConversationPatch patch;
        patch.title = "x";
        good(update_conversation(*db_, ada_, large.id, patch));
        for (const Order order : {Order::ascending, Order::descending}) {
            good(list_conversations(*db_, ada_, {large.id, order, 20}));
        }
    }

    void use_organisation(const NewConversation& large) {
        const auto folder = good(create_folder(*db_, ada_, "x")).id;
        good(rename_folder(*db_, ada_, folder, "y"));
        ConversationPatch patch;
        patch.folder = folder;
        patch.tags = std::vector<std::string>{"red", "blue"};
        good(update_conversation(*db_, ada_, large.id, patch));
        for (const std::string tag : {"", "red"}) {
            for (const std::optional<FolderId> wanted : {std::optional<FolderId>(), std::optional(folder)}) {
                for (const Order order : {Order::ascending, Order::descending}) {
                    ConversationFilter filter;
                    filter.folder = wanted;
                    filter.tag = tag;
                    good(list_filtered(*db_, ada_, filter, {large.id, order, 20}));
                }
            }
        }
        good(list_folders(*db_, ada_));
        good(list_tags(*db_, ada_));
        good(change_some(*db_, ada_, {large.id}, {BulkAction::untag, {}, "red"}));
        good(change_next(*db_, ada_, {}, {}, {BulkAction::archive, {}, {}}));
        good(set_trashed(*db_, ada_, large.id, true));
        good(set_trashed(*db_, ada_, large.id, false));
        good(delete_folder(*db_, ada_, folder));
        while (good(empty_folders_step(*db_))) {
        }
        good(put_user_settings(*db_, ada_, {1}));
        good(get_user_settings(*db_, ada_));
        good(delete_expired_step(*db_, base::unix_now(), UserNo{}));
        good(begin_title(*db_, ada_, large.id));
        good(put_model_title(*db_, ada_, large.id, "x"));
    }

    void use_calls() {
        NewCall call;
        call.user = ada_;
        call.process = 1;
        FinishedCall finished;
        finished.no = good(begin_call(*db_, call, base::unix_now())).no;
        good(finish_call(*db_, finished));
        good(interrupt_call(*db_, finished.no));
        good(forget_call(*db_, finished.no));
        good(delete_calls_before(*db_, base::unix_now()));
        const Identity identity{"https://id.example.org", "subject"};
        good(link_identity(*db_, ada_, identity));
        good(find_user_by_identity(*db_, identity));
        good(change_model_rule(*db_, {"model", ModelUse::people, {}}));
        good(change_model_rule(*db_, {"model", std::nullopt, {}}));
        good(forget_model_person(*db_, UserNo{}));
    }

    void use_runs(const NewConversation& large) {
        const auto first = ResponseId::make();
        const BegunRun begun = answer({large.id, {}}, first);
        EXPECT_GT(begun.prompt.anchor, 19'000) << "the anchor was searched for";
        answer({large.id, {}}, ResponseId::make());
        answer({{}, first}, ResponseId::make());
        answer({}, ResponseId::make(), false);
        good(list_prompt_items(*db_, begun.conversation_no, begun.branch, begun.prompt.anchor, begun.prompt.head));
        good(find_run(*db_, ada_, first));
        for (const Order order : {Order::ascending, Order::descending}) {
            good(list_input_items(*db_, ada_, first, {std::nullopt, order, 20}));
        }
        NewRun interrupted;
        interrupted.id = ResponseId::make();
        interrupted.user = ada_;
        interrupted.target.conversation = large.id;
        const auto empty = begin_run(*db_, interrupted);
        EXPECT_EQ(code_of(empty), "nothing_to_answer");
        good(list_unfinished_runs(*db_, good(find_newest_run(*db_)), 10));
        good(delete_run(*db_, ada_, first));
        good(delete_chunks_step(*db_, base::unix_now() + 10));
    }

    void use_context(const NewConversation& large) {
        ConversationPatch patch;
        patch.compaction = Compaction::automatic;
        good(update_conversation(*db_, ada_, large.id, patch));
        const BegunRun begun = answer({large.id, {}}, ResponseId::make());
        auto plan = good(plan_summary(*db_, begun.conversation_no, begun.branch, 1'000, 500));
        ASSERT_TRUE(plan);
        EXPECT_LE(plan->upto - plan->from, 5);
        EXPECT_TRUE(good(save_summary(*db_, *plan, {plan->upto, 10, "notes", 1})));
        answer({large.id, {}}, ResponseId::make());
        good(view_context(*db_, ada_, large.id, 1'000));
        NewRun run;
        run.id = ResponseId::make();
        run.user = ada_;
        run.target.conversation = large.id;
        run.input = {user_item("question", 100)};
        run.prompt_tokens_max = 1'000;
        good(replan_run(*db_, good(begin_run(*db_, run)).no, 500));
        good(save_token_factor(*db_, {"server", "model", 1'000, 1, 0}));
        good(list_token_factors(*db_));
    }

    TempDirectory directory_;
    meter::StoreCounters counters_;
    std::unique_ptr<Connection> db_ =
        good(Connection::open(directory_.file("plans.db"), Access::read_write, counters_));
    std::string blob_dir_ = directory_.file("files");
    UserNo ada_{};
};

TEST_F(QueryPlansTest, NeverWalkThroughHistory) {
    good(migrate(*db_, embedded_migrations()));
    good(db_->run("BEGIN"));
    ada_ = good(create_user(*db_, new_user("ada@example.org"), IfFirst::yes)).no;
    NewConversation large;
    large.id = ConversationId::make();
    large.user = ada_;
    for (int i = 0; i < 10'000; ++i) {
        large.items.push_back(user_item("question", 100));
        large.items.push_back(answer_item("answer", 100));
    }
    good(create_conversation(*db_, large));
    use_accounts();
    use_people();
    use_usage();
    use_calls();
    use_shares(large);
    use_audit();
    use_files();
    use_conversation(large);
    use_organisation(large);
    use_runs(large);
    use_exports(large);
    use_imports(large);
    use_context(large);
    good(delete_conversation(*db_, ada_, large.id));
    while (good(wipe_step(*db_))) {
    }
    good(db_->run("COMMIT"));

    int looked_at = 0;
    std::vector<std::string> texts;
    for (sqlite3_stmt* one = nullptr; (one = sqlite3_next_stmt(db_->handle(), one)) != nullptr; ++looked_at) {
        const std::string_view sql = sqlite3_sql(one);
        if (!sql.starts_with("REPLACE INTO 'main'.")) {  // FTS5's own, into a table that nobody else may write
            texts.emplace_back(sql);
        }
    }
    for (const std::string& sql : texts) {
        for (const std::string& step : plan_of(sql)) {
            EXPECT_FALSE(is_bad(step)) << step << "\n  in: " << sql;
        }
    }
    EXPECT_GT(looked_at, 80) << "all calls were made";
}

}  // namespace
}  // namespace confab::store::sqlite

// What the tests of imports share: a store, files to import, and what came of it as text.
#pragma once

#include <fstream>

#include <archive.h>
#include <archive_entry.h>

#include "base/json.hpp"
#include "store/blobs.hpp"
#include "transfer/import_file.hpp"
#include "unit/store/store_fixture.hpp"

namespace confab::transfer {

using store::good;
using store::run_task;

class ImportTest : public store::StoreTest {
protected:
    ImportTest() : blobs_(store::blob_dir_beside(path())) { ada_ = make("ada@example.org"); }

    store::User make(const std::string& email) {
        return good(run_task(store_->create_user(store::new_user(email), store::IfFirst::no)));
    }

    std::string write_file(const std::string& name, std::string_view content) {
        const std::string file = directory_.file(name);
        std::ofstream(file, std::ios::binary) << content;
        return file;
    }

    // An archive of these names and contents.
    std::string write_zip(const std::string& name, const std::vector<std::pair<std::string, std::string>>& entries) {
        const std::string file = directory_.file(name);
        archive* zip = archive_write_new();
        archive_write_set_format_zip(zip);
        EXPECT_EQ(archive_write_open_filename(zip, file.c_str()), ARCHIVE_OK);
        for (const auto& [entry_name, content] : entries) {
            archive_entry* entry = archive_entry_new();
            archive_entry_set_pathname(entry, entry_name.c_str());
            archive_entry_set_size(entry, static_cast<std::int64_t>(content.size()));
            archive_entry_set_filetype(entry, AE_IFREG);
            archive_entry_set_perm(entry, 0600);
            archive_write_header(zip, entry);
            archive_write_data(zip, content.data(), content.size());
            archive_entry_free(entry);
        }
        archive_write_close(zip);
        archive_write_free(zip);
        return file;
    }

    // The outcome's code, "" when the file was read to its end. `report_` says the rest.
    std::string import(const std::string& file, std::optional<store::User> as = std::nullopt) {
        report_ = ImportReport();
        const store::User user = as.value_or(ada_);
        ImportEnvironment environment{*store_, *store_, blobs_, directory_.file("")};
        auto go_on = [](const ImportReport&) -> net::Task<base::Result<bool>> { co_return true; };
        const auto done = run_task(import_file(environment, {user.no, user.id}, file, report_, go_on));
        return done ? "" : done.error().code;
    }

    std::string import_text(std::string_view content) { return import(write_file("import.json", content)); }

    // "conversations messages skipped problems"
    std::string counts() const {
        const auto progress = report_.progress();
        return std::to_string(progress.conversations) + " " + std::to_string(progress.messages) + " " +
               std::to_string(progress.skipped) + " " + std::to_string(progress.problems_total);
    }

    std::string problem_codes() const {
        std::string codes;
        const auto problems = base::parse_json(report_.progress().problems);
        for (const auto& problem : problems->get_array()) {
            codes += (codes.empty() ? "" : " ") + std::string(base::find_string(problem.get_object(), "code"));
        }
        return codes;
    }

    std::vector<store::Conversation> conversations(std::optional<store::User> of = std::nullopt) {
        return good(run_task(store_->list_conversations(of.value_or(ada_).no, {std::nullopt, store::Order::descending, 100})))
            .rows;
    }

    // The path that is seen, "user:Hi assistant:Hello".
    std::string shown(store::ConversationId id, std::optional<store::User> of = std::nullopt) {
        store::PageRequest<store::ItemId> all{std::nullopt, store::Order::ascending, 1'000};
        const auto page = good(run_task(store_->list_items(of.value_or(ada_).no, id, all)));
        std::string text;
        for (const store::Item& item : page.rows) {
            text += text.empty() ? "" : " ";
            switch (item.id.type()) {
                case base::ItemType::message: text += item.role == store::ItemRole::user ? "user:" : "assistant:"; break;
                case base::ItemType::reasoning: text += "thought:"; break;
                case base::ItemType::function_call: text += "call:"; break;
                case base::ItemType::function_call_output: text += "output:"; break;
                case base::ItemType::other: text += "other:"; break;
            }
            text += item.body;
        }
        return text;
    }

    store::BlobDisk blobs_;
    store::User ada_;
    ImportReport report_;
};

}  // namespace confab::transfer

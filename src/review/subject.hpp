// Subject: a server under review, as the workload sees it: where it is, which processes it is, what it can be asked.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "review/http_probe.hpp"
#include "review/process_figures.hpp"
#include "review/scripted_model.hpp"
#include "review/seed.hpp"

namespace confab::review {

class Subject {
public:
    // Ours keep conversations on scratch data and ask our scripted model. A foreign one is only asked for chat
    // completions.
    enum class Kind { confab, as_reviewed, foreign };

    Kind kind = Kind::confab;
    std::string name;
    Endpoint endpoint;
    std::vector<pid_t> pids;  // empty: not known
    Seeded seeded;            // of ours
    std::string data_dir;     // of ours
    std::string model;        // of a foreign one
    std::string key;          // of a foreign one

    bool is_ours() const { return kind != Kind::foreign; }

    bool has_imports() const { return kind == Kind::confab; }

    // Open a conversation: what a visitor is shown first of it.
    Ask open_request(const Person& person, const std::string& conversation) const;

    // Ask something in a conversation, with a streamed answer. A foreign server keeps none: it gets `question` alone,
    // and `script.pieces` as the most tokens of its answer.
    Ask turn_request(const Person& person, const std::string& conversation, const Script& script) const;

    Ask export_request(const Person& person, const std::string& conversation) const;
    Ask import_request(const Person& person, const std::string& file) const;
    Ask import_state_request(const Person& person, const std::string& id) const;

    // Whether an answer to turn_request() is one: the status alone does not say it once a stream has begun.
    static bool is_answer(const Heard& heard) { return heard.ok() && heard.first_text_ms > 0; }

private:
    std::vector<std::string> headers(const std::string& its_key) const;
};

}  // namespace confab::review

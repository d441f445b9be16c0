// ScriptedModel: the model server that a review puts behind the server under review. It speaks chat completions, says
// what the model's name asks for, and counts what reaches it: connections, requests, bytes of prompts, answers under
// way. So what the server does to its model server is seen from the other end.
//
// The model "review-n40-i25-s5" answers in 40 pieces of 5 bytes, 25 ms between them. Lives on one thread's loop.
#pragma once

#include <cstdint>
#include <string>

#include "base/error.hpp"
#include "net/task_group.hpp"

namespace confab::review {

struct ModelCounts {
    std::uint64_t connections_opened = 0;
    std::uint64_t connections_live = 0;
    std::uint64_t answers = 0;       // asked for
    std::uint64_t answers_live = 0;  // being sent
    std::uint64_t prompt_bytes = 0;  // of all answers
};

// What a model's name asks for.
struct Script {
    int pieces = 32;
    int interval_ms = 0;
    int piece_bytes = 5;

    // Names without a part keep the default. Parts beyond 100,000 pieces, 60 s or 64 KiB are cut to that.
    static Script of_model(std::string_view name);
    // The name for it.
    std::string model() const;
};

class ScriptedModel {
public:
    // Listens on a free port of 127.0.0.1.
    explicit ScriptedModel(net::Executor executor);
    ~ScriptedModel();
    ScriptedModel(const ScriptedModel&) = delete;
    ScriptedModel& operator=(const ScriptedModel&) = delete;

    // Accepts until close().
    void start();
    net::Task<void> close();

    std::string base_url() const;

    const ModelCounts& counts() const { return counts_; }

private:
    net::Task<void> accept_loop();
    net::Task<void> serve(net::TcpSocket socket);
    net::Task<bool> answer(net::TcpSocket& socket, std::string_view request_body);
    net::Task<bool> stream(net::TcpSocket& socket, Script script);

    net::TcpAcceptor acceptor_;
    net::TaskGroup tasks_;
    ModelCounts counts_;
};

}  // namespace confab::review

// What load_streams is told to do, and the request that it sends again and again.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "loopback.hpp"

namespace confab::bench {

enum class Api { chat, responses };

struct Options {
    int port = 9100;
    Api api = Api::chat;
    std::size_t connections = 64;
    std::uint64_t ramp_ns = 0;
    long requests = -1;
    double seconds = -1;
    double timeout_seconds = 60;
    std::string model = "mock-n64-i0";
    std::string label;
    std::string headers;  // lines
    std::vector<std::string> keys;  // connection i uses the key i / per_key, and again from the first
    std::size_t per_key = 1;
    std::size_t pad_bytes = 0;      // that the question is longer
    bool obeys = false;             // 429 and 503 are no failures: the connection comes back when it is told to
    int history = 0;      // messages; above 0: a chat request with so many of them, whose answer is not streamed

    int tokens_expected() const {
        const auto at = model.find("-n");
        return at == std::string::npos ? -1 : std::atoi(model.c_str() + at + 2);
    }
};

[[noreturn]] inline void refuse(const std::string& what) {
    std::fprintf(stderr, "load_streams: %s\n", what.c_str());
    std::exit(2);
}

inline Options parse_options(int argc, char** argv) {
    Options options;
    for (int i = 1; i < argc; i += 2) {
        const std::string name = argv[i];
        if (i + 1 == argc) {
            refuse(name + " needs a value");
        }
        const std::string value = argv[i + 1];
        if (name == "--port") {
            options.port = std::stoi(value);
        } else if (name == "--api" && (value == "chat" || value == "responses")) {
            options.api = value == "chat" ? Api::chat : Api::responses;
        } else if (name == "--conns") {
            options.connections = std::stoul(value);
        } else if (name == "--ramp") {
            options.ramp_ns = std::stoul(value) * kNsPerMs;
        } else if (name == "--requests") {
            options.requests = std::stol(value);
        } else if (name == "--seconds") {
            options.seconds = std::stod(value);
        } else if (name == "--timeout") {
            options.timeout_seconds = std::stod(value);
        } else if (name == "--model") {
            options.model = value;
        } else if (name == "--history") {
            options.history = std::stoi(value);
        } else if (name == "--header") {
            options.headers += value + "\r\n";
        } else if (name == "--keys") {
            std::ifstream file(value);
            for (std::string key; std::getline(file, key);) {
                options.keys.push_back(key);
            }
        } else if (name == "--per-key") {
            options.per_key = std::stoul(value);
        } else if (name == "--pad") {
            options.pad_bytes = std::stoul(value);
        } else if (name == "--obey" && (value == "yes" || value == "no")) {
            options.obeys = value == "yes";
        } else if (name == "--label") {
            options.label = value;
        } else {
            refuse("cannot understand " + name + " " + value);
        }
    }
    if (options.requests < 0 && options.seconds < 0) {
        options.seconds = 5;
    }
    return options;
}

// A long conversation of which the whole is sent: 420 bytes a message.
inline std::string render_history(const Options& options) {
    std::string body = R"({"model":")" + options.model + R"(","stream":false,"messages":[)";
    for (int i = 0; i < options.history; ++i) {
        body.append(i == 0 ? "" : ",").append(R"({"role":")").append(i % 2 == 0 ? "user" : "assistant").append(R"(","content":")");
        for (int part = 0; part < 8; ++part) {
            body.append("Words of message ").append(std::to_string(i)).append(", which say nothing but take room. ");
        }
        body.append("\"}");
    }
    return body.append("]}");
}

inline std::string render_question(const Options& options) {
    std::string question = "Say something short about measuring proxies, please.";
    while (question.size() < options.pad_bytes) {
        question += " And mind what a long question costs.";
    }
    std::string body = R"({"model":")" + options.model + R"(","stream":true,)";
    if (options.api == Api::chat) {
        body.append(R"("stream_options":{"include_usage":true},"messages":[{"role":"system","content":"You are a helpful assistant."},)");
        body.append(R"({"role":"user","content":")").append(question).append(R"("}]})");
    } else {
        body.append(R"("store":true,"instructions":"You are a helpful assistant.","input":")").append(question).append("\"}");
    }
    return body;
}

// `key`: empty for none.
inline std::string render_request(const Options& options, const std::string& key) {
    const std::string body = options.history > 0 ? render_history(options) : render_question(options);
    const std::string path = options.api == Api::chat ? "/v1/chat/completions" : "/v1/responses";
    return "POST " + path + " HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(options.port) +
           "\r\nContent-Type: application/json\r\nAccept: text/event-stream\r\n" + options.headers +
           (key.empty() ? "" : "Authorization: Bearer " + key + "\r\n") + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

}  // namespace confab::bench

// as_reviewed: chats in the way of the application whose review started Confab, on Confab's own database and model server.
//
//   as_reviewed --db FILE --title TITLE --port P [--interactions 20] [--model mock-n64-i0]
//
// One interaction, as that application made it: the page runs anew, and with it the history is loaded whole; the question is stored;
// a client for the model server is made, asks, reads the streamed answer and is thrown away; the answer is stored; the page runs anew
// and loads the history again, to show it. Every query opens a database connection and closes it. Everything that is not a fault
// named by the review is done as well as Confab does it: the same rows, indexes and durability, the same language, a prompt of the newest
// messages only, and no web server in front. What it costs more than Confab is therefore the least that those faults cost.
//
// Prints one line of JSON: milliseconds and CPU milliseconds per interaction (p50), bytes loaded per interaction, connections opened, and the
// process's peak of resident memory.
#include <curl/curl.h>
#include <sqlite3.h>
#include <sys/resource.h>

#include <cstdlib>
#include <ctime>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.hpp"
#include "base/json.hpp"
#include "sampling.hpp"

namespace confab::bench {
namespace {

constexpr std::size_t kPromptMessages = 20;

struct Options {
    std::string db;
    std::string title = "long";
    std::string url;
    std::string model = "mock-n64-i0";
    int interactions = 20;
};

struct Message {
    int role = 0;
    std::string text;
};

// A connection for one query.
class Connection {
public:
    explicit Connection(const std::string& path) {
        check(sqlite3_open_v2(path.c_str(), &handle_, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr));
        run("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA busy_timeout=2000");
        ++opened;
    }
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;
    ~Connection() { sqlite3_close(handle_); }

    void run(const char* sql) { check(sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr)); }

    sqlite3_stmt* prepare(const char* sql) {
        sqlite3_stmt* statement = nullptr;
        check(sqlite3_prepare_v2(handle_, sql, -1, &statement, nullptr));
        return statement;
    }

    void check(int code) {
        if (code != SQLITE_OK) {
            throw std::runtime_error(handle_ != nullptr ? sqlite3_errmsg(handle_) : sqlite3_errstr(code));
        }
    }

    static inline int opened = 0;

private:
    sqlite3* handle_ = nullptr;
};

class Query {
public:
    Query(Connection& connection, const char* sql) : statement_(connection.prepare(sql)) {}
    Query(const Query&) = delete;
    Query& operator=(const Query&) = delete;
    ~Query() { sqlite3_finalize(statement_); }

    Query& bind(int at, std::int64_t value) {
        sqlite3_bind_int64(statement_, at, value);
        return *this;
    }

    Query& bind(int at, std::string_view text) {
        sqlite3_bind_text(statement_, at, text.data(), static_cast<int>(text.size()), SQLITE_TRANSIENT);
        return *this;
    }

    Query& bind_blob(int at, const void* data, std::size_t bytes) {
        sqlite3_bind_blob(statement_, at, data, static_cast<int>(bytes), SQLITE_TRANSIENT);
        return *this;
    }

    bool step() {
        const int code = sqlite3_step(statement_);
        if (code != SQLITE_ROW && code != SQLITE_DONE) {
            throw std::runtime_error(sqlite3_errstr(code));
        }
        return code == SQLITE_ROW;
    }

    std::int64_t number(int column) { return sqlite3_column_int64(statement_, column); }

    std::string text(int column) {
        const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement_, column));
        return bytes == nullptr ? std::string() : std::string(bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column)));
    }

private:
    sqlite3_stmt* statement_;
};

struct Chat {
    std::int64_t conversation = 0;
    std::int64_t user = 0;
};

Chat find_chat(const Options& options) {
    Connection connection(options.db);
    Query query(connection, "SELECT conv, user_no FROM conversations WHERE title = ?1 AND hidden = 0");
    if (!query.bind(1, options.title).step()) {
        throw std::runtime_error("no conversation with this title");
    }
    return {query.number(0), query.number(1)};
}

std::vector<Message> load_history(const Options& options, const Chat& chat) {
    Connection connection(options.db);
    Query query(
        connection,
        "SELECT i.role, b.body FROM items i JOIN bodies b ON b.mid = i.mid WHERE i.conv = ?1 AND i.br = 1 AND i.deleted_at IS NULL ORDER BY i.pos"
    );
    query.bind(1, chat.conversation);
    std::vector<Message> history;
    while (query.step()) {
        history.push_back({static_cast<int>(query.number(0)), query.text(1)});
    }
    return history;
}

void store_message(const Options& options, const Chat& chat, const Message& message) {
    Connection connection(options.db);
    connection.run("BEGIN IMMEDIATE");
    Query head(connection, "SELECT head_pos, head_cum_tok FROM branches WHERE conv = ?1 AND br = 1");
    head.bind(1, chat.conversation).step();
    const std::int64_t position = head.number(0) + 1;
    const auto tokens = static_cast<std::int64_t>(message.text.size() / 4);
    const std::int64_t total = head.number(1) + tokens;
    Query newest(connection, "SELECT coalesce(max(mid), ?1) + 1 FROM bodies WHERE mid BETWEEN ?1 AND ?2");
    newest.bind(1, chat.user << 40).bind(2, ((chat.user + 1) << 40) - 1).step();
    const std::int64_t mid = newest.number(0);
    const auto id = base::make_uuid_v7();
    Query body(connection, "INSERT INTO bodies (mid, item_id, conv, br, pos, body) VALUES (?1, ?2, ?3, 1, ?4, ?5)");
    body.bind(1, mid).bind_blob(2, id.data(), id.size()).bind(3, chat.conversation).bind(4, position);
    body.bind_blob(5, message.text.data(), message.text.size()).step();
    Query item(
        connection,
        "INSERT INTO items (conv, br, pos, mid, role, status, format, tok, cum_tok, bytes, created_at) VALUES (?1, 1, ?2, ?3, ?4, 0, 0, ?5, ?6, ?7, ?8)"
    );
    item.bind(1, chat.conversation).bind(2, position).bind(3, mid).bind(4, message.role).bind(5, tokens).bind(6, total);
    item.bind(7, static_cast<std::int64_t>(message.text.size())).bind(8, std::time(nullptr)).step();
    Query grow(connection, "UPDATE branches SET head_pos = ?2, head_cum_tok = ?3 WHERE conv = ?1 AND br = 1");
    grow.bind(1, chat.conversation).bind(2, position).bind(3, total).step();
    connection.run("COMMIT");
}

std::string render_prompt(const Options& options, const std::vector<Message>& history, const Message& question) {
    std::string body;
    base::JsonWriter out(body);
    out.begin_object();
    out.member("model", options.model);
    out.member("stream", true);
    out.key("messages");
    out.begin_array();
    const auto write = [&](const Message& message) {
        out.begin_object();
        out.member("role", message.role == 1 ? "assistant" : "user");
        out.member("content", message.text);
        out.end_object();
    };
    for (std::size_t i = history.size() - std::min(history.size(), kPromptMessages); i < history.size(); ++i) {
        write(history[i]);
    }
    write(question);
    out.end_array();
    out.end_object();
    return body;
}

std::size_t take(char* data, std::size_t size, std::size_t count, void* into) {
    static_cast<std::string*>(into)->append(data, size * count);
    return size * count;
}

// A client per call.
std::string ask(const Options& options, const std::string& prompt) {
    std::string stream;
    CURL* client = curl_easy_init();
    curl_slist* headers = curl_slist_append(nullptr, "Content-Type: application/json");
    curl_easy_setopt(client, CURLOPT_URL, options.url.c_str());
    curl_easy_setopt(client, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(client, CURLOPT_POSTFIELDS, prompt.c_str());
    curl_easy_setopt(client, CURLOPT_POSTFIELDSIZE, static_cast<long>(prompt.size()));
    curl_easy_setopt(client, CURLOPT_WRITEFUNCTION, &take);
    curl_easy_setopt(client, CURLOPT_WRITEDATA, &stream);
    const CURLcode result = curl_easy_perform(client);
    curl_slist_free_all(headers);
    curl_easy_cleanup(client);
    if (result != CURLE_OK) {
        throw std::runtime_error(curl_easy_strerror(result));
    }
    constexpr std::string_view kContent = "\"content\":\"";
    std::string text;
    for (std::size_t at = stream.find(kContent); at != std::string::npos; at = stream.find(kContent, at)) {
        at += kContent.size();
        text += stream.substr(at, stream.find('"', at) - at);
    }
    return text;
}

std::size_t bytes_of(const std::vector<Message>& history) {
    std::size_t bytes = 0;
    for (const Message& message : history) {
        bytes += message.text.size();
    }
    return bytes;
}

std::size_t interact(const Options& options, const Chat& chat) {
    const Message question{0, "Say something short about measuring proxies, please."};
    std::size_t loaded = 0;
    std::string prompt;
    {
        const auto history = load_history(options, chat);
        loaded += bytes_of(history);
        prompt = render_prompt(options, history, question);
    }
    store_message(options, chat, question);
    const Message answer{1, ask(options, prompt)};
    store_message(options, chat, answer);
    loaded += bytes_of(load_history(options, chat));
    return loaded;
}

double cpu_ms() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    const auto ms = [](const timeval& time) { return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_usec) / 1e3; };
    return ms(usage.ru_utime) + ms(usage.ru_stime);
}

int run(const Options& options) {
    const Chat chat = find_chat(options);
    Samples ms;
    Samples cpu;
    std::size_t loaded = 0;
    Connection::opened = 0;
    for (int i = 0; i < options.interactions; ++i) {
        const double cpu_before = cpu_ms();
        const auto begin = Clock::now();
        loaded += interact(options, chat);
        ms.add(us_since(begin) / 1000);
        cpu.add(cpu_ms() - cpu_before);
    }
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    std::printf(
        "{\"ms\":%.3f,\"cpu_ms\":%.3f,\"bytes_loaded\":%zu,\"connections_opened\":%d,\"peak_kib\":%ld}\n",
        ms.median(),
        cpu.median(),
        loaded / static_cast<std::size_t>(options.interactions),
        Connection::opened / options.interactions,
        usage.ru_maxrss
    );
    return 0;
}

Options parse(int argc, char** argv) {
    Options options;
    for (int i = 1; i + 1 < argc; i += 2) {
        const std::string_view name = argv[i];
        const std::string value = argv[i + 1];
        if (name == "--db") {
            options.db = value;
        } else if (name == "--title") {
            options.title = value;
        } else if (name == "--port") {
            options.url = "http://127.0.0.1:" + value + "/v1/chat/completions";
        } else if (name == "--model") {
            options.model = value;
        } else if (name == "--interactions") {
            options.interactions = std::stoi(value);
        } else {
            throw std::runtime_error("unknown option " + std::string(name));
        }
    }
    if (options.db.empty() || options.url.empty()) {
        throw std::runtime_error("usage: as_reviewed --db FILE --port P [--title TITLE] [--interactions N] [--model NAME]");
    }
    return options;
}

}  // namespace
}  // namespace confab::bench

int main(int argc, char** argv) {
    try {
        return confab::bench::run(confab::bench::parse(argc, argv));
    } catch (const std::exception& e) {
        std::fprintf(stderr, "as_reviewed: %s\n", e.what());
        return 1;
    }
}

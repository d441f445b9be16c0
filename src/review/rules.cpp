#include "review/rules.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "base/error.hpp"

namespace confab::review {

namespace {

constexpr auto kMemory = Heading::memory;
constexpr auto kLifecycle = Heading::lifecycle;
constexpr auto kStreaming = Heading::streaming;
constexpr auto kLimits = Heading::limits;
constexpr auto kLinear = Scale::linear;
constexpr auto kLog = Scale::logarithmic;

// An interaction is what a visitor does: ask, read the streamed answer to its end, and see the conversation anew.
constexpr std::array kRules{
    Rule{"memory.churn", kMemory, "Allocation patterns", "Memory touched anew per interaction", "KiB",
         "Page faults without the disk (`minflt`) times the page size, for each interaction with the longest conversation, less those with the shortest.",
         256, 8'192, kLog, "Each interaction allocates memory by the length of the conversation", "page-history"},
    Rule{"memory.scaling", kMemory, "Usage scaling", "Peak memory per message of history", "bytes/message",
         "How far resident memory rises (`VmHWM`) while one visitor reads the longest conversation and asks in it, less the same with the shortest, less 2 MiB of noise, over the difference of their lengths.",
         16, 512, kLog, "Memory grows with the length of the conversation", "page-history"},
    Rule{"memory.session", kMemory, "Usage scaling", "Memory held per visitor of a long conversation", "KiB/visitor",
         "Resident memory with eight visitors who have the longest conversation open, less before they came, less 2 MiB of noise, over eight.",
         256, 4'096, kLog, "Each visitor's session keeps the conversation it shows in memory", "page-history"},
    Rule{"memory.leak", kMemory, "Leaks", "Memory kept per interaction", "bytes/interaction",
         "Resident memory at the end of many interactions in short conversations, less after their first third, less 1 MiB of noise, over the interactions between.",
         512, 16'384, kLog, "Memory is kept after the work it was for", "release"},

    Rule{"lifecycle.database", kLifecycle, "Database connections", "Database connections opened per interaction", "per interaction",
         "Openings of the database's file, counted by inotify, over the interactions.",
         0.02, 2, kLog, "Database connections are opened and closed for single queries", "keep-connections"},
    Rule{"lifecycle.files", kLifecycle, "File handles", "Other files opened per interaction", "per interaction",
         "Openings of all other files in the data directory, counted by inotify, over the interactions.",
         0.05, 4, kLog, "Files are opened and closed again and again", "keep-connections"},
    Rule{"lifecycle.descriptors", kLifecycle, "File handles", "Descriptors left after the work", "descriptors",
         "Entries of `/proc/PID/fd` up to 5 s after the last visitor left, less those before the first one came.",
         2, 50, kLog, "File handles are left open", "release"},
    Rule{"lifecycle.model", kLifecycle, "Network connections", "Connections to the model server per answer", "per answer",
         "Connections that the model server accepted over the answers it was asked for, one visitor asking.",
         0.05, 1, kLog, "The client for the model server is made anew for each call, and its connections with it", "keep-client"},
    Rule{"lifecycle.client", kLifecycle, "Network connections", "Client connections per request", "per request",
         "Connections that one client had to open over the requests it made one after another.",
         0.1, 1, kLog, "Client connections are closed after each request", "keep-alive"},
    Rule{"lifecycle.sockets", kLifecycle, "Network connections", "Sockets left after clients vanished", "sockets",
         "Sockets among the descriptors up to 5 s after clients closed their connections in the middle of answers, less before.",
         1, 20, kLog, "Sockets of clients that are gone stay open", "release"},
    Rule{"lifecycle.abandoned", kLifecycle, "Network connections", "Answers still made for clients who left", "share",
         "Answers that the model server is still sending 3 s after their readers closed the connection; of a server whose model cannot be seen, its use of the processor then against while they read.",
         0.1, 1, kLinear, "Answers go on to be made for clients who left", "cancel"},

    Rule{"streaming.first_text", kStreaming, "Streaming", "Time to the first text, share of the whole", "share",
         "When the first text of an answer reaches the client, over when its last byte does; the model server sends it evenly over a second.",
         0.3, 0.9, kLinear, "Answers are held back until they are whole", "stream-answers"},
    Rule{"streaming.page", kStreaming, "Large data", "Bytes sent to open a conversation, growth per tenfold length", "times",
         "Bytes of the answer for the longest conversation against the next shorter one, for each tenfold of the length: 1 is flat, 10 is linear.",
         1.5, 6, kLog, "Opening a conversation sends all of it", "page-history"},
    Rule{"streaming.slow_viewer", kStreaming, "Large data", "Memory per slow viewer", "KiB/viewer",
         "Resident memory with viewers who asked for the longest conversation and for an answer of 1 MiB and read nothing, less before they came, less 2 MiB of noise, over the viewers.",
         512, 8'192, kLog, "A viewer who does not read makes the server hold everything", "bound"},
    Rule{"streaming.export", kStreaming, "Large data", "Memory per byte of a download", "bytes/byte",
         "How far resident memory rises while a whole conversation is downloaded, less 2 MiB of noise, over the bytes of the download.",
         0.1, 1, kLog, "Downloads are built whole in memory", "stream-transfers"},
    Rule{"streaming.import", kStreaming, "Large data", "Memory per byte of an import", "bytes/byte",
         "How far resident memory rises while such a file is imported, less 4 MiB of noise, over its bytes.",
         0.1, 1, kLog, "Imports are held whole in memory", "stream-transfers"},

    Rule{"limits.cpu", kLimits, "Processor", "Processor time per interaction, growth per tenfold length", "times",
         "Processor time of the server for an interaction with the longest conversation against the next shorter one, for each tenfold of the length.",
         1.5, 6, kLog, "What an interaction costs the processor grows with the conversation", "page-history"},
    Rule{"limits.time", kLimits, "Processor", "Time to open a conversation, growth per tenfold length", "times",
         "Median time to open the longest conversation against the next shorter one, for each tenfold of the length.",
         1.5, 6, kLog, "Opening a conversation takes longer the longer it is", "page-history"},
    Rule{"limits.neighbours", kLimits, "Processor", "Slowdown of others by a long conversation", "times",
         "Median time of another person's interaction while four visitors open the longest conversation twice a second each, against the same with the shortest.",
         1.5, 10, kLog, "One long conversation slows everybody down", "page-history"},
    Rule{"limits.idle", kLimits, "Processor", "Processor use when idle", "%",
         "Processor time over time while nobody asks for anything.",
         0.5, 5, kLog, "The server is busy when there is nothing to do", "idle"},
    Rule{"limits.memory", kLimits, "Memory limit", "Behaviour at the memory limit", "points",
         "Visitors open the longest conversation at once, so many that their histories together would take twice the limit, while others ask. "
         "0: all served, or some refused with Retry-After. 2: refused without it. 5: requests failed, but the server is there afterwards. 10: the server was killed or ended.",
         0, 10, kLinear, "The server does not survive its memory limit", "bound"},
};

constexpr std::array kRemedies{
    Remedy{"page-history", "Load histories in pages", "Load and send the newest page of a conversation, and older ones on demand (\"load more\"), so that what a visit costs, and what a session holds, does not depend on the length. Give the model the newest messages by a query that stops there."},
    Remedy{"bound", "Bound every buffer and refuse what does not fit", "Derive a budget from the memory limit, lease every buffer from it, pause whoever sends to a reader that is behind, and answer 503 with Retry-After instead of being killed."},
    Remedy{"keep-connections", "Keep database connections", "Open a small, fixed number of connections at the start and keep them, and their prepared statements, for as long as the server runs."},
    Remedy{"keep-client", "Keep one client for the model server", "Make it once, with its pool of connections, and use it for every call."},
    Remedy{"stream-answers", "Stream answers", "Pass each piece of an answer on when it comes."},
    Remedy{"stream-transfers", "Stream downloads and uploads", "Read, convert and write in pieces at the pace of the other side; hold one piece."},
    Remedy{"cancel", "Stop work for clients who left", "Notice that a connection was closed, and cancel what was only for it, up to the request at the model server."},
    Remedy{"release", "Release what was opened", "Tie every handle, socket and buffer to an owner that closes it on every way out, also when a client vanishes."},
    Remedy{"keep-alive", "Keep client connections", "Answer several requests on one connection (HTTP keep-alive)."},
    Remedy{"idle", "Sleep when idle", "Wait for events instead of polling."},
};

// The scores of a heading's rules that have a value.
std::vector<double> scores_of(const Figures& figures, Heading heading) {
    std::vector<double> scores;
    for (const Rule& rule : kRules) {
        const auto figure = figures.find(rule.id);
        if (rule.heading == heading && figure != figures.end() && figure->second.value) {
            scores.push_back(score(rule, *figure->second.value));
        }
    }
    return scores;
}

double mean(const std::vector<double>& values) {
    double sum = 0;
    for (const double value : values) {
        sum += value;
    }
    return sum / static_cast<double>(values.size());
}

double to_tenths(double value) {
    return std::round(value * 10) / 10;
}

}  // namespace

std::string_view heading_title(Heading heading) {
    switch (heading) {
        case Heading::memory: return "Memory management";
        case Heading::lifecycle: return "Resource lifecycle";
        case Heading::streaming: return "Streaming and large data";
        case Heading::limits: break;
    }
    return "CPU and memory limits";
}

std::span<const Rule> rules() {
    return kRules;
}

const Rule* find_rule(std::string_view id) {
    const auto found = std::ranges::find(kRules, id, &Rule::id);
    return found == kRules.end() ? nullptr : &*found;
}

const Remedy& find_remedy(std::string_view id) {
    const auto found = std::ranges::find(kRemedies, id, &Remedy::id);
    CONFAB_ASSERT(found != kRemedies.end());
    return *found;
}

double score(const Rule& rule, double value) {
    constexpr double kMost = 10;
    if (!std::isfinite(value) || value >= rule.bad) {
        return kMost;
    }
    if (value <= rule.good) {
        return 0;
    }
    const double share = rule.scale == Scale::linear ? (value - rule.good) / (rule.bad - rule.good)
                                                     : std::log(value / rule.good) / std::log(rule.bad / rule.good);
    return to_tenths(kMost * share);
}

std::optional<double> heading_score(const Figures& figures, Heading heading) {
    const std::vector<double> scores = scores_of(figures, heading);
    if (scores.empty()) {
        return std::nullopt;
    }
    return to_tenths(std::max(mean(scores), *std::ranges::max_element(scores) / 2));
}

std::optional<double> overall_score(const Figures& figures) {
    std::vector<double> scores;
    for (int i = 0; i < kHeadings; ++i) {
        if (const auto one = heading_score(figures, static_cast<Heading>(i))) {
            scores.push_back(*one);
        }
    }
    return scores.empty() ? std::nullopt : std::optional(to_tenths(mean(scores)));
}

double growth_per_tenfold(double shorter_cost, double longer_cost, double shorter, double longer) {
    if (shorter_cost <= 0 || longer <= shorter || shorter <= 0) {
        return 1;
    }
    return std::max(1.0, std::pow(longer_cost / shorter_cost, 1 / std::log10(longer / shorter)));
}

}  // namespace confab::review

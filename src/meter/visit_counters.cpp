#include "meter/visit_counters.hpp"

#include "meter/allocations.hpp"
#include "meter/process.hpp"

namespace confab::meter {

namespace {

constexpr double kMicrosecond = 1e-6;  // seconds

void visit_store(MeterVisitor& visit, const StoreCounters& store) {
    visit.counter(
        "confab_store_connections_opened_total",
        "Database connections opened since the start.",
        store.connections_opened
    );
    visit.gauge("confab_store_connections_live", "Database connections open now.", store.connections_live);
    visit.peak("confab_store_connections_peak", "Most database connections open at once.", store.connections_live);
    visit.counter("confab_store_statements_prepared_total", "SQL statements prepared.", store.statements_prepared);
    visit.counter(
        "confab_store_statements_reused_total", "Uses of a statement that was prepared before.", store.statements_reused
    );
    visit.gauge("confab_store_statements_live", "Prepared statements held.", store.statements_live);
    visit.peak("confab_store_statements_peak", "Most prepared statements held at once.", store.statements_live);
    visit.counter("confab_store_reads_total", "Calls that the reader threads served.", store.reads);
    visit.counter("confab_store_read_timeouts_total", "Reads broken off after 2 s.", store.read_timeouts);
    visit.gauge("confab_store_reader_queue_depth", "Reads waiting for a reader thread.", store.reader_queue_depth);
    visit.peak("confab_store_reader_queue_peak", "Most reads that waited at once.", store.reader_queue_depth);
    visit.counter("confab_store_commits_total", "Transactions committed.", store.commits);
    visit.counter(
        "confab_store_operations_total",
        "Write operations; divided by commits, the size of a group commit.",
        store.operations
    );
    visit.gauge("confab_store_writer_queue_depth", "Write operations waiting.", store.writer_queue_depth);
    visit.peak("confab_store_writer_queue_peak", "Most write operations that waited at once.", store.writer_queue_depth);
    visit.gauge("confab_store_wal_bytes", "Size of the write-ahead log.", store.wal_bytes);
    visit.peak("confab_store_wal_peak_bytes", "Largest size of the write-ahead log.", store.wal_bytes);
    visit.counter("confab_store_checkpoints_total", "Times that the log was moved into the database.", store.checkpoints);
    visit.histogram("confab_store_group_operations", "Write operations in one commit.", store.group_operations, 1);
    visit.histogram(
        "confab_store_commit_seconds", "Time of one commit with all its operations.", store.commit_us, kMicrosecond
    );
    visit.histogram("confab_store_page_rows", "Items in one page of a conversation.", store.page_rows, 1);
    visit.histogram("confab_store_page_bytes", "Bodies of the items in one page.", store.page_bytes, 1);
}

void visit_http(MeterVisitor& visit, const HttpCounters& http) {
    visit.counter("confab_http_connections_opened_total", "Client connections accepted.", http.connections_opened);
    visit.counter(
        "confab_http_connections_reused_total",
        "Requests on a connection that had served one before.",
        http.connections_reused
    );
    visit.gauge("confab_http_connections_live", "Client connections open now.", http.connections_live);
    visit.peak("confab_http_connections_peak", "Most client connections open at once.", http.connections_live);
    visit.counter("confab_http_requests_total", "Requests received.", http.requests);
    visit.counter("confab_http_requests_refused_total", "Requests that the gate refused.", http.refused_requests);
    visit.counter("confab_http_responses_4xx_total", "Answers with a status from 400 to 499.", http.responses_4xx);
    visit.counter("confab_http_responses_5xx_total", "Answers with a status from 500 to 599.", http.responses_5xx);
    visit.counter("confab_http_received_bytes_total", "Bytes received from clients.", http.bytes_received);
    visit.counter("confab_http_sent_bytes_total", "Bytes sent to clients.", http.bytes_sent);
}

void visit_runs(MeterVisitor& visit, const RunCounters& runs) {
    visit.counter("confab_runs_started_total", "Answers begun.", runs.started);
    visit.counter("confab_runs_completed_total", "Answers that ended regularly, cut off or not.", runs.completed);
    visit.counter("confab_runs_failed_total", "Answers that failed.", runs.failed);
    visit.counter("confab_runs_cancelled_total", "Answers that somebody stopped.", runs.cancelled);
    visit.counter("confab_runs_recovered_total", "Answers found unfinished at the start.", runs.recovered);
    visit.counter("confab_run_viewers_dropped_total", "Viewers dropped for being too slow.", runs.viewers_dropped);
    visit.gauge("confab_runs_live", "Answers being made now.", runs.live);
    visit.peak("confab_runs_peak", "Most answers made at once.", runs.live);
    visit.gauge("confab_run_viewers_live", "Connections that watch an answer now.", runs.viewers_live);
    visit.peak("confab_run_viewers_peak", "Most connections that watched at once.", runs.viewers_live);
    visit.histogram("confab_run_prompt_bytes", "Request to the model server, for each answer.", runs.prompt_bytes, 1);
    visit.histogram("confab_run_answer_bytes", "Event log of an answer.", runs.answer_bytes, 1);
    visit.histogram(
        "confab_run_first_token_seconds", "From the question to the first token.", runs.first_token_us, kMicrosecond
    );
    visit.histogram(
        "confab_run_duration_seconds", "From the question to the end of the answer.", runs.duration_us, kMicrosecond
    );
}

void visit_upstream(MeterVisitor& visit, const UpstreamCounters& upstream) {
    visit.counter("confab_upstream_requests_total", "Requests sent to model servers.", upstream.requests);
    visit.counter(
        "confab_upstream_connections_opened_total", "Connections opened to model servers.", upstream.connections_opened
    );
    visit.counter(
        "confab_upstream_connections_reused_total",
        "Requests that found a connection in the pool.",
        upstream.connections_reused
    );
    visit.gauge("confab_upstream_connections_live", "Connections to model servers open now.", upstream.connections_live);
    visit.peak(
        "confab_upstream_connections_peak", "Most connections to model servers at once.", upstream.connections_live
    );
    visit.gauge("confab_upstream_requests_live", "Requests to model servers under way.", upstream.requests_live);
    visit.peak("confab_upstream_requests_peak", "Most requests to model servers at once.", upstream.requests_live);
    visit.counter("confab_upstream_received_bytes_total", "Bytes received from model servers.", upstream.bytes_received);
}

}  // namespace

void visit_process(MeterVisitor& visit, std::int64_t started_at) {
    const ProcessFigures process = read_process();
    const Allocations allocated = allocations();
    const auto number = [](std::uint64_t n) { return static_cast<double>(n); };
    visit.counter("process_cpu_seconds_total", "CPU time of all threads.", process.cpu_seconds);
    visit.gauge("process_resident_memory_bytes", "Memory of the process in RAM.", number(process.resident_bytes));
    visit.gauge(
        "confab_process_resident_peak_bytes", "Most memory that was in RAM.", number(process.resident_peak_bytes)
    );
    visit.gauge("process_open_fds", "Open files and sockets.", number(process.open_files));
    visit.gauge("confab_process_open_fds_peak", "Most open files and sockets, as seen.", number(open_files_peak()));
    visit.gauge("process_max_fds", "Files and sockets that the system grants.", number(process.open_files_max));
    visit.gauge("process_threads", "Threads.", number(process.threads));
    visit.gauge("process_start_time_seconds", "When the process started, Unix time.", static_cast<double>(started_at));
    visit.counter("confab_allocations_total", "Times that memory was allocated.", number(allocated.count));
    visit.counter("confab_allocated_bytes_total", "Bytes allocated, freed or not.", number(allocated.bytes));
}

void visit_queues(MeterVisitor& visit, const QueueDepths& queues) {
    visit.gauge("confab_disk_queue_depth", "Jobs waiting for a disk thread.", static_cast<double>(queues.disk));
    visit.gauge("confab_hashing_queue_depth", "Passwords waiting to be hashed.", static_cast<double>(queues.hashing));
    visit.gauge("confab_import_queue_depth", "Imports waiting for a thread.", static_cast<double>(queues.imports));
}

void visit_counters(MeterVisitor& visit, const Counters& counters) {
    visit_store(visit, counters.store);
    visit_http(visit, counters.http);
    visit_runs(visit, counters.runs);
    visit_upstream(visit, counters.upstream);
}

}  // namespace confab::meter

// The mock's figures for the resources page: a server that has been at work for a day, with a busy quarter of an hour behind it.
const interval = 5;
const samples = 180;
const began = Math.floor(Date.now() / 1000) - 93_600;
const MB = 1024 * 1024;

// A number between 0 and 1 that belongs to a moment, so that the history does not change when it is asked for again.
function noise(at, salt) {
  const x = Math.sin(at * 12.9898 + salt * 78.233) * 43_758.5453;
  return x - Math.floor(x);
}

const wave = (at) => Math.max(0, Math.sin(at / 140) * 0.6 + Math.sin(at / 37) * 0.2 + 0.35);
const busy = (at, salt, scale) => wave(at) * scale * (0.75 + noise(at, salt) / 2);

const series = {
  process_resident_memory_bytes: (at) => 31.2 * MB + busy(at, 1, 3.4 * MB),
  process_cpu_seconds_total: (at) => 0.004 + busy(at, 2, 0.16),
  process_open_fds: (at) => 46 + Math.round(busy(at, 3, 30)),
  confab_allocations_total: (at) => busy(at, 4, 3200),
  confab_allocated_bytes_total: (at) => busy(at, 5, 900_000),
  confab_budget_leased_bytes: (at) => Math.round(busy(at, 6, 6 * MB)),
  confab_http_requests_total: (at) => 0.4 + busy(at, 7, 22),
  confab_http_responses_5xx_total: (at) => (noise(at, 8) > 0.985 ? 0.4 : 0),
  confab_http_sent_bytes_total: (at) => busy(at, 9, 310_000),
  confab_runs_live: (at) => Math.round(busy(at, 10, 14)),
  confab_runs_started_total: (at) => busy(at, 11, 2.4),
  confab_store_commits_total: (at) => busy(at, 12, 9),
  confab_store_wal_bytes: (at) => (1 + ((at / 5) % 60) / 4) * MB,
};

const histogram = (bounds, counts, sum) => ({ bounds, counts, sum });

function meters(at) {
  return {
    ...Object.fromEntries(['process_resident_memory_bytes', 'process_open_fds', 'confab_budget_leased_bytes', 'confab_runs_live', 'confab_store_wal_bytes'].map((name) => [name, series[name](at)])),
    confab_process_resident_peak_bytes: 38.4 * MB, process_max_fds: 524_288, confab_process_open_fds_peak: 181, confab_budget_limit_bytes: 71 * MB,
    confab_runs_peak: 41, confab_runs_started_total: 18_402 + Math.floor((at - began) / 9), confab_run_viewers_live: 9,
    confab_http_requests_total: 412_038 + (at - began), confab_http_responses_5xx_total: 17, confab_http_sent_bytes_total: 3.1e9,
    confab_store_connections_live: 3, confab_store_connections_peak: 3, confab_store_connections_opened_total: 3, confab_store_reads_total: 530_112, confab_store_operations_total: 91_204,
    confab_store_statements_live: 164, confab_store_statements_peak: 164, confab_store_statements_prepared_total: 164, confab_store_statements_reused_total: 2_871_530,
    confab_upstream_connections_live: 14, confab_upstream_connections_peak: 41, confab_upstream_connections_opened_total: 67, confab_upstream_connections_reused_total: 18_335,
    confab_http_connections_live: 38, confab_http_connections_peak: 122, confab_http_connections_opened_total: 9_204, confab_http_connections_reused_total: 402_834,
    confab_store_writer_queue_depth: 0, confab_store_writer_queue_peak: 37, confab_store_reader_queue_depth: 1, confab_store_reader_queue_peak: 22,
    confab_disk_queue_depth: 0, confab_hashing_queue_depth: 0, confab_import_queue_depth: 0, confab_upstream_slots_waiting: { ollama: 2 },
    confab_store_wal_peak_bytes: 16.4 * MB, confab_store_commits_total: 48_390,
    confab_run_prompt_bytes: histogram([1024, 4096, 16384], [3000, 9000, 5000, 1402], 1.6e8), confab_run_answer_bytes: histogram([256, 1024, 4096], [2000, 9000, 7000, 402], 3.4e7),
    confab_run_first_token_seconds: histogram([0.1, 0.25, 0.5, 1], [2000, 9000, 5000, 2000, 402], 6000), confab_store_commit_seconds: histogram([0.0005, 0.001, 0.002, 0.005], [2000, 30000, 14000, 2000, 390], 60),
    confab_store_group_operations: histogram([1, 2, 3, 5, 10, 20, 50, 100, 200], [29000, 9000, 4000, 3500, 2000, 700, 150, 40, 0, 0], 91_204),
    confab_store_page_rows: histogram([0, 1, 5, 10, 20, 50, 100], [800, 300, 2100, 3200, 9100, 14000, 1200, 0], 640_000),
    confab_pressure_begun_total: { defer_background: 3, refuse_uploads: 1, refuse_over_share: 0, refuse_runs: 0, refuse_connections: 0, interrupt_runs: 0 },
    confab_shed_total: { background_deferred: 12, upload_refused: 2, run_over_quota: 5, run_refused: 0 },
  };
}

const rules = [['defer_background', 0.7], ['refuse_uploads', 0.75], ['refuse_over_share', 0.8], ['refuse_runs', 0.85], ['refuse_connections', 0.9], ['interrupt_runs', 0.95]];

// `level` (0 to 1): how full the memory is.
export function resources(since, level) {
  const now = Math.floor(Date.now() / 1000);
  const newest = Math.floor(now / interval) * interval;
  const at = Array.from({ length: samples }, (_, i) => newest - (samples - 1 - i) * interval).filter((one) => one > since);
  return {
    object: 'resources', at: now, started_at: began, meters: meters(now),
    pressure: { usage_bytes: level * 192 * MB, limit_bytes: 192 * MB, level, actions: rules.map(([name, begins_at]) => ({ name, begins_at, active: level >= begins_at, meaning: name })) },
    held: {
      purposes: { runs: 3.1 * MB, bodies: 0.4 * MB, connections: 2.4 * MB, uploads: 0.25 * MB, exports: 0 },
      users: [{ id: 'user_1', name: 'Ada Lovelace', email: 'ada@example.org', bytes: 2.2 * MB }, { id: 'user_2', name: 'Grace Hopper', email: 'grace@example.org', bytes: 1.4 * MB }, { id: 'user_3', name: '', email: 'alan@example.org', bytes: 0.3 * MB }],
    },
    history: { interval_seconds: interval, samples_max: samples, at, series: Object.fromEntries(Object.entries(series).map(([name, value]) => [name, at.map(value)])) },
  };
}

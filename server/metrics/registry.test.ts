import assert from "node:assert/strict";
import { test } from "node:test";
import { createGrpcSeries } from "./grpc-series.ts";
import { createProcessSeries, type ProcessFacts } from "./process-series.ts";
import { Registry } from "./registry.ts";
import { createSeries } from "./series.ts";
import { exponentialBounds, Family, Gauge, Histogram, Summary } from "./series-types.ts";

/** Samples by name and labels, types by name. */
function parse(text: string): { types: Map<string, string>; samples: Map<string, string> } {
  const types = new Map<string, string>();
  const samples = new Map<string, string>();
  assert.equal(text.at(-1), "\n");
  for (const line of text.slice(0, -1).split("\n")) {
    const type = /^# TYPE (\S+) (\S+)$/.exec(line);
    if (type !== null) types.set(type[1] as string, type[2] as string);
    else if (!/^# HELP \S+ \S.*$/.test(line)) {
      const sample = /^([a-zA-Z_:][a-zA-Z0-9_:]*(?:\{.*\})?) (\S+)$/.exec(line);
      assert.ok(sample !== null, `not a line of Prometheus: ${line}`);
      assert.ok(!samples.has(sample[1] as string), `twice: ${line}`);
      samples.set(sample[1] as string, sample[2] as string);
    }
  }
  return { types, samples };
}

test("series are written by name, labels by name, histograms add up", async () => {
  const registry = new Registry();
  const requests = registry.counters("b_total", "Two.", ["z", "a"]);
  const time = registry.histogram("a_seconds", 'Says "x\\y".', [0.001, 0.002, 4, 8_388_608]);
  registry.gauge("c", "Three.").set(-1.5);
  requests.with("1", 'q"uo\nte').inc();
  requests.with("1", 'q"uo\nte').inc(2);
  for (const value of [0.0005, 0.001, 0.0015, 100, 1e9]) time.observe(value);
  const { contentType, body } = await registry.text();
  assert.equal(contentType, "text/plain; version=0.0.4; charset=utf-8; escaping=underscores");
  assert.equal(
    body,
    [
      '# HELP a_seconds Says "x\\\\y".',
      "# TYPE a_seconds histogram",
      'a_seconds_bucket{le="0.001"} 2',
      'a_seconds_bucket{le="0.002"} 3',
      'a_seconds_bucket{le="4"} 3',
      'a_seconds_bucket{le="8.388608e+06"} 4',
      'a_seconds_bucket{le="+Inf"} 5',
      `a_seconds_sum ${0.0005 + 0.001 + 0.0015 + 100 + 1e9}`,
      "a_seconds_count 5",
      "# HELP b_total Two.",
      "# TYPE b_total counter",
      'b_total{a="q\\"uo\\nte",z="1"} 3',
      "# HELP c Three.",
      "# TYPE c gauge",
      "c -1.5",
      "",
    ].join("\n"),
  );
});

test("a name is registered once", () => {
  const registry = new Registry();
  registry.gauge("a", "A.");
  assert.throws(() => registry.counter("a", "A."), /a is registered once/);
  assert.throws(() => registry.counter("a b", "A."), /can be the name of a metric/);
});

test("beforeScrape() runs once a scrape", async () => {
  const registry = new Registry();
  const gauge = registry.gauge("now", "Now.");
  registry.beforeScrape(() => gauge.inc());
  await registry.text();
  assert.match((await registry.text()).body, /^now 2$/m);
});

test("a family counts label values beyond its limit together", () => {
  const family = new Family(["client"], () => new Gauge());
  for (let client = 0; client < Family.LIMIT + 50; client++) family.with(`v${client}`).inc();
  assert.equal(family.children().length, Family.LIMIT + 1);
  assert.equal(family.with("other").value, 50);
  assert.equal(family.with("v3").value, 1);
  family.remove("v3");
  assert.equal(family.children().length, Family.LIMIT);
});

test("a histogram's bounds rise, and a value on a bound is below it", () => {
  assert.throws(() => new Histogram([1, 1]), /bounds of a histogram rise/);
  const histogram = new Histogram([1, 2]);
  for (const value of [1, 2, 3]) histogram.observe(value);
  assert.deepEqual(histogram.cumulative(), [1, 2, 3]);
  assert.equal(histogram.sum, 6);
});

test("a summary takes quantiles of the last values", () => {
  const summary = new Summary();
  assert.deepEqual(summary.quantiles(), [0, 0, 0, 0, 0]);
  for (let value = 1; value <= Summary.KEPT + 100; value++) summary.observe(value);
  assert.equal(summary.count, 356);
  assert.deepEqual(summary.quantiles(), [101, 165, 229, 292, 356]);
});

/** Name, type, labels, first bound, factor and number of bounds of every series of etcd 3.7. */
const ETCD_SERIES = `
etcd_cluster_version gauge cluster_version
etcd_debugging_auth_revision gauge
etcd_debugging_disk_backend_commit_rebalance_duration_seconds histogram 0.001*14
etcd_debugging_disk_backend_commit_spill_duration_seconds histogram 0.001*14
etcd_debugging_disk_backend_commit_write_duration_seconds histogram 0.001*14
etcd_debugging_lease_granted_total counter
etcd_debugging_lease_renewed_total counter
etcd_debugging_lease_revoked_total counter
etcd_debugging_lease_ttl_total histogram 1*24
etcd_debugging_mvcc_compact_revision gauge
etcd_debugging_mvcc_current_revision gauge
etcd_debugging_mvcc_db_compaction_keys_total counter
etcd_debugging_mvcc_db_compaction_last gauge
etcd_debugging_mvcc_db_compaction_pause_duration_milliseconds histogram 1*13
etcd_debugging_mvcc_db_compaction_total_duration_milliseconds histogram 100*14
etcd_debugging_mvcc_events_total counter
etcd_debugging_mvcc_index_compaction_pause_duration_milliseconds histogram 0.5*14
etcd_debugging_mvcc_keys_total gauge
etcd_debugging_mvcc_pending_events_total gauge
etcd_debugging_mvcc_slow_watcher_total gauge
etcd_debugging_mvcc_total_put_size_in_bytes gauge
etcd_debugging_mvcc_watch_stream_total gauge
etcd_debugging_mvcc_watcher_total gauge
etcd_debugging_server_alarms gauge server_id,alarm_type
etcd_debugging_server_lease_expired_total counter
etcd_debugging_server_watch_send_loop_control_stream_duration_seconds histogram 0.001*14
etcd_debugging_server_watch_send_loop_progress_duration_seconds histogram 0.001*14
etcd_debugging_server_watch_send_loop_watch_stream_duration_per_event_seconds histogram 0.001*14
etcd_debugging_server_watch_send_loop_watch_stream_duration_seconds histogram 0.001*14
etcd_debugging_snap_save_marshalling_duration_seconds histogram 0.001*14
etcd_debugging_snap_save_total_duration_seconds histogram 0.001*14
etcd_debugging_store_expires_total counter
etcd_debugging_store_reads_failed_total counter action
etcd_debugging_store_reads_total counter action
etcd_debugging_store_watch_requests_total counter
etcd_debugging_store_watchers gauge
etcd_debugging_store_writes_failed_total counter action
etcd_debugging_store_writes_total counter action
etcd_disk_backend_commit_duration_seconds histogram 0.001*14
etcd_disk_backend_defrag_duration_seconds histogram 0.1*13
etcd_disk_backend_snapshot_duration_seconds histogram 0.01*17
etcd_disk_defrag_inflight gauge
etcd_disk_wal_fsync_duration_seconds histogram 0.001*14
etcd_disk_wal_write_bytes_total gauge
etcd_disk_wal_write_duration_seconds histogram 0.001*14
etcd_grpc_proxy_cache_hits_total gauge
etcd_grpc_proxy_cache_keys_total gauge
etcd_grpc_proxy_cache_misses_total gauge
etcd_grpc_proxy_events_coalescing_total counter
etcd_grpc_proxy_watchers_coalescing_total gauge
etcd_mvcc_db_open_read_transactions gauge
etcd_mvcc_db_total_size_in_bytes gauge
etcd_mvcc_db_total_size_in_use_in_bytes gauge
etcd_mvcc_delete_total counter
etcd_mvcc_hash_duration_seconds histogram 0.01*15
etcd_mvcc_hash_rev_duration_seconds histogram 0.01*15
etcd_mvcc_put_total counter
etcd_mvcc_range_total counter
etcd_mvcc_txn_total counter
etcd_network_active_peers gauge Local,Remote
etcd_network_client_grpc_received_bytes_total counter
etcd_network_client_grpc_sent_bytes_total counter
etcd_network_disconnected_peers_total counter Local,Remote
etcd_network_known_peers gauge Local,Remote
etcd_network_peer_received_bytes_total counter From
etcd_network_peer_received_failures_total counter From
etcd_network_peer_round_trip_time_seconds histogram To 0.0001*16
etcd_network_peer_sent_bytes_total counter To
etcd_network_peer_sent_failures_total counter To
etcd_network_server_stream_failures_total counter Type,API
etcd_network_snapshot_receive_failures counter From
etcd_network_snapshot_receive_inflights_total gauge From
etcd_network_snapshot_receive_success counter From
etcd_network_snapshot_receive_total_duration_seconds histogram From 0.1*10
etcd_network_snapshot_send_failures counter To
etcd_network_snapshot_send_inflights_total gauge To
etcd_network_snapshot_send_success counter To
etcd_network_snapshot_send_total_duration_seconds histogram To 0.1*10
etcd_server_apply_duration_seconds histogram version,op,success 0.0001*20
etcd_server_client_requests_total counter type,client_api_version
etcd_server_feature_enabled gauge name,stage
etcd_server_go_version gauge server_go_version
etcd_server_has_leader gauge
etcd_server_health_failures counter
etcd_server_health_success counter
etcd_server_healthcheck gauge type,name
etcd_server_healthchecks_total counter type,name,status
etcd_server_heartbeat_send_failures_total counter
etcd_server_id gauge server_id
etcd_server_is_leader gauge
etcd_server_is_learner gauge
etcd_server_leader_changes_seen_total counter
etcd_server_learner_promote_failures counter Reason
etcd_server_learner_promote_successes counter
etcd_server_proposals_applied_total gauge
etcd_server_proposals_committed_total gauge
etcd_server_proposals_failed_total counter
etcd_server_proposals_pending gauge
etcd_server_quota_backend_bytes gauge
etcd_server_range_duration_seconds histogram success 0.0001*20
etcd_server_read_indexes_failed_total counter
etcd_server_request_duration_seconds histogram type,success 0.001*14
etcd_server_slow_apply_total counter
etcd_server_slow_read_indexes_total counter
etcd_server_snapshot_apply_in_progress_total gauge
etcd_server_version gauge server_version
etcd_snap_db_fsync_duration_seconds histogram 0.001*14
etcd_snap_db_save_total_duration_seconds histogram 0.1*10
etcd_snap_fsync_duration_seconds histogram 0.001*14
promhttp_metric_handler_requests_in_flight gauge
promhttp_metric_handler_requests_total counter code
`
  .trim()
  .split("\n")
  .map((line) => line.split(" "));

test("createSeries() registers every series of etcd with its type, labels and bounds", async () => {
  const registry = new Registry();
  const series = createSeries(registry);
  for (const group of Object.values(series)) {
    for (const member of Object.values(group))
      if (member instanceof Family) member.with(...member.labels.map(() => "x"));
  }
  const { types, samples } = parse((await registry.text()).body);
  const keys = [...samples.keys()];
  for (const [name, type, ...rest] of ETCD_SERIES as [string, string, ...string[]][]) {
    assert.equal(types.get(name), type, name);
    const bounds = rest.find((part) => part.includes("*"));
    const labels = (rest.find((part) => !part.includes("*")) ?? "")
      .split(",")
      .filter((label) => label !== "")
      .sort();
    const text = labels.map((label) => `${label}="x"`).join(",");
    const sample = type === "histogram" ? `${name}_count` : name;
    assert.ok(samples.has(text === "" ? sample : `${sample}{${text}}`), `${name} has the labels ${labels}`);
    if (bounds === undefined) continue;
    const [start = 0, count = 0] = bounds.split("*").map(Number);
    const found = keys.filter((key) => key.startsWith(`${name}_bucket`)).map((key) => /le="([^"]+)"/.exec(key)?.[1]);
    assert.deepEqual(found.slice(0, -1).map(Number), exponentialBounds(start, 2, count), name);
    assert.equal(found.at(-1), "+Inf", name);
  }
  const ours = [...types.keys()].filter((name) => !ETCD_SERIES.some(([known]) => known === name));
  assert.deepEqual(ours, [
    "kvorum_event_loop_lag_seconds",
    "kvorum_heap_share",
    "kvorum_memory_limit_bytes",
    "kvorum_open_read_views",
    "kvorum_tls_authorities",
    "kvorum_tls_certificate_loaded",
    "kvorum_tls_certificate_not_after_seconds",
    "kvorum_tls_files_unusable",
    "kvorum_version",
  ]);
});

test("a fresh server shows what etcd shows: zeros, and -1 for the compact revision", async () => {
  const registry = new Registry();
  createSeries(registry);
  const { samples } = parse((await registry.text()).body);
  assert.equal(samples.get("etcd_debugging_mvcc_compact_revision"), "-1");
  assert.equal(samples.get('promhttp_metric_handler_requests_total{code="200"}'), "0");
  const others = [...samples].filter(([key, value]) => value !== "0" && !key.includes("compact_revision"));
  assert.deepEqual(others, []);
});

test("calls are counted by method and code from zero on; times only when metrics are extensive", async () => {
  const methods = [
    { service: "etcdserverpb.KV", name: "Range", kind: "unary" },
    { service: "etcdserverpb.Watch", name: "Watch", kind: "bidi" },
    { service: "etcdserverpb.Maintenance", name: "Snapshot", kind: "serverStream" },
  ] as const;
  const registry = new Registry();
  const calls = createGrpcSeries(registry, methods, true);
  const range = calls.get("/etcdserverpb.KV/Range");
  range?.started.inc();
  range?.handled(0, 0.004);
  range?.handled(99, 20);
  const { samples } = parse((await registry.text()).body);
  const labels = 'grpc_method="Range",grpc_service="etcdserverpb.KV",grpc_type="unary"';
  assert.equal(samples.get(`grpc_server_started_total{${labels}}`), "1");
  assert.equal(samples.get(`grpc_server_handled_total{grpc_code="OK",${labels}}`), "1");
  assert.equal(samples.get(`grpc_server_handled_total{grpc_code="Unknown",${labels}}`), "1");
  assert.equal(samples.get(`grpc_server_handled_total{grpc_code="Unauthenticated",${labels}}`), "0");
  assert.equal(samples.get(`grpc_server_handling_seconds_bucket{${labels},le="0.005"}`), "1");
  assert.equal(samples.get(`grpc_server_handling_seconds_count{${labels}}`), "2");
  const watch = 'grpc_method="Watch",grpc_service="etcdserverpb.Watch",grpc_type="bidi_stream"';
  assert.equal(samples.get(`grpc_server_msg_sent_total{${watch}}`), "0");
  const handled = [...samples.keys()].filter((key) => key.startsWith("grpc_server_handled_total"));
  assert.equal(handled.length, 3 * 17);
  const basic = new Registry();
  createGrpcSeries(basic, methods, false);
  assert.equal(basic.names().includes("grpc_server_handling_seconds"), false);
});

test("the process shows itself under the names that dashboards ask for", async () => {
  const registry = new Registry();
  let cpuSeconds = 2;
  const read = (): ProcessFacts => ({
    cpuSeconds,
    startedAtSeconds: 1000,
    residentBytes: 5,
    virtualBytes: undefined,
    virtualLimitBytes: undefined,
    openFiles: 17,
    fileLimit: 20_000,
    threads: 11,
    networkReceivedBytes: 1,
    networkSentBytes: undefined,
    activeResources: 3,
    nodeVersion: "v20.0.0",
    heap: { usedBytes: 10, totalBytes: 30, limitBytes: 100, externalBytes: 4 },
  });
  const series = createProcessSeries(registry, read);
  series.collected(0.25, 1234);
  const { samples } = parse((await registry.text()).body);
  const expected: [string, string][] = [
    ["process_cpu_seconds_total", "2"],
    ["process_start_time_seconds", "1000"],
    ["process_resident_memory_bytes", "5"],
    ["process_virtual_memory_bytes", "0"],
    ["process_virtual_memory_max_bytes", "18446744073709552000"],
    ["process_open_fds", "17"],
    ["process_max_fds", "20000"],
    ["os_fd_used", "17"],
    ["os_fd_limit", "20000"],
    ["go_goroutines", "3"],
    ["go_threads", "11"],
    ['go_info{version="node-v20.0.0"}', "1"],
    ["go_gc_duration_seconds_count", "1"],
    ['go_gc_duration_seconds{quantile="0.5"}', "0.25"],
    ["go_memstats_last_gc_time_seconds", "1234"],
    ["go_memstats_heap_idle_bytes", "20"],
    ["go_memstats_sys_bytes", "34"],
    ["go_gc_gomemlimit_bytes", "100"],
  ];
  for (const [key, value] of expected) assert.equal(samples.get(key), value, key);
  cpuSeconds = 1; // a counter never falls
  assert.match((await registry.text()).body, /^process_cpu_seconds_total 2$/m);
});

/** The paths for operators on the client port (etcd-contract section 15): health, readiness, version, metrics. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { AlarmAction, AlarmType } from "../../server/proto/etcdserverpb.ts";
import { aloneTest, suite } from "./target.ts";

const { ACTIVATE, DEACTIVATE } = AlarmAction;
const { NOSPACE, CORRUPT } = AlarmType;

const HEALTHY = '{"health":"true","reason":""}';

/** Of each group that dashboards and alerts read. */
const METRICS = [
  "etcd_server_has_leader 1",
  "etcd_server_is_leader 1",
  "etcd_server_leader_changes_seen_total",
  "etcd_server_proposals_applied_total",
  "etcd_server_proposals_committed_total",
  "etcd_server_proposals_failed_total 0",
  "etcd_server_proposals_pending",
  "etcd_server_quota_backend_bytes",
  'etcd_server_version{server_version="3.7.3"} 1',
  'etcd_cluster_version{cluster_version="3.7"} 1',
  "etcd_disk_wal_fsync_duration_seconds_count",
  "etcd_disk_backend_commit_duration_seconds_count",
  "etcd_mvcc_db_total_size_in_bytes",
  "etcd_mvcc_db_total_size_in_use_in_bytes",
  "etcd_mvcc_put_total 1",
  "etcd_debugging_mvcc_keys_total 1",
  "etcd_debugging_mvcc_current_revision 2",
  "etcd_debugging_lease_granted_total 0",
  "etcd_network_client_grpc_received_bytes_total",
  "etcd_network_client_grpc_sent_bytes_total",
  'grpc_server_handled_total{grpc_code="OK",grpc_method="Put",grpc_service="etcdserverpb.KV",grpc_type="unary"} 1',
  'grpc_server_started_total{grpc_method="Watch",grpc_service="etcdserverpb.Watch",grpc_type="bidi_stream"} 0',
  "process_resident_memory_bytes",
  "process_open_fds",
  "os_fd_limit",
];

export const opsSuite = suite("Paths for operators", [], (store) => {
  const get = async (path: string, method = "GET") => {
    const response = await fetch(`${store.server.url}${path}`, { method });
    return { status: response.status, body: await response.text(), headers: response.headers };
  };

  test("a member that is well says so, without an end of line", async () => {
    for (const path of ["/health", "/health?serializable=true", "/health?exclude=NOSPACE&exclude=CORRUPT"]) {
      const { status, body, headers } = await get(path);
      assert.deepEqual([status, body], [200, HEALTHY], path);
      assert.equal(headers.get("content-type"), "text/plain; charset=utf-8");
    }
  });

  test("it lives and is ready; verbose names what was looked at", async () => {
    for (const path of ["/livez", "/readyz", "/livez/serializable_read", "/readyz/linearizable_read"]) {
      const { status, body, headers } = await get(path);
      assert.deepEqual([status, body], [200, "ok\n"], path);
      assert.equal(headers.get("x-content-type-options"), "nosniff");
      assert.equal(headers.get("content-type"), "text/plain; charset=utf-8");
    }
    const lines = async (path: string) => (await get(path)).body.trim().split("\n").sort();
    assert.deepEqual(await lines("/livez?verbose"), ["[+]serializable_read ok", "ok"]);
    const checks = ["data_corruption", "linearizable_read", "non_learner", "serializable_read"];
    assert.deepEqual(await lines("/readyz?verbose"), [...checks.map((name) => `[+]${name} ok`), "ok"]);
    const others = checks.filter((name) => name !== "linearizable_read").map((name) => `[+]${name} ok`);
    assert.deepEqual(await lines("/readyz?verbose&exclude=linearizable_read"), [...others, "ok"]);
  });

  test("an alarm makes it unhealthy, with an end of line; NOSPACE can be passed over, CORRUPT makes it unready", async () => {
    const { leader } = await store.status();
    await store.alarm(ACTIVATE, NOSPACE, leader);
    const full = await get("/health");
    assert.deepEqual([full.status, full.body], [503, '{"health":"false","reason":"ALARM NOSPACE"}\n']);
    assert.equal((await get("/health?exclude=NOSPACE")).body, HEALTHY);
    assert.equal((await get("/readyz")).status, 200);
    await store.alarm(DEACTIVATE, NOSPACE, leader);
    await store.alarm(ACTIVATE, CORRUPT, leader);
    assert.equal((await get("/health")).body, '{"health":"false","reason":"ALARM CORRUPT"}\n');
    const unready = await get("/readyz");
    assert.equal(unready.status, 503);
    assert.match(unready.body, /^\[-\]data_corruption failed: alarm activated: CORRUPT$/m);
    assert.match(unready.body, /^\[\+\]serializable_read ok$/m);
    assert.equal((await get("/readyz?exclude=data_corruption")).status, 200);
    assert.equal((await get("/livez")).status, 200);
    await store.alarm(DEACTIVATE, CORRUPT, leader);
    assert.equal((await get("/health")).body, HEALTHY);
  });

  test("only GET is answered", async () => {
    for (const path of ["/health", "/livez", "/readyz", "/version"]) {
      const { status, headers, body } = await get(path, "POST");
      assert.deepEqual([status, headers.get("allow"), body], [405, "GET", "Method Not Allowed\n"], path);
    }
    assert.equal((await get("/nowhere")).status, 404);
  });

  test("versions are told", async () => {
    const { status, body, headers } = await get("/version");
    const { etcdserver, etcdcluster, storage } = JSON.parse(body);
    assert.equal(status, 200);
    assert.equal(headers.get("content-type"), "application/json");
    assert.deepEqual([etcdserver, etcdcluster, storage], [(await store.status()).version, "3.7.0", "3.7.0"]);
  });

  aloneTest("metrics have etcd's names", async () => {
    await store.put("k");
    const { status, body, headers } = await get("/metrics");
    assert.equal(status, 200);
    assert.match(headers.get("content-type") ?? "", /^text\/plain; version=0\.0\.4; charset=utf-8/);
    const lines = body.split("\n");
    const missing = METRICS.filter((start) => !lines.some((line) => line === start || line.startsWith(`${start} `)));
    assert.deepEqual(missing, []);
  });
});

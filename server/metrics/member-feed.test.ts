import assert from "node:assert/strict";
import { test } from "node:test";
import { memberFeed } from "./member-feed.ts";
import { Registry } from "./registry.ts";
import { createSeries } from "./series.ts";

test("what the conductor reports is found under etcd's names, in seconds", async () => {
  const registry = new Registry();
  const feed = memberFeed(createSeries(registry));
  feed.walWritten(512, 3);
  feed.walWritten(88, 1);
  feed.walSynced(250);
  feed.applied("put", true, 0.05);
  feed.applied("put", true, 0.05);
  feed.applied("deleteRange", false, 300);
  feed.leaderChanged(false, false);
  feed.leaderChanged(true, true);
  feed.proposalsApplied(41);
  feed.compacted(150);
  feed.leaseGrantedFor(60);
  const { body } = await registry.text();
  for (const line of [
    "etcd_disk_wal_write_bytes_total 600",
    'etcd_disk_wal_fsync_duration_seconds_bucket{le="0.128"} 0',
    'etcd_disk_wal_fsync_duration_seconds_bucket{le="0.256"} 1',
    'etcd_server_apply_duration_seconds_count{op="Put",success="true",version="v3"} 2',
    'etcd_server_apply_duration_seconds_count{op="DeleteRange",success="false",version="v3"} 1',
    "etcd_debugging_lease_granted_total 1",
    'etcd_debugging_lease_ttl_total_bucket{le="64"} 1',
    "etcd_server_has_leader 1",
    "etcd_server_is_leader 1",
    "etcd_server_leader_changes_seen_total 1",
    "etcd_server_proposals_applied_total 41",
    'etcd_debugging_mvcc_db_compaction_total_duration_milliseconds_bucket{le="200"} 1',
  ]) {
    assert.ok(body.includes(`\n${line}\n`), line);
  }
});

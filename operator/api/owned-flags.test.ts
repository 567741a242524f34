import assert from "node:assert/strict";
import { test } from "node:test";
import { FLAGS } from "../../server/config/flags.ts";
import { OWNED_FLAGS } from "./owned-flags.ts";

/** What a person may give in extraArgs. A new flag of the server must be put here or into OWNED_FLAGS. */
const FREE = new Set<string>([
  "snapshot-catchup-entries",
  "initial-election-tick-advance",
  "max-wals",
  "max-snapshots",
  "memory-mlock",
  "backend-bbolt-freelist-type",
  "backend-batch-interval",
  "backend-batch-limit",
  "grpc-keepalive-min-time",
  "grpc-keepalive-interval",
  "grpc-keepalive-timeout",
  "socket-reuse-port",
  "socket-reuse-address",
  "enable-grpc-gateway",
  "raft-read-timeout",
  "raft-write-timeout",
  "feature-gates",
  "grpc-engine",
  "value-cache-bytes",
  "pre-vote",
  "v2-deprecation",
  "client-crl-file",
  "client-cert-allowed-hostname",
  "peer-crl-file",
  "self-signed-cert-validity",
  "cipher-suites",
  "tls-min-version",
  "tls-max-version",
  "cors",
  "host-whitelist",
  "auth-token",
  "bcrypt-cost",
  "auth-token-ttl",
  "enable-pprof",
  "enable-distributed-tracing",
  "distributed-tracing-address",
  "distributed-tracing-service-name",
  "distributed-tracing-instance-id",
  "distributed-tracing-sampling-rate",
  "logger",
  "warning-unary-request-duration",
  "warning-apply-duration",
  "watch-progress-notify-interval",
  "compaction-batch-limit",
  "compaction-sleep-interval",
  "corrupt-check-time",
  "compact-hash-check-time",
  "bootstrap-defrag-threshold-megabytes",
  "downgrade-check-time",
]);

test("every flag of the server is the operator's or free to be given", () => {
  const names: string[] = FLAGS.filter(({ kind }) => kind !== "ignored").map(({ name }) => name);
  assert.ok(names.length > 50);
  for (const name of FREE) assert.ok(names.includes(name), `${name} is a flag`);
  assert.deepEqual(
    names.filter((name) => OWNED_FLAGS.includes(name) === FREE.has(name)),
    [],
  );
});

test("no flag is owned twice, and each is one that a server of ours or etcd's knows", () => {
  assert.equal(new Set(OWNED_FLAGS).size, OWNED_FLAGS.length);
  const known = new Set<string>(FLAGS.map(({ name }) => name));
  assert.deepEqual(
    OWNED_FLAGS.filter((name) => !known.has(name) && !["discovery", "discovery-proxy"].includes(name)),
    [],
  );
});

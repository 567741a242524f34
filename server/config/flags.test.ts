import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { environmentName, FLAGS, flagNamed } from "./flags.ts";
import { helpText } from "./help.ts";
import { editDistance, nearest } from "./nearest.ts";
import { parseAddress, parseInitialCluster, parseUrls } from "./urls.ts";
import { parseValue } from "./values.ts";
import { KVORUM_VERSION, versionText } from "./version.ts";

/** Every flag that the program of etcd 3.7.3 takes, asked one by one. */
const ETCD_FLAGS =
  `advertise-client-urls auth-token auth-token-ttl auto-compaction-mode auto-compaction-retention auto-tls
  backend-batch-interval backend-batch-limit backend-bbolt-freelist-type bcrypt-cost bootstrap-defrag-threshold-megabytes
  cert-file cipher-suites client-cert-allowed-hostname client-cert-auth client-cert-file client-crl-file client-key-file
  cluster-active-size cluster-remove-delay cluster-sync-interval compact-hash-check-time compaction-batch-limit
  compaction-sleep-interval config config-file corrupt-check-time cors data-dir discovery-cacert discovery-cert
  discovery-dial-timeout discovery-endpoints discovery-fallback discovery-insecure-skip-tls-verify
  discovery-insecure-transport discovery-keepalive-time discovery-keepalive-timeout discovery-key discovery-password
  discovery-request-timeout discovery-srv discovery-srv-name discovery-token discovery-user distributed-tracing-address
  distributed-tracing-instance-id distributed-tracing-sampling-rate distributed-tracing-service-name downgrade-check-time
  election-timeout enable-distributed-tracing enable-grpc-gateway enable-log-rotation enable-pprof feature-gates force
  force-new-cluster grpc-keepalive-interval grpc-keepalive-min-time grpc-keepalive-timeout heartbeat-interval host-whitelist
  initial-advertise-peer-urls initial-cluster initial-cluster-state initial-cluster-token initial-election-tick-advance
  key-file listen-client-http-urls listen-client-urls listen-metrics-urls listen-peer-urls log-format log-level log-outputs
  log-rotation-config-json logger max-concurrent-streams max-learners max-request-bytes max-result-buffer
  max-retry-attempts max-snapshots max-txn-ops max-wals memory-mlock metrics name peer-auto-tls peer-cert-allowed-cn
  peer-cert-allowed-hostname peer-cert-file peer-client-cert-auth peer-client-cert-file peer-client-key-file peer-crl-file
  peer-election-timeout peer-heartbeat-interval peer-key-file peer-skip-client-san-verification peer-trusted-ca-file
  pre-vote quota-backend-bytes raft-read-timeout raft-write-timeout retry-interval self-signed-cert-validity snapshot
  snapshot-catchup-entries snapshot-count socket-reuse-address socket-reuse-port strict-reconfig-check tls-max-version
  tls-min-version trusted-ca-file unsafe-no-fsync v v2-deprecation version vv wal-dir warning-apply-duration
  warning-unary-request-duration watch-progress-notify-interval`.split(/\s+/);

test("the table holds every flag of etcd 3.7.3 once, and of our own only three", () => {
  const names = FLAGS.map(({ name }) => name);
  assert.equal(new Set(names).size, names.length);
  assert.deepEqual(names.filter((name) => !ETCD_FLAGS.includes(name)).sort(), [
    "expect-data",
    "grpc-engine",
    "value-cache-bytes",
  ]);
  assert.deepEqual(
    ETCD_FLAGS.filter((name) => flagNamed(name) === undefined),
    [],
  );
});

test("every default is a value of its flag, and every shown flag has help", () => {
  for (const flag of FLAGS) {
    assert.doesNotThrow(() => parseValue(flag, flag.fallback), flag.name);
    if (flag.kind !== "ignored") assert.ok(flag.help.length > 0 && !flag.help.includes("\n"), flag.name);
  }
});

test("environmentName() is ETCD_ and the name in capitals", () => {
  assert.equal(environmentName("listen-client-urls"), "ETCD_LISTEN_CLIENT_URLS");
});

test("--help names every flag but those that are ignored, and fits 100 columns", () => {
  const text = helpText();
  const lines = text.split("\n");
  assert.deepEqual(
    lines.filter((line) => line.length > 100 && !line.includes("log-rotation")),
    [],
  );
  for (const flag of FLAGS) {
    const shown = lines.some((line) => line === `  --${flag.name}` || line.startsWith(`  --${flag.name} `));
    assert.equal(shown, flag.kind !== "ignored", flag.name);
  }
  assert.match(text, /--snapshot-count '10000'\n {4}Applied entries/);
});

test("--version says etcd's version first, where tools look for it, and ours on its own line", () => {
  const lines = versionText().split("\n");
  assert.equal(lines[0], "etcd Version: 3.7.3");
  assert.match(lines[1] as string, /^Git SHA: /);
  assert.match(lines[2] as string, /^Go Version: /);
  assert.match(lines[3] as string, /^Go OS\/Arch: \w+\/\w+$/);
  assert.equal(lines[4], `Kvorum Version: ${KVORUM_VERSION}`);
  assert.equal(lines[5], "");
});

test("KVORUM_VERSION is that of package.json", () => {
  let folder = dirname(fileURLToPath(import.meta.url));
  for (;;) {
    try {
      const found = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { name: string; version: string };
      if (found.name === "kvorum") return assert.equal(found.version, KVORUM_VERSION);
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, "ENOENT");
    }
    assert.notEqual(dirname(folder), folder, "package.json lies above this file");
    folder = dirname(folder);
  }
});

test("nearest() finds what a misspelt word was meant to be, and nothing for another word", () => {
  assert.equal(editDistance("", "abc"), 3);
  assert.equal(editDistance("kitten", "sitting"), 3);
  assert.equal(editDistance("nmae", "name"), 1);
  assert.equal(nearest("cert-fiel", ["key-file", "cert-file"]), "cert-file");
  assert.equal(nearest("zzz", ["name", "cors"]), undefined);
  assert.equal(nearest("x", ["v", "vv"]), undefined);
});

test("parseAddress() keeps the text and splits it", () => {
  assert.deepEqual(parseAddress("HTTP://localhost:80"), {
    url: "http://localhost:80",
    scheme: "http",
    host: "localhost",
    port: 80,
    path: "",
  });
  assert.deepEqual(parseAddress("https://[::1]:2379"), {
    url: "https://[::1]:2379",
    scheme: "https",
    host: "::1",
    port: 2379,
    path: "",
  });
  assert.deepEqual(
    ["unix:///run/e.sock", "unixs:///run/e.sock", "unix://e.sock:1", "unix:/run/e.sock"].map(
      (url) => parseAddress(url).path,
    ),
    ["/run/e.sock", "/run/e.sock", "e.sock:1", "/run/e.sock"],
  );
});

test("parseAddress() refuses what cannot be an address", () => {
  const cases: [string, RegExp][] = [
    ["", /URL scheme must be http/],
    ["ftp://127.0.0.1:1", /URL scheme must be http, https, unix, or unixs: ftp:/],
    ["http:127.0.0.1:1", /form "host:port"/],
    ["http://[::1]", /form "host:port"/],
    ["http://::1:2379", /form "host:port"/],
    ["http://a:b", /form "host:port"/],
    ["http://a:1/", /must not contain a path/],
    ["http://a:1?x", /must not contain a query/],
    ["http://u@a:1", /must not contain a user/],
    ["http://a:65536", /port 65536 is above 65535/],
    ["unix://", /must name a socket file/],
    ["unix:rel", /must name a socket file/],
    [`unix:///${"x".repeat(108)}`, /path of a socket file is 109 bytes/],
  ];
  for (const [text, message] of cases) assert.throws(() => parseAddress(text), message, text);
});

test("parseUrls() and parseInitialCluster() refuse a list with a hole", () => {
  assert.throws(() => parseUrls("http://a:1,"), /URL scheme/);
  assert.throws(() => parseInitialCluster("a=http://a:1,b"), /"b" does not have the form name=URL/);
  assert.throws(() => parseInitialCluster("=http://a:1"), /does not have the form/);
  assert.deepEqual([...parseInitialCluster("a=http://a:1,,")], [["a", ["http://a:1"]]]);
});

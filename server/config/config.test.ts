import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { type Config, readConfig } from "./config.ts";
import { ConfigError, type Notice } from "./settings.ts";
import { startFields } from "./start-line.ts";
import { checkInitialCluster } from "./validate.ts";

function serve(...argv: string[]): { config: Config; notices: readonly Notice[] } {
  const invocation = readConfig(argv, {});
  assert.ok(invocation.kind === "serve");
  return invocation;
}

function refusal(...argv: string[]): string {
  try {
    readConfig(argv, {});
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.message;
  }
  assert.fail(`${argv.join(" ")} was not refused`);
}

test("without flags the configuration is etcd's default", () => {
  const { config } = serve();
  assert.equal(config.name, "default");
  assert.equal(config.dataDir, "default.etcd");
  assert.equal(config.walDir, undefined);
  assert.equal(config.heartbeatMs, 100);
  assert.equal(config.electionMs, 1000);
  assert.equal(config.snapshotCount, 10_000);
  assert.equal(config.snapshotCatchupEntries, 5000);
  assert.equal(config.quotaBytes, 2_147_483_648);
  assert.equal(config.maxRequestBytes, 1_572_864);
  assert.equal(config.maxTxnOps, 128);
  assert.equal(config.maxConcurrentStreams, 4_294_967_295);
  assert.deepEqual(config.grpcKeepalive, { minTimeMs: 5000, intervalMs: 7_200_000, timeoutMs: 20_000 });
  assert.equal(config.backendBatchMs, 100);
  assert.equal(config.backendBatchLimit, 10_000);
  assert.equal(config.autoCompaction, undefined);
  assert.equal(config.compactionBatchLimit, 1000);
  assert.equal(config.compactionSleepMs, 10);
  assert.equal(config.watchProgressNotifyMs, 600_000);
  assert.equal(config.warningApplyMs, 100);
  assert.equal(config.warningUnaryMs, 300);
  assert.deepEqual([...config.initialCluster], [["default", ["http://localhost:2380"]]]);
  assert.equal(config.initialClusterState, "new");
  assert.equal(config.initialClusterToken, "etcd-cluster");
  assert.deepEqual(config.clientUrls.advertise, ["http://localhost:2379"]);
  assert.deepEqual(config.clientUrls.listen, [
    { url: "http://localhost:2379", scheme: "http", host: "localhost", port: 2379, path: "" },
  ]);
  assert.deepEqual(config.listenMetricsUrls, []);
  assert.deepEqual(config.logOutputs, ["stderr"]);
  assert.equal(config.logLevel, "info");
  assert.equal(config.logFormat, "json");
  assert.equal(config.metrics, "basic");
  assert.equal(config.featureGates.LeaseCheckpoint, false);
  assert.equal(config.featureGates.FastLeaseKeepAlive, true);
  assert.equal(config.tls.minVersion, "TLSv1.2");
  assert.equal(config.tls.maxVersion, "TLSv1.3");
  assert.doesNotThrow(() => checkInitialCluster(config));
});

test("zero means the default where etcd says so", () => {
  const argv = [
    "--quota-backend-bytes=0",
    "--backend-batch-limit=0",
    "--snapshot-count=0",
    "--compaction-batch-limit=0",
  ];
  const { config } = serve(...argv);
  assert.equal(config.quotaBytes, 2_147_483_648);
  assert.equal(config.backendBatchLimit, 10_000);
  assert.equal(config.snapshotCount, 10_000);
  assert.equal(config.compactionBatchLimit, 1000);
  const more = serve(
    "--snapshot-catchup-entries=0",
    "--compaction-sleep-interval=0",
    "--watch-progress-notify-interval=0",
  ).config;
  assert.equal(more.snapshotCatchupEntries, 5000);
  assert.equal(more.compactionSleepMs, 10);
  assert.equal(more.watchProgressNotifyMs, 600_000);
  assert.equal(serve("--quota-backend-bytes=-1").config.quotaBytes, undefined);
  assert.equal(serve("--grpc-keepalive-interval=0s").config.grpcKeepalive.intervalMs, Number.POSITIVE_INFINITY);
});

test("the initial cluster follows the name and the advertised peer URLs unless it is given", () => {
  const { config } = serve("--name=m1", "--initial-advertise-peer-urls=http://10.0.0.1:2380");
  assert.deepEqual([...config.initialCluster], [["m1", ["http://10.0.0.1:2380"]]]);
  const three = serve("--name=b", "--initial-cluster=a=http://h:1,b=http://localhost:2380,a=http://h:0");
  assert.deepEqual(
    [...three.config.initialCluster],
    [
      ["a", ["http://h:0", "http://h:1"]],
      ["b", ["http://localhost:2380"]],
    ],
  );
});

test("a cluster begins only with this member in it, under the URLs that it advertises, each once", () => {
  const cases: [string[], RegExp][] = [
    [["--initial-cluster=a=http://localhost:2380"], /couldn't find local name "default" in the initial cluster/],
    [
      ["--initial-cluster=default=http://localhost:2381"],
      /--initial-cluster has default=http:\/\/localhost:2381 but missing from --initial-advertise-peer-urls=/,
    ],
    [
      ["--initial-cluster=default=http://a:1", "--initial-advertise-peer-urls=http://a:1,http://b:1"],
      /--initial-advertise-peer-urls has http:\/\/b:1 but missing from --initial-cluster=default=http:\/\/a:1/,
    ],
    [["--initial-cluster=default=http://localhost:2380,b=http://localhost:2380"], /has duplicate url/],
  ];
  for (const [argv, message] of cases) {
    const { config } = serve(...argv);
    assert.throws(() => checkInitialCluster(config), message, argv.join(" "));
  }
  const { config } = serve("--initial-cluster=default=http://127.0.0.1:2380,b=http://h:1");
  assert.doesNotThrow(() => checkInitialCluster(config));
});

test("auto-compaction is hours, a duration or revisions", () => {
  const of = (...argv: string[]) => serve(...argv).config.autoCompaction;
  assert.deepEqual(of("--auto-compaction-retention=1"), { mode: "periodic", periodMs: 3_600_000 });
  assert.deepEqual(of("--auto-compaction-retention=5m"), { mode: "periodic", periodMs: 300_000 });
  assert.deepEqual(of("--auto-compaction-mode=revision", "--auto-compaction-retention=1000"), {
    mode: "revision",
    retainRevisions: 1000,
  });
  assert.equal(of("--auto-compaction-retention=0"), undefined);
  assert.equal(of("--auto-compaction-retention=0s"), undefined);
  assert.equal(of("--auto-compaction-mode=revision"), undefined);
});

test("feature gates: the stage moves those that were not named", () => {
  const { featureGates, featureGatesText } = serve(
    "--feature-gates=AllAlpha=true,LeaseCheckpoint=true,PriorityRequest=false",
  ).config;
  assert.equal(featureGates.InitialCorruptCheck, true);
  assert.equal(featureGates.PriorityRequest, false);
  assert.equal(featureGates.FastLeaseKeepAlive, true);
  assert.equal(featureGatesText, "AllAlpha=true,LeaseCheckpoint=true,PriorityRequest=false");
});

test("TLS settings are put in Node's words", () => {
  const { tls } = serve(
    "--cert-file=c",
    "--key-file=k",
    "--trusted-ca-file=ca",
    "--client-cert-auth",
    "--cipher-suites=TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,TLS_AES_128_GCM_SHA256",
    "--tls-max-version=TLS1.2",
    "--listen-client-urls=https://127.0.0.1:2379",
    "--advertise-client-urls=https://127.0.0.1:2379",
  ).config;
  assert.deepEqual(tls, {
    certFile: "c",
    keyFile: "k",
    trustedCaFile: "ca",
    crlFile: "",
    clientCertAuth: true,
    autoTls: false,
    minVersion: "TLSv1.2",
    maxVersion: "TLSv1.2",
    ciphers: "ECDHE-RSA-AES128-GCM-SHA256",
  });
});

test("--auto-tls is enough for https, and counts for nothing beside files", () => {
  const https = ["--data-dir=d", "--listen-client-urls=https://[::1]:1", "--advertise-client-urls=https://[::1]:1"];
  const own = serve(...https, "--auto-tls", "--self-signed-cert-validity=3");
  assert.deepEqual([own.config.tls.autoTls, own.config.selfSignedYears, own.notices], [true, 3, []]);
  const given = serve(...https, "--auto-tls", "--cert-file=c", "--key-file=k");
  assert.deepEqual(
    given.notices.map(({ message }) => message),
    ["ignoring client auto TLS since certs given"],
  );
});

test("settings that do not go together are refused with the flag, the value and a remedy", () => {
  const https = ["--listen-client-urls=https://127.0.0.1:1", "--advertise-client-urls=https://127.0.0.1:1"];
  const cases: [string[], RegExp][] = [
    [
      ["--heartbeat-interval=300"],
      /--election-timeout\[1000ms\] should be at least as 5 times.*\[300ms\]; raise it to 1500/,
    ],
    [["--heartbeat-interval=0"], /--heartbeat-interval must be >0/],
    [["--election-timeout=0"], /--election-timeout must be >0/],
    [["--election-timeout=60000"], /--election-timeout\[60000ms\] is too long, and should be set less than 50000ms/],
    [["--listen-client-urls=http://127.0.0.1:1"], /--advertise-client-urls is required.*=http:\/\/127\.0\.0\.1:1$/],
    [["--listen-client-urls="], /--advertise-client-urls is required/],
    [
      ["--listen-peer-urls=http://example.com:1"],
      /--listen-peer-urls: expected IP in URL for binding \(http:\/\/example/,
    ],
    [["--listen-metrics-urls=http://example.com:1"], /--listen-metrics-urls: expected IP in URL for binding/],
    [["--listen-client-http-urls=http://:1"], /expected IP in URL for binding \(http:\/\/:1\)/],
    [
      ["--advertise-client-urls=http://:1"],
      /--advertise-client-urls "http:\/\/:1" must be "host:port" \(unexpected empty/,
    ],
    [["--initial-advertise-peer-urls=http://:1"], /--initial-advertise-peer-urls .* must be "host:port"/],
    [["--listen-client-http-urls=http://localhost:2379"], /cannot bind both --listen-client-urls and/],
    [["--initial-cluster=default"], /error setting up initial cluster: .*"default" does not have the form name=URL/],
    [["--initial-cluster=default=foo"], /error setting up initial cluster: .*URL scheme must be/],
    [["--name="], /--name must not be empty/],
    [["--name=a,b"], /--name "a,b" must not contain ","/],
    [
      ["--auto-compaction-mode=bad"],
      /unknown auto-compaction-mode "bad": --auto-compaction-mode is periodic or revision/,
    ],
    [["--auto-compaction-retention=abc"], /error parsing CompactionRetention: --auto-compaction-retention "abc"/],
    [["--auto-compaction-retention=-1"], /"-1": 1 has no unit/],
    [["--auto-compaction-retention=-1h"], /must not be below 0/],
    [["--auto-compaction-mode=revision", "--auto-compaction-retention=1h"], /it counts revisions/],
    [["--log-level=bad"], /unrecognized level: --log-level "bad"/],
    [["--log-level=constructor"], /unrecognized level/],
    [["--log-format=bad"], /unknown log format: bad, supported values json, console/],
    [["--logger=capnslog"], /unknown logger option "capnslog"/],
    [["--log-outputs="], /--log-outputs names nothing/],
    [["--log-outputs=default,stderr"], /multi logoutput for "default"/],
    [["--log-outputs=systemd/journal"], /write to stderr, which systemd collects/],
    [["--metrics=bad"], /--metrics "bad" is not basic or extensive/],
    [
      ["--tls-min-version=TLS1.1"],
      /--tls-min-version: unexpected TLS version "TLS1.1" \(must be one of: TLS1.2, TLS1.3\)/,
    ],
    [["--tls-min-version=TLS1.3", "--tls-max-version=TLS1.2"], /min version \(TLS1.3\) is greater than max version/],
    [["--cipher-suites=bad"], /unexpected TLS cipher suite "bad"/],
    [["--cipher-suites=x", "--tls-min-version=TLS1.3"], /cipher suites cannot be configured when only TLS1.3/],
    [
      https,
      /TLS key\/cert \(--cert-file, --key-file\) must be provided for client url https:\/\/127.0.0.1:1 with HTTPS/,
    ],
    [[...https, "--auto-tls", "--cert-file=x"], /KeyFile and CertFile must both be present: --key-file is missing/],
    [["--auto-tls", "--self-signed-cert-validity=0"], /should be greater than 0: it is --self-signed-cert-validity=0,/],
    [["--peer-auto-tls", "--self-signed-cert-validity=7901"], /may be 1 to 7900 years/],
    [[...https, "--cert-file=x"], /KeyFile and CertFile must both be present: --key-file is missing/],
    [["--listen-metrics-urls=https://127.0.0.1:1", "--key-file=x"], /--cert-file is missing/],
    [
      ["--feature-gates=LeaseCheckpointPersist=true"],
      /requires enabling feature gate LeaseCheckpoint: --feature-gates=/,
    ],
    [["--auth-token=bad"], /auth: invalid auth options: --auth-token "bad" is not simple or jwt,OPTIONS/],
    [["--discovery-fallback=proxy"], /v2 proxy is deprecated/],
    [["--client-crl-file=x"], /--client-crl-file "x" needs --trusted-ca-file/],
    [["--peer-crl-file=x"], /--peer-crl-file "x" needs --peer-trusted-ca-file/],
    [["--compact-hash-check-time=0s"], /--compact-hash-check-time must be >0/],
    [["--corrupt-check-time=-1s"], /--corrupt-check-time must not be below 0/],
    [["--watch-progress-notify-interval=-1s"], /--watch-progress-notify-interval must not be below 0/],
    [["--backend-batch-limit=-1"], /--backend-batch-limit must not be below 0/],
    [["--max-request-bytes=0"], /--max-request-bytes must be >0/],
    [["--max-concurrent-streams=0"], /--max-concurrent-streams must be >0/],
  ];
  for (const [argv, message] of cases) assert.match(refusal(...argv), message, argv.join(" "));
});

test("a flag whose work is to come is refused where ignoring it could do harm, and said aloud elsewhere", () => {
  const harmful = [
    "--client-cert-allowed-hostname=x",
    "--discovery-token=x",
    "--discovery-srv=example.com",
    "--enable-log-rotation",
    "--socket-reuse-port",
  ];
  for (const argument of harmful) {
    assert.match(refusal(argument), new RegExp(`^${argument.replace(/=.*/, "")} is not there yet: .+`));
  }
  const { notices } = serve(
    "--peer-cert-file=p",
    "--peer-key-file=k",
    "--bcrypt-cost=4",
    "--enable-pprof",
    "--max-wals=9",
  );
  assert.deepEqual(
    notices.map(({ level, message, fields }) => [level, message, (fields?.["flags"] as string[] | undefined)?.length]),
    [
      ["info", "flags without effect here", 2],
      ["warn", "flags without effect yet", 1],
      ["warn", "'data-dir' was empty; using default", undefined],
    ],
  );
});

test("a flag whose work is to come may be given its default", () => {
  const { notices } = serve(
    "--data-dir=d",
    "--socket-reuse-port=false",
    "--force-new-cluster=false",
    "--enable-grpc-gateway",
  );
  assert.deepEqual(notices, []);
});

test("deprecated flags say so in the lines that tools wait for", () => {
  const { notices } = serve("--data-dir=d", "--max-snapshots=3", "--v2-deprecation=gone", "--vv");
  assert.deepEqual(
    notices.map(({ level, message }) => [level, message]),
    [
      ["warn", "--max-snapshots is deprecated in 3.6 and will be decommissioned in 3.8."],
      [
        "warn",
        "--v2-deprecation is deprecated and scheduled for removal in v3.8. The default value is enforced, ignoring user input.",
      ],
      ["warn", "flag is no longer supported - ignoring"],
    ],
  );
});

test("values that work and are unwise are warned of", () => {
  const messages = (...argv: string[]) => serve("--data-dir=d", ...argv).notices.map(({ message }) => message);
  assert.deepEqual(messages(), []);
  assert.deepEqual(messages("--max-request-bytes=20000000"), ["exceeded recommended request limit"]);
  assert.deepEqual(messages("--quota-backend-bytes=99999999999"), ["quota exceeds the maximum value"]);
  assert.deepEqual(messages("--watch-progress-notify-interval=1ms"), [
    "adjusting watch progress notify interval to minimum period",
  ]);
  assert.match(messages("--unsafe-no-fsync")[0] as string, /loses acknowledged writes/);
  assert.match(messages("--feature-gates=LeaseCheckpoint=true")[0] as string, /LeaseCheckpointPersist/);
  assert.deepEqual(messages("--cert-file=x", "--key-file=y", "--client-cert-auth"), [
    "scheme is http or unix while key and cert files are present; ignoring key and cert files",
    "scheme is http or unix while --client-cert-auth is enabled; ignoring client cert auth for this URL",
  ]);
});

test("the flags that kubeadm gives a member are taken", () => {
  const { config, notices } = serve(
    "--advertise-client-urls=https://10.0.0.4:2379",
    "--cert-file=/etc/kubernetes/pki/etcd/server.crt",
    "--client-cert-auth=true",
    "--data-dir=/var/lib/etcd",
    "--feature-gates=InitialCorruptCheck=true",
    "--initial-advertise-peer-urls=https://10.0.0.4:2380",
    "--initial-cluster=node=https://10.0.0.4:2380",
    "--key-file=/etc/kubernetes/pki/etcd/server.key",
    "--listen-client-urls=https://127.0.0.1:2379,https://10.0.0.4:2379",
    "--listen-metrics-urls=http://127.0.0.1:2381",
    "--listen-peer-urls=https://10.0.0.4:2380",
    "--name=node",
    "--peer-cert-file=/etc/kubernetes/pki/etcd/peer.crt",
    "--peer-client-cert-auth=true",
    "--peer-key-file=/etc/kubernetes/pki/etcd/peer.key",
    "--peer-trusted-ca-file=/etc/kubernetes/pki/etcd/ca.crt",
    "--snapshot-count=10000",
    "--trusted-ca-file=/etc/kubernetes/pki/etcd/ca.crt",
    "--watch-progress-notify-interval=5s",
  );
  assert.doesNotThrow(() => checkInitialCluster(config));
  assert.equal(config.watchProgressNotifyMs, 5000);
  assert.equal(config.clientUrls.listen.length, 2);
  assert.deepEqual(
    notices.map(({ message }) => message),
    [],
  );
  assert.deepEqual(config.peerTls, {
    certFile: "/etc/kubernetes/pki/etcd/peer.crt",
    keyFile: "/etc/kubernetes/pki/etcd/peer.key",
    trustedCaFile: "/etc/kubernetes/pki/etcd/ca.crt",
    crlFile: "",
    clientCertAuth: true,
    clientCertFile: "",
    clientKeyFile: "",
    allowedCommonNames: [],
    allowedHostnames: [],
    skipsAddressCheck: false,
    autoTls: false,
  });
});

test("--help and --version come before all that could be wrong with the rest", () => {
  assert.deepEqual(readConfig(["--help"], { ETCD_NAME: "a" }), { kind: "help" });
  assert.deepEqual(readConfig(["--name=a", "--version"], { ETCD_NAME: "b" }), { kind: "version" });
});

test("the start line shows the settings in effect under etcd's names", () => {
  const { config } = serve("--snapshot-catchup-entries=1000", "--auto-compaction-retention=1h");
  const fields = startFields(config, false);
  assert.equal(fields["snapshot-catchup-entries"], 1000);
  assert.equal(fields["v2-deprecation"], "write-only");
  assert.equal(fields["heartbeat-interval"], "100ms");
  assert.equal(fields["election-timeout"], "1s");
  assert.equal(fields["auto-compaction-retention"], "1h0m0s");
  assert.equal(fields["initial-cluster"], "default=http://localhost:2380");
  assert.doesNotThrow(() => JSON.stringify(fields));
});

test("with a configuration file, by flag or variable, all other flags and variables count for nothing", () => {
  const folder = mkdtempSync(join(tmpdir(), "kvorum-config-"));
  try {
    const path = join(folder, "etcd.yml");
    writeFileSync(path, "name: from-file\ndata-dir: /d\nlisten-client-urls: http://127.0.0.1:5\n");
    const byFlag = readConfig([`--config-file=${path}`, "--name=x", "--heartbeat-interval=900"], { ETCD_NAME: "y" });
    const byVariable = readConfig(["--name=x"], { ETCD_CONFIG_FILE: path, ETCD_BOGUS: "1" });
    for (const invocation of [byFlag, byVariable]) {
      assert.ok(invocation.kind === "serve");
      assert.equal(invocation.config.name, "from-file");
      assert.equal(invocation.config.heartbeatMs, 100);
      assert.deepEqual(invocation.config.clientUrls.advertise, ["http://localhost:2379"]);
      assert.deepEqual(
        invocation.notices.map(({ message, fields }) => [message.slice(0, 27), fields]),
        [["loaded server configuration", { path }]],
      );
    }
    writeFileSync(path, `# ${"x".repeat(1 << 20)}\n`);
    assert.match(refusal("--config-file", path), /cannot read the config file .*may have 1048576/);
  } finally {
    rmSync(folder, { recursive: true });
  }
  assert.match(refusal("--config-file=/nonexistent/x"), /cannot read the config file "\/nonexistent\/x": ENOENT/);
});

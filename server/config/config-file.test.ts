import assert from "node:assert/strict";
import { test } from "node:test";
import { parseConfigFile } from "./config-file.ts";
import type { FlagName } from "./flags.ts";
import { ConfigError } from "./settings.ts";

function read(name: FlagName, text: string): unknown {
  return parseConfigFile("f", text).settings.get(name);
}

test("keys are names of flags, values are typed", () => {
  assert.equal(read("name", "name: m1"), "m1");
  assert.equal(read("heartbeat-interval", "heartbeat-interval: 50"), 50);
  assert.equal(read("quota-backend-bytes", "quota-backend-bytes: 0x40000000"), 1 << 30);
  assert.equal(read("quota-backend-bytes", "quota-backend-bytes: -1"), -1);
  assert.equal(read("pre-vote", "pre-vote: off"), false);
  assert.equal(read("auto-compaction-retention", 'auto-compaction-retention: "1"'), "1");
  assert.equal((read("feature-gates", "feature-gates: LeaseCheckpoint=true") as Map<string, boolean>).size, 1);
  assert.equal(read("name", '{"name": "json"}'), "json");
  assert.equal(read("name", "name: a\nname: b"), "b");
  assert.equal(read("initial-cluster-state", "initial-cluster-state: ''"), "new");
});

test("durations are whole nanoseconds", () => {
  assert.equal(read("watch-progress-notify-interval", "watch-progress-notify-interval: 600000000000"), 600_000);
  assert.equal(read("compaction-sleep-interval", "compaction-sleep-interval: 500000"), 0.5);
});

test("lists are text with commas or sequences", () => {
  assert.deepEqual(read("log-outputs", "log-outputs: [stderr, /var/log/x]"), ["stderr", "/var/log/x"]);
  assert.deepEqual(read("host-whitelist", "host-whitelist: a,b"), ["a", "b"]);
  const urls = parseConfigFile("f", "listen-client-urls: http://127.0.0.1:2,http://127.0.0.1:1").settings;
  assert.deepEqual(
    urls.get("listen-client-urls").map(({ port }) => port),
    [1, 2],
  );
});

test("TLS settings stand in objects of their own", () => {
  const { settings } = parseConfigFile(
    "f",
    [
      "client-transport-security:",
      "  cert-file: c",
      "  key-file: k",
      "  client-cert-auth: true",
      "  trusted-ca-file: ca",
      "  auto-tls: false",
      "peer-transport-security:",
      "  cert-file: pc",
      "  allowed-cn: [a, b]",
      "socket-options:",
      "  reuse-port: false",
    ].join("\n"),
  );
  assert.equal(settings.get("cert-file"), "c");
  assert.equal(settings.get("client-cert-auth"), true);
  assert.equal(settings.get("trusted-ca-file"), "ca");
  assert.equal(settings.get("peer-cert-file"), "pc");
  assert.deepEqual(settings.get("peer-cert-allowed-cn"), ["a", "b"]);
  assert.equal(settings.get("socket-reuse-port"), false);
});

test("nothing written after a key leaves the default; an empty file leaves all", () => {
  const { settings, notices } = parseConfigFile(
    "f",
    "data-dir:\ncors:\ndiscovery:\nclient-transport-security:\n  cert-file:\n",
  );
  assert.deepEqual([settings.given(), notices], [[], []]);
  assert.deepEqual(parseConfigFile("f", "").settings.given(), []);
  assert.deepEqual(parseConfigFile("f", "# only this\n").settings.given(), []);
});

test("a file with the keys of etcd's sample is read without a word", () => {
  const { notices } = parseConfigFile(
    "etcd.conf.yml",
    [
      "name: 'default'",
      "data-dir:",
      "snapshot-count: 10000",
      "heartbeat-interval: 100",
      "quota-backend-bytes: 0",
      "listen-peer-urls: http://localhost:2380",
      "max-wals: 5",
      "cors:",
      "discovery:",
      "discovery-fallback: 'proxy'",
      "initial-cluster:",
      "initial-cluster-state: 'new'",
      "strict-reconfig-check: false",
      "enable-pprof: true",
      "client-transport-security:",
      "  cert-file:",
      "  client-cert-auth: false",
      "peer-transport-security:",
      "  allowed-hostname:",
      "self-signed-cert-validity: 1",
      "log-level: debug",
      "logger: zap",
      "log-outputs: [stderr]",
      "force-new-cluster: false",
      'auto-compaction-retention: "1"',
      "cipher-suites: [",
      "  TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,",
      "  TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
      "]",
      "tls-max-version: 'TLS1.3'",
    ].join("\n"),
  );
  assert.deepEqual(notices, []);
});

test("a key that is not known is read past, aloud, with the one that was meant", () => {
  const { notices } = parseConfigFile("f", "snapshot-cuont: 5\nconstructor: 1\npeer-transport-security:\n  bogus: y\n");
  assert.deepEqual(
    notices.map(({ level, message, fields }) => [level, message, fields?.["key"]]),
    [
      ["warn", "unknown key in config file is ignored (did you mean snapshot-count?)", "snapshot-cuont"],
      ["warn", "unknown key in config file is ignored", "constructor"],
      ["warn", "unknown key in config file is ignored", "peer-transport-security.bogus"],
    ],
  );
});

test("what cannot be read is refused with the file, the key and what would be right", () => {
  const cases: [string, RegExp][] = [
    ["a: [", /config file f is not YAML: /],
    ["- a", /config file f must hold keys and values, not a list/],
    ["hello", /must hold keys and values, not the text "hello"/],
    ["name: 5", /config file f: name must be text, not the number 5; put it in quotes/],
    ["pre-vote: 'true'", /pre-vote must be true or false, not the text "true"/],
    ["heartbeat-interval: 100ms", /heartbeat-interval must be a whole number, not the text "100ms"/],
    ["heartbeat-interval: 1.5", /heartbeat-interval must be a whole number, not the number 1.5/],
    ["snapshot-count: -1", /snapshot-count has the invalid value "-1": not a whole number of 0 or more/],
    ["quota-backend-bytes: 99999999999999999999", /quota-backend-bytes has the invalid value .*out of range/],
    ["watch-progress-notify-interval: 10m", /must be whole nanoseconds, not the text "10m": write 600000000000/],
    ["listen-client-urls: foo", /listen-client-urls has the invalid value "foo": URL scheme must be/],
    ["listen-client-urls: 5", /must be text or a list of texts, not the number 5/],
    ["client-transport-security: 5", /client-transport-security must hold keys and values, not the number 5/],
    ["client-transport-security: {client-cert-auth: 1}", /client-transport-security.client-cert-auth must be true or/],
    ["client-transport-security: {allowed-cn: [x]}", /client-transport-security.allowed-cn is not supported yet/],
    ["discovery-config: {token: x}", /discovery-config is not supported yet/],
    ["initial-cluster-state: bad", /initial-cluster-state has the invalid value "bad": there are "new", "existing"/],
    ["feature-gates: Bogus=true", /feature-gates has the invalid value "Bogus=true": unrecognized feature gate/],
  ];
  for (const [text, message] of cases) {
    assert.throws(
      () => parseConfigFile("f", text),
      (error) => error instanceof ConfigError && error.exitCode === 1 && message.test(error.message),
      text,
    );
  }
});

test("a file that unfolds without end is refused", () => {
  const bomb = [
    "a: &a [x,x,x,x,x,x,x,x,x]",
    ..."bcdefg".split("").map((key, index) => {
      const last = "abcdefg"[index];
      return `${key}: &${key} [${Array.from({ length: 9 }, () => `*${last}`).join(",")}]`;
    }),
  ].join("\n");
  assert.throws(() => parseConfigFile("f", bomb));
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigError, helpText, type OperatorConfig, readConfig } from "./config.ts";

function config(argv: readonly string[], environment: Record<string, string> = {}, namespace?: string): OperatorConfig {
  const invocation = readConfig(argv, environment, namespace);
  assert.equal(invocation.kind, "run");
  return (invocation as Extract<typeof invocation, { kind: "run" }>).config;
}

test("without anything there are defaults, and the Lease lies where the operator runs", () => {
  assert.deepEqual(config([], {}, "kvorum"), {
    namespaces: [],
    leaderElect: true,
    leaseNamespace: "kvorum",
    leaseName: "kvorum-operator",
    metricsAddress: { host: undefined, port: 8080 },
    serverImage: "kvorum-server",
    concurrency: 8,
    kubeconfig: undefined,
    logLevel: "info",
    logFormat: "json",
    ipFamily: "IPv4",
  });
});

test("a flag wins over its variable, and a variable over the default", () => {
  const environment = { KVORUM_OPERATOR_CONCURRENCY: "3", KVORUM_OPERATOR_LOG_LEVEL: "debug" };
  const read = config(["--concurrency=5", "--leader-elect=false"], environment);
  assert.deepEqual([read.concurrency, read.logLevel], [5, "debug"]);
});

test("flags are read in both forms", () => {
  const read = config([
    "--namespaces",
    "a, b,a",
    "-lease-namespace=x",
    "--leader-elect",
    "--server-image=r.io:5000/k/etcd",
  ]);
  assert.deepEqual([read.namespaces, read.leaseNamespace, read.serverImage], [["a", "b"], "x", "r.io:5000/k/etcd"]);
  assert.deepEqual(config(["--leader-elect=false", "--metrics-address=[::1]:9"]).metricsAddress, {
    host: "::1",
    port: 9,
  });
});

test("what makes no sense is refused with the value and what would be right", () => {
  const wrong: readonly (readonly [readonly string[], RegExp])[] = [
    [["--concurency=2"], /--concurency: did you mean --concurrency\?/],
    [["run"], /"run" is no flag/],
    [["--concurrency"], /--concurrency needs a value: --concurrency=8/],
    [["--concurrency=0"], /--concurrency=0: a whole number from 1 to 64/],
    [["--concurrency=1e1"], /a whole number/],
    [["--log-level=loud"], /--log-level=loud: there are debug, info, warn, error/],
    [["--namespaces=A"], /--namespaces=A: names of namespaces/],
    [["--metrics-address=8080"], /--metrics-address=8080: write host:port/],
    [["--metrics-address=:99999"], /write host:port/],
    [["--server-image=kvorum:1.0"], /without tag and digest/],
    [["--server-image=kvorum@sha256:00"], /without tag and digest/],
    [["--leader-elect=yes"], /write true or false/],
    [["--ip-family=6"], /there are IPv4, IPv6/],
  ];
  for (const [argv, text] of wrong)
    assert.throws(
      () => readConfig(argv, {}, "x"),
      (error) => error instanceof ConfigError && text.test(error.message),
      argv.join(" "),
    );
  assert.throws(() => readConfig([], {}), /--lease-namespace is needed/);
});

test("--help and --version come before what else is wrong", () => {
  assert.equal(readConfig(["--help"], {}).kind, "help");
  assert.equal(readConfig(["--version"], {}).kind, "version");
  assert.match(helpText(), /--server-image +image of the members/);
  assert.match(helpText(), /KVORUM_OPERATOR_SERVER_IMAGE/);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Config, readConfig } from "../../server/config/config.ts";
import { clusterWith, DEFAULTS, FULL, laterStart, SMALL, startOf, TLS } from "../../test/operator/rendered.ts";
import type { EtcdCluster } from "../api/etcd-cluster.ts";
import type { MemberStart } from "./member.ts";
import { serverFlags } from "./server-flags.ts";

/** What the server makes of the flags: it refuses what it does not know. */
function configOf(cluster: EtcdCluster, start: MemberStart = laterStart(cluster), environment = {}): Config {
  const invocation = readConfig(serverFlags(cluster, start, DEFAULTS), environment);
  if (invocation.kind !== "serve") throw new Error(`the server would show its ${invocation.kind}`);
  return invocation.config;
}

test("the server takes the flags of every kind of cluster", () => {
  for (const cluster of [SMALL, FULL, TLS]) {
    const config = configOf(cluster);
    assert.equal(config.name, "example-2");
    assert.equal(config.dataDir, "/var/lib/etcd/data");
    assert.equal(config.initialClusterToken, "default/example/11111111-2222-3333-4444-555555555555");
    assert.equal(config.initialCluster.size, 3);
    assert.deepEqual([config.initialClusterState, config.expectsData], ["existing", true]);
    assert.equal(config.forceNewCluster, false);
  }
});

test("a member listens everywhere and is reached by its own name, metrics always in the clear", () => {
  const plain = configOf(SMALL, startOf(SMALL));
  assert.deepEqual(plain.clientUrls.advertise, ["http://example-0.example-peers.default.svc:2379"]);
  assert.deepEqual(plain.peerUrls.advertise, ["http://example-0.example-peers.default.svc:2380"]);
  assert.deepEqual([...plain.initialCluster], [["example-0", ["http://example-0.example-peers.default.svc:2380"]]]);
  const secure = configOf(TLS);
  assert.deepEqual(
    secure.clientUrls.listen.map(({ url }) => url),
    ["https://0.0.0.0:2379"],
  );
  assert.deepEqual(
    secure.listenMetricsUrls.map(({ url }) => url),
    ["http://0.0.0.0:2381"],
  );
  const flags = serverFlags(SMALL, startOf(SMALL), { ...DEFAULTS, ipFamily: "IPv6" });
  assert.ok(flags.includes("--listen-peer-urls=http://[::]:2380"));
  assert.equal(readConfig(flags, {}).kind, "serve");
});

test("peers are asked for a certificate of this cluster, not for the address they call from", () => {
  const { peerTls, tls } = configOf(TLS);
  assert.equal(peerTls.clientCertAuth, true);
  assert.equal(peerTls.skipsAddressCheck, true);
  assert.deepEqual(peerTls.allowedHostnames, ["example-0.example-peers.default.svc"]);
  assert.equal(peerTls.trustedCaFile, "/etc/kvorum/tls/peer/ca.crt");
  assert.equal(tls.trustedCaFile, "/etc/kvorum/tls/server/clients.crt");
  assert.equal(tls.clientCertAuth, true);
});

test("without mutual TLS no client is asked for a certificate", () => {
  const { tls } = configOf(FULL);
  assert.deepEqual(
    [tls.certFile, tls.trustedCaFile, tls.clientCertAuth],
    ["/etc/kvorum/tls/server/tls.crt", "", false],
  );
});

test("a variable of the Pod cannot set what the operator sets: the server refuses to start", () => {
  for (const name of ["ETCD_FORCE_NEW_CLUSTER", "ETCD_INITIAL_CLUSTER_STATE", "ETCD_DATA_DIR", "ETCD_EXPECT_DATA"])
    assert.throws(
      () => configOf(SMALL, laterStart(SMALL), { [name]: "x" }),
      /shadowed by corresponding command-line flag/,
    );
});

test("what people add comes last", () => {
  const cluster = clusterWith({ extraArgs: [{ name: "max-txn-ops", value: "5" }] });
  assert.equal(configOf(cluster).maxTxnOps, 5);
  assert.equal(serverFlags(cluster, laterStart(cluster), DEFAULTS).at(-1), "--max-txn-ops=5");
});

test("the same members give the same flag, in whatever order they come", () => {
  const start = laterStart(SMALL);
  const turned = { ...start, initialCluster: start.initialCluster.toReversed() };
  assert.deepEqual(serverFlags(SMALL, turned, DEFAULTS), serverFlags(SMALL, start, DEFAULTS));
});

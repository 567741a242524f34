import assert from "node:assert/strict";
import { test } from "node:test";
import { clusterWith, DEFAULTS, FULL, SMALL, TLS } from "../../test/operator/rendered.ts";
import type { EtcdClusterSpec } from "../api/etcd-cluster.ts";
import { templateHash } from "./template-hash.ts";

const hashOf = (changes: Partial<EtcdClusterSpec>): string => templateHash(clusterWith(changes), DEFAULTS);
const { config, pod, storage, tls, service, probes } = SMALL.spec;

test("the hash is what it was in the operators before this one: another restarts every member of every cluster", () => {
  assert.equal(templateHash(SMALL, DEFAULTS), "feca5aa2ec428ab1");
  assert.equal(templateHash(FULL, DEFAULTS), "2b0cadb73c28e154");
  assert.equal(templateHash(TLS, DEFAULTS), "2973d9d512dbea87");
});

test("what a running Pod cannot take in changes the hash", () => {
  const changes: Partial<EtcdClusterSpec>[] = [
    { version: "0.1.1" },
    { image: { repository: "r" } },
    { image: { digest: "sha256:ab" } },
    { image: { pullPolicy: "Always" } },
    { image: { pullSecrets: [{ name: "p" }] } },
    { config: { ...config, quotaBackendBytes: "3Gi" } },
    { config: { ...config, logLevel: "debug" } },
    { config: { ...config, heartbeatInterval: 101 } },
    { extraArgs: [{ name: "pre-vote", value: "false" }] },
    { tls: { ...tls, client: { mode: "Server", source: { operatorCA: {} } } } },
    { tls: { ...tls, peer: { mode: "Mutual", source: { operatorCA: {} } } } },
    { pod: { ...pod, resources: { limits: { memory: "1Gi" } } } },
    { pod: { ...pod, labels: { a: "b" } } },
    { pod: { ...pod, terminationGracePeriodSeconds: 61 } },
    { pod: { ...pod, topologySpreadConstraints: [] } },
    { probes: { ...probes, startup: { ...probes.startup, failureThreshold: 181 } } },
    { storage: { reclaim: storage.reclaim, ephemeral: { medium: "Memory" } } },
  ];
  const hashes = changes.map(hashOf);
  assert.equal(new Set([...hashes, hashOf({})]).size, changes.length + 1);
});

test("what it can take in, and what only the operator acts on, does not", () => {
  const source = (one: object) => ({ ...tls, client: { mode: "Server" as const, source: one } });
  const same: [Partial<EtcdClusterSpec>, Partial<EtcdClusterSpec>][] = [
    [{}, { replicas: 5 }],
    [{}, { inheritedMetadata: { labels: { a: "b" }, annotations: { c: "d" } } }],
    [{}, { storage: { ...storage, persistent: { size: "9Gi", accessMode: "ReadWriteOnce" } } }],
    [{}, { service: { ...service, client: { type: "NodePort" } } }],
    [{}, { tls: { ...tls, certificates: { duration: "48h", renewBefore: "1h", extraIPs: ["192.0.2.1"] } } }],
    [{}, { hibernate: true, paused: true, deletionProtection: true }],
    [{}, { extraArgs: [], image: { pullSecrets: [] }, pod: { ...pod, env: [], labels: {} } }],
    [{ tls: source({ operatorCA: {} }) }, { tls: source({ secretRef: { name: "mine" } }) }],
    [{ config: { ...config, quotaBackendBytes: "2Gi" } }, { config: { ...config, quotaBackendBytes: "2048Mi" } }],
  ];
  for (const [one, other] of same) assert.equal(hashOf(one), hashOf(other));
});

test("the order in which fields were written does not matter", () => {
  const turned = Object.fromEntries(Object.entries(config).reverse()) as unknown as typeof config;
  assert.equal(hashOf({ config: turned }), hashOf({}));
});

test("all members of a cluster have the same hash, whoever they are", () => {
  assert.match(templateHash(SMALL, DEFAULTS), /^[0-9a-f]{16}$/);
  const renamed = { ...SMALL, metadata: { ...SMALL.metadata, uid: "another" } };
  assert.equal(templateHash(renamed, DEFAULTS), templateHash(SMALL, DEFAULTS));
});

/** The operator as a process of its own, against an API server in memory: it starts, says how it is, and ends as told. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { stringify } from "yaml";
import { exampleCluster } from "../../operator/api/example.ts";
import {
  BUDGETS,
  CERTIFICATES,
  CLAIMS,
  CLUSTERS,
  CONFIG_MAPS,
  NAMESPACES,
  NODES,
  PODS,
  SECRETS,
  SERVICES,
  STORAGE_CLASSES,
} from "../../operator/cluster/kinds.ts";
import { EVENTS } from "../../operator/runtime/events.ts";
import type { KubeObject } from "../../operator/runtime/kube.ts";
import { LEASES, type Lease } from "../../operator/runtime/leader-election.ts";
import { SYSTEM_TIME } from "../../operator/runtime/system-time.ts";
import { FakeKube } from "../operator/fake-kube.ts";
import { serveFakeKube } from "../operator/fake-kube-server.ts";
import { freePorts } from "../support/server-process.ts";

const MAIN = fileURLToPath(new URL("../../operator/cli/main.js", import.meta.url));
const PATIENCE_MS = 20_000;
const LEASE = { namespace: "kvorum-system", name: "kvorum-operator" };
const ALL = [
  BUDGETS,
  CERTIFICATES,
  CLAIMS,
  CLUSTERS,
  CONFIG_MAPS,
  NAMESPACES,
  NODES,
  PODS,
  SECRETS,
  SERVICES,
  STORAGE_CLASSES,
  EVENTS,
  LEASES,
];

interface Running {
  readonly child: ChildProcess;
  readonly url: string;
  readonly log: () => string;
  readonly ended: Promise<number | null>;
}

async function started(t: TestContext, kube: FakeKube, flags: readonly string[] = []): Promise<Running> {
  const server = await serveFakeKube(kube, ALL);
  const folder = mkdtempSync(join(tmpdir(), "kvorum-operator-"));
  const kubeconfig = join(folder, "kubeconfig");
  writeFileSync(kubeconfig, configOf(server.url));
  const [port] = await freePorts(1);
  const argv = [
    MAIN,
    `--kubeconfig=${kubeconfig}`,
    `--metrics-address=127.0.0.1:${port}`,
    "--lease-namespace=kvorum-system",
    ...flags,
  ];
  const child = spawn(process.execPath, argv, {
    stdio: ["ignore", "ignore", "pipe"],
    env: { PATH: process.env["PATH"] ?? "" },
  });
  let log = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    log += chunk.toString();
  });
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  t.after(async () => {
    child.kill("SIGKILL");
    await ended;
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return { child, url: `http://127.0.0.1:${port}`, log: () => log, ended };
}

function configOf(url: string): string {
  return stringify({
    apiVersion: "v1",
    kind: "Config",
    "current-context": "fake",
    contexts: [{ name: "fake", context: { cluster: "fake", user: "fake" } }],
    clusters: [{ name: "fake", cluster: { server: url } }],
    users: [{ name: "fake", user: {} }],
  });
}

async function until<T>(
  running: Running,
  what: string,
  look: () => T | undefined | Promise<T | undefined>,
): Promise<T> {
  const end = performance.now() + PATIENCE_MS;
  for (;;) {
    const found = await Promise.resolve(look()).catch(() => undefined);
    if (found !== undefined) return found;
    if (performance.now() > end) assert.fail(`not within ${PATIENCE_MS / 1000} s: ${what}\n${running.log()}`);
    await sleep(50);
  }
}

test("the program leads, acts, says how it is, and gives the Lease back when it is told to end", async (t) => {
  const kube = new FakeKube({ time: SYSTEM_TIME });
  const running = await started(t, kube);
  const status = async (path: string) => (await fetch(`${running.url}${path}`)).status;
  await until(running, "it is ready", async () => ((await status("/readyz")) === 200 ? true : undefined));
  assert.equal(await status("/healthz"), 200);
  const holder = () => (kube.objects.get(LEASES, LEASE) as Lease | undefined)?.spec?.holderIdentity || undefined;
  await until(running, "it leads", holder);
  const { metadata, ...rest } = exampleCluster();
  const { uid: _uid, resourceVersion: _version, creationTimestamp: _at, generation: _generation, ...given } = metadata;
  kube.objects.create(CLUSTERS, { ...rest, metadata: given } as unknown as KubeObject);
  await until(running, "the seed's Pod is made", () => kube.objects.all(PODS)[0]);
  const metrics = await (await fetch(`${running.url}/metrics`)).text();
  for (const series of [
    "kvorum_operator_reconcile_total",
    "kvorum_operator_leader 1",
    "kvorum_operator_clusters 1",
    "kvorum_operator_api_requests_total",
  ])
    assert.ok(metrics.includes(series), series);
  running.child.kill("SIGTERM");
  assert.equal(await running.ended, 0, running.log());
  assert.equal(holder(), undefined);
});

test("a command line that makes no sense ends it with exit code 2 and what would be right", async (t) => {
  const running = await started(t, new FakeKube({ time: SYSTEM_TIME }), ["--concurency=2"]);
  assert.equal(await running.ended, 2);
  assert.match(running.log(), /did you mean --concurrency\?/);
});

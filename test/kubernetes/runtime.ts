/**
 * `npm run test:kubernetes -- runtime`: the operator's runtime against a real API server, the one that KUBECONFIG leads to,
 * or without it one that is started alone, on a store of ours: the contract suite, and election, events, reflector and
 * statuses once each. Makes a namespace and a kind of its own, and takes both away.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import { withConditions } from "../../operator/runtime/conditions.ts";
import { EVENTS, EventRecorder } from "../../operator/runtime/events.ts";
import type { Kube, KubeObject, Resource } from "../../operator/runtime/kube.ts";
import { isAlreadyThere, isConflict } from "../../operator/runtime/kube.ts";
import { openKubeClient } from "../../operator/runtime/kube-client.ts";
import { LEASES, LeaderElection, type Lease } from "../../operator/runtime/leader-election.ts";
import { Reflector } from "../../operator/runtime/reflector.ts";
import { StatusWriter } from "../../operator/runtime/status-writer.ts";
import { Store } from "../../operator/runtime/store.ts";
import { SYSTEM_TIME } from "../../operator/runtime/system-time.ts";
import { pause } from "../../operator/runtime/time.ts";
import { type Case, CONFIG_MAPS, KUBE_CONTRACT, PROBE_DEFINITION, PROBES } from "../operator/kube-contract.ts";
import { hasLoneApi, LoneApi } from "../support/lone-api.ts";

const NO_SKIP = process.env["KVORUM_NO_SKIP"] === "1";

/** A case that takes longer hangs. */
const CASE_LIMIT_MS = 60_000;

const NAMESPACES: Resource = { group: "", version: "v1", plural: "namespaces", kind: "Namespace", isNamespaced: false };
const DEFINITIONS: Resource = {
  group: "apiextensions.k8s.io",
  version: "v1",
  plural: "customresourcedefinitions",
  kind: "CustomResourceDefinition",
  isNamespaced: false,
};

const time = SYSTEM_TIME;

/** Waits until `isSo`, for at most `limitMs`. */
async function until(isSo: () => boolean | Promise<boolean>, limitMs: number, what: string): Promise<void> {
  const end = time.monotonic() + limitMs;
  while (!(await isSo())) {
    assert.ok(time.monotonic() < end, `${what} within ${limitMs} ms`);
    await pause(time, 50);
  }
}

const WHOLE: readonly Case[] = [
  {
    name: "election: a Lease with real times, renewed, given back and taken by the next one",
    async run({ kube, namespace }) {
      const candidate = (identity: string) => {
        const told: string[] = [];
        const options = { kube, time, key: { namespace, name: "leader" }, identity, retryMs: 1000 };
        const lost = (why: string) => void told.push(why);
        const election = new LeaderElection({ ...options, won: () => void told.push("won"), lost });
        election.start();
        return { election, told };
      };
      const one = candidate("one");
      await until(() => one.election.isLeader, 5000, "the first leads");
      const two = candidate("two");
      await pause(time, 3000);
      assert.deepEqual([one.told, two.told], [["won"], []]);
      await one.election.stop();
      await until(() => two.election.isLeader, 10_000, "the second leads");
      const lease = await kube.get<Lease>(LEASES, { namespace, name: "leader" });
      assert.deepEqual([lease?.spec?.holderIdentity, lease?.spec?.leaseTransitions], ["two", 1]);
      await two.election.stop();
    },
  },
  {
    name: "events: one is made, the same again is a series of it",
    async run({ kube, namespace }) {
      const metadata = { name: "told", namespace };
      const about = await kube.create(CONFIG_MAPS, { apiVersion: "v1", kind: "ConfigMap", metadata } as KubeObject);
      const failures: unknown[] = [];
      const failed = (_: string, error: unknown) => void failures.push(error);
      const recorder = new EventRecorder({
        kube,
        time,
        controller: "kvorum.dev/operator",
        instance: hostname(),
        failed,
      });
      const tell = () =>
        recorder.emit(
          { ...about, apiVersion: "v1", kind: "ConfigMap" },
          { type: "Warning", reason: "Tried", message: "it was tried", member: "a-0" },
        );
      tell();
      tell();
      const series = async () => {
        const { items } = await kube.list(EVENTS, { namespace, fieldSelector: "reason=Tried" });
        return items.map((event) => (event as { series?: { count: number } }).series?.count);
      };
      await until(async () => (await series()).length === 1, 10_000, "the event is there");
      tell();
      await until(async () => ((await series())[0] ?? 0) >= 2, 30_000, "the event is counted on");
      assert.deepEqual([(await series()).length, failures], [1, []]);
      await recorder.stop(5000);
    },
  },
  {
    name: "reflector: pages, watches, goes on after its watch was broken off",
    async run({ kube, namespace }) {
      const cut = cuttable(kube);
      const store = new Store<KubeObject>();
      const reflector = new Reflector<KubeObject>({
        kube: cut.kube,
        time,
        resource: CONFIG_MAPS,
        namespace,
        labelSelector: "r=1",
        store,
        changed: () => undefined,
      });
      const make = (name: string) =>
        kube.create(CONFIG_MAPS, {
          apiVersion: "v1",
          kind: "ConfigMap",
          metadata: { name, namespace, labels: { r: "1" } },
        });
      await make("r-0");
      reflector.start();
      await reflector.synced();
      assert.equal(store.size, 1);
      for (let round = 1; round <= 3; round++) {
        cut.cut();
        await make(`r-${round}`);
        await until(() => store.size === round + 1, 20_000, `object ${round} is heard of`);
      }
      reflector.stop();
    },
  },
  {
    name: "status: written once, equal the second time, a conflict when it was made from an old version",
    async run({ kube, namespace }) {
      const metadata = { name: "status-writer", namespace };
      const made = await kube.create(PROBES, {
        apiVersion: `${PROBES.group}/v1`,
        kind: "Probe",
        metadata,
        spec: {},
      } as KubeObject);
      const writer = new StatusWriter({ kube, time, resource: PROBES });
      const ready = { type: "Ready", status: "True", reason: "AllThere", message: "" } as const;
      const status = { phase: "Running", conditions: withConditions([], [ready], time.now()) };
      const outcome = await writer.write(made, status);
      assert.ok(outcome.kind === "written");
      assert.equal((await writer.write(outcome.object, status)).kind, "equal");
      // A changed condition is written at once: what changes none would wait, and be refused by nobody.
      const unready = { ...ready, status: "False", reason: "Gone" } as const;
      const stale = { phase: "Lost", conditions: withConditions([], [unready], time.now()) };
      await assert.rejects(writer.write(made, stale), isConflict);
    },
  },
];

/** The same API server, whose watches can be broken off. */
function cuttable(kube: Kube): { readonly kube: Kube; cut(): void } {
  let abort = new AbortController();
  const watch: Kube["watch"] = async function* (resource, options) {
    yield* kube.watch(resource, { ...options, signal: AbortSignal.any([options.signal, abort.signal]) });
  };
  const others = {
    get: kube.get,
    list: kube.list,
    create: kube.create,
    apply: kube.apply,
    patch: kube.patch,
    delete: kube.delete,
  };
  const bound = Object.fromEntries(
    Object.entries(others).map(([name, call]) => [name, (call as () => unknown).bind(kube)]),
  );
  return {
    kube: { ...bound, watch } as unknown as Kube,
    cut() {
      abort.abort();
      abort = new AbortController();
    },
  };
}

/** Makes the kind of the suite; says whether it was not there before. */
async function defineProbes(kube: Kube): Promise<boolean> {
  let isOurs = true;
  try {
    await kube.create(DEFINITIONS, PROBE_DEFINITION as KubeObject);
  } catch (error) {
    if (!isAlreadyThere(error)) throw error;
    isOurs = false;
  }
  const isServed = () =>
    kube.list(PROBES, { limit: 1 }).then(
      () => true,
      () => false,
    );
  await until(isServed, 30_000, "the API server serves the kind of the suite");
  return isOurs;
}

async function remove(kube: Kube, resource: Resource, name: string): Promise<void> {
  const object = await kube.get(resource, { name });
  if (object?.metadata.uid !== undefined) await kube.delete(resource, { name }, { uid: object.metadata.uid });
}

async function runCase(kube: Kube, namespace: string, { name, run }: Case): Promise<boolean> {
  const from = time.monotonic();
  const limit = new AbortController();
  try {
    const late = pause(time, CASE_LIMIT_MS, limit.signal).then(() => {
      if (!limit.signal.aborted) throw new Error(`not done within ${CASE_LIMIT_MS} ms`);
    });
    await Promise.race([run({ kube, namespace, settle: () => pause(time, 100) }), late]);
    console.log(`ok      ${name} (${Math.round(time.monotonic() - from)} ms)`);
    return true;
  } catch (error) {
    console.log(`FAILED  ${name}\n${error instanceof Error ? error.stack : error}`);
    return false;
  } finally {
    limit.abort();
  }
}

async function main(): Promise<number> {
  if (process.env["KUBECONFIG"]) return runAll();
  if (!hasLoneApi()) {
    console.log(
      "SKIPPED: the operator's runtime against a real API server. It needs KUBECONFIG and the right to make a namespace and a kind, or kube-apiserver among the tools",
    );
    return NO_SKIP ? 1 : 0;
  }
  const lone = await LoneApi.start();
  try {
    return await runAll(lone.kubeconfig);
  } finally {
    await lone.remove();
  }
}

/** `kubeconfig`: a path; absent: that of KUBECONFIG. */
async function runAll(kubeconfig?: string): Promise<number> {
  const options = { time, userAgent: "kvorum-contract/1", ...(kubeconfig === undefined ? {} : { kubeconfig }) };
  const { kube, server } = openKubeClient(options);
  const namespace = `kvorum-contract-${randomBytes(4).toString("hex")}`;
  console.log(`the runtime against ${server}, in ${namespace}`);
  const isOurs = await defineProbes(kube);
  let failed = 0;
  try {
    await kube.create(NAMESPACES, { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } });
    for (const one of [...KUBE_CONTRACT, ...WHOLE]) if (!(await runCase(kube, namespace, one))) failed++;
  } finally {
    await remove(kube, NAMESPACES, namespace);
    if (isOurs) await remove(kube, DEFINITIONS, PROBE_DEFINITION.metadata.name);
  }
  console.log(`${KUBE_CONTRACT.length + WHOLE.length - failed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

process.exit(await main());

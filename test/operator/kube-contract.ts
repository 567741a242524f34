/**
 * What we count on of an API server, as one suite: it runs against the fake, against the fake over HTTP, and against a
 * real kube-apiserver (`npm run test:kubernetes -- runtime`). Each case gets names of its own and leaves nothing behind
 * but in its namespace.
 */
import assert from "node:assert/strict";
import {
  isAlreadyThere,
  isConflict,
  isGone,
  isNotFound,
  type Kube,
  KubeError,
  type KubeObject,
  type Page,
  type Resource,
  type WatchEvent,
} from "../../operator/runtime/kube.ts";

export const CONFIG_MAPS: Resource = {
  group: "",
  version: "v1",
  plural: "configmaps",
  kind: "ConfigMap",
  isNamespaced: true,
};

/** A kind with a status subresource and a spec that takes anything; on a real API server `PROBE_DEFINITION` makes it. */
export const PROBES: Resource = {
  group: "contract.kvorum.dev",
  version: "v1",
  plural: "probes",
  kind: "Probe",
  isNamespaced: true,
};

const ANYTHING = { type: "object", "x-kubernetes-preserve-unknown-fields": true };

/** CustomResourceDefinition of `PROBES`. */
export const PROBE_DEFINITION = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: `${PROBES.plural}.${PROBES.group}` },
  spec: {
    group: PROBES.group,
    scope: "Namespaced",
    names: { plural: PROBES.plural, singular: "probe", kind: PROBES.kind, listKind: "ProbeList" },
    versions: [
      {
        name: PROBES.version,
        served: true,
        storage: true,
        subresources: { status: {} },
        schema: { openAPIV3Schema: { type: "object", properties: { spec: ANYTHING, status: ANYTHING } } },
      },
    ],
  },
};

/** What a case gets. */
export interface Contract {
  readonly kube: Kube;
  /** Exists, and is the suite's alone. */
  readonly namespace: string;
  /** Lets what is under way come to rest before something is looked at: on a fake a turn, on a real one nothing. */
  readonly settle: () => Promise<void>;
  /** Makes all versions so far too old; absent where that cannot be done. */
  readonly compact?: () => void;
}

export interface Case {
  readonly name: string;
  readonly run: (contract: Contract) => Promise<void>;
}

interface ConfigMap extends KubeObject {
  readonly data?: Readonly<Record<string, string>>;
}

interface Probe extends KubeObject {
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly status?: Readonly<Record<string, unknown>>;
}

/** Without labels there is no map of them: to the real API server an empty one is a field that its manager owns. */
function configMap(
  namespace: string,
  name: string,
  data: Record<string, string>,
  labels?: Record<string, string>,
): ConfigMap {
  const metadata = { name, namespace, ...(labels === undefined ? {} : { labels }) };
  return { apiVersion: "v1", kind: "ConfigMap", metadata, data };
}

function probe(namespace: string, name: string, spec: object, extra: object = {}): Probe {
  return {
    apiVersion: `${PROBES.group}/v1`,
    kind: "Probe",
    metadata: { name, namespace, ...extra },
    spec: { ...spec },
  };
}

function status(code: number, reason?: string): (error: unknown) => boolean {
  return (error) =>
    error instanceof KubeError && error.status === code && (reason === undefined || error.reason === reason);
}

/** Follows a watch; `wait` resolves when so many events other than bookmarks are there. */
function follow(
  kube: Kube,
  resource: Resource,
  options: { namespace: string; labelSelector?: string; resourceVersion: string; timeoutSeconds?: number },
) {
  const abort = new AbortController();
  const events: WatchEvent<ConfigMap>[] = [];
  let woken = () => {};
  const read = async () => {
    for await (const event of kube.watch<ConfigMap>(resource, {
      timeoutSeconds: 60,
      ...options,
      signal: abort.signal,
    })) {
      events.push(event);
      woken();
    }
  };
  const ended = read();
  ended.catch(() => woken());
  const changes = () => events.flatMap((event) => (event.type === "BOOKMARK" ? [] : [event]));
  return {
    ended,
    events,
    stop: () => abort.abort(),
    async wait(count: number): Promise<readonly string[]> {
      while (changes().length < count) {
        const next = new Promise<void>((resolve) => {
          woken = resolve;
        });
        await Promise.race([
          next,
          ended.then(() => assert.fail(`the watch ended after ${changes().length} of ${count} events`)),
        ]);
      }
      return changes().map(({ type, object }) => `${type} ${object.metadata.name}`);
    },
  };
}

async function versionOf(kube: Kube, namespace: string): Promise<string> {
  return (await kube.list(CONFIG_MAPS, { namespace, limit: 1 })).resourceVersion;
}

export const KUBE_CONTRACT: readonly Case[] = [
  {
    name: "create gives a uid, a version and a time; what it did not know it keeps",
    async run({ kube, namespace }) {
      const given = probe(namespace, "created", { strange: [{ deep: 1 }], flag: true });
      const made = await kube.create(PROBES, given);
      assert.match(made.metadata.uid ?? "", /^[0-9a-f-]{36}$/);
      assert.match(made.metadata.creationTimestamp ?? "", /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
      assert.ok(made.metadata.resourceVersion);
      assert.equal(made.metadata.generation, 1);
      assert.deepEqual(made.spec, given.spec);
      assert.deepEqual(await kube.get(PROBES, made.metadata), made);
    },
  },
  {
    name: "create of a name that is taken is AlreadyExists, and no conflict",
    async run({ kube, namespace }) {
      await kube.create(CONFIG_MAPS, configMap(namespace, "taken", { a: "1" }));
      const again = kube.create(CONFIG_MAPS, configMap(namespace, "taken", { a: "2" }));
      await assert.rejects(again, (error) => isAlreadyThere(error) && !isConflict(error));
    },
  },
  {
    name: "create with a version is refused, and so is a name that is none",
    async run({ kube, namespace }) {
      const given = configMap(namespace, "versioned", {});
      const versioned = { ...given, metadata: { ...given.metadata, resourceVersion: "5" } };
      await assert.rejects(kube.create(CONFIG_MAPS, versioned), (error: KubeError) => (error.status ?? 0) >= 400);
      await assert.rejects(kube.create(CONFIG_MAPS, configMap(namespace, "Not_A_Name", {})), status(422, "Invalid"));
    },
  },
  {
    name: "get of what is not there is nothing; patch and delete of it are NotFound",
    async run({ kube, namespace }) {
      const key = { namespace, name: "absent" };
      assert.equal(await kube.get(CONFIG_MAPS, key), undefined);
      await assert.rejects(kube.patch(CONFIG_MAPS, key, { data: { a: "1" } }), isNotFound);
      await assert.rejects(kube.delete(CONFIG_MAPS, key, { uid: "00000000-0000-4000-8000-000000000000" }), isNotFound);
    },
  },
  {
    name: "create drops the status; the status subresource changes that alone, the object all else",
    async run({ kube, namespace }) {
      const made = await kube.create(PROBES, { ...probe(namespace, "status", { a: 1 }), status: { early: true } });
      assert.equal(made.status, undefined);
      const key = made.metadata;
      const told = await kube.patch<Probe>(
        PROBES,
        key,
        { spec: { a: 2 }, status: { ready: 1 } },
        { subresource: "status" },
      );
      assert.deepEqual([told.spec, told.status, told.metadata.generation], [{ a: 1 }, { ready: 1 }, 1]);
      const changed = await kube.patch<Probe>(PROBES, key, { spec: { a: 3 }, status: { ready: 2 } });
      assert.deepEqual([changed.spec, changed.status, changed.metadata.generation], [{ a: 3 }, { ready: 1 }, 2]);
    },
  },
  {
    name: "the generation counts changes of the spec, and none of metadata",
    async run({ kube, namespace }) {
      const { metadata } = await kube.create(PROBES, probe(namespace, "generation", { a: 1 }));
      const labelled = await kube.patch<Probe>(PROBES, metadata, { metadata: { labels: { l: "1" } } });
      assert.equal(labelled.metadata.generation, 1);
      assert.notEqual(labelled.metadata.resourceVersion, metadata.resourceVersion);
      assert.equal((await kube.patch<Probe>(PROBES, metadata, { spec: { a: 2 } })).metadata.generation, 2);
    },
  },
  {
    name: "a merge patch takes away what is null, replaces lists whole, and changes no version when nothing is different",
    async run({ kube, namespace }) {
      const made = await kube.create(PROBES, probe(namespace, "merge", { a: { b: 1, c: 2 }, list: [1, 2] }));
      const patch = { spec: { a: { b: null, d: 3 }, list: [9] } };
      const patched = await kube.patch<Probe>(PROBES, made.metadata, patch);
      assert.deepEqual(patched.spec, { a: { c: 2, d: 3 }, list: [9] });
      const again = await kube.patch<Probe>(PROBES, made.metadata, { spec: { a: { d: 3 } } });
      assert.equal(again.metadata.resourceVersion, patched.metadata.resourceVersion);
    },
  },
  {
    name: "a patch bound to a version that is past is a conflict, on the object and on its status",
    async run({ kube, namespace }) {
      const { metadata } = await kube.create(PROBES, probe(namespace, "bound", { a: 1 }));
      const resourceVersion = metadata.resourceVersion as string;
      const first = await kube.patch<Probe>(PROBES, metadata, { spec: { a: 2 } }, { resourceVersion });
      const again = kube.patch(PROBES, metadata, { spec: { a: 3 } }, { resourceVersion });
      await assert.rejects(again, (error) => isConflict(error) && !isAlreadyThere(error));
      const onStatus = { resourceVersion, subresource: "status" } as const;
      await assert.rejects(kube.patch(PROBES, metadata, { status: { a: 1 } }, onStatus), isConflict);
      const current = { ...onStatus, resourceVersion: first.metadata.resourceVersion as string };
      assert.deepEqual((await kube.patch<Probe>(PROBES, metadata, { status: { a: 1 } }, current)).status, { a: 1 });
    },
  },
  {
    name: "delete of another uid or version is a conflict, and deletes nothing",
    async run({ kube, namespace }) {
      const { metadata } = await kube.create(CONFIG_MAPS, configMap(namespace, "guarded", {}));
      const uid = metadata.uid as string;
      const other = "00000000-0000-4000-8000-00000000ffff";
      await assert.rejects(kube.delete(CONFIG_MAPS, metadata, { uid: other }), isConflict);
      const changed = await kube.patch(CONFIG_MAPS, metadata, { data: { a: "1" } });
      const resourceVersion = metadata.resourceVersion as string;
      await assert.rejects(kube.delete(CONFIG_MAPS, metadata, { uid, resourceVersion }), isConflict);
      assert.deepEqual(await kube.get(CONFIG_MAPS, metadata), changed);
      await kube.delete(CONFIG_MAPS, metadata, { uid });
      assert.equal(await kube.get(CONFIG_MAPS, metadata), undefined);
    },
  },
  {
    name: "a finalizer holds what is deleted; no new one is taken; without the last one it is gone",
    async run({ kube, namespace }) {
      const finalizer = "contract.kvorum.dev/hold";
      const { metadata } = await kube.create(PROBES, probe(namespace, "held", {}, { finalizers: [finalizer] }));
      const uid = metadata.uid as string;
      await kube.delete(PROBES, metadata, { uid });
      const held = await kube.get<Probe>(PROBES, metadata);
      assert.ok(held?.metadata.deletionTimestamp);
      assert.equal(held.metadata.generation, 2);
      await kube.delete(PROBES, metadata, { uid });
      const more = { metadata: { finalizers: [finalizer, "contract.kvorum.dev/more"] } };
      await assert.rejects(kube.patch(PROBES, metadata, more), status(422, "Invalid"));
      await kube.patch(PROBES, metadata, { metadata: { finalizers: null } });
      assert.equal(await kube.get(PROBES, metadata), undefined);
    },
  },
  {
    name: "apply creates, changes nothing the second time, and takes away what it no longer names",
    async run({ kube, namespace }) {
      const by = { fieldManager: "contract-a", force: true };
      const wanted = configMap(namespace, "applied", { a: "1", b: "2" }, { l: "1" });
      const made = await kube.apply(CONFIG_MAPS, wanted, by);
      assert.ok(made.metadata.uid);
      const again = await kube.apply(CONFIG_MAPS, wanted, by);
      assert.equal(again.metadata.resourceVersion, made.metadata.resourceVersion);
      const less = await kube.apply<ConfigMap>(CONFIG_MAPS, configMap(namespace, "applied", { b: "3" }), by);
      assert.deepEqual(less.data, { b: "3" });
      assert.deepEqual(less.metadata.labels ?? {}, {});
    },
  },
  {
    name: "apply leaves to others what they own, and takes it over only by force",
    async run({ kube, namespace }) {
      const mine = { fieldManager: "contract-a" };
      const theirs = { fieldManager: "contract-b" };
      await kube.apply(CONFIG_MAPS, configMap(namespace, "shared", { a: "1" }), mine);
      await kube.apply(CONFIG_MAPS, configMap(namespace, "shared", { b: "1" }), theirs);
      const both = await kube.apply<ConfigMap>(CONFIG_MAPS, configMap(namespace, "shared", { a: "2" }), mine);
      assert.deepEqual(both.data, { a: "2", b: "1" });
      const greedy = configMap(namespace, "shared", { a: "2", b: "2" });
      await assert.rejects(kube.apply(CONFIG_MAPS, greedy, mine), isConflict);
      const forced = await kube.apply<ConfigMap>(CONFIG_MAPS, greedy, { ...mine, force: true });
      assert.deepEqual(forced.data, { a: "2", b: "2" });
      const left = await kube.apply<ConfigMap>(CONFIG_MAPS, configMap(namespace, "shared", {}), theirs);
      assert.deepEqual(left.data, { a: "2", b: "2" });
    },
  },
  {
    name: "what a patch has set, an apply that never named it leaves alone",
    async run({ kube, namespace }) {
      const by = { fieldManager: "contract-a", force: true };
      const { metadata } = await kube.apply(CONFIG_MAPS, configMap(namespace, "patched", { a: "1" }), by);
      await kube.patch(CONFIG_MAPS, metadata, { data: { b: "1" } });
      const applied = await kube.apply<ConfigMap>(CONFIG_MAPS, configMap(namespace, "patched", { a: "2" }), by);
      assert.deepEqual(applied.data, { a: "2", b: "1" });
    },
  },
  {
    name: "owners and finalizers of two managers of an apply live side by side",
    async run({ kube, namespace }) {
      const finalizers = (name: string) =>
        probe(namespace, "owned", {}, { finalizers: [`contract.kvorum.dev/${name}`] });
      await kube.apply(PROBES, finalizers("a"), { fieldManager: "contract-a" });
      const both = await kube.apply(PROBES, finalizers("b"), { fieldManager: "contract-b" });
      assert.deepEqual([...(both.metadata.finalizers ?? [])].sort(), [
        "contract.kvorum.dev/a",
        "contract.kvorum.dev/b",
      ]);
      const one = await kube.apply(PROBES, probe(namespace, "owned", {}), { fieldManager: "contract-a" });
      assert.deepEqual(one.metadata.finalizers, ["contract.kvorum.dev/b"]);
      await kube.patch(PROBES, both.metadata, { metadata: { finalizers: null } });
    },
  },
  {
    name: "apply of the status leaves the spec alone, and names a uid only of what is there",
    async run({ kube, namespace }) {
      const by = { fieldManager: "contract-a", force: true };
      await kube.create(PROBES, probe(namespace, "told", { a: 1 }));
      const wanted = { ...probe(namespace, "told", { a: 2 }), status: { phase: "Ready" } };
      const told = await kube.apply<Probe>(PROBES, wanted, { ...by, subresource: "status" });
      assert.deepEqual([told.spec, told.status], [{ a: 1 }, { phase: "Ready" }]);
      const ghost = probe(namespace, "ghost", {}, { uid: "00000000-0000-4000-8000-00000000ffff" });
      await assert.rejects(kube.apply(PROBES, ghost, by), isConflict);
    },
  },
  {
    name: "list selects by label, by field and by namespace, and knows what its items are",
    async run({ kube, namespace }) {
      for (const [name, group] of [
        ["l-1", "x"],
        ["l-2", "y"],
        ["l-3", "x"],
      ] as const)
        await kube.create(CONFIG_MAPS, configMap(namespace, name, {}, { listed: group }));
      const names = async (options: object) =>
        (await kube.list(CONFIG_MAPS, { namespace, ...options })).items.map(({ metadata }) => metadata.name);
      assert.deepEqual(await names({ labelSelector: "listed=x" }), ["l-1", "l-3"]);
      assert.deepEqual(await names({ labelSelector: "listed in (y,z)" }), ["l-2"]);
      assert.deepEqual(await names({ labelSelector: "listed,listed!=x" }), ["l-2"]);
      assert.deepEqual(await names({ fieldSelector: "metadata.name=l-3" }), ["l-3"]);
      const everywhere = await kube.list(CONFIG_MAPS, { labelSelector: "listed=y" });
      assert.deepEqual(
        everywhere.items.map(({ kind, apiVersion }) => [kind, apiVersion]),
        [["ConfigMap", "v1"]],
      );
    },
  },
  {
    name: "pages together are what was there when the first one was taken",
    async run({ kube, namespace }) {
      for (let index = 0; index < 5; index++)
        await kube.create(CONFIG_MAPS, configMap(namespace, `page-${index}`, {}, { paged: "yes" }));
      const options = { namespace, labelSelector: "paged=yes", limit: 2 };
      const first = await kube.list(CONFIG_MAPS, options);
      await kube.create(CONFIG_MAPS, configMap(namespace, "page-9", {}, { paged: "yes" }));
      const names = first.items.map(({ metadata }) => metadata.name);
      let token = first.continueToken;
      assert.ok(token);
      while (token !== undefined) {
        const page: Page<KubeObject> = await kube.list(CONFIG_MAPS, { ...options, continueToken: token });
        assert.equal(page.resourceVersion, first.resourceVersion);
        names.push(...page.items.map(({ metadata }) => metadata.name));
        token = page.continueToken;
      }
      assert.deepEqual(names, ["page-0", "page-1", "page-2", "page-3", "page-4"]);
    },
  },
  {
    name: "a watch tells every change after its version, in order, with the versions of the writes",
    async run({ kube, namespace, settle }) {
      const resourceVersion = await versionOf(kube, namespace);
      const { metadata } = await kube.create(CONFIG_MAPS, configMap(namespace, "watched", { a: "1" }));
      const watch = follow(kube, CONFIG_MAPS, { namespace, resourceVersion });
      await settle();
      const changed = await kube.patch(CONFIG_MAPS, metadata, { data: { a: "2 \u00e4\u20ac\ud83d\ude80" } });
      await kube.delete(CONFIG_MAPS, metadata, { uid: metadata.uid as string });
      assert.deepEqual(await watch.wait(3), ["ADDED watched", "MODIFIED watched", "DELETED watched"]);
      const objects = watch.events.flatMap((event) => (event.type === "BOOKMARK" ? [] : [event.object]));
      assert.deepEqual(objects[1], changed);
      assert.ok(Number(objects[2]?.metadata.resourceVersion) > Number(changed.metadata.resourceVersion));
      watch.stop();
      await watch.ended;
    },
  },
  {
    name: "to a watch with a selector an object comes when it begins to fit, and goes when it no longer does",
    async run({ kube, namespace, settle }) {
      const resourceVersion = await versionOf(kube, namespace);
      const watch = follow(kube, CONFIG_MAPS, { namespace, resourceVersion, labelSelector: "fits=yes" });
      await settle();
      const { metadata } = await kube.create(CONFIG_MAPS, configMap(namespace, "fitting", {}));
      for (const fits of ["yes", "no"]) await kube.patch(CONFIG_MAPS, metadata, { metadata: { labels: { fits } } });
      assert.deepEqual(await watch.wait(2), ["ADDED fitting", "DELETED fitting"]);
      watch.stop();
      await watch.ended;
    },
  },
  {
    name: "an object that is deleted with a finalizer is MODIFIED first, and DELETED when it is gone",
    async run({ kube, namespace, settle }) {
      const { metadata } = await kube.create(
        PROBES,
        probe(namespace, "leaving", {}, { finalizers: ["contract.kvorum.dev/x"] }),
      );
      const resourceVersion = metadata.resourceVersion as string;
      const watch = follow(kube, PROBES, { namespace, resourceVersion });
      await settle();
      await kube.delete(PROBES, metadata, { uid: metadata.uid as string });
      await kube.patch(PROBES, metadata, { metadata: { finalizers: null } });
      assert.deepEqual(await watch.wait(2), ["MODIFIED leaving", "DELETED leaving"]);
      watch.stop();
      await watch.ended;
    },
  },
  {
    name: "a watch ends quietly when its signal fires, before it began and while it waits",
    async run({ kube, namespace, settle }) {
      const resourceVersion = await versionOf(kube, namespace);
      const watch = follow(kube, CONFIG_MAPS, { namespace, resourceVersion });
      watch.stop();
      await watch.ended;
      const second = follow(kube, CONFIG_MAPS, { namespace, resourceVersion });
      await settle();
      second.stop();
      await second.ended;
      assert.deepEqual(second.events, []);
    },
  },
  {
    name: "a watch from a version that is forgotten is 410",
    async run({ kube, namespace, compact }) {
      if (compact) {
        await kube.create(CONFIG_MAPS, configMap(namespace, "old", {}));
        compact();
        await kube.create(CONFIG_MAPS, configMap(namespace, "new", {}));
      }
      const watch = follow(kube, CONFIG_MAPS, { namespace, resourceVersion: "1" });
      await assert.rejects(watch.ended, isGone);
    },
  },
];

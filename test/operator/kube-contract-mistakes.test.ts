/** The contract of an API server catches a fake that does not keep it: each mistake is seen by the case that is about it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises";
import { isAlreadyThere, type Kube, KubeError, type KubeObject } from "../../operator/runtime/kube.ts";
import { FakeKube } from "./fake-kube.ts";
import { KUBE_CONTRACT } from "./kube-contract.ts";

type Twist = (kube: Kube) => Partial<Kube>;

/** By the beginning of the name of the case that must see it. */
const MISTAKES: readonly (readonly [what: string, seenBy: string, twist: Twist])[] = [
  [
    "a name that is taken is given out again",
    "create of a name that is taken",
    (kube) => ({
      create: async (resource, object) => {
        try {
          return await kube.create(resource, object);
        } catch (error) {
          if (!isAlreadyThere(error)) throw error;
          return object;
        }
      },
    }),
  ],
  [
    "a conflict and a name that is taken are the same",
    "create of a name that is taken",
    (kube) => ({
      create: (resource, object) =>
        kube.create(resource, object).catch((error: unknown) => {
          throw isAlreadyThere(error) ? new KubeError("taken", 409, "Conflict") : error;
        }),
    }),
  ],
  [
    "what is not there is an error",
    "get of what is not there",
    (kube) => ({
      get: async (resource, key) => {
        const found = await kube.get<KubeObject>(resource, key);
        if (found === undefined) throw new KubeError("not found", 404, "NotFound");
        return found as never;
      },
    }),
  ],
  [
    "a status may be changed with the object",
    "create drops the status",
    (kube) => ({
      patch: async (resource, key, patch, options) => {
        const changed = await kube.patch<KubeObject>(resource, key, patch, options);
        if (!("status" in patch)) return changed as never;
        return kube.patch(resource, key, { status: patch.status }, { subresource: "status" });
      },
    }),
  ],
  [
    "a version that a patch is bound to is not looked at",
    "a patch bound to a version",
    (kube) => ({
      patch: (resource, key, patch, { resourceVersion: _version, ...options } = {}) =>
        kube.patch(resource, key, patch, options),
    }),
  ],
  [
    "a uid that a deletion is bound to is not looked at",
    "delete of another uid",
    (kube) => ({
      delete: async (resource, key, options) => {
        const found = await kube.get(resource, key);
        await kube.delete(resource, key, { ...options, uid: found?.metadata.uid ?? options.uid });
      },
    }),
  ],
  [
    "a version that a deletion is bound to is not looked at",
    "delete of another uid",
    (kube) => ({
      delete: (resource, key, { resourceVersion: _version, ...options }) => kube.delete(resource, key, options),
    }),
  ],
  [
    "a finalizer holds nothing",
    "a finalizer holds",
    (kube) => ({
      delete: async (resource, key, options) => {
        await kube.patch(resource, key, { metadata: { finalizers: null } });
        await kube.delete(resource, key, options);
      },
    }),
  ],
  [
    "an apply takes nothing away",
    "apply creates, changes nothing",
    (kube) => ({
      apply: async (resource, object, options) =>
        (await kube.get(resource, object.metadata)) === undefined
          ? kube.apply(resource, object, options)
          : kube.patch(resource, object.metadata, object),
    }),
  ],
  [
    "an apply takes over without force",
    "apply leaves to others",
    (kube) => ({ apply: (resource, object, options) => kube.apply(resource, object, { ...options, force: true }) }),
  ],
  [
    "all managers are one",
    "apply leaves to others",
    (kube) => ({
      apply: (resource, object, options) => kube.apply(resource, object, { ...options, fieldManager: "one" }),
    }),
  ],
  [
    "an apply of the status changes the spec",
    "apply of the status",
    (kube) => ({
      apply: (resource, object, { subresource: _subresource, ...options }) => kube.apply(resource, object, options),
    }),
  ],
  [
    "labels select nothing",
    "list selects by label",
    (kube) => ({ list: (resource, { labelSelector: _selector, ...options }) => kube.list(resource, options) }),
  ],
  [
    "fields select nothing",
    "list selects by label",
    (kube) => ({ list: (resource, { fieldSelector: _selector, ...options }) => kube.list(resource, options) }),
  ],
  [
    "a later page is of a later version",
    "pages together",
    (kube) => ({
      list: async (resource, options) => {
        const page = await kube.list<KubeObject>(resource, options);
        const isLater = options.continueToken !== undefined;
        return (isLater ? { ...page, resourceVersion: `${page.resourceVersion}1` } : page) as never;
      },
    }),
  ],
  [
    "a watch tells of no deletion",
    "a watch tells every change",
    (kube) => ({
      watch: async function* (resource, options) {
        for await (const event of kube.watch(resource, options)) if (event.type !== "DELETED") yield event as never;
      },
    }),
  ],
  [
    "a watch tells what is now, and not what was",
    "a watch tells every change",
    (kube) => ({
      watch: async function* (resource, options) {
        const { resourceVersion } = await kube.list(resource, { limit: 1 });
        for await (const event of kube.watch(resource, { ...options, resourceVersion })) yield event as never;
      },
    }),
  ],
  [
    "an object that no longer fits stays in the watch",
    "to a watch with a selector",
    (kube) => ({
      watch: async function* (resource, options) {
        for await (const event of kube.watch(resource, options))
          yield (event.type === "DELETED" ? { ...event, type: "MODIFIED" } : event) as never;
      },
    }),
  ],
  [
    "a watch from a forgotten version begins now",
    "a watch from a version that is forgotten",
    (kube) => ({
      watch: async function* (resource, options) {
        const { resourceVersion } = await kube.list(resource, { limit: 1 });
        for await (const event of kube.watch(resource, { ...options, resourceVersion })) yield event as never;
      },
    }),
  ],
];

/** What hangs has been seen, too: nobody waits for it. */
const HANGS_MS = 300;

for (const [what, seenBy, twist] of MISTAKES)
  test(`the contract sees it: ${what}`, async () => {
    const found = KUBE_CONTRACT.find(({ name }) => name.startsWith(seenBy));
    assert.ok(found !== undefined, `there is a case "${seenBy}..."`);
    const fake = new FakeKube();
    const twisted = twist(fake);
    const kube: Kube = new Proxy(fake, {
      get(target, name) {
        const value = Reflect.get(twisted, name) ?? Reflect.get(target, name, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    const contract = { kube, namespace: "contract", settle: () => turn(), compact: () => fake.objects.compact() };
    const hung = sleep(HANGS_MS, "hangs");
    const outcome = await Promise.race([
      found.run(contract).then(
        () => "kept",
        () => "seen",
      ),
      hung,
    ]);
    assert.notEqual(outcome, "kept");
  });

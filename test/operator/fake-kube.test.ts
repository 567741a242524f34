/** The fake API server does what its users count on; what it shares with the real one is in kube-contract.ts. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  isConflict,
  isGone,
  type KubeError,
  type KubeObject,
  type Resource,
  type WatchEvent,
} from "../../operator/runtime/kube.ts";
import { Prng } from "../../server/base/prng.ts";
import { FakeKube } from "./fake-kube.ts";
import { VirtualTime } from "./virtual-time.ts";

const PODS: Resource = { group: "", version: "v1", plural: "pods", kind: "Pod", isNamespaced: true };

interface Pod extends KubeObject {
  readonly spec: { readonly nodeName?: string };
  readonly status?: { readonly phase: string };
}

function pod(name: string, nodeName?: string): Pod {
  const spec = nodeName === undefined ? {} : { nodeName };
  return { apiVersion: "v1", kind: "Pod", metadata: { name, namespace: "default" }, spec };
}

const KEY = { namespace: "default", name: "a" };

function opened(): { readonly time: VirtualTime; readonly fake: FakeKube } {
  const time = new VirtualTime();
  return { time, fake: new FakeKube({ time }) };
}

/** Reads a watch into a list; `error` is set when it failed. */
function listen(fake: FakeKube, resourceVersion = "1000", timeoutSeconds = 300) {
  const abort = new AbortController();
  const heard: { events: WatchEvent<Pod>[]; error: unknown; isOver: boolean } = {
    events: [],
    error: undefined,
    isOver: false,
  };
  const read = async () => {
    const options = { resourceVersion, timeoutSeconds, signal: abort.signal };
    for await (const event of fake.watch<Pod>(PODS, options)) heard.events.push(event);
  };
  read()
    .catch((error: unknown) => {
      heard.error = error;
    })
    .finally(() => {
      heard.isOver = true;
    });
  return { heard, abort };
}

describe("the fake API server", () => {
  it("hands out frozen objects", async () => {
    const { fake } = opened();
    const made = await fake.create(PODS, pod("a"));
    assert.throws(() => Object.assign(made.metadata, { name: "b" }), TypeError);
  });

  it("keeps a Pod that has a node terminating until the kubelet is done", async () => {
    const { fake } = opened();
    const made = await fake.create(PODS, pod("a", "node-1"));
    await fake.delete(PODS, KEY, { uid: made.metadata.uid as string });
    assert.ok((await fake.get(PODS, KEY))?.metadata.deletionTimestamp);
    fake.objects.finish(PODS, KEY);
    assert.equal(await fake.get(PODS, KEY), undefined);
  });

  it("change() sets spec and status together", async () => {
    const { fake } = opened();
    await fake.create(PODS, pod("a"));
    fake.change(PODS, KEY, (object) => ({ ...object, spec: { nodeName: "n" }, status: { phase: "Running" } }));
    const now = await fake.get<Pod>(PODS, KEY);
    assert.deepEqual([now?.spec.nodeName, now?.status?.phase, now?.metadata.generation], ["n", "Running", 2]);
  });

  it("refuses creations in a namespace that terminates", async () => {
    const { fake } = opened();
    fake.objects.terminateNamespace("default");
    await assert.rejects(fake.create(PODS, pod("a")), (error: KubeError) => error.status === 403);
  });

  it("collects what nobody owns any more, and only that", async () => {
    const { fake } = opened();
    const owner = await fake.create(PODS, pod("owner"));
    const reference = { apiVersion: "v1", kind: "Pod", name: "owner", uid: owner.metadata.uid as string };
    const owned = pod("owned");
    await fake.create(PODS, { ...owned, metadata: { ...owned.metadata, ownerReferences: [reference] } });
    assert.equal(fake.objects.collectGarbage(), 0);
    fake.objects.delete(PODS, owner.metadata, {});
    assert.equal(fake.objects.collectGarbage(), 1);
    assert.deepEqual(fake.objects.all(PODS), []);
  });

  it("a lost write is an error without a status after the limit, done or not as the script says", async () => {
    const { time, fake } = opened();
    for (const isDone of [true, false]) {
      fake.faults.once({ verb: "create" }, { kind: "lost", isDone });
      const before = time.monotonic();
      await assert.rejects(
        time.until(fake.create(PODS, pod(`done-${isDone}`))),
        (error: KubeError) => error.status === undefined,
      );
      assert.equal(time.monotonic() - before, 30_000);
    }
    assert.deepEqual(
      fake.objects.all(PODS).map(({ metadata }) => metadata.name),
      ["done-true"],
    );
  });

  it("a stale list shows what was true so many changes ago", async () => {
    const { fake } = opened();
    for (const name of ["a", "b", "c"]) fake.objects.create(PODS, pod(name));
    fake.faults.once({ verb: "list" }, { kind: "stale", changes: 2 });
    const names = async () => (await fake.list(PODS, {})).items.map(({ metadata }) => metadata.name);
    assert.deepEqual(await names(), ["a"]);
    assert.deepEqual(await names(), ["a", "b", "c"]);
  });

  it("a dropped watch fails without a status, a silent one says nothing more, a gone one is 410, an ended one ends", async () => {
    for (const kind of ["drop", "silent", "gone", "end"] as const) {
      const { time, fake } = opened();
      fake.faults.once({ verb: "watch" }, { kind, afterEvents: 1 });
      const { heard } = listen(fake);
      await time.settle();
      fake.objects.create(PODS, pod("a"));
      fake.objects.create(PODS, pod("b"));
      await time.advance(400_000);
      assert.equal(heard.events.length, 1, kind);
      assert.equal(heard.isOver, kind !== "silent", kind);
      if (kind === "drop") assert.equal((heard.error as KubeError).status, undefined);
      if (kind === "gone") assert.ok(isGone(heard.error));
      if (kind === "end") assert.equal(heard.error, undefined);
    }
  });

  it("a watch ends at its time limit after a bookmark, and is closed", async () => {
    const { time, fake } = opened();
    const { heard } = listen(fake, "1000", 30);
    await time.advance(29_999);
    assert.equal(heard.isOver, false);
    assert.equal(fake.openWatches, 1);
    await time.advance(1);
    assert.deepEqual(heard.events, [{ type: "BOOKMARK", resourceVersion: "1000" }]);
    assert.ok(heard.isOver);
    assert.equal(fake.openWatches, 0);
  });

  it("faults by chance are the same for the same seed, and end when it is calm", async () => {
    const outcomes = async (seed: number) => {
      const { time, fake } = opened();
      fake.faults.byChance(new Prng(seed), { refuse: 0.2, conflict: 0.2, lost: 0.2, slow: 0.2 });
      const lines: string[] = [];
      for (let index = 0; index < 40; index++) {
        const outcome = await time.until(
          fake.create(PODS, pod(`p-${index}`)).then(
            () => "done",
            (error: KubeError) => error.message,
          ),
        );
        lines.push(`${time.monotonic()} ${outcome}`);
      }
      fake.faults.calm();
      await fake.create(PODS, pod("calm"));
      return lines;
    };
    const first = await outcomes(7);
    assert.deepEqual(await outcomes(7), first);
    assert.notDeepEqual(await outcomes(8), first);
    assert.ok(new Set(first.map((line) => line.replace(/^\d+ /, ""))).size >= 3);
  });

  it("before() stops a call, and after() an answer that was already carried out", async () => {
    const { fake } = opened();
    fake.before = () => {
      throw new Error("crash before");
    };
    await assert.rejects(fake.create(PODS, pod("a")), /crash before/);
    fake.before = undefined;
    fake.after = () => {
      throw new Error("crash after");
    };
    await assert.rejects(fake.create(PODS, pod("b")), /crash after/);
    assert.deepEqual(
      fake.objects.all(PODS).map(({ metadata }) => metadata.name),
      ["b"],
    );
  });

  it("a page of a list that was compacted away is 410", async () => {
    const { fake } = opened();
    for (const name of ["a", "b", "c"]) fake.objects.create(PODS, pod(name));
    const first = await fake.list(PODS, { limit: 2 });
    fake.objects.create(PODS, pod("d"));
    fake.objects.compact();
    const next = fake.list(PODS, { limit: 2, continueToken: first.continueToken as string });
    await assert.rejects(next, isGone);
  });

  it("scripted conflicts look like the real ones", async () => {
    const { fake } = opened();
    await fake.create(PODS, pod("a"));
    fake.faults.once({ verb: "patch" }, { kind: "refuse", status: 409, reason: "Conflict" });
    await assert.rejects(fake.patch(PODS, KEY, { metadata: { labels: { a: "b" } } }), isConflict);
    await fake.patch(PODS, KEY, { metadata: { labels: { a: "b" } } });
  });
});

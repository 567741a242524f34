import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Prng } from "../../server/base/prng.ts";
import { FakeKube } from "../../test/operator/fake-kube.ts";
import { VirtualTime } from "../../test/operator/virtual-time.ts";
import type { KubeObject, Resource } from "./kube.ts";
import { Reflector, type ReflectorOptions } from "./reflector.ts";
import { Store } from "./store.ts";

const PODS: Resource = { group: "", version: "v1", plural: "pods", kind: "Pod", isNamespaced: true };

function pod(name: string, labels: Record<string, string> = {}): KubeObject {
  return { apiVersion: "v1", kind: "Pod", metadata: { name, namespace: "n", labels } };
}

function opened(options: Partial<ReflectorOptions<KubeObject>> = {}, seed = 1) {
  const time = new VirtualTime({ seed });
  const fake = new FakeKube({ time });
  const store = new Store<KubeObject>();
  const changes: string[] = [];
  const failures: string[] = [];
  const reflector = new Reflector<KubeObject>({
    kube: fake,
    time,
    resource: PODS,
    store,
    changed: ({ type, object }) => changes.push(`${type} ${object.metadata.name}`),
    failed: (what, error) => failures.push(`${what}: ${(error as Error).message}`),
    ...options,
  });
  const calls = (verb: string) => fake.calls.filter((call) => call.verb === verb).length;
  const names = () =>
    store
      .list()
      .map(({ metadata }) => metadata.name)
      .sort();
  return { time, fake, store, changes, failures, reflector, calls, names };
}

describe("Reflector", () => {
  it("has synced once the store is what the list said, and not before", async () => {
    const { time, fake, reflector, names } = opened();
    for (const name of ["a", "b"]) fake.objects.create(PODS, pod(name));
    fake.faults.once({ verb: "list" }, { kind: "slow", ms: 5000 });
    reflector.start();
    await time.advance(4999);
    assert.equal(reflector.hasSynced, false);
    await time.until(reflector.synced());
    assert.equal(time.monotonic(), 5000);
    assert.ok(reflector.hasSynced);
    assert.deepEqual(names(), ["a", "b"]);
  });

  it("follows what is made, changed and deleted", async () => {
    const { time, fake, reflector, changes, store } = opened();
    reflector.start();
    await time.settle();
    fake.objects.create(PODS, pod("a"));
    fake.objects.patch(PODS, { namespace: "n", name: "a" }, { metadata: { labels: { x: "y" } } });
    await time.settle();
    assert.deepEqual(store.get({ namespace: "n", name: "a" })?.metadata.labels, { x: "y" });
    fake.objects.delete(PODS, { namespace: "n", name: "a" }, {});
    await time.settle();
    assert.deepEqual(changes, ["added a", "modified a", "deleted a"]);
    assert.equal(store.size, 0);
  });

  it("lists in pages of 500, and all at once when the pages have grown too old", async () => {
    const { time, fake, reflector, store, calls } = opened();
    for (let index = 0; index < 1100; index++) fake.objects.create(PODS, pod(`p-${index}`));
    reflector.start();
    await time.until(reflector.synced());
    assert.deepEqual([store.size, calls("list")], [1100, 3]);
    reflector.stop();

    const second = opened();
    for (let index = 0; index < 1100; index++) second.fake.objects.create(PODS, pod(`p-${index}`));
    second.fake.after = ({ verb }) => {
      if (verb !== "list") return;
      second.fake.after = undefined;
      second.fake.objects.create(PODS, pod("one-more"));
      second.fake.objects.compact();
    };
    second.reflector.start();
    await second.time.until(second.reflector.synced());
    assert.deepEqual([second.store.size, second.calls("list")], [1101, 3]);
  });

  it("takes a watch of 5 to 10 minutes, begins the next one at once where it ended, and lists no more", async () => {
    const { time, fake, reflector, calls, names } = opened();
    reflector.start();
    await time.advance(3_000_000);
    assert.ok(calls("watch") >= 5 && calls("watch") <= 10, String(calls("watch")));
    assert.equal(calls("list"), 1);
    fake.objects.create(PODS, pod("a"));
    await time.settle();
    assert.deepEqual(names(), ["a"]);
  });

  it("lists again once an hour, and so mends what it never heard of", async () => {
    const { time, fake, reflector, store, names, calls } = opened();
    fake.objects.create(PODS, pod("a"));
    reflector.start();
    await time.settle();
    store.remove({ namespace: "n", name: "a" });
    await time.advance(4_300_000);
    assert.deepEqual(names(), ["a"]);
    assert.equal(calls("list"), 2);
  });

  it("a quiet watch keeps its version young by bookmarks: a compaction makes it list no more", async () => {
    const { time, fake, reflector, calls } = opened({ labelSelector: "never=fits" });
    reflector.start();
    for (let minute = 0; minute < 30; minute++) {
      fake.objects.create(PODS, pod(`p-${minute}`));
      await time.advance(60_000);
      fake.objects.compact();
    }
    assert.equal(calls("list"), 1);
    assert.ok(calls("watch") >= 3);
  });

  it("after a 410 it lists anew and tells what was deleted meanwhile", async () => {
    const { time, fake, reflector, changes, calls, names } = opened();
    for (const name of ["a", "b"]) fake.objects.create(PODS, pod(name));
    fake.faults.once({ verb: "watch" }, { kind: "drop", afterEvents: 0 });
    fake.faults.once({ verb: "watch" }, { kind: "gone", afterEvents: 0 });
    reflector.start();
    await time.settle();
    fake.objects.delete(PODS, { namespace: "n", name: "a" }, {});
    fake.objects.create(PODS, pod("c"));
    await time.advance(10_000);
    assert.deepEqual(names(), ["b", "c"]);
    assert.deepEqual(changes, ["added a", "added b", "deleted a", "added c"]);
    assert.equal(calls("list"), 2);
  });

  it("after a broken watch it goes on from the last version heard, and hears everything once", async () => {
    const { time, fake, reflector, changes, calls } = opened();
    fake.faults.once({ verb: "watch" }, { kind: "drop", afterEvents: 2 });
    reflector.start();
    await time.settle();
    for (const name of ["a", "b", "c"]) fake.objects.create(PODS, pod(name));
    await time.advance(2000);
    assert.deepEqual(changes, ["added a", "added b", "added c"]);
    assert.equal(calls("list"), 1);
  });

  it("waits 0.8 s to 30 s between attempts, and no less than the server asks", async () => {
    const { time, fake, reflector } = opened();
    const at: number[] = [];
    fake.before = () => void at.push(time.monotonic());
    const end = fake.faults.always({ verb: "list" }, { kind: "refuse", status: 500 });
    reflector.start();
    await time.advance(200_000);
    const gaps = at.slice(1).map((moment, index) => moment - (at[index] as number));
    for (const [index, gap] of gaps.entries()) {
      const wanted = Math.min(30_000, 800 * 2 ** index);
      assert.ok(gap >= 0.75 * wanted && gap <= Math.min(30_000, 1.25 * wanted), `${index}: ${gap}`);
    }
    end();
    fake.faults.once({ verb: "list" }, { kind: "refuse", status: 429, retryAfterMs: 90_000 });
    at.length = 0;
    await time.advance(200_000);
    assert.ok((at[1] as number) - (at[0] as number) >= 90_000);
    assert.ok(reflector.hasSynced);
  });

  it("its age grows while nothing is heard, and not while a quiet watch lives", async () => {
    const { time, fake, reflector } = opened();
    reflector.start();
    await time.advance(250_000);
    assert.ok(reflector.ageMs <= 60_000);
    fake.faults.always({}, { kind: "refuse", status: 503 });
    await time.advance(1_300_000);
    assert.ok(reflector.ageMs >= 600_000);
  });

  it("a version that is refused again and again is given up for a list", async () => {
    const { time, fake, reflector, calls } = opened();
    const end = fake.faults.always({ verb: "watch" }, { kind: "refuse", status: 504, reason: "Timeout" });
    reflector.start();
    await time.advance(120_000);
    assert.ok(calls("list") >= 2);
    end();
    await time.advance(30_000);
    fake.objects.create(PODS, pod("a"));
    await time.settle();
    assert.equal(reflector.ageMs, 0);
  });

  it("stop() ends it wherever it is, and no handler is called after it", async () => {
    for (const verb of ["list", "watch"] as const)
      for (const fault of [
        { kind: "refuse", status: 500 },
        { kind: "slow", ms: 60_000 },
      ] as const) {
        const { time, fake, reflector, changes } = opened();
        fake.objects.create(PODS, pod("a"));
        fake.faults.always({ verb }, fault);
        reflector.start();
        await time.advance(1);
        reflector.stop();
        await time.until(reflector.synced());
        const told = changes.length;
        fake.objects.create(PODS, pod("b"));
        await time.advance(1_000_000);
        assert.equal(changes.length, told);
        assert.equal(fake.openWatches, 0);
      }
  });

  it("comes to the truth after any history of faults, in a hundred seeds", async () => {
    for (let seed = 1; seed <= 100; seed++) {
      const { time, fake, reflector, store, changes } = opened({ labelSelector: "keep=yes" }, seed);
      const prng = new Prng(seed);
      fake.faults.byChance(prng, { refuse: 0.2, lost: 0.1, slow: 0.1, stale: 0.3, watch: 0.7 });
      reflector.start();
      for (let step = 0; step < 60; step++) {
        act(fake, prng);
        await time.advance(prng.below(20_000));
      }
      fake.faults.calm();
      await time.advance(1_300_000);
      const wanted = fake.objects.all(PODS).filter(({ metadata }) => metadata.labels?.["keep"] === "yes");
      const versions = (objects: readonly KubeObject[]) =>
        objects.map(({ metadata }) => `${metadata.name} ${metadata.uid} ${metadata.resourceVersion}`).sort();
      assert.deepEqual(versions(store.list()), versions(wanted), `seed ${seed}`);
      // What was told, taken together, is what is there.
      const told = new Set<string>();
      for (const change of changes) {
        const [type, name] = change.split(" ") as [string, string];
        if (type === "deleted") assert.ok(told.delete(name), `seed ${seed}: ${change} of what was not there`);
        else told.add(name);
      }
      assert.deepEqual([...told].sort(), wanted.map(({ metadata }) => metadata.name).sort(), `seed ${seed}`);
      reflector.stop();
    }
  });
});

/** Something that others do. */
function act(fake: FakeKube, prng: Prng): void {
  const key = { namespace: "n", name: `p-${prng.below(8)}` };
  const keep = prng.chance(0.7) ? "yes" : "no";
  if (fake.objects.get(PODS, key) === undefined) fake.objects.create(PODS, pod(key.name, { keep }));
  else if (prng.chance(0.4)) fake.objects.delete(PODS, key, {});
  else fake.objects.patch(PODS, key, { metadata: { labels: { keep }, annotations: { at: String(prng.uint32()) } } });
  if (prng.chance(0.1)) fake.objects.compact();
}

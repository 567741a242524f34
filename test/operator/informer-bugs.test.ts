/**
 * What the informer of the common client library does wrong, each seen not to happen to ours: the real client and the
 * reflector against an API server over HTTP. Their time is real where a line is read, and virtual where something waits.
 */
import assert from "node:assert/strict";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { describe, it, type TestContext } from "node:test";
import type { KubeObject, Resource } from "../../operator/runtime/kube.ts";
import { Reflector, type ReflectorOptions } from "../../operator/runtime/reflector.ts";
import { RestClient } from "../../operator/runtime/rest-client.ts";
import { Store } from "../../operator/runtime/store.ts";
import { FakeKube } from "./fake-kube.ts";
import { serveFakeKube } from "./fake-kube-server.ts";
import { plainConnections } from "./plain-connections.ts";
import { VirtualTime } from "./virtual-time.ts";

const PODS: Resource = { group: "", version: "v1", plural: "pods", kind: "Pod", isNamespaced: true };

function pod(name: string, labels: Record<string, string> = {}): KubeObject {
  return { apiVersion: "v1", kind: "Pod", metadata: { name, namespace: "n", labels } };
}

interface Opened {
  readonly fake: FakeKube;
  readonly time: VirtualTime;
  readonly store: Store<KubeObject>;
  readonly reflector: Reflector<KubeObject>;
  readonly failures: string[];
  readonly requests: readonly string[];
  readonly breakAll: () => void;
  /** Lets I/O happen, and virtual time go on where `stepMs` says so, until `isSo`. */
  eventually(isSo: () => boolean, stepMs?: number): Promise<void>;
}

async function opened(context: TestContext, options: Partial<ReflectorOptions<KubeObject>> = {}): Promise<Opened> {
  const fake = new FakeKube();
  const server = await serveFakeKube(fake, [PODS]);
  const { connections, close } = plainConnections(server.url);
  const time = new VirtualTime();
  const kube = new RestClient({ connections, time, userAgent: "t/1" });
  const store = new Store<KubeObject>();
  const failures: string[] = [];
  const failed = (what: string, error: unknown) => void failures.push(`${what}: ${(error as Error).message}`);
  const reflector = new Reflector<KubeObject>({
    kube,
    time,
    resource: PODS,
    store,
    changed: () => undefined,
    failed,
    ...options,
  });
  context.after(async () => {
    reflector.stop();
    close();
    await server.close();
  });
  const { requests, breakAll } = server;
  return {
    fake,
    time,
    store,
    reflector,
    failures,
    requests,
    breakAll,
    eventually: (isSo, stepMs) => eventually(time, isSo, stepMs),
  };
}

async function eventually(time: VirtualTime, isSo: () => boolean, stepMs = 0): Promise<void> {
  for (let turn = 0; !isSo(); turn++) {
    assert.ok(turn < 50_000, "it did not come to be");
    await time.advance(stepMs);
    // What is on its way shall arrive before the time limits of calls are over.
    for (let more = 0; stepMs > 0 && more < 30; more++) await time.settle();
  }
}

const names = (store: Store<KubeObject>) =>
  store
    .list()
    .map(({ metadata }) => metadata.name)
    .sort();

describe("what the common informer gets wrong, ours does not", () => {
  it("a connection that is reset does not stop it", async (context) => {
    const { fake, store, reflector, breakAll, eventually } = await opened(context);
    reflector.start();
    await eventually(() => fake.openWatches === 1);
    for (let round = 0; round < 5; round++) {
      breakAll();
      fake.objects.create(PODS, pod(`p-${round}`));
      await eventually(() => store.size === round + 1, 100);
      await eventually(() => fake.openWatches === 1, 100);
    }
  });

  it("a list that fails does not stop it, whatever the failure", async (context) => {
    const { fake, store, reflector, eventually } = await opened(context);
    for (const status of [401, 403, 404, 429, 500, 503]) fake.faults.once({ verb: "list" }, { kind: "refuse", status });
    fake.faults.once({ verb: "list" }, { kind: "lost", isDone: false, afterMs: 1 });
    const hang = fake.faults.always({ verb: "list" }, { kind: "slow", ms: 1_000_000 });
    fake.objects.create(PODS, pod("a"));
    reflector.start();
    await eventually(() => fake.calls.length >= 9, 1000);
    hang();
    await eventually(() => store.size === 1, 1000);
  });

  it("a watch that is refused does not stop it, whatever the refusal", async (context) => {
    const { fake, store, reflector, eventually } = await opened(context);
    for (const status of [400, 401, 403, 410, 429, 500, 504])
      fake.faults.once({ verb: "watch" }, { kind: "refuse", status });
    reflector.start();
    await eventually(() => fake.openWatches === 1, 1000);
    fake.objects.create(PODS, pod("a"));
    await eventually(() => store.size === 1);
  });

  it("a handler that throws ends neither the process nor the watch, and is not passed over in silence", async (context) => {
    let calls = 0;
    const changed = () => {
      calls++;
      throw new Error("a mistake in a handler");
    };
    const { fake, store, reflector, failures, eventually } = await opened(context, { changed });
    fake.objects.create(PODS, pod("a"));
    reflector.start();
    await eventually(() => fake.openWatches === 1);
    fake.objects.create(PODS, pod("b"));
    await eventually(() => store.size === 2);
    assert.equal(calls, 2);
    assert.equal(failures.filter((text) => text.includes("a mistake in a handler")).length, 2);
    assert.equal(fake.openWatches, 1);
  });

  it("a line that cannot be read is not passed over: it is told, and the watch begins again behind the last event", async (context) => {
    const { url, watches } = await oddServer(context);
    const { connections, close } = plainConnections(url);
    const time = new VirtualTime();
    const store = new Store<KubeObject>();
    const failures: string[] = [];
    const kube = new RestClient({ connections, time, userAgent: "t/1" });
    const failed = (_: string, error: unknown) => void failures.push((error as Error).message);
    const reflector = new Reflector<KubeObject>({
      kube,
      time,
      resource: PODS,
      store,
      changed: () => undefined,
      failed,
    });
    reflector.start();
    await eventually(time, () => store.size === 2, 100);
    assert.match(failures[0] ?? "", /a line of the watch is no JSON/);
    assert.deepEqual(watches, ["5", "6"]);
    reflector.stop();
    close();
  });

  it("a half-open watch is given up after its time, and nothing that happened meanwhile is missed", async (context) => {
    const { fake, time, store, reflector, eventually } = await opened(context);
    fake.faults.once({ verb: "watch" }, { kind: "silent", afterEvents: 0 });
    reflector.start();
    await eventually(() => fake.openWatches === 1);
    fake.objects.create(PODS, pod("a"));
    await eventually(() => store.size === 1, 1000);
    assert.ok(time.monotonic() >= 300_000 && time.monotonic() <= 640_000, String(time.monotonic()));
  });

  it("on a quiet kind nobody is blind between two watches: the next one begins without a pause", async (context) => {
    const { fake, time, store, reflector, eventually } = await opened(context);
    for (let round = 0; round < 5; round++) fake.faults.once({ verb: "watch" }, { kind: "end", afterEvents: 1 });
    reflector.start();
    for (let round = 0; round < 5; round++) {
      await eventually(() => fake.openWatches === 1);
      await time.advance(2000);
      fake.bookmark();
      await eventually(() => fake.calls.filter(({ verb }) => verb === "watch").length === round + 2);
    }
    fake.objects.create(PODS, pod("a"));
    await eventually(() => store.size === 1);
    assert.equal(time.monotonic(), 10_000);
  });

  it("a server that ends every watch at once is not stormed", async (context) => {
    const { fake, time, reflector, requests, eventually } = await opened(context);
    const end = fake.faults.always({ verb: "watch" }, { kind: "end", afterEvents: 0 });
    reflector.start();
    await eventually(() => time.monotonic() >= 300_000, 500);
    assert.ok(requests.length >= 5 && requests.length < 40, `${requests.length} requests in 5 minutes`);
    // Nor is one that says something first: there is an event to be told each time.
    end();
    fake.faults.always({ verb: "watch" }, { kind: "end", afterEvents: 1 });
    const before = requests.length;
    for (let round = 0; round < 200; round++) {
      fake.bookmark();
      await time.advance(100);
      for (let more = 0; more < 30; more++) await time.settle();
    }
    assert.ok(requests.length - before < 60, `${requests.length - before} requests in 20 seconds`);
  });

  it("an object has the same shape whether it came by list or by watch", async (context) => {
    const shapes: object[] = [];
    const changed: ReflectorOptions<KubeObject>["changed"] = ({ object }) => void shapes.push(object);
    const { fake, reflector, eventually } = await opened(context, { changed });
    const made = fake.objects.create(PODS, pod("a", { l: "1" }));
    reflector.start();
    await eventually(() => fake.openWatches === 1);
    fake.objects.delete(PODS, made.metadata, {});
    fake.objects.create(PODS, pod("a", { l: "1" }));
    await eventually(() => shapes.length === 3);
    const [listed, , watched] = shapes.map((shape) => shape as KubeObject);
    const shape = (object: KubeObject | undefined) => {
      const { metadata, ...rest } = object as KubeObject;
      return { ...rest, metadata: { ...metadata, uid: "", resourceVersion: "" } };
    };
    assert.deepEqual(shape(listed), shape(watched));
    assert.equal(typeof listed?.metadata.creationTimestamp, "string");
    assert.equal(Object.getPrototypeOf(listed), Object.prototype);
  });

  it("bookmarks are asked for and used: a compaction after them makes it list no more", async (context) => {
    const { fake, time, store, reflector, requests, breakAll, eventually } = await opened(context, {
      labelSelector: "fits=yes",
    });
    reflector.start();
    await eventually(() => fake.openWatches === 1);
    for (let round = 0; round < 3; round++) fake.objects.create(PODS, pod(`other-${round}`));
    await time.advance(1);
    fake.bookmark();
    await eventually(() => reflector.ageMs === 0);
    fake.objects.compact();
    breakAll();
    fake.objects.create(PODS, pod("mine", { fits: "yes" }));
    await eventually(() => store.size === 1, 100);
    assert.equal(requests.filter((request) => !request.includes("watch=true")).length, 1);
  });

  it("the selector holds for lists and watches alike, and lists come in pages", async (context) => {
    const { fake, store, reflector, requests, eventually } = await opened(context, { labelSelector: "fits=yes" });
    for (let index = 0; index < 600; index++) fake.objects.create(PODS, pod(`p-${index}`, { fits: "yes" }));
    fake.objects.create(PODS, pod("other"));
    reflector.start();
    await eventually(() => fake.openWatches === 1);
    fake.objects.create(PODS, pod("another"));
    fake.objects.create(PODS, pod("q", { fits: "yes" }));
    await eventually(() => names(store).includes("q"));
    assert.equal(store.size, 601);
    const lists = requests.filter((request) => !request.includes("watch=true"));
    assert.deepEqual([lists.length, lists.every((request) => request.includes("labelSelector=fits%3Dyes"))], [2, true]);
    assert.ok(lists[0]?.includes("limit=500"));
  });

  it("after a 410 it lists anew and tells of the deletions that it has missed", async (context) => {
    const told: string[] = [];
    const changed: ReflectorOptions<KubeObject>["changed"] = ({ type, object }) =>
      void told.push(`${type} ${object.metadata.name}`);
    const { fake, reflector, breakAll, eventually } = await opened(context, { changed });
    const made = fake.objects.create(PODS, pod("a"));
    reflector.start();
    await eventually(() => fake.openWatches === 1);
    breakAll();
    fake.objects.delete(PODS, made.metadata, {});
    fake.objects.compact();
    await eventually(() => told.length === 2, 100);
    assert.deepEqual(told, ["added a", "deleted a"]);
  });
});

/** Lists nothing at version 5; its first watch says one thing and then what nobody can read, its second one another thing. */
async function oddServer(context: TestContext): Promise<{ readonly url: string; readonly watches: readonly string[] }> {
  const watches: string[] = [];
  const event = (version: string) =>
    `${JSON.stringify({ type: "ADDED", object: { ...pod(`p-${version}`), metadata: { name: `p-${version}`, resourceVersion: version } } })}\n`;
  const watch = (response: ServerResponse, from: string) => {
    watches.push(from);
    if (watches.length === 1) response.write(`${event("6")}{"type":"ADDED", broken\n`);
    else response.write(event("7"));
  };
  const server = createServer((request, response) => {
    const { searchParams } = new URL(request.url ?? "", "http://x");
    response.writeHead(200, { "Content-Type": "application/json" });
    if (searchParams.get("watch")) watch(response, searchParams.get("resourceVersion") ?? "");
    else response.end(JSON.stringify({ metadata: { resourceVersion: "5" }, items: [] }));
  });
  const sockets = new Set<Socket>();
  server.on("connection", (socket) => void sockets.add(socket));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  context.after(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, watches };
}

import assert from "node:assert/strict";
import { test } from "node:test";
import { AssertionFailure } from "../base/assert.ts";
import { EtcdError } from "../base/error.ts";
import {
  drain,
  eventText,
  HistoryDouble,
  note,
  publish,
  publishMany,
  settle,
  texts,
  watchOf,
} from "./history-double.test.ts";
import { CATCH_UP_REVISIONS, CATCH_UP_WATCHERS, GATHERED_BYTES, GATHERED_REVISIONS, WatchHub } from "./hub.ts";
import { ANSWERS_MAX, EVENT_RESPONSES_MAX } from "./outbox.ts";

function world(options: { readonly maxResponseBytes?: number; readonly history?: HistoryDouble } = {}) {
  const history = options.history ?? new HistoryDouble();
  const hub = new WatchHub(history, { maxResponseBytes: options.maxResponseBytes ?? 2 * 1024 * 1024 });
  const stream = hub.openStream({ onWritable: () => {} });
  return { history, hub, stream };
}

// --- creating ---

test("the first watch of a stream gets id 0, the next ones count on, skipping ids in use", () => {
  const { stream } = world();
  stream.create(watchOf("a", { watchId: 1 }));
  stream.create(watchOf("a"));
  stream.create(watchOf("a"));
  stream.create(watchOf("a", { watchId: -7 }));
  assert.deepEqual(texts(drain(stream)), ["1 r1: created", "0 r1: created", "2 r1: created", "-7 r1: created"]);
});

test("an id in use is refused with id -1, and free again once canceled", () => {
  const { stream } = world();
  stream.create(watchOf("a", { watchId: 5 }));
  stream.create(watchOf("b", { watchId: 5 }));
  stream.cancel(5);
  stream.create(watchOf("b", { watchId: 5 }));
  assert.deepEqual(texts(drain(stream)), [
    "5 r1: created",
    '-1 r1: created, canceled, "mvcc: duplicate watch ID provided on the WatchStream"',
    "5 r1: canceled",
    "5 r1: created",
  ]);
});

test("an id too large to be echoed exactly is refused", () => {
  const { stream } = world();
  stream.create(watchOf("a", { watchId: Number.MAX_SAFE_INTEGER }));
  stream.create(watchOf("a", { watchId: -Number.MAX_SAFE_INTEGER }));
  assert.ok(drain(stream).every(({ response }) => response.watchId === -1 && response.canceled));
});

test("a range that ends at or before its key is refused", () => {
  const { stream } = world();
  stream.create(watchOf("b", { rangeEnd: "b" }));
  stream.create(watchOf("b", { rangeEnd: "a" }));
  assert.deepEqual(texts(drain(stream)), [
    '-1 r1: created, canceled, "mvcc: watcher range is empty"',
    '-1 r1: created, canceled, "mvcc: watcher range is empty"',
  ]);
});

test("a negative start revision is refused as compacted, with compact revision 0 (etcd #20707)", () => {
  const { stream } = world();
  for (const startRevision of [-1, Number.MIN_SAFE_INTEGER]) stream.create(watchOf("a", { startRevision }));
  const refusal = '-1 r1: created, canceled, "etcdserver: mvcc: required revision has been compacted"';
  assert.deepEqual(texts(drain(stream)), [refusal, refusal]);
});

test("a refusal from outside (permission) has the same form and does not touch the other watches", () => {
  const { history, hub, stream } = world();
  stream.create(watchOf("a"));
  stream.reject("rpc error: code = PermissionDenied desc = etcdserver: permission denied");
  publish(history, hub, { put: "a", value: "1" });
  assert.deepEqual(texts(drain(stream)), [
    "0 r1: created",
    '-1 r1: created, canceled, "rpc error: code = PermissionDenied desc = etcdserver: permission denied"',
    "0 r2: put a=1 @2",
  ]);
});

test("created comes before any event, with the current revision", () => {
  const { history, hub, stream } = world();
  publish(history, hub, { put: "a", value: "1" });
  stream.create(watchOf("a", { startRevision: 2 }));
  publish(history, hub, { put: "a", value: "2" });
  assert.deepEqual(texts(settle(hub, stream)), ["0 r2: created", "0 r3: put a=1 @2, put a=2 @3"]);
});

// --- what matches ---

test("a watch sees its key, its range, everything from a key on, or everything", () => {
  const { history, hub } = world();
  const seen = (key: string, rangeEnd?: string) => {
    const stream = hub.openStream({ onWritable: () => {} });
    stream.create(watchOf(key, rangeEnd === undefined ? {} : { rangeEnd }));
    drain(stream);
    return () =>
      drain(stream)
        .flatMap(({ response }) => response.events.map(eventText))
        .map((text) => text.split(/[ =]/)[1]);
  };
  const exact = seen("b");
  const range = seen("b", "d");
  const fromKey = seen("c", "\0");
  const all = seen("", "\0");
  const noKey = seen("");
  for (const key of ["a", "b", "b0", "c", "d", "\xff"]) publish(history, hub, { put: key, value: "" });
  assert.deepEqual(exact(), ["b"]);
  assert.deepEqual(range(), ["b", "b0", "c"]);
  assert.deepEqual(fromKey(), ["c", "d", "\xff"]);
  assert.deepEqual(all(), ["a", "b", "b0", "c", "d", "\xff"]);
  assert.deepEqual(noKey(), []); // the one key "\0", as in etcd
});

test("filters leave out puts or deletes; a revision with nothing left is not sent; unknown filters do nothing", () => {
  const { history, hub, stream } = world();
  stream.create(watchOf("a", { rangeEnd: "z", filters: [0] }));
  stream.create(watchOf("a", { rangeEnd: "z", filters: [1] }));
  stream.create(watchOf("a", { rangeEnd: "z", filters: [0, 1] }));
  stream.create(watchOf("a", { rangeEnd: "z", filters: [9] }));
  drain(stream);
  publish(history, hub, { put: "a", value: "1" });
  publish(history, hub, { delete: "a" }, { put: "b", value: "1" });
  assert.deepEqual(texts(drain(stream)).sort(), [
    "0 r3: delete a @3",
    "1 r2: put a=1 @2",
    "1 r3: put b=1 @3",
    "3 r2: put a=1 @2",
    "3 r3: delete a @3, put b=1 @3",
  ]);
});

test("one response per watch and revision, its events in the order of the transaction", () => {
  const { history, hub, stream } = world();
  stream.create(watchOf("a", { rangeEnd: "z" }));
  drain(stream);
  publish(history, hub, { put: "c", value: "1" }, { put: "a", value: "1" }, { put: "b", value: "1" });
  publish(history, hub, { put: "a", value: "2" });
  assert.deepEqual(texts(drain(stream)), ["0 r2: put c=1 @2, put a=1 @2, put b=1 @2", "0 r3: put a=2 @3"]);
});

test("revisions noted one after another go in one response, to each watch those that it asked for", () => {
  const { history, hub, stream } = world();
  stream.create(watchOf("a", { rangeEnd: "c" }));
  stream.create(watchOf("a", { startRevision: 4 }));
  stream.create(watchOf("a", { startRevision: 9 }));
  drain(stream);
  for (const [key, value] of [
    ["a", "1"],
    ["b", "2"],
    ["a", "3"],
    ["z", "4"],
  ] as const)
    note(history, hub, { put: key, value });
  assert.deepEqual(texts(drain(stream)), []);
  hub.deliver();
  assert.deepEqual(texts(drain(stream)).sort(), ["0 r5: put a=1 @2, put b=2 @3, put a=3 @4", "1 r5: put a=3 @4"]);
  hub.deliver();
  assert.deepEqual(texts(drain(stream)), []);
});

test("a stream without room when several revisions come reads them all from history", () => {
  const { history, hub, stream } = world();
  stream.create(watchOf("a"));
  drain(stream);
  publishMany(history, hub, "a", EVENT_RESPONSES_MAX);
  for (const value of ["x", "y"]) note(history, hub, { put: "a", value });
  hub.deliver();
  assert.equal(drain(stream).length, EVENT_RESPONSES_MAX);
  assert.deepEqual(texts(settle(hub, stream)), [
    `0 r${EVENT_RESPONSES_MAX + 3}: put a=x @${EVENT_RESPONSES_MAX + 2}, put a=y @${EVENT_RESPONSES_MAX + 3}`,
  ]);
});

test("what is noted goes out by itself before it is too much for one message", () => {
  const { history, hub, stream } = world();
  stream.create(watchOf("a"));
  drain(stream);
  for (let at = 0; at < GATHERED_REVISIONS; at++) note(history, hub, { put: "a", value: "" });
  assert.equal(drain(stream).length, 0);
  note(history, hub, { put: "a", value: "" });
  assert.deepEqual(
    drain(stream).map(({ response }) => response.events.length),
    [GATHERED_REVISIONS],
  );
  note(history, hub, { put: "a", value: "x".repeat(GATHERED_BYTES) });
  assert.deepEqual(
    drain(stream).map(({ response }) => response.events.length),
    [1],
  );
  note(history, hub, { put: "a", value: "" });
  assert.deepEqual(
    drain(stream).map(({ response }) => response.events.length),
    [1],
  );
});

test("a thousand watchers of one key see one event each, made once", () => {
  const { history, hub } = world();
  const streams = Array.from({ length: 1_000 }, () => hub.openStream({ onWritable: () => {} }));
  for (const stream of streams) {
    stream.create(watchOf("a"));
    drain(stream);
  }
  publish(history, hub, { put: "a", value: "1" });
  const deliveries = streams.map((stream) => drain(stream));
  assert.ok(deliveries.every((one) => one.length === 1));
  assert.equal(new Set(deliveries.flat()).size, 1, "the same message for all, as all have id 0");
});

test("watchers of one key with different ids share the encoded event", () => {
  const { history, hub, stream } = world();
  for (let at = 0; at < 10; at++) stream.create(watchOf("a"));
  stream.create(watchOf("a", { rangeEnd: "b" }));
  drain(stream);
  publish(history, hub, { put: "a", value: "1" });
  const events = drain(stream).flatMap(({ response }) => response.events);
  assert.equal(events.length, 11);
  assert.equal(new Set(events).size, 1);
});

// --- prev_kv ---

test("prev_kv brings the value before the event, and none for a creation", () => {
  const { history, hub, stream } = world();
  stream.create(watchOf("a", { prevKv: true }));
  stream.create(watchOf("a"));
  drain(stream);
  publish(history, hub, { put: "a", value: "1" });
  publish(history, hub, { put: "a", value: "2" });
  publish(history, hub, { delete: "a" });
  publish(history, hub, { put: "a", value: "3" });
  assert.deepEqual(texts(drain(stream).filter(({ response }) => response.watchId === 0)), [
    "0 r2: put a=1 @2",
    "0 r3: put a=2 @3 was a=1 @2",
    "0 r4: delete a @4 was a=2 @3",
    "0 r5: put a=3 @5",
  ]);
});

test("prev_kv from history: there, and absent where it was compacted", () => {
  const { history, hub, stream } = world();
  publish(history, hub, { put: "a", value: "1" });
  publish(history, hub, { put: "a", value: "2" });
  publish(history, hub, { put: "a", value: "3" });
  history.compact(3);
  stream.create(watchOf("a", { prevKv: true, startRevision: 3 }));
  assert.deepEqual(texts(settle(hub, stream)), ["0 r4: created", "0 r4: put a=2 @3, put a=3 @4 was a=2 @3"]);
});

// --- starting in the past, in the future, and compaction ---

test("a start in the past is read from history, up to 1000 revisions a response, header the current revision", () => {
  const { history, hub, stream } = world();
  publishMany(history, hub, "a", 2_500);
  stream.create(watchOf("a", { startRevision: 2 }));
  const [created, ...deliveries] = settle(hub, stream);
  assert.equal(created?.response.created, true);
  assert.ok(deliveries.every(({ response, revision }) => response.events.length <= 1_000 && revision === 2_501));
  const events = deliveries.flatMap(({ response }) => response.events.map(eventText));
  assert.deepEqual(
    events,
    Array.from({ length: 2_500 }, (_, at) => `put a=${at} @${at + 2}`),
  );
  assert.equal(CATCH_UP_REVISIONS, 1_000);
});

test("a revision is never split, however small the budget", () => {
  const { history, hub, stream } = world();
  for (let at = 0; at < 10; at++) publish(history, hub, { put: "a", value: "" }, { put: "b", value: "" });
  stream.create(watchOf("a", { rangeEnd: "c", startRevision: 2 }));
  while (hub.catchUp(1));
  const sizes = drain(stream)
    .slice(1)
    .map(({ response }) => response.events.length);
  assert.deepEqual(sizes, new Array(10).fill(2));
});

test("a start at the next revision is live; a later one waits and sees nothing older (etcd #20221)", () => {
  const { history, hub, stream } = world();
  publishMany(history, hub, "a", 3); // revision 4
  stream.create(watchOf("a", { startRevision: 5 }));
  stream.create(watchOf("a", { startRevision: 7 }));
  assert.equal(hub.behind, false);
  publishMany(history, hub, "a", 4);
  assert.deepEqual(texts(drain(stream)).slice(2), [
    "0 r5: put a=0 @5",
    "0 r6: put a=1 @6",
    "1 r7: put a=2 @7",
    "0 r7: put a=2 @7",
    "1 r8: put a=3 @8",
    "0 r8: put a=3 @8",
  ]);
});

test("the largest start revision waits for ever and hurts nobody", () => {
  const { history, hub, stream } = world();
  stream.create(watchOf("a", { startRevision: Number.MAX_SAFE_INTEGER }));
  publishMany(history, hub, "a", 3);
  hub.restored();
  assert.deepEqual(texts(settle(hub, stream)), ["0 r1: created"]);
});

test("a start below the compacted revision: created, then canceled with the compact revision and header 0", () => {
  const { history, hub, stream } = world();
  publishMany(history, hub, "a", 9);
  history.compact(5);
  stream.create(watchOf("a", { startRevision: 4 }));
  publish(history, hub, { put: "a", value: "x" });
  assert.deepEqual(texts(settle(hub, stream)), ["0 r10: created", "0 r0: canceled, compacted=5"]);
  assert.equal(stream.size, 0);
  assert.equal(hub.stats().slowWatchers, 0);
});

test("a start at the compacted revision, or after it, is fine, also when it is a deletion (etcd #18089)", () => {
  const { history, hub, stream } = world();
  publish(history, hub, { put: "a", value: "1" }); // 2
  publish(history, hub, { delete: "a" }); // 3
  publish(history, hub, { put: "a", value: "2" }); // 4
  history.compact(3);
  stream.create(watchOf("a", { startRevision: 3 }));
  stream.create(watchOf("a", { startRevision: 4 }));
  assert.deepEqual(texts(settle(hub, stream)).sort(), [
    "0 r4: created",
    "0 r4: delete a @3, put a=2 @4",
    "1 r4: created",
    "1 r4: put a=2 @4",
  ]);
});

test("a watch overtaken by compaction while behind is canceled; level ones are not", () => {
  const { history, hub, stream } = world();
  publishMany(history, hub, "a", 10);
  stream.create(watchOf("a", { startRevision: 2 }));
  stream.create(watchOf("a"));
  history.compact(11);
  publish(history, hub, { put: "a", value: "x" });
  assert.deepEqual(texts(settle(hub, stream)), [
    "0 r11: created",
    "1 r11: created",
    "1 r12: put a=x @12",
    "0 r0: canceled, compacted=11",
  ]);
});

test("a store that is ahead of what was published is not shown early", () => {
  const { history, hub, stream } = world();
  const first = history.write({ put: "a", value: "1" });
  const second = history.write({ put: "a", value: "2" });
  hub.publish(first.revision, first.changes);
  stream.create(watchOf("a", { startRevision: 2, progressNotify: true }));
  assert.deepEqual(texts(settle(hub, stream)), ["0 r2: created", "0 r2: put a=1 @2"]);
  stream.requestProgress();
  assert.deepEqual(texts(drain(stream)), ["-1 r2: progress"]);
  hub.publish(second.revision, second.changes);
  assert.deepEqual(texts(drain(stream)), ["0 r3: put a=2 @3"]);
});

test("a revision left out is our mistake, and stops us", () => {
  const { history, hub } = world();
  history.write({ put: "a", value: "1" });
  const { revision, changes } = history.write({ put: "a", value: "2" });
  assert.throws(() => hub.publish(revision, changes), AssertionFailure);
});

// --- canceling and closing ---

test("cancel is answered behind the events that wait, without a reason; an unknown id is not answered", () => {
  const { history, hub, stream } = world();
  stream.create(watchOf("a"));
  publish(history, hub, { put: "a", value: "1" });
  stream.cancel(0);
  stream.cancel(0);
  stream.cancel(-1);
  publish(history, hub, { put: "a", value: "2" });
  assert.deepEqual(texts(drain(stream)), ["0 r1: created", "0 r2: put a=1 @2", "0 r2: canceled"]);
});

test("a watch can be canceled in every state: live, behind, stalled (etcd #11850, #18784)", () => {
  const { history, hub, stream } = world();
  publishMany(history, hub, "a", 3);
  stream.create(watchOf("a"));
  stream.create(watchOf("a", { startRevision: 2 }));
  const stalled = hub.openStream({ onWritable: () => {} });
  stalled.create(watchOf("a"));
  publishMany(history, hub, "a", EVENT_RESPONSES_MAX + 1);
  assert.equal(hub.stats().slowWatchers, 3);
  stalled.cancel(0);
  stream.cancel(1);
  stream.cancel(0);
  assert.deepEqual([hub.stats().slowWatchers, hub.stats().watchers], [0, 0]);
  assert.equal(hub.catchUp(1_000), false);
});

test("a hundred thousand watches created, canceled and closed leave nothing behind (etcd #20066, #12803)", () => {
  const { history, hub, stream: idle } = world();
  idle.close();
  publishMany(history, hub, "a", 5);
  for (let round = 0; round < 10_000; round++) {
    const stream = hub.openStream({ onWritable: () => {} });
    for (let at = 0; at < 10; at++) {
      stream.create(watchOf("a", { rangeEnd: at % 2 === 0 ? "" : "b", startRevision: at % 3, progressNotify: true }));
    }
    stream.cancel(round % 10);
    if (round % 100 === 0) publish(history, hub, { put: "a", value: "" });
    if (round % 7 === 0) hub.catchUp(10);
    stream.close();
    stream.close();
    assert.equal(stream.next(), undefined);
  }
  hub.progressTick();
  const { sentEvents: _, ...left } = hub.stats();
  assert.deepEqual(left, { streams: 0, watchers: 0, slowWatchers: 0, pendingEvents: 0, pendingBytes: 0 });
  assert.equal(hub.behind, false);
});

test("a closed stream ignores what still comes", () => {
  const { history, hub, stream } = world();
  stream.create(watchOf("a"));
  stream.close();
  stream.create(watchOf("a"));
  stream.reject("no");
  stream.cancel(0);
  stream.requestProgress();
  publish(history, hub, { put: "a", value: "1" });
  assert.equal(stream.next(), undefined);
});

// --- slow readers ---

test("a stream that does not read holds 128 event responses; the rest comes from history, whole (etcd #17529)", () => {
  const { history, hub, stream } = world();
  stream.create(watchOf("a"));
  publishMany(history, hub, "a", 1_000);
  assert.equal(stream.waiting, EVENT_RESPONSES_MAX + 1);
  assert.deepEqual([hub.stats().slowWatchers, hub.behind], [1, false], "nothing is read for a stream without room");
  const events = settle(hub, stream).flatMap(({ response }) => response.events.map(eventText));
  assert.deepEqual(
    events,
    Array.from({ length: 1_000 }, (_, at) => `put a=${at} @${at + 2}`),
  );
  assert.equal(hub.stats().slowWatchers, 0);
});

test("what a stalled stream costs does not grow with what it misses", () => {
  const { history, hub, stream } = world();
  stream.create(watchOf("a"));
  publishMany(history, hub, "a", 200);
  const { pendingEvents, pendingBytes } = hub.stats();
  assert.equal(pendingEvents, EVENT_RESPONSES_MAX);
  publishMany(history, hub, "a", 5_000);
  for (let at = 0; at < 10; at++) hub.catchUp(1_000);
  assert.deepEqual([hub.stats().pendingEvents, hub.stats().pendingBytes], [pendingEvents, pendingBytes]);
  assert.equal(history.reads, 0);
});

test("a slow reader overtaken by compaction gets all it was given, then an explicit end", () => {
  const { history, hub, stream } = world();
  stream.create(watchOf("a"));
  publishMany(history, hub, "a", 200); // up to revision 201; 130 and later wait in history
  history.compact(201);
  const got = texts(settle(hub, stream));
  assert.equal(got.length, 1 + EVENT_RESPONSES_MAX + 1);
  assert.equal(got.at(-2), `0 r${EVENT_RESPONSES_MAX + 1}: put a=127 @${EVENT_RESPONSES_MAX + 1}`);
  assert.equal(got.at(-1), "0 r0: canceled, compacted=201");
});

test("one slow stream does not hold up another", () => {
  const { history, hub, stream } = world();
  const quick = hub.openStream({ onWritable: () => {} });
  stream.create(watchOf("a"));
  quick.create(watchOf("a"));
  let seen = 0;
  for (let at = 0; at < 500; at++) {
    publish(history, hub, { put: "a", value: "" });
    seen += drain(quick).filter(({ response }) => response.events.length > 0).length;
  }
  assert.equal(seen, 500);
});

test("large values make short reads of history, also after small ones: memory is not taken at once", () => {
  const { history, hub, stream } = world();
  publishMany(history, hub, "a", 200);
  const value = "x".repeat(256 * 1024);
  for (let at = 0; at < 100; at++) publish(history, hub, { put: "a", value });
  stream.create(watchOf("a", { startRevision: 2 }));
  drain(stream);
  const sizes: number[] = [];
  while (hub.behind) {
    hub.catchUp(1);
    sizes.push(...drain(stream).map(({ response }) => response.events.length));
  }
  assert.equal(
    sizes.reduce((sum, size) => sum + size, 0),
    300,
  );
  stream.create(watchOf("a", { startRevision: 2 }));
  drain(stream);
  while (hub.catchUp(1_000_000)); // each slice ends at what it has given; in the end the outbox is the bound
  const responses = drain(stream).map(({ response }) => response.events.length);
  assert.deepEqual(responses, [224, 32]); // 200 small and 24 large, 32 large; the next found no room
});

test("five hundred watchers at one place share one read of history", () => {
  const { history, hub } = world();
  publishMany(history, hub, "a", 50);
  const streams = Array.from({ length: CATCH_UP_WATCHERS }, () => hub.openStream({ onWritable: () => {} }));
  for (const stream of streams) {
    stream.create(watchOf("a", { startRevision: 2 }));
    drain(stream);
  }
  hub.catchUp(64);
  assert.deepEqual([history.revisionsRead, hub.behind], [50, false]);
  const deliveries = streams.flatMap((stream) => drain(stream));
  assert.equal(new Set(deliveries).size, 1, "and the message made of it");
});

test("a watcher far back does not hold up one that is nearly level", () => {
  const { history, hub, stream } = world();
  publishMany(history, hub, "a", 20_000);
  stream.create(watchOf("a", { startRevision: 2 }));
  stream.create(watchOf("a", { startRevision: 20_000 }));
  drain(stream);
  hub.catchUp(200);
  hub.catchUp(200);
  const ids = drain(stream).map(({ response }) => response.watchId);
  assert.deepEqual(ids.slice(0, 2), [0, 1]);
});

test("catchUp reads about its budget and says whether there is more", () => {
  const { history, hub, stream } = world();
  publishMany(history, hub, "a", 1_000);
  stream.create(watchOf("a", { startRevision: 2 }));
  assert.equal(hub.catchUp(300), true);
  assert.equal(history.revisionsRead, 300);
  assert.equal(hub.catchUp(700), false);
  assert.equal(hub.catchUp(700), false);
  assert.equal(history.revisionsRead, 1_000);
});

test("onBehind is called when catchUp has work where it had none: a late start, a drained stream, a jump", () => {
  const history = new HistoryDouble();
  let called = 0;
  const hub = new WatchHub(history, { maxResponseBytes: 1_000, onBehind: () => called++ });
  const stream = hub.openStream({ onWritable: () => {} });
  publishMany(history, hub, "a", 500);
  stream.create(watchOf("a", { startRevision: 2 }));
  stream.create(watchOf("a", { startRevision: 3 }));
  assert.equal(called, 1);
  assert.equal(hub.catchUp(10), true); // who gets true knows
  stream.create(watchOf("a", { startRevision: 4 }));
  assert.equal(called, 1);
  while (hub.catchUp(1_000));
  drain(stream);
  while (hub.catchUp(1_000));
  assert.deepEqual([called, hub.behind], [1, false]);
  publishMany(history, hub, "a", 100); // three watches: the stream is full
  assert.deepEqual([called, hub.stats().slowWatchers > 0], [1, true]);
  drain(stream);
  assert.equal(called, 2);
  settle(hub, stream);
  history.write({ put: "a", value: "jumped" });
  hub.restored();
  assert.equal(called, 3);
  assert.equal(hub.catchUp(1_000), false);
});

// --- progress ---

test("progress on demand: one notice with id -1 and the current revision, behind what waits (etcd #15220)", () => {
  const { history, hub, stream } = world();
  stream.create(watchOf("a"));
  stream.create(watchOf("b"));
  publish(history, hub, { put: "a", value: "1" });
  stream.requestProgress();
  publish(history, hub, { put: "a", value: "2" });
  assert.deepEqual(texts(drain(stream)).slice(2), ["0 r2: put a=1 @2", "-1 r2: progress", "0 r3: put a=2 @3"]);
});

test("progress on demand is withheld without a watch, and while any watch of the stream is not synced", () => {
  const { history, hub, stream } = world();
  stream.requestProgress();
  publishMany(history, hub, "a", 3);
  stream.create(watchOf("a"));
  stream.create(watchOf("b", { startRevision: 2 }));
  drain(stream);
  stream.requestProgress();
  assert.deepEqual(drain(stream), []);
  hub.catchUp(100);
  stream.requestProgress();
  assert.deepEqual(texts(drain(stream)), ["-1 r4: progress"]);
});

test("progress on demand is withheld while a slow watch misses events", () => {
  const { history, hub, stream } = world();
  stream.create(watchOf("a"));
  publishMany(history, hub, "a", EVENT_RESPONSES_MAX + 1);
  drain(stream);
  stream.requestProgress();
  assert.deepEqual(texts(drain(stream)), []);
  settle(hub, stream);
  stream.requestProgress();
  assert.deepEqual(texts(drain(stream)), ["-1 r130: progress"]);
});

test("progress never says less than a watch's start (etcd #20221)", () => {
  const { history, hub, stream } = world();
  stream.create(watchOf("a", { startRevision: 4, progressNotify: true }));
  drain(stream);
  for (let revision = 2; revision <= 4; revision++) {
    publish(history, hub, { put: "b", value: "" });
    stream.requestProgress();
    hub.progressTick();
    const got = texts(drain(stream));
    assert.deepEqual(got, revision < 4 ? [] : ["-1 r4: progress", "0 r4: progress"]);
  }
});

test("a watch that waits for a later start and is canceled withholds nothing any more", () => {
  const { stream } = world();
  stream.create(watchOf("a", { startRevision: 100 }));
  stream.create(watchOf("a"));
  stream.cancel(0);
  drain(stream);
  stream.requestProgress();
  assert.deepEqual(texts(drain(stream)), ["-1 r1: progress"]);
});

test("a flood of progress requests is bounded by the outbox", () => {
  const { stream } = world();
  stream.create(watchOf("a"));
  for (let at = 0; at < 10_000; at++) stream.requestProgress();
  assert.equal(stream.waiting, EVENT_RESPONSES_MAX + 1);
});

test("the progress tick tells an idle watch that asked, and leaves out one that had events (etcd #17566)", () => {
  const { history, hub, stream } = world();
  stream.create(watchOf("a", { progressNotify: true }));
  stream.create(watchOf("b", { progressNotify: true }));
  stream.create(watchOf("c"));
  drain(stream);
  publish(history, hub, { put: "a", value: "1" });
  hub.progressTick();
  assert.deepEqual(texts(drain(stream)), ["0 r2: put a=1 @2", "1 r2: progress"]);
  hub.progressTick();
  assert.deepEqual(texts(drain(stream)), ["0 r2: progress", "1 r2: progress"]);
  publish(history, hub, { put: "b", value: "1" });
  hub.progressTick();
  assert.deepEqual(texts(drain(stream)), ["1 r3: put b=1 @3", "0 r3: progress"]);
});

test("the progress tick leaves out a watch that is not synced", () => {
  const { history, hub, stream } = world();
  publishMany(history, hub, "a", 3);
  stream.create(watchOf("b", { progressNotify: true, startRevision: 2 }));
  drain(stream);
  hub.progressTick();
  assert.deepEqual(drain(stream), []);
  hub.catchUp(100);
  hub.progressTick();
  assert.deepEqual(texts(drain(stream)), ["0 r4: progress"]);
});

// --- large responses ---

test("a large revision is cut for a watch that asked for fragments, and sent whole to one that did not", () => {
  const { history, hub, stream } = world({ maxResponseBytes: 1_000 });
  stream.create(watchOf("a", { rangeEnd: "b", fragment: true }));
  stream.create(watchOf("a", { rangeEnd: "b" }));
  drain(stream);
  const operations = Array.from({ length: 30 }, (_, at) => ({ put: `a${at}`, value: "x".repeat(100) }));
  publish(history, hub, ...operations);
  const deliveries = drain(stream);
  const whole = deliveries.filter(({ response }) => response.watchId === 1);
  const pieces = deliveries.filter(({ response }) => response.watchId === 0);
  assert.deepEqual(
    whole.map(({ response }) => [response.events.length, response.fragment]),
    [[30, false]],
  );
  assert.ok(pieces.length > 3);
  assert.ok(pieces.every(({ response }, at) => response.fragment === at < pieces.length - 1));
  assert.ok(pieces.every(({ revision }) => revision === 2));
  assert.deepEqual(
    pieces.flatMap(({ response }) => response.events),
    whole[0]?.response.events,
  );
});

test("a small revision is not cut, nor is a single event of any size", () => {
  const { history, hub, stream } = world({ maxResponseBytes: 1_000 });
  stream.create(watchOf("a", { rangeEnd: "b", fragment: true }));
  drain(stream);
  publish(history, hub, { put: "a", value: "1" }, { put: "a1", value: "1" });
  publish(history, hub, { put: "a", value: "x".repeat(5_000) });
  assert.deepEqual(
    drain(stream).map(({ response }) => [response.events.length, response.fragment]),
    [
      [2, false],
      [1, false],
    ],
  );
});

test("fragments of one response stay together", () => {
  const { history, hub, stream } = world({ maxResponseBytes: 500 });
  stream.create(watchOf("a", { rangeEnd: "b", fragment: true }));
  publish(history, hub, ...Array.from({ length: 10 }, (_, at) => ({ put: `a${at}`, value: "x".repeat(200) })));
  stream.next(); // created
  assert.equal(stream.next()?.response.fragment, true);
  stream.cancel(0);
  const rest = drain(stream).map(({ response }) => (response.canceled ? "canceled" : response.fragment));
  assert.deepEqual(rest.slice(-2), [false, "canceled"]);
  assert.ok(rest.slice(0, -2).every((fragment) => fragment === true));
});

// --- a store that jumps ---

test("a store restored from a snapshot: synced watches read what they missed and nothing again (etcd #15271)", () => {
  const { history, hub, stream } = world();
  stream.create(watchOf("a"));
  publishMany(history, hub, "a", 2); // revision 3
  for (let at = 0; at < 3; at++) history.write({ put: "a", value: `missed ${at}` });
  hub.restored();
  assert.deepEqual(texts(settle(hub, stream)), [
    "0 r1: created",
    "0 r2: put a=0 @2",
    "0 r3: put a=1 @3",
    "0 r6: put a=missed 0 @4, put a=missed 1 @5, put a=missed 2 @6",
  ]);
  publish(history, hub, { put: "a", value: "live" });
  assert.deepEqual(texts(drain(stream)), ["0 r7: put a=live @7"]);
});

test("a watch of the future survives a snapshot, whether it reaches the start or not (etcd #9281)", () => {
  const { history, hub, stream } = world();
  stream.create(watchOf("a", { startRevision: 4 }));
  stream.create(watchOf("a", { startRevision: 9 }));
  for (let at = 0; at < 4; at++) history.write({ put: "a", value: `${at}` }); // revision 5
  hub.restored();
  assert.deepEqual(texts(settle(hub, stream)).slice(2), ["0 r5: put a=2 @4, put a=3 @5"]);
  publishMany(history, hub, "a", 4);
  const later = texts(drain(stream)).filter((text) => text.startsWith("1 "));
  assert.deepEqual(later, ["1 r9: put a=3 @9"]);
});

test("a snapshot that has compacted what a watch missed ends the watch", () => {
  const { history, hub, stream } = world();
  stream.create(watchOf("a"));
  for (let at = 0; at < 5; at++) history.write({ put: "a", value: `${at}` });
  history.compact(4);
  hub.restored();
  assert.deepEqual(texts(settle(hub, stream)), ["0 r1: created", "0 r0: canceled, compacted=4"]);
});

// --- the stream and its sender ---

test("onWritable is called once when something waits, and again only after next() answered undefined", () => {
  const { history, hub } = world();
  let called = 0;
  const stream = hub.openStream({ onWritable: () => called++ });
  stream.create(watchOf("a"));
  publishMany(history, hub, "a", 5);
  assert.equal(called, 1);
  stream.next();
  publishMany(history, hub, "a", 1);
  assert.equal(called, 1);
  drain(stream);
  publishMany(history, hub, "a", 1);
  assert.equal(called, 2);
});

test("onWritable may read, cancel, create and close: the hub's own work is done by then", () => {
  const { history, hub, stream: idle } = world();
  idle.close();
  const got: string[] = [];
  let seen = 0;
  const streams = Array.from({ length: 3 }, (_, at) => {
    const stream = hub.openStream({
      onWritable: () => {
        for (const delivery of drain(stream)) {
          got.push(`${at}: ${texts([delivery])[0]}`);
          if (delivery.response.events.length === 0) continue;
          stream.cancel(0);
          stream.create(watchOf("a"));
          if (++seen === 3) for (const one of streams) one.close();
        }
      },
    });
    return stream;
  });
  for (const stream of streams) stream.create(watchOf("a"));
  publish(history, hub, { put: "a", value: "1" });
  assert.equal(hub.stats().streams, 0);
  assert.deepEqual(got.filter((text) => text.includes("put")).length, 3);
});

test("a client that floods requests is asked to stop, and loses its stream when it does not", () => {
  const { stream } = world();
  for (let at = 0; at < 15; at++) stream.create(watchOf("a"));
  assert.equal(stream.full, false);
  stream.create(watchOf("a"));
  assert.equal(stream.full, true);
  for (let at = 16; at < ANSWERS_MAX; at++) stream.create(watchOf("a"));
  const tooMany = (error: unknown) => error instanceof EtcdError && error.code === "TooManyRequests";
  assert.throws(() => stream.create(watchOf("a")), tooMany);
  assert.throws(() => stream.reject("no"), tooMany);
  assert.equal(stream.size, ANSWERS_MAX);
  drain(stream);
  assert.equal(stream.full, false);
});

test("the end of a compacted watch waits while the client reads no answers", () => {
  const { history, hub, stream } = world();
  publishMany(history, hub, "a", 9);
  history.compact(9);
  for (let at = 0; at < 40; at++) stream.create(watchOf("a", { startRevision: 2 }));
  assert.ok(stream.waiting < 60);
  const ends = settle(hub, stream).filter(({ response }) => response.compactRevision === 9);
  assert.equal(ends.length, 40);
  assert.equal(hub.stats().slowWatchers, 0);
});

test("stats count streams, watches, slow ones, what waits and what was sent", () => {
  const { history, hub, stream } = world();
  stream.create(watchOf("a"));
  stream.create(watchOf("a", { rangeEnd: "b" }));
  publish(history, hub, { put: "a", value: "1" });
  const { pendingBytes, ...counts } = hub.stats();
  assert.ok(pendingBytes > 0);
  assert.deepEqual(counts, { streams: 1, watchers: 2, slowWatchers: 0, pendingEvents: 2, sentEvents: 0 });
  drain(stream);
  assert.deepEqual([hub.stats().pendingEvents, hub.stats().sentEvents], [0, 2]);
});

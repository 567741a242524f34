/** Crowds: what happens when a hundred thousand watchers wait for the same thing. Counts, not times. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { utf8Bytes } from "../base/bytes.ts";
import { WatchCreateRequest } from "../proto/etcdserverpb.ts";
import { HistoryDouble, publish } from "./history-double.test.ts";
import { LIVE_AT_ONCE, WatchHub } from "./hub.ts";
import { LIVE_JOBS_MAX } from "./live-queue.ts";
import type { WatchStream } from "./stream.ts";

interface World {
  readonly history: HistoryDouble;
  readonly hub: WatchHub;
  put(): void;
  open(watches: number, startRevision?: number): WatchStream;
}

function opened(): World {
  const history = new HistoryDouble();
  const hub = new WatchHub(history, { maxResponseBytes: 2 * 1024 * 1024 });
  return {
    history,
    hub,
    put: () => {
      publish(history, hub, { put: "k", value: "v" });
    },
    open: (watches, startRevision = 0) => {
      const stream = hub.openStream({ onWritable: () => undefined });
      for (let watch = 0; watch < watches; watch++) {
        stream.create(WatchCreateRequest.create({ key: utf8Bytes("k"), startRevision }));
        stream.next(); // "created"
      }
      return stream;
    },
  };
}

/** Events read until nothing waits. */
function read(stream: WatchStream): number {
  let events = 0;
  for (let delivery = stream.next(); delivery !== undefined; delivery = stream.next()) {
    events += delivery.response.events.length;
  }
  return events;
}

test("a change that thousands wait for is published without meeting more than a bounded number of them", () => {
  const { hub, put, open } = opened();
  const streams = Array.from({ length: 200 }, () => open(50));
  put();
  assert.equal(hub.stats().pendingEvents, 0, "more than are served at once: all of them wait for their slice");
  assert.ok(hub.delivering);
  let slices = 0;
  let before = 0;
  for (let more = true; more; slices++) {
    more = hub.catchUp(250);
    const { pendingEvents } = hub.stats();
    assert.ok(pendingEvents - before <= 250, `${pendingEvents - before} in one slice`);
    before = pendingEvents;
  }
  assert.ok(slices >= 40);
  for (const stream of streams) assert.equal(read(stream), 50);
  const few = opened();
  const stream = few.open(LIVE_AT_ONCE / 64);
  few.put();
  assert.equal(read(stream), LIVE_AT_ONCE / 64, "few have theirs at once");
});

test("while changes come faster than slices no memory grows, and nobody misses one", () => {
  const { hub, put, open } = opened();
  const streams = Array.from({ length: 40 }, () => open(50));
  const puts = 10 * LIVE_JOBS_MAX;
  const got = streams.map(() => 0);
  for (let at = 0; at < puts; at++) {
    put();
    hub.catchUp(100);
    for (const [index, stream] of streams.entries()) got[index] = (got[index] ?? 0) + read(stream);
  }
  while (hub.catchUp(1000))
    for (const [index, stream] of streams.entries()) got[index] = (got[index] ?? 0) + read(stream);
  for (const [index, stream] of streams.entries()) got[index] = (got[index] ?? 0) + read(stream);
  assert.deepEqual(
    got,
    streams.map(() => 50 * puts),
  );
});

test("of many watchers that stalled only as many are resumed as there is room for", () => {
  const { hub, put, open } = opened();
  const stream = open(5_000);
  put();
  while (hub.catchUp(1000));
  const { slowWatchers } = hub.stats();
  assert.ok(slowWatchers >= 4_800, `${slowWatchers} stalled`);
  let events = 0;
  let rounds = 0;
  for (let more = true; more; rounds++) {
    const stalled = stream.stalled.size;
    const delivery = stream.next();
    assert.ok(stalled - stream.stalled.size <= 64, `${stalled - stream.stalled.size} resumed by one message`);
    if (delivery !== undefined) events += delivery.response.events.length;
    more = hub.behind || delivery !== undefined;
    // A slice meets those who were resumed, not everybody who waits.
    if (hub.behind) hub.catchUp(64);
    assert.ok(rounds < 20_000);
  }
  assert.equal(events, 5_000);
  assert.equal(hub.stats().slowWatchers, 0);
});

test("a stream with thousands behind gets no more turns than one with a single watch", () => {
  const { hub, put, open } = opened();
  for (let revision = 0; revision < 3_000; revision++) put();
  // Each at a revision of its own, so that no slice serves many of them.
  const crowd = hub.openStream({ onWritable: () => undefined });
  for (let watch = 0; watch < 2_000; watch++) {
    crowd.create(WatchCreateRequest.create({ key: utf8Bytes("k"), startRevision: 1 + watch }));
    crowd.next();
  }
  const single = open(1, 2);
  let slices = 0;
  for (let events = 0; events < 3_000; slices++) {
    hub.catchUp(100);
    events += read(single);
    assert.ok(slices < 200, `${events} events after ${slices} slices`);
  }
  assert.ok(slices <= 70, `${slices} slices`);
});

test("a slice of history gives no more than some megabytes, however many watchers share it", () => {
  const { history, hub } = opened();
  const value = "v".repeat(100_000);
  for (let at = 0; at < 20; at++) publish(history, hub, { put: "k", value });
  const streams = Array.from({ length: 100 }, () => {
    const stream = hub.openStream({ onWritable: () => undefined });
    stream.create(WatchCreateRequest.create({ key: utf8Bytes("k"), startRevision: 2 }));
    stream.next(); // "created"
    return stream;
  });
  let events = 0;
  for (let more = true; more; ) {
    more = hub.catchUp(1000);
    assert.ok(hub.stats().pendingBytes <= 6 * 1024 * 1024, `${hub.stats().pendingBytes} bytes in one slice`);
    for (const stream of streams) events += read(stream);
    more ||= hub.behind;
  }
  assert.equal(events, 100 * 20);
});

test("a closed stream lets its watchers go in slices, and is heard of no more at once", () => {
  const { hub, put, open } = opened();
  const crowd = open(5_000);
  const other = open(1);
  crowd.close();
  assert.equal(hub.stats().watchers, 1);
  put();
  while (hub.catchUp(100));
  assert.equal(crowd.next(), undefined);
  assert.equal(read(other), 1);
  assert.equal(hub.behind, false);
});

test("watchers that leave between two slices neither take a change from others nor give it to them twice", () => {
  const { hub, put, open } = opened();
  const leaving = open(500);
  const staying = Array.from({ length: 30 }, () => open(50));
  put();
  hub.catchUp(700); // of 2,000, from the last to come on
  for (let watchId = 0; watchId < 500; watchId++) leaving.cancel(watchId);
  while (hub.catchUp(100));
  for (const stream of staying) assert.equal(read(stream), 50);
});

test("who comes while a crowd is so late that no more is remembered for it sees what comes next", () => {
  const { hub, put, open } = opened();
  const crowd = Array.from({ length: 30 }, () => open(50));
  for (let at = 0; at < LIVE_JOBS_MAX + 5; at++) put();
  const late = open(1);
  put();
  put();
  const got = crowd.map(() => 0);
  for (let more = true; more; ) {
    more = hub.catchUp(200);
    for (const [index, stream] of crowd.entries()) got[index] = (got[index] ?? 0) + read(stream);
    more ||= hub.behind;
  }
  assert.equal(read(late), 2);
  assert.deepEqual(
    got,
    crowd.map(() => 50 * (LIVE_JOBS_MAX + 7)),
  );
});

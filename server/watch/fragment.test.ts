import assert from "node:assert/strict";
import { test } from "node:test";
import { ResponseHeader, WatchResponse } from "../proto/etcdserverpb.ts";
import { cut, responseBytes } from "./fragment.ts";

const event = (bytes: number) => new Uint8Array(bytes);

test("a response below the limit stays whole", () => {
  assert.equal(cut([event(100), event(100)], 1_000).length, 1);
});

test("pieces stay below the limit, keep the order and lose nothing", () => {
  const events = Array.from({ length: 50 }, (_, at) => event(10 + ((at * 37) % 90)));
  const pieces = cut(events, 400);
  assert.deepEqual(pieces.flat(), events);
  assert.ok(pieces.length > 5);
  assert.ok(pieces.every((piece) => piece.length > 0 && responseBytes(piece) < 400));
});

test("an event above the limit travels alone and uncut", () => {
  const pieces = cut([event(10), event(5_000), event(10)], 400);
  assert.deepEqual(
    pieces.map((piece) => piece.map((one) => one.length)),
    [[10], [5_000], [10]],
  );
});

test("responseBytes counts the tag and the length of each event", () => {
  const frame = responseBytes([]);
  assert.equal(responseBytes([event(0)]), frame + 2);
  assert.equal(responseBytes([event(127)]), frame + 2 + 127);
  assert.equal(responseBytes([event(128)]), frame + 3 + 128);
  assert.equal(responseBytes([event(20_000)]), frame + 4 + 20_000);
});

test("responseBytes is never below what is sent, and less than 80 bytes above it", () => {
  const largest = WatchResponse.create({
    header: ResponseHeader.create({
      clusterId: 2n ** 64n - 1n,
      memberId: 2n ** 64n - 1n,
      revision: Number.MAX_SAFE_INTEGER,
      raftTerm: Number.MAX_SAFE_INTEGER,
    }),
    watchId: -1,
    fragment: true,
  });
  for (const events of [[], [event(1)], [event(127), event(128), event(20_000)], new Array(300).fill(event(50))]) {
    assert.ok(WatchResponse.encode({ ...largest, events }).length <= responseBytes(events));
    assert.ok(WatchResponse.encode(WatchResponse.create({ events })).length > responseBytes(events) - 81);
  }
});

/** Where a profile says that the time went. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type CpuProfile, selfTimes } from "./reader.ts";

const ALL = { fromUs: 0, toUs: Number.POSITIVE_INFINITY };

const node = (id: number, functionName: string, url = "", lineNumber = -1) => ({
  id,
  callFrame: { functionName, url, lineNumber },
});

const PROFILE: CpuProfile = {
  nodes: [
    node(1, "(root)"),
    node(2, "(idle)"),
    node(3, "put", "file:///somewhere/dist/server/mvcc/store.js", 9),
    node(4, "put", "file:///somewhere/dist/server/mvcc/store.js", 9),
    node(5, "", "file:///somewhere/dist/server/wal/wal.js", 0),
  ],
  startTime: 1000,
  samples: [3, 2, 4, 5, 3],
  timeDeltas: [999, 300, 5000, 100, 200],
};

test("each sample stands for the time until the next; a function is one line wherever it was called from", () => {
  assert.deepEqual(selfTimes(PROFILE, 10, ALL), [
    { where: "put server/mvcc/store.js:10", us: 400, part: 400 / 600 },
    { where: "(anonymous) server/wal/wal.js:1", us: 200, part: 200 / 600 },
  ]);
});

test("idle time is nobody's, and no more lines come than were asked for", () => {
  assert.ok(selfTimes(PROFILE, 10, ALL).every(({ where }) => where !== "(idle)"));
  assert.deepEqual(
    selfTimes(PROFILE, 1, ALL).map(({ where }) => where),
    ["put server/mvcc/store.js:10"],
  );
  assert.deepEqual(selfTimes({ startTime: 0, nodes: [], samples: [], timeDeltas: [] }, 5, ALL), []);
});

test("what lies outside of the load is left out", () => {
  const late = selfTimes(PROFILE, 10, { fromUs: 1000 + 999 + 300, toUs: 1000 + 999 + 300 + 5000 });
  assert.deepEqual(late, [{ where: "put server/mvcc/store.js:10", us: 100, part: 1 }]);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { type CpuProfile, selfTimes } from "./reader.ts";

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
  samples: [3, 2, 4, 5, 3],
  timeDeltas: [999, 300, 5000, 100, 200],
};

test("each sample stands for the time until the next; a function is one line wherever it was called from", () => {
  assert.deepEqual(selfTimes(PROFILE, 10), [
    { where: "put server/mvcc/store.js:10", us: 400, part: 400 / 600 },
    { where: "(anonymous) server/wal/wal.js:1", us: 200, part: 200 / 600 },
  ]);
});

test("idle time is nobody's, and no more lines come than were asked for", () => {
  assert.ok(selfTimes(PROFILE, 10).every(({ where }) => where !== "(idle)"));
  assert.deepEqual(
    selfTimes(PROFILE, 1).map(({ where }) => where),
    ["put server/mvcc/store.js:10"],
  );
  assert.deepEqual(selfTimes({ nodes: [], samples: [], timeDeltas: [] }, 5), []);
});

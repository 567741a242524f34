import assert from "node:assert/strict";
import { test } from "node:test";
import { openLog } from "./log.ts";

function lines(level: "info" | "error", format: "json" | "console") {
  const written: string[] = [];
  return { log: openLog({ level, format, write: (line) => void written.push(line), now: () => "T" }), written };
}

test("a line is JSON with its fields, below the level nothing", () => {
  const { log, written } = lines("info", "json");
  log("debug", "no");
  log("warn", "a\nb", { cluster: "x/y", count: 2, long: "z".repeat(5000), none: undefined });
  assert.equal(written.length, 1);
  const line = JSON.parse(written[0] as string);
  assert.deepEqual([line.ts, line.level, line.msg, line.cluster, line.count], ["T", "warn", "a\nb", "x/y", 2]);
  assert.equal(line.long.length, 4003);
  assert.equal(written[0]?.split("\n").length, 2);
});

test("for people a line is text", () => {
  const { log, written } = lines("error", "console");
  log("info", "no");
  log("error", "it broke", { why: "because" });
  assert.deepEqual(written, ['T error it broke why="because"\n']);
});

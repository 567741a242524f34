import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { closeSync, constants, mkdtempSync, openSync, readFileSync, readSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { WorldError } from "../base/error.ts";
import { formatLine, type LogEntry, timestamp } from "./log-line.ts";
import { type LogOptions, SystemLogger } from "./logger.ts";

const ENTRY: LogEntry = {
  level: "info",
  time: "2026-11-24T15:42:26.978072Z",
  caller: "member/loop.ts",
  message: "applied",
  fields: undefined,
};

function withFolder<T>(use: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), "kvorum-log-"));
  const clean = () => rmSync(folder, { recursive: true });
  const result = use(folder);
  if (result instanceof Promise) return result.finally(clean) as T;
  clean();
  return result;
}

function parsed(path: string): Record<string, unknown>[] {
  const text = readFileSync(path, "utf8");
  assert.ok(text === "" || text.endsWith("\n"));
  return text
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

test("a line is JSON with level, ts, caller, msg and then the fields", () => {
  const fields = {
    "member-id": "bdae9bbc11dd390d",
    index: 7,
    took: "1.2ms",
    ok: true,
    urls: ["a", "b"],
    none: undefined,
  };
  assert.equal(
    formatLine({ ...ENTRY, fields }, "json"),
    '{"level":"info","ts":"2026-11-24T15:42:26.978072Z","caller":"member/loop.ts","msg":"applied",' +
      '"member-id":"bdae9bbc11dd390d","index":7,"took":"1.2ms","ok":true,"urls":["a","b"]}\n',
  );
  assert.equal(
    formatLine(ENTRY, "json"),
    '{"level":"info","ts":"2026-11-24T15:42:26.978072Z","caller":"member/loop.ts","msg":"applied"}\n',
  );
});

test("the console form is tabs and spaced JSON, one line whatever the message", () => {
  assert.equal(
    formatLine({ ...ENTRY, message: "two\nlines", fields: { args: ["a", "b"], n: 1 } }, "console"),
    '2026-11-24T15:42:26.978072Z\tinfo\tmember/loop.ts\ttwo lines\t{"args": ["a", "b"], "n": 1}\n',
  );
  assert.equal(formatLine(ENTRY, "console"), "2026-11-24T15:42:26.978072Z\tinfo\tmember/loop.ts\tapplied\n");
});

test("whatever stands in a field, the line is valid", () => {
  const cycle: Record<string, unknown> = {};
  cycle["self"] = cycle;
  const cases: [unknown, unknown][] = [
    ['a\n"b"\u0000\ud800', 'a\n"b"\u0000\ud800'],
    [Number.NaN, "NaN"],
    [Number.POSITIVE_INFINITY, "Infinity"],
    [new Error("broken", { cause: new Error("x") }), "broken"],
    [new TypeError(), "TypeError"],
    [Uint8Array.of(107, 0, 255), "k\\x00\\xff"],
    [new Map([["a", 1]]), { a: 1 }],
    [new Set([1, 2]), [1, 2]],
    [null, null],
    [Symbol("s"), "Symbol(s)"],
    [
      [undefined, 1],
      ["undefined", 1],
    ],
    [cycle, { self: { self: { self: { self: { self: { self: "..." } } } } } }],
    [
      {
        get bad() {
          throw new Error("no");
        },
      },
      "(not loggable: Error: no)",
    ],
  ];
  for (const [value, expected] of cases) {
    for (const format of ["json", "console"] as const) {
      const line = formatLine({ ...ENTRY, fields: { value } }, format);
      assert.equal(line.indexOf("\n"), line.length - 1);
      const text = format === "json" ? line : line.slice(line.indexOf("{"));
      assert.deepEqual((JSON.parse(text) as { value: unknown }).value, expected);
    }
  }
});

test("64-bit ids come out whole", () => {
  assert.match(formatLine({ ...ENTRY, fields: { id: 13668033151171901709n } }, "json"), /"id":13668033151171901709}/);
});

test("a field cannot take the name of level, ts, caller or msg", () => {
  const line = formatLine({ ...ENTRY, fields: { msg: 1, level: 2 } }, "json");
  assert.match(line, /"msg":"applied","msg_":1,"level_":2}/);
});

test("an error brings its stack where something was lost, and not where it heals", () => {
  const fields = { error: new Error("disk") };
  const lost = JSON.parse(formatLine({ ...ENTRY, level: "error", fields }, "json")) as Record<string, string>;
  assert.equal(lost["error"], "disk");
  assert.match(lost["stacktrace"] as string, /^Error: disk\n {4}at /);
  assert.equal(formatLine({ ...ENTRY, level: "warn", fields }, "json").includes("stacktrace"), false);
});

test("lines are bounded in text, elements and length", () => {
  const line = formatLine({ ...ENTRY, fields: { text: "x".repeat(20_000), list: new Array(300).fill(1) } }, "json");
  const { text, list } = JSON.parse(line) as { text: string; list: unknown[] };
  assert.equal(text.length, 16_384 + "... 3616 more".length);
  assert.equal(list.length, 257);
  assert.equal(list.at(-1), "... 44 more");
  const many = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`f${index}`, "y".repeat(10_000)]));
  const dropped = JSON.parse(formatLine({ ...ENTRY, fields: many }, "json")) as Record<string, string>;
  assert.match(dropped["fields-dropped"] as string, /the line had 100\d+ characters/);
});

test("timestamp() is UTC with microseconds", () => {
  assert.equal(timestamp(1795532546978.072), "2026-11-24T15:02:26.978072Z");
  assert.equal(timestamp(0), "1970-01-01T00:00:00.000000Z");
  assert.equal(timestamp(1.9999999), "1970-01-01T00:00:00.001999Z");
});

function open(path: string, more: Partial<LogOptions> = {}): SystemLogger {
  return SystemLogger.open({ level: "info", format: "json", outputs: [path], ...more }, "system/logger.test.ts");
}

test("lines from the level on are added to the file, which only its owner may read", () =>
  withFolder((folder) => {
    const path = join(folder, "log");
    for (const run of [1, 2]) {
      const logger = open(path, { outputs: [path, path] });
      assert.equal(logger.enabled("debug"), false);
      logger.debug("not this");
      logger.info("started", { run });
      logger.child("mvcc/store.ts").fatal("ended");
      logger.close();
      logger.info("into nothing");
    }
    const lines = parsed(path);
    assert.deepEqual(
      lines.map(({ level, caller, msg, run }) => [level, caller, msg, run]),
      [
        ["info", "system/logger.test.ts", "started", 1],
        ["fatal", "mvcc/store.ts", "ended", undefined],
        ["info", "system/logger.test.ts", "started", 2],
        ["fatal", "mvcc/store.ts", "ended", undefined],
      ],
    );
    assert.match(lines[0]?.["ts"] as string, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
    assert.ok(Math.abs(Date.parse(lines[0]?.["ts"] as string) - Date.now()) < 60_000);
    assert.equal(statSync(path).mode & 0o777, 0o600);
  }));

test("an output that cannot be opened is refused", () => {
  assert.throws(
    () => open("/nonexistent/log"),
    (error) => error instanceof WorldError && /\/nonexistent\/log/.test(error.message),
  );
});

test("a message that comes over and over is thinned out, each second anew, others and fatal are not", () =>
  withFolder((folder) => {
    const path = join(folder, "log");
    let wall = 1000;
    const logger = open(path, { wallMs: () => wall });
    for (let n = 1; n <= 1000; n++) logger.info("again", { n });
    for (let n = 1; n <= 150; n++) logger.fatal("fatal");
    logger.info("other");
    wall += 1000;
    logger.info("again", { n: -1 });
    logger.close();
    const again = parsed(path)
      .filter(({ msg }) => msg === "again")
      .map(({ n }) => n as number);
    assert.deepEqual(
      again.slice(0, 100),
      Array.from({ length: 100 }, (_, index) => index + 1),
    );
    assert.deepEqual(again.slice(100), [200, 300, 400, 500, 600, 700, 800, 900, 1000, -1]);
    assert.equal(parsed(path).filter(({ msg }) => msg === "fatal").length, 150);
    assert.equal(parsed(path).filter(({ msg }) => msg === "other").length, 1);
  }));

/** Reads all that a pipe holds now. */
function drain(descriptor: number): string {
  const chunk = Buffer.alloc(1 << 16);
  let text = "";
  for (;;) {
    try {
      const length = readSync(descriptor, chunk);
      if (length === 0) return text;
      text += chunk.toString("utf8", 0, length);
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, "EAGAIN");
      return text;
    }
  }
}

test("a reader that does not read holds nobody: lines are kept, then dropped, and the number is told", (t) =>
  withFolder(async (folder) => {
    if (process.platform !== "linux") return t.skip("needs mkfifo and Linux pipes");
    const path = join(folder, "pipe");
    execFileSync("mkfifo", [path]);
    const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    let wall = 0;
    const logger = open(path, { wallMs: () => wall });
    const before = performance.now();
    const count = 2000;
    for (let n = 0; n < count; n++) {
      wall += 1000; // no thinning out
      logger.info("filling", { n, text: "x".repeat(1000) });
    }
    assert.ok(performance.now() - before < 5000, "writing never waited for the reader");
    let text = "";
    for (let turn = 0; turn < 200 && !text.includes("log lines were dropped"); turn++) {
      text += drain(reader);
      await sleep(10);
    }
    logger.close();
    closeSync(reader);
    const lines = text
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    const last = lines.pop();
    assert.equal(last?.["msg"], "log lines were dropped");
    assert.equal(lines.length + (last?.["count"] as number), count);
    assert.deepEqual(
      lines.map(({ n }) => n),
      Array.from(lines, (_, index) => index),
    );
  }));

test("flush() hands on what was kept, for a while", (t) =>
  withFolder((folder) => {
    if (process.platform !== "linux") return t.skip("needs mkfifo and Linux pipes");
    const path = join(folder, "pipe");
    execFileSync("mkfifo", [path]);
    const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const logger = open(path);
    for (let n = 0; n < 90; n++) logger.info("filling", { n, text: "x".repeat(1000) });
    const before = performance.now();
    logger.flush(50);
    assert.ok(performance.now() - before >= 49, "a full pipe was waited for");
    let text = drain(reader);
    logger.flush(50);
    text += drain(reader);
    logger.close();
    closeSync(reader);
    assert.equal(text.trimEnd().split("\n").length, 90);
  }));

test("a reader that is gone hurts nobody", (t) =>
  withFolder((folder) => {
    if (process.platform !== "linux") return t.skip("needs mkfifo and Linux pipes");
    const path = join(folder, "pipe");
    execFileSync("mkfifo", [path]);
    const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const logger = open(path);
    logger.info("read");
    closeSync(reader);
    for (let n = 0; n < 10; n++) assert.doesNotThrow(() => logger.info("unread"));
    logger.flush(10);
    logger.close();
  }));

/** A flipped bit in the store or in the log is refused or does no harm: no wrong value is served. Takes FLIPS and SEED. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { closeSync, cpSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { utf8Bytes, utf8Text } from "../../server/base/bytes.ts";
import { Prng } from "../../server/base/prng.ts";
import { connect } from "../../server/client/client.ts";
import { KeyValue } from "../../server/proto/mvccpb.ts";
import { SERVICES } from "../../server/proto/services.ts";
import { History } from "../robustness/history.ts";
import { CHECKSUM_IGNORED, PlantedServer } from "../robustness/planted.ts";
import { type Promises, Workload } from "../robustness/workload.ts";
import { ServerProcess } from "../support/server-process.ts";

const SEED = Number(process.env["SEED"] ?? Math.floor(Math.random() * 2 ** 20));
const FLIPS = Number(process.env["FLIPS"] ?? 250);
const BUILT = fileURLToPath(new URL("../..", import.meta.url));
/** How long one copy may take. */
const SILENCE_MS = 20_000;
/** Servers started on damaged copies, for the store and for the log. */
const SERVERS = 10;
const FIRST = "the first value";

test(`${FLIPS} stores with a flipped bit: each is refused, or every answer is right (seed ${SEED})`, async (t) => {
  const verdicts = await readDamaged(t, BUILT, FLIPS);
  t.diagnostic(JSON.stringify(Object.fromEntries(verdicts)));
  let died = 0;
  for (const [verdict, count] of verdicts) {
    assert.doesNotMatch(verdict, /WRONG/);
    if (verdict.startsWith("died")) died += count;
  }
  const refused = (verdicts.get("record refused") ?? 0) + (verdicts.get("file refused") ?? 0);
  assert.ok(refused > FLIPS / 4, "most flips meet something");
  // LMDB follows what a page says without asking: some flips lead it out of the file, which ends the process.
  assert.ok(died < FLIPS / 10, "few end the process without a word");
});

test("the same test catches checksums that nobody looks at", async (t) => {
  const planted = new PlantedServer(CHECKSUM_IGNORED);
  t.after(() => planted.remove());
  const verdicts = await readDamaged(t, planted.folder, 30);
  t.diagnostic(JSON.stringify(Object.fromEntries(verdicts)).slice(0, 300));
  assert.ok([...verdicts.keys()].some((verdict) => verdict.startsWith("WRONG")));
});

test("a server whose store has a flipped bit refuses it, or every answer is right", async (t) => {
  await startDamaged(t, { end: "SIGTERM", file: (data) => join(data, "member", "kvorum", "kvorum.mdb") });
});

test("a server whose log has a flipped bit refuses it, or every answer is right", async (t) => {
  const end = "SIGKILL"; // so that the store is behind the log
  await startDamaged(t, {
    end,
    file: (data) => join(data, "member", "wal", `${"0".repeat(16)}-${"0".repeat(16)}.wal`),
  });
});

test("a bit that flips under a running server is not served: the server says so and stops", async (t) => {
  const server = await ServerProcess.prepare({ flags: ["--backend-batch-interval=10ms"] });
  t.after(() => server.remove());
  await server.launch();
  const client = connect(server.url);
  t.after(() => client.close());
  const { put, range } = SERVICES.kv.methods;
  const key = utf8Bytes("a");
  const { header } = await client.unary(put, { key, value: utf8Bytes(FIRST) });
  await client.unary(put, { key, value: utf8Bytes("the second value") });
  await sleep(500);
  const file = join(server.dataDir, "member", "kvorum", "kvorum.mdb");
  const image = readFileSync(file);
  const handle = openSync(file, "r+");
  // What LMDB has mapped are these very pages; one of them is in use, the others are of commits before.
  for (let at = image.indexOf(FIRST); at >= 0; at = image.indexOf(FIRST, at + 1)) writeSync(handle, "T", at);
  closeSync(handle);
  const now = await client.unary(range, { key });
  assert.equal(utf8Text(KeyValue.decode(now.kvs[0] as Uint8Array).value), "the second value");
  const { response } = await client.call(range, { key, revision: header?.revision ?? 0 });
  assert.equal(response, undefined);
  const ended = await Promise.race([server.exited, sleep(5000, undefined, { ref: false })]);
  assert.deepEqual(ended, { code: 1, signal: null }, server.log.slice(-2000));
  assert.match(server.log, /the record .+ in bucket .+ is damaged on disk/);
});

/** Starts servers on damaged copies of one data directory, and judges what those that serve answer. */
async function startDamaged(
  t: TestContext,
  { end, file }: { end: NodeJS.Signals; file: (dataDir: string) => string },
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "kvorum-flip-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const original = await ServerProcess.prepare({ dataDir: join(folder, "original") });
  const workload = new Workload({ url: original.url, writers: 8, seed: SEED, compactShare: 0 });
  await original.launch();
  workload.start(new History().start());
  while (workload.acknowledged.length < 800) await sleep(10);
  await original.stop(end);
  await workload.stop();
  const random = new Prng(SEED);
  const image = readFileSync(file(original.dataDir));
  const usedBytes = image.findLastIndex((byte) => byte !== 0) + 1;
  const ends = new Map<string, number>();
  for (let copy = 0; copy < SERVERS; copy++) {
    const { clientPort } = original;
    const server = await ServerProcess.prepare({ dataDir: join(folder, "copy"), clientPort });
    cpSync(original.dataDir, server.dataDir, { recursive: true, filter: (path) => !path.endsWith(".lock") });
    const at = random.below(usedBytes);
    const damaged = Uint8Array.from(image);
    damaged[at] = (damaged[at] as number) ^ (1 << random.below(8));
    writeFileSync(file(server.dataDir), damaged);
    const how = await startAndJudge(server, workload.promises());
    ends.set(how, (ends.get(how) ?? 0) + 1);
    await server.remove();
    rmSync(server.dataDir, { recursive: true });
  }
  t.diagnostic(JSON.stringify(Object.fromEntries(ends)));
}

/** "right" when it serves, else how it ended; throws when an answer is wrong, or when it ends without a clear word. */
async function startAndJudge(server: ServerProcess, promises: Promises): Promise<string> {
  const judged = server.launch().then(() => new History().judge(server.url, promises));
  const wrong = await judged.then(
    () => undefined,
    (error: Error) => error,
  );
  if (wrong === undefined) return "right";
  const ended = await Promise.race([server.exited, sleep(5000, undefined, { ref: false })]);
  if (ended === undefined) throw wrong;
  if (ended.signal !== null) return `died by ${ended.signal}`;
  const fatal = server.log.split("\n").find((line) => line.includes('"level":"fatal"')) ?? "";
  assert.equal(ended.code, 1);
  assert.match(fatal, /damaged|missing|write-ahead log/, server.log.slice(-2000));
  assert.match(fatal, /kvorum|\.wal/, "it names the file");
  assert.match(fatal, /from a copy|backup/, "and says what to do");
  return "refused";
}

/** How many copies ended how. `built` holds the folders server and test. */
async function readDamaged(t: TestContext, built: string, flips: number): Promise<Map<string, number>> {
  const folder = mkdtempSync(join(tmpdir(), "kvorum-flip-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const program = join(built, "test", "robustness", "damaged-store.js");
  const builder = await run(program, "build", folder, `${SEED}`);
  assert.equal(builder.code, 0, builder.errors);
  const read = async (from: number, to: number) => {
    const { lines, errors, signal } = await run(program, "read", folder, `${SEED}`, `${from}`, `${to}`);
    const found = lines.map((line) => line.replace(/^\d+ /, "").replace(/ at \d+$/, ""));
    if (found.length < to - from) {
      assert.notEqual(signal, null, errors);
      found.push(`died by ${signal}`);
    }
    return found;
  };
  const verdicts = new Map<string, number>();
  for (let next = 0; next < flips; ) {
    for (const verdict of await read(next, flips)) {
      // A copy may damage the process that reads it, and so the verdict on those after it: a server has only one.
      const final = verdict.startsWith("WRONG") ? ((await read(next, next + 1))[0] as string) : verdict;
      verdicts.set(final, (verdicts.get(final) ?? 0) + 1);
      next++;
    }
  }
  return verdicts;
}

interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly lines: string[];
  readonly errors: string;
}

/** Runs a program of ours to its end; one that says nothing for long is killed. */
function run(program: string, ...words: string[]): Promise<Ended> {
  const child = spawn(process.execPath, [program, ...words], { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  let errors = "";
  const silence = setTimeout(() => child.kill("SIGKILL"), SILENCE_MS);
  child.stdout.on("data", (chunk) => {
    output += String(chunk);
    silence.refresh();
  });
  child.stderr.on("data", (chunk) => {
    errors = (errors + String(chunk)).slice(-4000);
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => {
      clearTimeout(silence);
      resolve({ code, signal, errors, lines: output.split("\n").slice(0, -1) });
    });
  });
}

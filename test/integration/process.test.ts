/** The server as a process: what it refuses to start on, with which code and words, and how signals end or hold it. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { utf8Bytes } from "../../server/base/bytes.ts";
import { connect } from "../../server/client/client.ts";
import { SERVICES } from "../../server/proto/services.ts";
import { History } from "../robustness/history.ts";
import { Workload } from "../robustness/workload.ts";
import { KVORUM_COMMAND, type ServerOptions, ServerProcess } from "../support/server-process.ts";

const NOBODY = 65_534;

test("a second process on a data directory is refused and told who has it; the first goes on", async (t) => {
  const first = await prepare(t);
  await first.launch();
  const second = await prepare(t, { dataDir: first.dataDir });
  const error = await refused(second);
  assert.match(error, /use the data directory ".+": process \d+ is using it: stop that one first, or give this one a/);
  assert.ok(error.includes(`process ${first.pid} `));
  await put(first);
  assert.deepEqual(await first.stop("SIGINT"), { code: null, signal: "SIGINT" });
  await second.launch();
});

test("a data directory that looks like etcd's and is damaged is refused and left as it is", async (t) => {
  const server = await prepare(t);
  mkdirSync(join(server.dataDir, "member", "snap"), { recursive: true });
  writeFileSync(join(server.dataDir, "member", "snap", "db"), "etcd's");
  assert.match(await refused(server), /read .+member\/snap\/db.+: it is not a bbolt file/);
  assert.deepEqual(readdirSync(server.dataDir), ["member"]);
  assert.deepEqual(readdirSync(join(server.dataDir, "member")), ["snap"]);
});

test("a store that is somebody else's is refused and named", async (t) => {
  const server = await prepare(t);
  const store = join(server.dataDir, "member", "kvorum");
  mkdirSync(store, { recursive: true });
  writeFileSync(join(store, "letters.txt"), "");
  const error = await refused(server);
  assert.ok(error.includes(`open the store in "${store}": it holds "letters.txt"`), error);
});

test("a store whose log is gone is refused, and so is a log whose store is gone", async (t) => {
  const server = await prepare(t, { flags: ["--snapshot-count=1", "--backend-batch-interval=20ms"] });
  await server.launch();
  await put(server);
  // Only a log that begins after a snapshot needs the store; one that reaches back to its beginning makes it anew.
  while (!server.log.includes("saved snapshot")) await sleep(20);
  await server.stop();
  const member = join(server.dataDir, "member");
  const moved = (name: string, to: string) => spawnSync("mv", [join(member, name), join(member, to)]);
  moved("wal", "kept");
  assert.match(await refused(server), /there is no log in ".+wal": give --wal-dir the folder that was used before/);
  moved("kept", "wal");
  moved("kvorum", "kept");
  assert.match(await refused(server), /begins after entry \d+, but .+ the store beside it is missing or older/);
  rmSync(join(member, "kvorum"), { recursive: true, force: true });
  moved("kept", "kvorum");
  await server.launch();
});

test("--expect-data refuses an empty folder with code 78, makes nothing there, and lets a member start", async (t) => {
  const server = await prepare(t, { flags: ["--expect-data"] });
  const { code } = await server.spawn();
  assert.equal(code, 78, server.log);
  const last = JSON.parse(server.log.trim().split("\n").at(-1) as string) as Record<string, string>;
  assert.ok(last["error"]?.includes(`there is no member in the data directory "${server.dataDir}"`), last["error"]);
  assert.match(last["what-to-do"] ?? "", /right volume is mounted.+etcdctl member add.+without --expect-data/);
  assert.deepEqual(readdirSync(server.dataDir), []);
  const first = await prepare(t, { dataDir: server.dataDir });
  await first.launch();
  await put(first);
  await first.stop();
  await server.launch();
  await server.stop();
});

test("a file in the place of the data directory is named, and what to do", async (t) => {
  const server = await prepare(t);
  const file = join(server.dataDir, "file");
  writeFileSync(file, "");
  const inFile = await prepare(t, { dataDir: join(file, "data") });
  const { error, advice } = await refusal(inFile);
  assert.ok(error.includes(join(file, "data")), error);
  assert.match(error, /ENOTDIR: not a directory/);
  assert.match(advice ?? "", /A file stands where a folder is needed/);
});

test("a data directory that this user may not read is named, and what to do", async (t) => {
  const parent = await prepare(t);
  const dataDir = join(parent.dataDir, "data");
  mkdirSync(dataDir);
  chmodSync(dataDir, 0);
  chmodSync(parent.dataDir, 0o755);
  const command = asOrdinaryUser();
  if (command === undefined)
    return t.diagnostic("not tried: as root everything may be read, and others may not read us");
  const { error, advice } = await refusal(await prepare(t, { dataDir, command }));
  assert.ok(error.includes(dataDir), error);
  assert.match(error, /EACCES: permission denied/);
  assert.match(advice ?? "", /Give the server's user the right to read and write there/);
});

test("a disk that takes nothing is named at the start, and what to do", async (t) => {
  // A limit on the size of files fails writes as a full disk does; test/faults fills a real one.
  const command = ["sh", "-c", 'ulimit -f 0; exec "$0" "$@"', ...KVORUM_COMMAND];
  const server = await prepare(t, { command });
  const { error, advice } = await refusal(server);
  assert.ok(error.includes(server.dataDir), error);
  assert.match(error, /EFBIG: file too large|File too large/);
  assert.match(advice ?? "", /limit on the size of files/);
});

test("an address that is taken is named, before anything is written", async (t) => {
  const server = await prepare(t);
  const other = createServer().listen(server.clientPort, "127.0.0.1");
  t.after(() => other.close());
  const error = await refused(server);
  assert.match(error, new RegExp(`listen on 127.0.0.1:${server.clientPort} .+: another process listens there`));
  assert.ok(!existsSync(join(server.dataDir, "member")));
});

test("a flag that nobody knows ends with code 2 and its nearest name, one that makes no sense with code 1", async (t) => {
  const unknown = await prepare(t, { flags: ["--snapshot-cuont=5"] });
  assert.deepEqual(await unknown.spawn(), { code: 2, signal: null });
  assert.match(unknown.log, /snapshot-cuont.*snapshot-count/s);
  const senseless = await prepare(t, { flags: ["--heartbeat-interval=1000", "--election-timeout=1000"] });
  assert.deepEqual(await senseless.spawn(), { code: 1, signal: null });
  assert.match(senseless.log, /election/);
});

test("SIGTERM under load ends it by that signal, in order and soon, and loses nothing", async (t) => {
  const server = await prepare(t);
  const history = new History();
  const workload = new Workload({ url: server.url, writers: 8, seed: 3 });
  await server.launch();
  workload.start(history.start());
  await acknowledgements(workload, 200);
  const started = performance.now();
  assert.deepEqual(await server.stop(), { code: null, signal: "SIGTERM" });
  const tookMs = performance.now() - started;
  await workload.stop();
  assert.ok(tookMs < 5000, `${tookMs} ms`);
  assert.match(server.log, /"msg":"closed etcd server"/);
  assert.doesNotMatch(server.log, /"level":"(error|fatal)"/);
  const acknowledged = workload.acknowledged.length;
  await server.launch();
  assert.match(server.log, /"entries":\d+/);
  await history.judge(server.url, workload);
  assert.equal(history.judged, acknowledged);
});

test("SIGSTOP for longer than an election, then SIGCONT: it goes on where it was", async (t) => {
  const server = await prepare(t);
  const history = new History();
  const workload = new Workload({ url: server.url, writers: 8, seed: 4 });
  await server.launch();
  workload.start(history.start());
  await acknowledgements(workload, 100);
  process.kill(server.pid, "SIGSTOP");
  const during = await silence(workload);
  await sleep(1500);
  assert.equal(workload.answers, during, "it is held");
  process.kill(server.pid, "SIGCONT");
  await acknowledgements(workload, 100);
  await workload.stop();
  assert.equal(workload.unanswered, 0);
  await history.judge(server.url, workload);
  assert.equal(history.judged, workload.acknowledged.length);
});

/** A server that is gone at the end of the test. */
async function prepare(t: TestContext, options: ServerOptions = {}): Promise<ServerProcess> {
  const server = await ServerProcess.prepare(options);
  t.after(() => server.remove());
  return server;
}

/** Starts what must not start: code 1 and one fatal line; answers what it said. */
async function refusal(server: ServerProcess): Promise<{ error: string; advice: string | undefined }> {
  const ended = await Promise.race([server.spawn(), sleep(20_000, "it has not ended", { ref: false })]);
  assert.deepEqual(ended, { code: 1, signal: null }, server.log);
  const lines = server.log.split("\n").filter((line) => line.includes('"level":"fatal"'));
  assert.equal(lines.length, 1, server.log);
  const said = JSON.parse(lines[0] as string) as { msg: string; error: string; "what-to-do"?: string };
  assert.equal(said.msg, "the server could not be started");
  return { error: said.error, advice: said["what-to-do"] };
}

async function refused(server: ServerProcess): Promise<string> {
  return (await refusal(server)).error;
}

async function put(server: ServerProcess): Promise<void> {
  const client = connect(server.url);
  try {
    await client.unary(SERVICES.kv.methods.put, { key: utf8Bytes("a"), value: utf8Bytes("b") });
  } finally {
    client.close();
  }
}

/** Resolves when so many more changes have been acknowledged. */
async function acknowledgements(workload: Workload, count: number): Promise<void> {
  const wanted = workload.acknowledged.length + count;
  while (workload.acknowledged.length < wanted) await sleep(10);
}

/** How many answers there are once no more come. */
async function silence(workload: Workload): Promise<number> {
  for (let answers = -1; ; ) {
    if (answers === workload.answers) return answers;
    answers = workload.answers;
    await sleep(200);
  }
}

/** The server's command as a user whom rights mean something to; nothing when that cannot be had. */
function asOrdinaryUser(): readonly string[] | undefined {
  if (process.getuid?.() !== 0) return KVORUM_COMMAND;
  const [program, main] = KVORUM_COMMAND as [string, string];
  const change = `process.setgroups([]); process.setgid(${NOBODY}); process.setuid(${NOBODY});`;
  const able = spawnSync(program, ["-e", `${change} require("node:fs").readFileSync(${JSON.stringify(main)})`]);
  if (able.status !== 0) return undefined;
  // With a heap that is given the program does not start itself anew, which this user may not be able to.
  return [
    program,
    "--max-old-space-size=500",
    "-e",
    `${change} process.argv.splice(1, 0, ${JSON.stringify(main)}); import(process.argv[1])`,
    "--",
  ];
}

/**
 * Whole data directories both ways: etcd's taken over in place or imported, ours exported for etcd, with the same keys,
 * leases, revision and HashKV after every step. And what becomes of one that is killed half way: the source is as it was,
 * the target is not there or whole.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { utf8Bytes } from "../../server/base/bytes.ts";
import { Prng } from "../../server/base/prng.ts";
import { SERVICES } from "../../server/proto/services.ts";
import { ClusterProcess } from "../support/cluster-process.ts";
import { KVORUM_COMMAND, ServerProcess } from "../support/server-process.ts";
import { requireTool } from "../support/tools.ts";
import { type Contents, contents, digestOf, fill, kvorum, serve, tryKvorum } from "./snapshot-support.ts";

const SEED = Number(process.env["SEED"] ?? Math.floor(Math.random() * 2 ** 32));
const kv = SERVICES.kv.methods;

function folderFor(t: { after(action: () => void): void }): string {
  const folder = mkdtempSync(join(tmpdir(), "kvorum-directory-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

for (const name of ["etcd", "etcd-3.6"]) {
  test(`a directory of ${name} is imported, taken over, exported to etcd 3.7 and taken back, and exported to 3.6 (seed ${SEED})`, async (t) => {
    const etcd = requireTool(t, name);
    const etcd37 = requireTool(t, "etcd");
    const etcd36 = requireTool(t, "etcd-3.6");
    if (etcd === undefined || etcd37 === undefined || etcd36 === undefined) return;
    const folder = folderFor(t);
    const theirs = join(folder, "theirs");
    const before = await serve(etcd, theirs, async (client) => {
      await fill(client, new Prng(SEED), 500);
      return contents(client);
    });
    const digest = digestOf(theirs);

    const imported = join(folder, "imported");
    await kvorum("import", theirs, "--data-dir", imported);
    assert.equal(digestOf(theirs), digest);
    assert.deepEqual(await serve(undefined, imported, contents), before);

    assert.deepEqual(await serve(undefined, theirs, contents), before); // in place
    const grown = await serve(undefined, theirs, async (client) => {
      await client.unary(kv.put, { key: utf8Bytes("by"), value: utf8Bytes("us") });
      return contents(client);
    });
    assert.ok(!existsSync(join(theirs, "member", "snap", "db")), "etcd's file is gone once ours has gone on");

    const exported = join(folder, "exported");
    const ours = digestOf(join(theirs, "member", "wal"));
    await kvorum("export", theirs, "--data-dir", exported);
    assert.equal(digestOf(join(theirs, "member", "wal")), ours);
    const onward = await serve(etcd37, exported, async (client) => {
      assert.deepEqual(await contents(client), grown);
      await client.unary(kv.put, { key: utf8Bytes("by"), value: utf8Bytes("them") });
      return contents(client);
    });
    assert.deepEqual(await serve(undefined, exported, contents), onward);

    const lower = join(folder, "lower");
    await kvorum("export", exported, "--data-dir", lower, "--for", "3.6");
    const below = await serve(etcd36, lower, async (client) => {
      assert.deepEqual(await contents(client), onward);
      await client.unary(kv.put, { key: utf8Bytes("by"), value: utf8Bytes("3.6") });
      return contents(client);
    });
    assert.deepEqual(await serve(etcd36, lower, contents), below);
    assert.deepEqual(await serve(undefined, lower, contents), below);
  });
}

test("three members whose logs were cut are exported to etcd 3.6 and go on as its cluster", async (t) => {
  const etcd36 = requireTool(t, "etcd-3.6");
  if (etcd36 === undefined) return;
  const folder = folderFor(t);
  const program = join(folder, "program");
  const becomes = (...command: readonly string[]) =>
    writeFileSync(program, `#!/bin/sh\nexec ${command.map((word) => `'${word}'`).join(" ")} "$@"\n`, { mode: 0o755 });
  becomes(...KVORUM_COMMAND);
  const specs = ["m0", "m1", "m2"].map((name) => ({ name, command: [program] }));
  const cluster = await ClusterProcess.start(specs, ["--snapshot-count=30", "--snapshot-catchup-entries=5"]);
  try {
    for (let n = 0; n < 100; n++) await cluster.any().put(`key ${n}`, "x".repeat(1000));
    const before = await cluster.level();
    const added = await cluster.join({ name: "m3", command: [program] });
    await cluster.level();
    await cluster.leave(added);
    for (const [at, { server }] of cluster.members.entries()) {
      await server.stop();
      const exported = join(folder, `exported-${at}`);
      await kvorum("export", server.dataDir, "--data-dir", exported, "--for", "3.6");
      rmSync(server.dataDir, { recursive: true });
      cpSync(exported, server.dataDir, { recursive: true });
    }
    becomes(etcd36);
    await Promise.all(cluster.members.map(({ server }) => server.launch()));
    assert.deepEqual(await cluster.level(), before);
    for (const member of cluster.members) await member.put(member.name, "through 3.6");
    assert.equal((await cluster.level()).revision, before.revision + 3);
  } catch (error) {
    t.diagnostic(cluster.logs);
    throw error;
  } finally {
    await cluster.remove();
  }
});

test("a directory that an etcd is running on is left alone", async (t) => {
  const etcd = requireTool(t, "etcd");
  if (etcd === undefined) return;
  const folder = folderFor(t);
  const theirs = join(folder, "theirs");
  await serve(etcd, theirs, async (_client, server) => {
    const { code, errors } = await tryKvorum("import", theirs, "--data-dir", join(folder, "ours"));
    assert.equal(code, 1);
    assert.match(errors, new RegExp(`process ${server.pid} is using it: stop that one first`));
    const second = await ServerProcess.prepare({ dataDir: theirs });
    assert.notEqual((await second.spawn()).code, 0);
    assert.match(second.log, /is using it: stop that one first/);
    assert.ok(!existsSync(join(theirs, "member", "kvorum")));
  });
});

test(`import, restore, export and taking over, killed at any time, leave the source whole and the target absent (seed ${SEED})`, async (t) => {
  const etcd = requireTool(t, "etcd");
  if (etcd === undefined) return;
  const folder = folderFor(t);
  const random = new Prng(SEED);
  const theirs = join(folder, "theirs");
  const file = join(folder, "saved.db");
  const before = await serve(etcd, theirs, async (client, server) => {
    await fill(client, random, 400);
    for (let put = 0; put < 40; put++) {
      await client.unary(kv.put, { key: utf8Bytes(`large-${put}`), value: random.bytes(1_000_000) });
    }
    await kvorum("snapshot", "save", file, "--endpoints", server.url);
    return contents(client);
  });
  const ours = join(folder, "ours");
  await kvorum("import", theirs, "--data-dir", ours);
  const target = join(folder, "target");
  const commands: readonly (readonly string[])[] = [
    ["import", theirs, "--data-dir", target],
    ["snapshot", "restore", file, "--data-dir", target],
    ["export", ours, "--data-dir", target],
  ];
  const sources = () => [digestOf(theirs), digestOf(join(ours, "member", "wal"))];
  const digests = sources();
  const isWhole = async ([name]: readonly string[]) => {
    const reader = name === "export" ? etcd : undefined;
    const found = await serve(reader, target, contents);
    if (name !== "snapshot") assert.deepEqual(found, before);
  };
  let killed = 0;
  for (const command of commands) {
    const started = performance.now();
    await kvorum(...command);
    const tookMs = performance.now() - started;
    rmSync(target, { recursive: true });
    for (let round = 0; round < 5; round++) {
      const ended = await killedAfter(random.below(Math.ceil(tookMs)), command);
      if (!ended) killed++;
      const isThere = existsSync(target);
      assert.ok(isThere || !ended, "what has come to its end has left all of it");
      // Killed when it had the target in its place already, and was about to end.
      if (isThere && !ended) await isWhole(command);
      rmSync(target, { recursive: true, force: true });
    }
    assert.deepEqual(sources(), digests);
    await kvorum(...command); // what the killed ones left is in nobody's way
    await isWhole(command);
    assert.ok(!existsSync(`${target}.partial`));
    rmSync(target, { recursive: true });
  }
  killed += await takenOverUnderKills(theirs, join(folder, "place"), before, random);
  assert.ok(killed > 5, `${killed} were killed before their end`);
  t.diagnostic(`${killed} were killed before their end`);
});

/** Whether the command had come to its end when it was killed. */
function killedAfter(delayMs: number, command: readonly string[]): Promise<boolean> {
  const [node, main] = KVORUM_COMMAND as [string, string];
  const child = spawn(node, [main, ...command], { stdio: "ignore" });
  const timer = setTimeout(() => child.kill("SIGKILL"), delayMs);
  return new Promise((resolve) => {
    child.once("close", (code) => {
      clearTimeout(timer);
      resolve(code === 0);
    });
  });
}

async function takenOverUnderKills(theirs: string, place: string, before: Contents, random: Prng): Promise<number> {
  cpSync(theirs, place, { recursive: true });
  let killed = 0;
  for (let round = 0; round < 5; round++) {
    const server = await ServerProcess.prepare({ dataDir: place });
    const ended = server.spawn();
    await new Promise((resolve) => setTimeout(resolve, 100 + random.below(1500)));
    await server.stop("SIGKILL");
    await ended;
    if (!server.log.includes("ready to serve")) killed++;
  }
  assert.deepEqual(await serve(undefined, place, contents), before);
  return killed;
}

/**
 * Snapshots both ways between us and real etcd: what we send its tools accept and it starts on, what it sends we restore,
 * and both then have the same keys, leases, revision and HashKV. SEED in the environment chooses other data.
 */
import assert from "node:assert/strict";
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { utf8Bytes } from "../../server/base/bytes.ts";
import { Prng } from "../../server/base/prng.ts";
import { SERVICES } from "../../server/proto/services.ts";
import { runProgram } from "../support/program.ts";
import { findTool, requireTool } from "../support/tools.ts";
import { contents, fill, kvorum, run, serve, tryKvorum } from "./snapshot-support.ts";

const SEED = Number(process.env["SEED"] ?? Math.floor(Math.random() * 2 ** 32));
const PUTS = 600;
const kv = SERVICES.kv.methods;

function folderFor(t: { after(action: () => void): void }): string {
  const folder = mkdtempSync(join(tmpdir(), "kvorum-snapshot-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

test(`etcdctl saves our snapshot, etcdutl reads and restores it, and etcd 3.7 starts on it (seed ${SEED})`, async (t) => {
  const [etcd, etcdctl, etcdutl] = ["etcd", "etcdctl", "etcdutl"].map((name) => requireTool(t, name));
  if (etcd === undefined || etcdctl === undefined || etcdutl === undefined) return;
  const folder = folderFor(t);
  const file = join(folder, "ours.db");
  const before = await serve(undefined, join(folder, "ours"), async (client, server) => {
    await fill(client, new Prng(SEED), PUTS);
    await run(etcdctl, "--endpoints", server.endpoint, "snapshot", "save", file);
    return contents(client);
  });
  const theirs = await run(etcdutl, "snapshot", "status", file, "-w", "json");
  assert.equal(await kvorum("snapshot", "status", file, "-w", "json"), theirs);
  assert.equal(JSON.parse(theirs).revision, before.revision);
  assert.equal(JSON.parse(theirs).version, "3.7.0");
  copyFileSync(file, `${file}.copy`); // etcdutl hashkv opens it for writing, and its digest is gone then
  assert.equal((await run(etcdutl, "hashkv", `${file}.copy`)).split(",")[0], String(before.hash));
  const restored = join(folder, "restored");
  await run(etcdutl, "snapshot", "restore", file, "--data-dir", restored, ...memberFlags());
  const after = await serve(etcd, restored, async (client) => {
    const found = await contents(client);
    await client.unary(kv.put, { key: utf8Bytes("goes"), value: utf8Bytes("on") });
    await client.unary(SERVICES.maintenance.methods.defragment, {});
    return found;
  });
  assert.deepEqual(after, before);
  t.diagnostic(`revision ${before.revision}, ${before.keys.length} keys, HashKV ${before.hash}`);
});

test(`a snapshot taken under writes is of one revision, and has its HashKV (seed ${SEED})`, async (t) => {
  const [etcdctl, etcdutl] = ["etcdctl", "etcdutl"].map((name) => requireTool(t, name));
  if (etcdctl === undefined || etcdutl === undefined) return;
  const folder = folderFor(t);
  const random = new Prng(SEED);
  await serve(undefined, join(folder, "ours"), async (client, server) => {
    await fill(client, random, 300);
    let stop = false;
    const writers = Array.from({ length: 4 }, async (_, writer) => {
      for (let put = 0; !stop; put++) {
        await client.unary(kv.put, { key: utf8Bytes(`w${writer}-${put % 50}`), value: random.bytes(2000) });
      }
    });
    for (let round = 0; round < 5; round++) {
      const file = join(folder, `${round}.db`);
      await run(etcdctl, "--endpoints", server.endpoint, "snapshot", "save", file);
      const { revision } = JSON.parse(await run(etcdutl, "snapshot", "status", file, "-w", "json"));
      const live = await client.unary(SERVICES.maintenance.methods.hashKv, { revision });
      assert.equal((await run(etcdutl, "hashkv", file)).split(",")[0], String(live.hash));
      if (round === 2) await client.unary(SERVICES.maintenance.methods.defragment, {});
    }
    stop = true;
    await Promise.all(writers);
  });
});

for (const [name, version] of [
  ["etcd", "3.7.0"],
  ["etcd-3.6", "3.6.0"],
] as const) {
  test(`a snapshot of ${name} becomes our data directory, also with its revision raised (seed ${SEED})`, async (t) => {
    const suffix = name.slice("etcd".length);
    const etcdctl = requireTool(t, `etcdctl${suffix}`);
    const etcdutl = requireTool(t, `etcdutl${suffix}`);
    const etcd = requireTool(t, name);
    if (etcd === undefined || etcdctl === undefined || etcdutl === undefined) return;
    const folder = folderFor(t);
    const file = join(folder, "theirs.db");
    const before = await serve(etcd, join(folder, "theirs"), async (client, server) => {
      await fill(client, new Prng(SEED), PUTS);
      await storageVersion(client, version);
      await run(etcdctl, "--endpoints", server.endpoint, "snapshot", "save", file);
      await kvorum("snapshot", "save", join(folder, "by-us.db"), "--endpoints", server.url);
      return contents(client);
    });
    const status = await run(etcdutl, "snapshot", "status", file, "-w", "json");
    assert.equal(await kvorum("snapshot", "status", file, "-w", "json"), status);
    for (const format of name === "etcd" ? ["simple", "table", "fields"] : ["simple"]) {
      const theirs = await runProgram(etcdutl, ["snapshot", "status", file, "-w", format]);
      if (theirs.code === 0) assert.equal(await kvorum("snapshot", "status", file, "-w", format), theirs.output);
    }
    assert.equal(
      JSON.parse(await kvorum("snapshot", "status", join(folder, "by-us.db"), "-w", "json")).revision,
      before.revision,
    );
    const plain = join(folder, "plain");
    await kvorum("snapshot", "restore", file, "--data-dir", plain, ...memberFlags());
    assert.deepEqual(await serve(undefined, plain, contents), before);
    assert.deepEqual(await serve(undefined, plain, contents), before);

    const bump = ["--bump-revision", "1000000", "--mark-compacted"];
    const [ours, theirs] = [join(folder, "raised"), join(folder, "raised-by-etcdutl")];
    await kvorum("snapshot", "restore", file, "--data-dir", ours, ...memberFlags(), ...bump);
    await run(etcdutl, "snapshot", "restore", file, "--data-dir", theirs, ...memberFlags(), ...bump);
    const raised = await serve(undefined, ours, raisedContents);
    assert.deepEqual(raised, await serve(etcd, theirs, raisedContents));
    assert.deepEqual(raised.keys, before.keys);
    assert.equal(raised.revision, before.revision + 1_000_000);
    assert.match(raised.oldRead, /required revision has been compacted/);
  });
}

test("etcdutl 3.6 refuses our snapshot of the 3.7 format in the words in which it refuses etcd 3.7's own", async (t) => {
  const [etcd, etcdutl] = ["etcd", "etcdutl-3.6"].map((name) => requireTool(t, name));
  if (etcd === undefined || etcdutl === undefined) return;
  const folder = folderFor(t);
  const refusals: string[] = [];
  for (const program of [etcd, undefined]) {
    const file = join(folder, `${program === undefined ? "ours" : "theirs"}.db`);
    await serve(program, file.replace(".db", ""), async (client, server) => {
      await client.unary(kv.put, { key: utf8Bytes("a"), value: utf8Bytes("b") });
      await storageVersion(client, "3.7.0");
      await kvorum("snapshot", "save", file, "--endpoints", server.url);
    });
    const restored = file.replace(".db", ".restored");
    await runProgram(etcdutl, ["snapshot", "restore", file, "--data-dir", restored, ...memberFlags()]);
    const etcd36 = findTool("etcd-3.6");
    if (etcd36 === undefined) return;
    const refusal = await serve(etcd36, restored, async () => "it starts").catch((error: unknown) => String(error));
    refusals.push(/version \\?"3.7.0\\?" is not supported/.exec(refusal)?.[0] ?? refusal);
  }
  assert.equal(refusals[0], refusals[1]);
  t.diagnostic(refusals[0] as string);
});

test("a damaged snapshot is refused in a sentence, and nothing is left of the attempt", async (t) => {
  const folder = folderFor(t);
  const file = join(folder, "whole.db");
  await serve(undefined, join(folder, "ours"), async (client, server) => {
    await fill(client, new Prng(SEED), 200);
    await kvorum("snapshot", "save", file, "--endpoints", server.url);
  });
  const whole = readFileSync(file);
  const damaged = join(folder, "damaged.db");
  const target = join(folder, "target");
  const refusal = async (bytes: Uint8Array, ...flags: string[]) => {
    writeFileSync(damaged, bytes);
    const { code, errors } = await tryKvorum("snapshot", "restore", damaged, "--data-dir", target, ...flags);
    assert.equal(code, 1, errors);
    assert.ok(!existsSync(target) && !existsSync(`${target}.partial`), "nothing is left");
    assert.match(errors, /^Error: read ".+damaged\.db": .+\n$/);
    return errors;
  };
  const flipped = Uint8Array.from(whole);
  flipped[9000] = (flipped[9000] as number) ^ 1;
  assert.match(await refusal(flipped), /its SHA-256 is [0-9a-f]{64}, and the one at its end says/);
  assert.match(await refusal(whole.subarray(0, -32)), /no SHA-256 at its end.+--skip-hash-check/);
  assert.match(await refusal(whole.subarray(0, -4096 - 32), "--skip-hash-check"), /truncated: it has \d+ bytes/);
  assert.match(await refusal(whole.subarray(0, 100)), /truncated: it has 100 bytes/);
  assert.match(await refusal(new Uint8Array(0)), /not a bbolt file/);
  assert.match(await refusal(utf8Bytes("no snapshot\n".repeat(2000))), /not a bbolt file|no SHA-256/);
  const cycle = Uint8Array.from(whole);
  cycle.set(new Uint8Array(16).fill(0xff), 4096 * 5);
  assert.match(await refusal(cycle, "--skip-hash-check"), /page 5/);
  const random = new Prng(SEED);
  let believed = 0;
  for (let round = 0; round < 8; round++) {
    const bytes = Uint8Array.from(whole);
    bytes[random.below(bytes.length)] = random.below(256);
    writeFileSync(damaged, bytes);
    const { code, errors } = await tryKvorum("snapshot", "restore", damaged, "--data-dir", target, "--skip-hash-check");
    assert.ok(code === 0 || code === 1, errors);
    if (code === 0) believed++;
    else assert.match(errors, /^Error: /);
    rmSync(target, { recursive: true, force: true });
  }
  t.diagnostic(`${believed} of 8 flips lay in values or free space`);
});

test("the command line is held to its rules", async (t) => {
  const folder = folderFor(t);
  for (const [args, text, exit] of [
    [["snapshot"], /there is save, status, restore/, 2],
    [["snapshot", "restore"], /exactly one file/, 2],
    [["snapshot", "restore", "f", "--bump-revision", "5"], /--mark-compacted go together/, 2],
    [["snapshot", "restore", "f", "--mark-compacted"], /--mark-compacted go together/, 2],
    [["snapshot", "restore", "f", "--bump-revision", "-5"], /bump-revision/, 2],
    [["snapshot", "restore", "f", "--nonsense"], /nonsense/, 2],
    [["snapshot", "restore", join(folder, "none")], /no such file/, 1],
    [["snapshot", "restore", "f", "--name", "x"], /does not name "x"/, 1],
    [["snapshot", "status", join(folder, "none")], /no such file/, 1],
    [["import", folder, "--data-dir", join(folder, "x")], /not a data directory of etcd's/, 1],
    [["import", folder], /--data-dir/, 2],
    [["export", folder, "--data-dir", join(folder, "x")], /no data directory of Kvorum's/, 1],
    [["export", folder, "--data-dir", join(folder, "x"), "--for", "3.5"], /it may be 3.6 or 3.7/, 2],
    [["snapshot", "restore", "f", "--data-dir", tmpdir()], /is not empty|no such file/, 1],
  ] as const) {
    const { code, errors } = await tryKvorum(...args);
    assert.match(errors, text);
    assert.equal(code, exit, errors);
  }
  assert.match(await kvorum("snapshot", "--help"), /Usage:/);
});

function memberFlags(): string[] {
  return [
    "--name",
    "one",
    "--initial-cluster",
    "one=http://127.0.0.1:1",
    "--initial-advertise-peer-urls",
    "http://127.0.0.1:1",
  ];
}

async function raisedContents(client: Parameters<typeof contents>[0]) {
  const { hash, revision, keys, leases } = await contents(client);
  const old = await client.call(kv.range, { key: utf8Bytes("last"), revision: revision - 1_000_000 });
  await client.unary(kv.put, { key: utf8Bytes("after"), value: utf8Bytes("it") });
  return { hash, revision, keys, leases, oldRead: old.status.text, afterwards: await contents(client) };
}

/** The first leader writes it some time after its start. */
async function storageVersion(client: Parameters<typeof contents>[0], version: string): Promise<void> {
  for (let tries = 0; tries < 150; tries++) {
    if ((await client.unary(SERVICES.maintenance.methods.status, {})).storageVersion === version) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.fail(`the storage version does not become ${version}`);
}

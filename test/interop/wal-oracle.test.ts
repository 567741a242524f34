/**
 * The log against real etcd, both ways. What etcd wrote we read, also after kill -9; what we write from it, in files cut
 * elsewhere, etcd starts on with nothing else in its data directory, and has the same keys, revision and HashKV; and
 * what it then appends to our files we read again. SEED in the environment chooses another run.
 */
import assert from "node:assert/strict";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Prng } from "../../server/base/prng.ts";
import type { Entry } from "../../server/proto/raftpb.ts";
import { SystemDisk } from "../../server/system/disk.ts";
import { type OpenedWal, Wal } from "../../server/wal/wal.ts";
import { ServerProcess } from "../support/server-process.ts";
import { requireTool } from "../support/tools.ts";

const SEED = Number(process.env["SEED"] ?? Math.floor(Math.random() * 2 ** 32));
const PUTS = 300;
const KILLS = 10;

/** What a member says of its data. */
interface Contents {
  readonly revision: string;
  readonly hash: number;
  readonly kvs: readonly { readonly key: string; readonly value?: string }[];
}

for (const program of ["etcd", "etcd-3.6"]) {
  test(`${program} starts on a log written by us, and we read what it appends (seed ${SEED})`, async (t) => {
    const path = requireTool(t, program);
    if (path === undefined) return;
    const folder = mkdtempSync(join(tmpdir(), "kvorum-wal-"));
    try {
      const theirs = join(folder, "theirs");
      const ours = join(folder, "ours");
      const before = await serve(path, theirs, async (server) => {
        await fill(server, new Prng(SEED));
        return contents(server);
      });
      const written = rewrite(readLog(theirs), ours, new Prng(SEED));
      const after = await serve(path, ours, async (server) => {
        const found = await contents(server);
        await call(server, "/v3/kv/put", { key: base64("appended"), value: base64("by etcd") });
        return found;
      });
      assert.deepEqual(after, before);
      const again = readLog(ours);
      assert.ok(again.entries.length > written.length);
      assert.deepEqual(again.entries.slice(0, written.length), written);
      assert.ok(again.entries.some(({ data }) => Buffer.from(data).includes("by etcd")));
      t.diagnostic(`${written.length} entries, revision ${before.revision}, HashKV ${before.hash}`);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
}

test(`a log of an etcd that was killed holds all that it acknowledged (${KILLS} times)`, async (t) => {
  const path = requireTool(t, "etcd");
  if (path === undefined) return;
  const folder = mkdtempSync(join(tmpdir(), "kvorum-wal-"));
  const server = await ServerProcess.prepare({ command: [path], dataDir: join(folder, "data") });
  try {
    const acknowledged: string[] = [];
    for (let kill = 0; kill < KILLS; kill++) {
      await server.launch();
      const puts = Array.from({ length: 8 }, (_, client) => putUntilRefused(server, `${kill}/${client}`, acknowledged));
      await new Promise((resolve) => setTimeout(resolve, 100));
      await server.stop("SIGKILL");
      await Promise.all(puts);
      const copy = join(folder, `copy-${kill}`);
      cpSync(server.dataDir, copy, { recursive: true });
      const log = Buffer.concat(readLog(copy).entries.map(({ data }) => data));
      for (const key of acknowledged) assert.ok(log.includes(key), `${key} was acknowledged`);
      rmSync(copy, { recursive: true });
    }
    t.diagnostic(`${acknowledged.length} puts were acknowledged`);
    assert.ok(acknowledged.length > 100);
  } finally {
    await server.stop("SIGKILL");
    rmSync(folder, { recursive: true });
  }
});

/** Runs etcd on a data directory while `body` does. */
async function serve<T>(path: string, dataDir: string, body: (server: ServerProcess) => Promise<T>): Promise<T> {
  const server = await ServerProcess.start({ command: [path], dataDir });
  try {
    return await body(server);
  } finally {
    await server.stop();
  }
}

function readLog(dataDir: string): OpenedWal {
  const opened = Wal.open(new SystemDisk(), join(dataDir, "member", "wal"));
  opened.wal.close();
  return opened;
}

/** Saves the entries of a log in another data directory by our writer: batches by lot, small files. */
function rewrite({ metadata, hardState, entries }: OpenedWal, dataDir: string, prng: Prng): readonly Entry[] {
  const wal = Wal.create(new SystemDisk(), join(dataDir, "member", "wal"), metadata, { segmentBytes: 8192 });
  for (let at = 0; at < entries.length; ) {
    const batch = entries.slice(at, at + 1 + prng.below(8));
    const last = batch.at(-1) as Entry;
    // The hard state that raft had then: its commit is at most what is in the log.
    wal.save({ term: last.term, vote: hardState.vote, commit: Math.min(at, hardState.commit) }, batch);
    wal.syncNow();
    while (prng.chance(0.3) && wal.prepareSpare());
    at += batch.length;
  }
  wal.save(hardState, []);
  assert.ok(wal.segmentCount > 2, "cuts were made");
  wal.close();
  return entries;
}

async function fill(server: ServerProcess, prng: Prng): Promise<void> {
  for (let put = 0; put < PUTS; put++) {
    const key = base64(`key-${prng.below(60)}`);
    if (prng.chance(0.1)) await call(server, "/v3/kv/deleterange", { key });
    else await call(server, "/v3/kv/put", { key, value: Buffer.from(prng.bytes(prng.below(900))).toString("base64") });
  }
  await call(server, "/v3/lease/grant", { TTL: 1000, ID: 77 });
  await call(server, "/v3/kv/put", { key: base64("leased"), value: base64("x"), lease: 77 });
  await call(server, "/v3/kv/compaction", { revision: Math.floor(PUTS / 2) });
  await call(server, "/v3/kv/put", { key: base64("last"), value: base64("y") });
}

async function contents(server: ServerProcess): Promise<Contents> {
  const range = await call(server, "/v3/kv/range", { key: base64("\0"), range_end: base64("\0") });
  const hashKv = await call(server, "/v3/maintenance/hashkv", { revision: 0 });
  const header = range["header"] as { revision: string };
  return { revision: header.revision, hash: hashKv["hash"] as number, kvs: range["kvs"] as Contents["kvs"] };
}

async function putUntilRefused(server: ServerProcess, name: string, acknowledged: string[]): Promise<void> {
  for (let put = 0; ; put++) {
    const key = `<${name}/${put}>`;
    try {
      await call(server, "/v3/kv/put", { key: base64(key), value: base64("v".repeat(put % 700)) });
    } catch {
      return;
    }
    acknowledged.push(key);
  }
}

async function call(server: ServerProcess, path: string, request: object): Promise<Record<string, unknown>> {
  const response = await fetch(server.url + path, { method: "POST", body: JSON.stringify(request) });
  const answer = (await response.json()) as Record<string, unknown>;
  if (!response.ok) throw new Error(`${path}: ${JSON.stringify(answer)}`);
  return answer;
}

function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}

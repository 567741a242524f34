/** What the tests of snapshots share: data in a server, what is in it, and servers on data directories. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { utf8Bytes } from "../../server/base/bytes.ts";
import type { Prng } from "../../server/base/prng.ts";
import { type Client, connect } from "../../server/client/client.ts";
import { PutRequest } from "../../server/proto/etcdserverpb.ts";
import { SERVICES } from "../../server/proto/services.ts";
import { runProgram } from "../support/program.ts";
import { KVORUM_COMMAND, ServerProcess } from "../support/server-process.ts";

const kv = SERVICES.kv.methods;
const lease = SERVICES.lease.methods;
const maintenance = SERVICES.maintenance.methods;

/** What two servers with the same data say alike. */
export interface Contents {
  readonly revision: number;
  readonly hash: number;
  readonly keys: readonly string[];
  readonly leases: readonly bigint[];
}

/** Runs a server (ours without a `program`) on a data directory while `body` does. */
export async function serve<T>(
  program: string | undefined,
  dataDir: string,
  body: (client: Client, server: ServerProcess) => Promise<T>,
): Promise<T> {
  const server = await ServerProcess.start({ dataDir, ...(program === undefined ? {} : { command: [program] }) });
  const client = connect(server.url);
  try {
    return await body(client, server);
  } finally {
    client.close();
    await server.stop();
  }
}

/** Puts, overwrites, deletes, leases, large values, and a compaction in the middle. */
export async function fill(client: Client, random: Prng, puts: number): Promise<void> {
  await client.unary(lease.leaseGrant, { id: 77n, ttl: 5000 });
  let revision = 0;
  for (let put = 0; put < puts; put++) {
    const key = utf8Bytes(`key-${random.below(puts / 2)}`);
    if (random.chance(0.1)) {
      await client.unary(kv.deleteRange, { key });
      continue;
    }
    const value = random.bytes(random.chance(0.02) ? random.below(200_000) : random.below(900));
    const answer = await client.unary(kv.put, PutRequest.create({ key, value, lease: random.chance(0.1) ? 77n : 0n }));
    revision = answer.header?.revision ?? revision;
  }
  await client.unary(kv.compact, { revision: Math.floor(revision / 2), physical: true });
  await client.unary(kv.put, { key: utf8Bytes("last"), value: utf8Bytes("put") });
}

export async function contents(client: Client): Promise<Contents> {
  const all = await client.unary(kv.range, { key: Uint8Array.of(0), rangeEnd: Uint8Array.of(0) });
  const { hash, header } = await client.unary(maintenance.hashKv, {});
  const { leases } = await client.unary(lease.leaseLeases, {});
  return {
    revision: header?.revision ?? 0,
    hash,
    keys: all.kvs.map((bytes) => Buffer.from(bytes).toString("base64")),
    leases: leases.map(({ id }) => id),
  };
}

/** Runs one of our commands; answers what it printed. Fails when it does. */
export async function kvorum(...args: string[]): Promise<string> {
  const { code, output, errors } = await tryKvorum(...args);
  assert.equal(code, 0, errors);
  return output;
}

export function tryKvorum(...args: string[]) {
  const [node, main] = KVORUM_COMMAND as [string, string];
  return runProgram(node, [main, ...args], { timeoutMs: 120_000 });
}

/** Runs a program of etcd's to its end, which must be a good one. */
export async function run(program: string, ...args: string[]): Promise<string> {
  const { code, output, errors } = await runProgram(program, args, { timeoutMs: 120_000 });
  assert.equal(code, 0, `${output}\n${errors}`);
  return output;
}

/** A digest of every file below a folder, to see that nothing in it has changed. */
export function digestOf(folder: string): string {
  const hash = createHash("sha256");
  const walk = (path: string) => {
    for (const name of readdirSync(path).sort()) {
      const inside = join(path, name);
      hash.update(inside);
      const stat = statSync(inside);
      if (stat.isDirectory()) walk(inside);
      else if (stat.isFile()) hash.update(readFileSync(inside));
    }
  };
  walk(folder);
  return hash.digest("hex");
}

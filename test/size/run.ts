/**
 * `npm run test:size`: a store of a million keys, or KEYS of them, through everything that walks over all of it. A line
 * for each step: what it took, the longest wait of a reader beside it, the server's memory after it. Times are said, not
 * judged; memory has a bound. `-- etcd` puts real etcd through the same steps, for the figures beside.
 */
import { readFileSync } from "node:fs";
import { concatBytes, prefixEnd, utf8Bytes } from "../../server/base/bytes.ts";
import { type Client, connect } from "../../server/client/client.ts";
import { RangeRequest, SortOrder, SortTarget } from "../../server/proto/etcdserverpb.ts";
import { KeyValue } from "../../server/proto/mvccpb.ts";
import { SERVICES } from "../../server/proto/services.ts";
import { KVORUM_COMMAND, ServerProcess } from "../support/server-process.ts";
import { findTool } from "../support/tools.ts";
import { loadKeys, PREFIX } from "./dataset.ts";
import { Prober } from "./prober.ts";

const KEYS = Number(process.env["KEYS"] ?? 1_000_000);
const REWRITTEN = Math.min(KEYS, 300_000);
/** What has to hold all keys at once is left out of larger runs. */
const SORTED_MAX = 2_000_000;
const DELETED_MAX = 2_000_000;
const PAGE = 500;
const MIB = 2 ** 20;
/** Of the server's own memory, so without pages of its file: what it takes without keys, with its caches full, and for each key. */
const FIXED_BYTES = 330 * MIB;
const BYTES_PER_KEY = 400;

const kv = SERVICES.kv.methods;
const maintenance = SERVICES.maintenance.methods;
const key = utf8Bytes(PREFIX);
const all = { key, rangeEnd: prefixEnd(key) };

const isEtcd = process.argv.includes("etcd");
const quota = `--quota-backend-bytes=${16 * 1024 * MIB}`;
const server = await ServerProcess.start({
  command: isEtcd
    ? [findTool("etcd") ?? "etcd"]
    : [...KVORUM_COMMAND, ...(process.env["KVORUM_SERVER_FLAGS"] ?? "").split(" ").filter(Boolean)],
  flags: [quota],
  readyMs: 600_000,
});
const client = connect(server.endpoint);
let failed = false;

try {
  console.log(`${isEtcd ? "etcd" : "ours"} on Node ${process.version}, ${KEYS} keys of 60 bytes with values of 256`);
  await step("load", () => loadKeys(client, KEYS, () => undefined));
  memoryIsBounded();
  await step("list in pages of 500", () => listAll(client));
  await step("count", () => client.unary(kv.range, { ...all, countOnly: true }));
  await step("count at an old revision", () =>
    client.unary(kv.range, { ...all, countOnly: true, revision: 1 + Math.ceil(KEYS / 128) }),
  );
  if (KEYS <= SORTED_MAX)
    await step("sort all by value, limit 10", () =>
      client.unary(kv.range, { ...all, limit: 10, sortOrder: SortOrder.DESCEND, sortTarget: SortTarget.VALUE }),
    );
  await step(`rewrite ${REWRITTEN}`, () => loadKeys(client, REWRITTEN, () => undefined));
  await step("compact", async () => {
    const { header } = await client.unary(kv.range, { key });
    await client.unary(kv.compact, { revision: header?.revision ?? 0, physical: true });
  });
  await step("hashKv", () => client.unary(maintenance.hashKv, {}));
  await step("hash", () => client.unary(maintenance.hash, {}));
  await step("defragment", () => client.unary(maintenance.defragment, {}));
  await restart();
  memoryIsBounded();
  await step("count", () => client.unary(kv.range, { ...all, countOnly: true }));
  if (KEYS <= DELETED_MAX) await step("delete all", () => client.unary(kv.deleteRange, all));
} catch (error) {
  failed = true;
  console.error(error, `\nthe server's last words:\n${server.log.slice(-4000)}`);
} finally {
  client.close();
  await server.remove();
}
process.exitCode = failed ? 1 : 0;

/** Runs `action` with a reader beside it, and says what both took. */
async function step(name: string, action: () => Promise<unknown>): Promise<void> {
  const beside = connect(server.endpoint);
  const prober = new Prober(beside);
  const started = performance.now();
  await action();
  const tookMs = performance.now() - started;
  const waits = await prober.stop();
  beside.close();
  say(name, tookMs, `longest wait ${waits.longestMs.toFixed(0)} ms, p99 ${waits.p99Ms.toFixed(1)} ms`);
}

async function restart(): Promise<void> {
  await server.stop();
  const started = performance.now();
  await server.launch();
  say("restart", performance.now() - started, "");
}

function say(name: string, tookMs: number, more: string): void {
  console.log(`${name.padEnd(28)} ${(tookMs / 1000).toFixed(2).padStart(8)} s  ${memoryText()}  ${more}`);
}

async function listAll(from: Client): Promise<void> {
  let seen = 0;
  for (let next = all.key; ; ) {
    const { kvs, more } = await from.unary(
      kv.range,
      RangeRequest.create({ ...all, key: next, limit: PAGE, revision: 0 }),
    );
    seen += kvs.length;
    const last = kvs.at(-1);
    if (!more || last === undefined) break;
    next = following(last);
  }
  if (seen !== KEYS) throw new Error(`the pages held ${seen} keys, not ${KEYS}`);
}

function memoryIsBounded(): void {
  if (isEtcd) return;
  const bytes = statusOf("RssAnon");
  const bound = FIXED_BYTES + KEYS * BYTES_PER_KEY;
  if (bytes <= bound) return;
  failed = true;
  console.error(
    `the server takes ${Math.round(bytes / MIB)} MiB, more than ${Math.round(bound / MIB)} for ${KEYS} keys`,
  );
}

function following(kv: Uint8Array): Uint8Array {
  const { key: last } = KeyValue.decode(kv);
  return concatBytes([last, Uint8Array.of(0)]);
}

/** Of the server, with the part that is pages of its store's file. */
function memoryText(): string {
  const mib = (name: string) => Math.round(statusOf(name) / MIB);
  return `${String(mib("VmRSS")).padStart(5)} MiB (${mib("RssAnon")} own, ${mib("RssFile")} of files; peak ${mib("VmHWM")})`;
}

function statusOf(name: string): number {
  const text = readFileSync(`/proc/${server.pid}/status`, "utf8");
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(text)?.[1] ?? 0) * 1024;
}

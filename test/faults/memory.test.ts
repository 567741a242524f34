/** A client that writes keys without end into a server with little memory: it is refused before the process dies. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { utf8Bytes } from "../../server/base/bytes.ts";
import { type Client, connect } from "../../server/client/client.ts";
import { PutRequest, RequestOp } from "../../server/proto/etcdserverpb.ts";
import { SERVICES } from "../../server/proto/services.ts";
import { planMemory } from "../../server/system/memory.ts";
import { MemoryGroup } from "../robustness/memory-group.ts";
import { KVORUM_COMMAND, ServerProcess } from "../support/server-process.ts";

const LIMIT_BYTES = 512 * 2 ** 20;
const WRITERS = 4;
const KEYS_A_REQUEST = 100;
const KEYS_A_DELETION = 2000;
const KEY_BYTES = 1200;
/** Far more than fit. */
const KEYS_MAX = 1_000_000;
const LARGE_BYTES = 1_000_000;
const LARGE_WRITERS = 25;
/** A server without the bound died after 323. */
const LARGE_VALUES = 400;
const EVERYTHING = { key: Uint8Array.of(0), rangeEnd: Uint8Array.of(0) };
const RESOURCE_EXHAUSTED = 8;
const PATIENCE_MS = 60_000;

test("with 512 MB of memory new keys get NOSPACE before the process dies; reads and deletes go on", async (t) => {
  const server = await startBounded(t);
  const client = connect(server.url);
  t.after(() => client.close());
  const written = new Set<string>();
  const refusals = await Promise.all(Array.from({ length: WRITERS }, (_, writer) => fill(client, writer, written)));
  assert.deepEqual([...new Set(refusals)], ["etcdserver: mvcc: database space exceeded"], server.log.slice(-2000));
  t.diagnostic(`${written.size} keys were taken`);
  assert.ok(written.size > 50_000, "there was room for many");
  assert.match(server.log, /heap is in use: writes are refused with NOSPACE/);

  await checkReads(client, written);
  const kept = await deleteHalf(client, written);
  t.diagnostic(`${written.size - kept.size} keys deleted while writes are refused`);
  await checkReads(client, kept);

  const { header } = await client.unary(SERVICES.kv.methods.range, { key: utf8Bytes("x") });
  const compaction = { revision: header?.revision ?? 0, physical: true };
  await client.unary(SERVICES.kv.methods.compact, compaction, { timeoutMs: PATIENCE_MS });
  const started = performance.now();
  while ((await put(client, "after")).status.code !== 0) {
    assert.ok(performance.now() - started < PATIENCE_MS, "writes are accepted again once keys are gone");
    await sleep(200);
  }
  t.diagnostic(`writes are accepted again ${Math.round(performance.now() - started)} ms after the compaction`);
  await checkReads(client, kept.add("after"));
  assert.equal((await server.stop()).signal, "SIGTERM");
});

/** A server with little memory: in a control group where one can be made, else with a heap that is as small. */
async function startBounded(t: TestContext): Promise<ServerProcess> {
  const group = MemoryGroup.make(LIMIT_BYTES);
  const bounded = typeof group !== "string";
  if (!bounded) t.diagnostic(`${group}: the heap alone is bounded`);
  const server = await ServerProcess.prepare({
    command: bounded ? group.within(KVORUM_COMMAND) : KVORUM_COMMAND,
    env: bounded ? {} : { NODE_OPTIONS: `--max-old-space-size=${planMemory(LIMIT_BYTES).oldSpaceMb}` },
  });
  t.after(async () => {
    await server.remove();
    if (!bounded) return;
    t.diagnostic(`the group had ${Math.round(group.peakBytes / 2 ** 20)} MB at most, page cache included`);
    group.remove();
  });
  await server.launch();
  return server;
}

/** Writes new keys until it is refused; answers why. */
async function fill(client: Client, writer: number, written: Set<string>): Promise<string> {
  for (let number = 0; number < KEYS_MAX / WRITERS; number += KEYS_A_REQUEST) {
    const keys = Array.from({ length: KEYS_A_REQUEST }, (_, at) => keyOf(writer, number + at));
    const success = keys.map((key) => {
      const value = PutRequest.create({ key: utf8Bytes(key), value: utf8Bytes("v") });
      return RequestOp.create({ request: { kind: "put", value } });
    });
    const { status } = await client.call(SERVICES.kv.methods.txn, { success }, { timeoutMs: PATIENCE_MS });
    if (status.code === RESOURCE_EXHAUSTED) return status.text;
    assert.equal(status.code, 0, status.text);
    for (const key of keys) written.add(key);
  }
  return "never refused";
}

function keyOf(writer: number, number: number): string {
  return `${writer}/${number}/`.padEnd(KEY_BYTES, "k");
}

function put(client: Client, key: string) {
  return client.call(SERVICES.kv.methods.put, { key: utf8Bytes(key), value: utf8Bytes("v") });
}

/** Deletes the keys of the first half of the writers, some thousand a request; answers what is left. */
async function deleteHalf(client: Client, written: ReadonlySet<string>): Promise<Set<string>> {
  const half = `${WRITERS / 2}`;
  const doomed = [...written].filter((key) => key < half).sort();
  for (let at = 0; at < doomed.length; at += KEYS_A_DELETION) {
    const rangeEnd = utf8Bytes(doomed[at + KEYS_A_DELETION] ?? half);
    const request = { key: utf8Bytes(doomed[at] as string), rangeEnd };
    const { deleted } = await client.unary(SERVICES.kv.methods.deleteRange, request, { timeoutMs: PATIENCE_MS });
    assert.equal(deleted, Math.min(KEYS_A_DELETION, doomed.length - at));
  }
  return new Set([...written].filter((key) => key >= half));
}

/** All of them are counted, and some are read. */
async function checkReads(client: Client, keys: ReadonlySet<string>): Promise<void> {
  const { count } = await client.unary(SERVICES.kv.methods.range, { ...EVERYTHING, countOnly: true });
  assert.equal(count, keys.size);
  const { kvs } = await client.unary(SERVICES.kv.methods.range, { ...EVERYTHING, limit: 1000 });
  assert.equal(kvs.length, 1000);
  for (const key of [...keys].slice(-3)) {
    const found = await client.unary(SERVICES.kv.methods.range, { key: utf8Bytes(key) });
    assert.equal(found.kvs.length, 1);
  }
}

test("with 512 MB of memory large values without end are taken or refused, and kill nobody", async (t) => {
  const server = await startBounded(t);
  const client = connect(server.url);
  t.after(() => client.close());
  const value = new Uint8Array(LARGE_BYTES).fill(7);
  let taken = 0;
  let refused = 0;
  const write = async (writer: number) => {
    for (let number = 0; taken < LARGE_VALUES; number++) {
      const request = { key: utf8Bytes(`${writer}/${number % 3}`), value };
      const { status } = await client.call(SERVICES.kv.methods.put, request, { timeoutMs: PATIENCE_MS });
      if (status.code === 0) taken++;
      else {
        assert.equal(status.text, "etcdserver: too many requests");
        refused++;
        await sleep(20);
      }
    }
  };
  await Promise.all(Array.from({ length: LARGE_WRITERS }, (_, writer) => write(writer)));
  t.diagnostic(`${taken} values of ${LARGE_BYTES} bytes were taken, ${refused} requests were refused`);
  const { kvs } = await client.unary(SERVICES.kv.methods.range, { ...EVERYTHING, limit: 3 });
  assert.equal(kvs.length, 3);
});

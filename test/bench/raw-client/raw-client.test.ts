/** The raw client against our server: it counts what happened, and nothing that failed. No times are judged. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { utf8Bytes } from "../../../server/base/bytes.ts";
import { type Client, connect } from "../../../server/client/client.ts";
import { RangeResponse } from "../../../server/proto/etcdserverpb.ts";
import { KeyValue } from "../../../server/proto/mvccpb.ts";
import { SERVICES } from "../../../server/proto/services.ts";
import { removeSubject, type Subject, startSubject } from "../subject.ts";
import { callOnce } from "./check.ts";
import { runFill } from "./fill-load.ts";
import { runKeepalives } from "./keepalive-load.ts";
import { Prober } from "./prober.ts";
import { SHAPES, type ShapeName } from "./shapes.ts";
import { keyOf, Template } from "./template.ts";
import { runUnary, type UnaryLoad } from "./unary-load.ts";
import { runUpdates } from "./update-load.ts";
import { runWatch } from "./watch-load.ts";

const { kv, lease } = SERVICES;
const KEYS = 500;
let subject: Subject;
let client: Client;

before(async () => {
  subject = await startSubject("ours", { etcd: "" });
  client = connect(subject.server.url);
});

after(async () => {
  client?.close();
  if (subject !== undefined) await removeSubject(subject);
});

function load(shape: ShapeName, fields: Partial<UnaryLoad> = {}): UnaryLoad {
  const { method, template } = SHAPES[shape];
  const defaults = { connections: 2, inFlight: 10, keys: KEYS, total: 2000, seed: 1 };
  return { target: subject.target, path: method.path, template: template(), ...defaults, ...fields };
}

async function revision(): Promise<number> {
  return (await client.unary(kv.methods.range, { key: utf8Bytes("-") })).header?.revision ?? 0;
}

test("a fill puts each key once", async () => {
  const before = await revision();
  await runFill({ target: subject.target, prefix: "bench/", keyBytes: 0, valueBytes: 32, keys: KEYS, inFlight: 4 });
  const range = { key: utf8Bytes("bench/"), rangeEnd: utf8Bytes("bench0"), countOnly: true };
  assert.equal((await client.unary(kv.methods.range, range)).count, KEYS);
  assert.equal(await revision(), before + 3 + (KEYS % 128), "three whole txns, then the rest one by one");
});

test("as many puts are counted as the store took", async () => {
  const before = await revision();
  assert.equal((await runUnary(load("put"))).count, 2000);
  assert.equal(await revision(), before + 2000);
});

test("ranges by a total or by time; one in flight has a latency", async () => {
  assert.equal((await runUnary(load("range serializable"))).count, 2000);
  assert.equal((await runUnary(load("range linearizable"))).count, 2000);
  const single = await runUnary(load("range serializable", { connections: 1, inFlight: 1, total: 50 }));
  assert.ok(single.count === 50 && single.p50Us > 0);
  const { total: _, ...timed } = load("range serializable", { seconds: 0.1 });
  assert.ok((await runUnary(timed)).count > 0);
});

test("requests larger than a frame go out whole, and no more than windows allow", async () => {
  const key = keyOf("bench/", 0);
  const value = new Uint8Array(50_000).fill(1);
  const template = Template.of(kv.methods.put.request, { key, value }, key);
  const large = load("put", { connections: 1, inFlight: 100, keys: 1, total: 150 });
  assert.equal((await runUnary({ ...large, template })).count, 150);
  const { kvs } = await client.unary(kv.methods.range, { key });
  assert.deepEqual(KeyValue.decode(kvs[0] as Uint8Array).value, value);
});

test("a status that is not OK ends the run", async () => {
  await assert.rejects(runUnary({ ...load("put"), path: "/etcdserverpb.KV/Nothing" }), /grpc-status 12/);
  const stale = SHAPES.put.template();
  stale.bytes[5] = 0xff; // no message begins so
  await assert.rejects(runUnary({ ...load("put"), template: stale }), /a request failed: grpc-status [1-9]/);
  await assert.rejects(
    callOnce(subject.target, lease.methods.leaseRevoke.path, Buffer.from([0, 0, 0, 0, 2, 8, 99])),
    /lease/,
  );
});

test("nobody to talk to is an error, not a rate of nothing", async () => {
  const nowhere = { url: "http://127.0.0.1:1" };
  await assert.rejects(runUnary({ ...load("put"), target: nowhere }), /broke/);
});

test("updates hold their compares; one that does not ends the run", async () => {
  const updates = { target: subject.target, connections: 2, inFlight: 10, keysOfSlot: 2, seconds: 0.2 };
  assert.ok((await runUpdates(updates)).count > 0);
  const disturbed = runUpdates({ ...updates, seconds: 20 });
  const ended = assert.rejects(disturbed, /is not at the revision|an update was not made/);
  const other = setInterval(
    () => void client.unary(kv.methods.put, { key: keyOf("bench/", 3), value: utf8Bytes("x") }),
    5,
  );
  await ended.finally(() => clearInterval(other));
});

test("every event of every put comes to every watch", async () => {
  const { count } = await runWatch({
    target: subject.target,
    connections: 2,
    watchers: 10,
    putsAhead: 4,
    seconds: 0.2,
  });
  assert.ok(count > 20);
});

test("keepalives of leases that live are counted, and the leases are gone afterwards", async () => {
  const keepalives = { target: subject.target, connections: 2, streams: 5, inFlight: 3, firstLease: 100, seconds: 0.2 };
  assert.ok((await runKeepalives(keepalives)).count > 30);
  assert.deepEqual((await client.unary(lease.methods.leaseLeases)).leases, []);
});

test("a list's answer is put together from its frames", async () => {
  const template = SHAPES.list.template();
  await runFill({ target: subject.target, prefix: "list/", keyBytes: 0, valueBytes: 1024, keys: 500, inFlight: 4 });
  const answer = await callOnce(subject.target, SHAPES.list.method.path, template.bytes);
  assert.equal(RangeResponse.decode(answer).kvs.length, 500);
});

test("a prober tells how long it waited since it was last asked", async () => {
  const prober = await Prober.start(subject.target);
  await new Promise((resolve) => setTimeout(resolve, 50));
  const first = prober.take();
  assert.ok(first.count > 0 && first.maxMs >= first.p50Us / 1000);
  assert.ok(prober.take().count < first.count);
  prober.stop();
});

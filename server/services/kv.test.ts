import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeMember } from "../../test/support/fake-member.ts";
import { RecordingOutlet, settle, TestCall } from "../../test/support/recording-outlet.ts";
import { utf8Bytes } from "../base/bytes.ts";
import { EtcdError } from "../base/error.ts";
import {
  CompactionRequest,
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  RangeResponse,
  RangeStreamResponse,
  TxnRequest,
} from "../proto/etcdserverpb.ts";
import { Kv } from "./kv.ts";

const OPTIONS = { maxTxnOperations: 128, maxRequestBytes: 4000 };

function kvWithKeys(count: number, valueBytes = 10): { member: FakeMember; kv: Kv } {
  const member = new FakeMember();
  for (let at = 0; at < count; at++) member.keys.set(`key${String(at).padStart(4, "0")}`, new Uint8Array(valueBytes));
  member.revision = 40;
  return { member, kv: new Kv(member, OPTIONS) };
}

test("answers carry ids and term of the member, and the revision of their own work", async () => {
  const { member, kv } = kvWithKeys(1);
  const call = new TestCall(77);
  const ids = { clusterId: 0xc1n, memberId: 0xa1n, raftTerm: 3 };
  const put = await kv.put(PutRequest.create({ key: utf8Bytes("a") }), call);
  assert.deepEqual(put.header, { ...ids, revision: 41 });
  member.revision = 50; // others have written since
  assert.deepEqual((await kv.deleteRange(DeleteRangeRequest.create({ key: utf8Bytes("a") }), call)).header, {
    ...ids,
    revision: 50,
  });
  assert.equal((await kv.txn(TxnRequest.create(), call)).header?.revision, 50);
  assert.equal((await kv.compact(CompactionRequest.create(), call)).header?.revision, 50);
  assert.deepEqual(
    [...new Set(member.seen.map(({ deadlineMs }) => deadlineMs))],
    [77],
    "the member knows the deadline",
  );
});

test("a serializable range is answered without a turn of the loop", async () => {
  const { kv } = kvWithKeys(1);
  const request = RangeRequest.create({ key: utf8Bytes("key0000"), serializable: true });
  const answer = kv.range(request, new TestCall());
  assert.ok(!(answer instanceof Promise));
  assert.equal(answer.header?.memberId, 0xa1n);
  const linearizable = await kv.range({ ...request, serializable: false }, new TestCall());
  assert.deepEqual(linearizable, answer);
});

test("what needs no state is refused before the member is asked", async () => {
  const { member, kv } = kvWithKeys(0);
  const call = new TestCall();
  const outlet = new RecordingOutlet(RangeStreamResponse);
  assert.throws(() => kv.range(RangeRequest.create(), call), { code: "EmptyKey" });
  assert.throws(() => kv.rangeStream(RangeRequest.create(), call, outlet), { code: "EmptyKey" });
  assert.throws(() => void kv.put(PutRequest.create(), call), { code: "EmptyKey" });
  await assert.rejects(kv.deleteRange(DeleteRangeRequest.create(), call), { code: "EmptyKey" });
  assert.deepEqual(member.seen, []);
});

/** All of a stream, with the reader always ready. */
async function stream(kv: Kv, request: Partial<RangeRequest>): Promise<RangeResponse[]> {
  const outlet = new RecordingOutlet(RangeStreamResponse);
  kv.rangeStream(RangeRequest.create(request), new TestCall(), outlet);
  while (!outlet.ended && outlet.failure === undefined) await settle();
  assert.equal(outlet.failure, undefined);
  return outlet.messages.map(({ rangeResponse }) => rangeResponse as RangeResponse);
}

const ALL = { key: Uint8Array.of(0), rangeEnd: Uint8Array.of(0) };

test("a range stream starts with ten keys, grows, and ends with header, more and count", async () => {
  const { kv } = kvWithKeys(100);
  const chunks = await stream(kv, ALL);
  assert.deepEqual(
    chunks.map(({ kvs }) => kvs.length),
    [10, 20, 40, 30],
  );
  const last = chunks.at(-1) as RangeResponse;
  assert.deepEqual(last.header, { clusterId: 0xc1n, memberId: 0xa1n, revision: 40, raftTerm: 3 });
  assert.deepEqual([last.count, last.more], [100, false]);
  for (const { header, count, more } of chunks.slice(0, -1))
    assert.deepEqual([header, count, more], [undefined, 0, false]);
});

test("chunks put together are the answer of Range, whatever the limit", async () => {
  const { kv } = kvWithKeys(100);
  for (const limit of [0, 1, 9, 10, 11, 30, 99, 100, 101, -1]) {
    const unary = await kv.range(RangeRequest.create({ ...ALL, limit }), new TestCall());
    const chunks = await stream(kv, { ...ALL, limit });
    const merged = RangeResponse.create({ ...chunks.at(-1), kvs: chunks.flatMap(({ kvs }) => kvs) });
    assert.deepEqual(merged, unary, `limit ${limit}`);
  }
  assert.deepEqual(await stream(kv, { key: utf8Bytes("none") }), [
    await kv.range(RangeRequest.create({ key: utf8Bytes("none") }), new TestCall()),
  ]);
});

test("chunks aim at the size of a request: those of large values grow no further", async () => {
  const { kv } = kvWithKeys(60, 500); // some 520 bytes a key, 4000 aimed at
  const sizes = (await stream(kv, ALL)).map(({ kvs }) => kvs.length);
  assert.deepEqual(sizes, [10, 10, 10, 10, 10, 10]);
  const { kv: larger } = kvWithKeys(30, 2000);
  assert.deepEqual(
    (await stream(larger, ALL)).map(({ kvs }) => kvs.length),
    [10, 5, 2, 2, 2, 2, 2, 2, 2, 1],
  );
});

test("a count alone is one message", async () => {
  const { kv } = kvWithKeys(25);
  const [only, ...more] = await stream(kv, { ...ALL, countOnly: true });
  assert.deepEqual(more, []);
  assert.deepEqual([only?.count, only?.kvs, only?.header?.revision], [25, [], 40]);
});

test("all chunks are read at the revision of the first, without asking the cluster again", async () => {
  const { member, kv } = kvWithKeys(15);
  const outlet = new RecordingOutlet(RangeStreamResponse);
  outlet.room = false;
  kv.rangeStream(RangeRequest.create(ALL), new TestCall(), outlet);
  await settle();
  member.revision = 60;
  outlet.drain();
  await settle();
  assert.ok(outlet.ended);
  const requests = member.seen.map(({ request }) => request as RangeRequest);
  assert.deepEqual(
    requests.map(({ revision, serializable, limit }) => [revision, serializable, limit]),
    [
      [0, true, 10], // the barrier stood before it
      [40, true, 20],
    ],
  );
  assert.equal(outlet.messages[1]?.rangeResponse?.header?.revision, 40);
});

test("a slow reader holds the next chunk back, and one that has gone gets none", async () => {
  const { member, kv } = kvWithKeys(100);
  const outlet = new RecordingOutlet(RangeStreamResponse);
  const call = new TestCall();
  outlet.room = false;
  kv.rangeStream(RangeRequest.create(ALL), call, outlet);
  await settle();
  assert.equal(member.seen.length, 1, "nothing is read ahead");
  call.cancel();
  outlet.drain();
  await settle();
  assert.equal(member.seen.length, 1);
  assert.equal(outlet.ended, false);
});

test("a refusal in the middle ends the stream with it", async () => {
  const { member, kv } = kvWithKeys(100);
  const outlet = new RecordingOutlet(RangeStreamResponse);
  outlet.room = false;
  kv.rangeStream(RangeRequest.create(ALL), new TestCall(), outlet);
  await settle();
  member.refusal = new EtcdError("Compacted");
  outlet.drain();
  await settle();
  assert.equal(outlet.failure?.code, "Compacted");
  assert.equal(outlet.messages.length, 1);
});

/** Requests that are encoded once and sent with other keys. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { utf8Text } from "../../../server/base/bytes.ts";
import { PutResponse, TxnRequest, WatchResponse } from "../../../server/proto/etcdserverpb.ts";
import { countField, headerRevision, MessageReader, varintField } from "./messages.ts";
import { Random } from "./random.ts";
import { fillOf, SHAPES } from "./shapes.ts";
import { grpcFrame, keyOf } from "./template.ts";

test("a template says what was set, everywhere", () => {
  const template = SHAPES.update.template();
  for (const [key, revision] of [
    [0, 1],
    [4_999_999, 127],
    [12_345, 2 ** 35 - 1],
  ] as const) {
    template.setKey(key);
    template.setRevision(revision);
    assert.equal(template.bytes.readUInt32BE(1), template.bytes.length - 5);
    const { compare, success, failure } = TxnRequest.decode(template.bytes.subarray(5));
    const keys = [compare[0]?.key, success[0]?.request?.value, failure[0]?.request?.value].map((part) =>
      utf8Text(part instanceof Uint8Array ? part : ((part as { key: Uint8Array }).key ?? new Uint8Array(0))),
    );
    const expected = utf8Text(keyOf("bench/", key));
    assert.deepEqual(keys, [expected, expected, expected]);
    assert.deepEqual(compare[0]?.targetUnion, { kind: "modRevision", value: revision });
  }
});

test("a template that fills has a place for each put", () => {
  const template = fillOf("size/", 60, 10, 3);
  for (let place = 0; place < 3; place++) template.setKeyAt(place, place + 5);
  const keys = TxnRequest.decode(template.bytes.subarray(5)).success.map(({ request }) =>
    utf8Text(request?.kind === "put" ? request.value.key : new Uint8Array(0)),
  );
  assert.deepEqual(
    keys,
    [5, 6, 7].map((index) => utf8Text(keyOf("size/", index, 60))),
  );
  assert.ok(keys.every((key) => key.length === 60));
});

test("answers are read without decoding them", () => {
  const header = { clusterId: 2n ** 63n, memberId: 1n, revision: 300_000_000_000, raftTerm: 2 };
  const put = Buffer.from(PutResponse.encode(PutResponse.create({ header })));
  assert.equal(headerRevision(put, 0, put.length), 300_000_000_000);
  assert.throws(() => headerRevision(Buffer.from([0x10, 1]), 0, 2), /without a header/);
  const events = [Uint8Array.from([1]), Uint8Array.from([2, 3]), new Uint8Array(200)];
  const watch = Buffer.from(WatchResponse.encode(WatchResponse.create({ header, canceled: true, events })));
  assert.deepEqual([countField(watch, 0, watch.length, 11), varintField(watch, 0, watch.length, 4)], [3, 1]);
});

test("messages come whole, however they are cut", () => {
  const sent = [0, 1, 200].map((bytes) => Buffer.alloc(bytes, bytes));
  const stream = Buffer.concat(sent.map((message) => grpcFrame(message)));
  for (let cut = 1; cut < 12; cut++) {
    const reader = new MessageReader();
    const came: Buffer[] = [];
    for (let at = 0; at < stream.length; at += cut)
      reader.read(stream, at, Math.min(stream.length, at + cut), (bytes, from, to) =>
        came.push(Buffer.from(bytes.subarray(from, to))),
      );
    assert.deepEqual(came, sent, `in pieces of ${cut}`);
  }
});

test("chance is spread over all keys, and the same from the same seed", () => {
  const seen = new Set<number>();
  const random = new Random(1);
  const again = new Random(1);
  for (let draw = 0; draw < 2000; draw++) {
    const value = random.below(100);
    assert.equal(value, again.below(100));
    seen.add(value);
  }
  assert.equal(seen.size, 100);
});

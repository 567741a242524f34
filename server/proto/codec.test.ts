import assert from "node:assert/strict";
import { test } from "node:test";
import { EtcdError } from "../base/error.ts";
import type { Codec } from "./codec.ts";
import {
  AlarmRequest,
  AuthUserAddRequest,
  Compare,
  InternalRaftRequest,
  LeaseGrantResponse,
  PutRequest,
  RangeResponse,
  RequestOp,
  ResponseHeader,
  TxnRequest,
  WatchCreateRequest,
  WatchRequest,
} from "./etcdserverpb.ts";
import { Event, EventType, encodeEvent, encodeKeyValue, KeyValue } from "./mvccpb.ts";
import { ConfState } from "./raftpb.ts";
import { MAX_DEPTH, Writer } from "./wire.ts";

function decode<T>(codec: Codec<T>, hex: string): T {
  return codec.decode(Buffer.from(hex.replaceAll(" ", ""), "hex"));
}

function refused(read: () => unknown, text: RegExp): void {
  assert.throws(
    read,
    (error) => error instanceof EtcdError && error.code === "MalformedRequest" && text.test(error.message),
  );
}

test("a field that comes twice holds what came last", () => {
  assert.equal(decode(PutRequest, "1805 1807").lease, 7n);
  assert.deepEqual(decode(PutRequest, "0a0161 0a0162").key, Uint8Array.of(0x62));
  assert.equal(decode(AlarmRequest, "0801 0802").action, 2);
  // protobuf would merge the two headers; we say so in codec.ts
  assert.deepEqual(decode(LeaseGrantResponse, "0a020801 0a021003").header, ResponseHeader.create({ memberId: 3n }));
  assert.deepEqual(decode(RequestOp, "0a00 1200").request, { kind: "put", value: PutRequest.create() });
  assert.deepEqual(decode(Compare, "2005 3a0161").targetUnion, { kind: "value", value: Uint8Array.of(0x61) });
});

test("a list of messages may be decoded by map, which hands on places and the list too", () => {
  const texts = ["a", "b", "c"].map((text) => PutRequest.encode(PutRequest.create({ key: Buffer.from(text) })));
  const alarms = [1, 2, 3].map((action) => AlarmRequest.encode(AlarmRequest.create({ action })));
  assert.deepEqual(
    texts.map(PutRequest.decode).map(({ key }) => Buffer.from(key).toString()),
    ["a", "b", "c"],
  );
  assert.deepEqual(
    alarms.map(AlarmRequest.decode).map(({ action }) => action),
    [1, 2, 3],
  );
});

test("what lies before a message is left alone", () => {
  const framed = Buffer.concat([
    Buffer.of(0, 0, 0, 0, 3),
    PutRequest.encode(PutRequest.create({ key: Buffer.of(0x61) })),
  ]);
  assert.deepEqual(PutRequest.decodeFrom(framed, 5).key, Uint8Array.of(0x61));
  assert.deepEqual(AlarmRequest.decodeFrom(Buffer.of(9, 9, 8, 2), 2).action, 2);
});

test("a member of a oneof that holds zero is there", () => {
  assert.deepEqual(decode(Compare, "2000").targetUnion, { kind: "version", value: 0 });
  assert.equal(Compare.encode(Compare.create({ targetUnion: { kind: "lease", value: 0n } })).length, 2);
  assert.deepEqual(decode(WatchRequest, "1a00").requestUnion, { kind: "progress", value: {} });
  assert.equal(decode(WatchRequest, "").requestUnion, undefined);
});

test("unknown fields are passed over, in tables and in hand-written codecs", () => {
  const unknown = "78ff01 7a03010203 79 0102030405060708 7d01020304 7b 0801 7c";
  assert.deepEqual(decode(PutRequest, `0a0161 ${unknown} 120162`).value, Uint8Array.of(0x62));
  assert.equal(decode(AuthUserAddRequest, `0a0161 ${unknown} 120162`).password, "b");
  assert.deepEqual(decode(InternalRaftRequest, `${unknown} 0801`), { header: undefined, id: 1n, request: undefined });
});

test("a known field with the wrong wire type is refused", () => {
  for (const hex of ["0801", "0d01020304", "090102030405060708", "0b0c", "1a00", "2200"])
    refused(() => decode(PutRequest, hex), /wire type/);
  refused(() => decode(AuthUserAddRequest, "0801"), /wire type 0 in field 1 of etcdserverpb.AuthUserAddRequest/);
  refused(() => decode(AlarmRequest, "0a00"), /wire type 2/);
  refused(() => decode(Compare, "800401"), /wire type 0 in field 64/);
  for (const hex of ["0a00", "a006 01", "2001", "c03e00"]) refused(() => decode(InternalRaftRequest, hex), /wire type/);
});

test("repeated numbers come packed and unpacked", () => {
  assert.deepEqual(decode(WatchCreateRequest, "2800 2801 2a020100").filters, [0, 1, 1, 0]);
  assert.deepEqual(decode(ConfState, "0801 0a0302ac02 0805").voters, [1n, 2n, 300n, 5n]);
  refused(() => decode(WatchCreateRequest, "2a0180"), /varint cut short/);
  refused(() => decode(ConfState, "0a0180"), /varint cut short/);
  refused(() => decode(ConfState, "2a0101"), /wire type 2/);
});

test("transactions in transactions are followed down to the bound and no deeper", () => {
  // a txn's operation that is a txn: two messages a level, and PutRequest is one more
  const nested = (levels: number): Uint8Array => {
    let txn = TxnRequest.create();
    for (let level = 0; level < levels; level++)
      txn = TxnRequest.create({ success: [{ request: { kind: "txn", value: txn } }] });
    return TxnRequest.encode(txn);
  };
  assert.ok(TxnRequest.decode(nested(MAX_DEPTH / 2)));
  refused(() => TxnRequest.decode(nested(MAX_DEPTH / 2 + 1)), /nested deeper than 1000/);
  refused(() => TxnRequest.decode(nested(MAX_DEPTH)), /nested deeper than 1000/);
});

test("a message that ends in the middle of its last field is refused", () => {
  const whole = PutRequest.encode(
    PutRequest.create({ key: Uint8Array.of(1), value: Uint8Array.of(2), lease: 2n ** 40n, prevKv: true }),
  );
  const ends = new Set([0, 3, 6, whole.length - 2, whole.length]);
  for (let end = 0; end <= whole.length; end++) {
    if (ends.has(end)) PutRequest.decode(whole.subarray(0, end));
    else refused(() => PutRequest.decode(whole.subarray(0, end)), /cut short|beyond the end/);
  }
});

test("a field of an inner message may not reach into the outer one", () => {
  // a Compare of one byte, the first half of a varint field
  refused(() => decode(TxnRequest, "0a0120 01"), /cut short/);
  refused(() => decode(TxnRequest, "0a021a01 61"), /beyond the end/);
});

test("byte fields are views, so a message lives as long as its bytes do", () => {
  const bytes = PutRequest.encode(PutRequest.create({ key: Uint8Array.of(1, 2, 3) }));
  const { key } = PutRequest.decode(bytes);
  bytes[2] = 9;
  assert.deepEqual(key, Uint8Array.of(9, 2, 3));
});

test("encode() answers bytes that later messages do not touch, also after one that failed", () => {
  const one = PutRequest.encode(PutRequest.create({ key: new Uint8Array(100).fill(1) }));
  const copy = one.slice();
  assert.throws(() => KeyValue.encode(KeyValue.create({ key: new Uint8Array(200), version: 0.5 })), /safe integer/);
  const two = PutRequest.encode(PutRequest.create({ key: new Uint8Array(100).fill(2) }));
  assert.deepEqual(one, copy);
  assert.deepEqual(PutRequest.decode(two).key, new Uint8Array(100).fill(2));
});

test("encodeTo() appends to what the writer holds", () => {
  const writer = new Writer();
  writer.byte(7);
  PutRequest.encodeTo(writer, PutRequest.create({ key: Uint8Array.of(1) }));
  AlarmRequest.encodeTo(writer, AlarmRequest.create({ action: 1 }));
  assert.deepEqual(writer.finish(), Uint8Array.of(7, 0x0a, 1, 1, 8, 1));
});

test("create() takes what it is given and fills in the rest", () => {
  const put = PutRequest.create({ lease: 5n });
  assert.deepEqual({ ...put }, { ...PutRequest.decode(Uint8Array.of(0x18, 5)) });
  assert.deepEqual(AlarmRequest.create({ alarm: 2 }), { action: 0, memberId: 0n, alarm: 2 });
});

test("encodeKeyValue() is canonical: ascending fields, zeros left out", () => {
  const kv = {
    key: Uint8Array.of(0x61),
    createRevision: 2,
    modRevision: 3,
    version: 1,
    value: Uint8Array.of(),
    lease: 0n,
  };
  assert.equal(Buffer.from(encodeKeyValue(kv)).toString("hex"), "0a0161100218032001");
  assert.deepEqual(KeyValue.decode(encodeKeyValue(kv)), kv);
});

test("encodeEvent() puts KeyValues into an event without looking into them", () => {
  const kv = KeyValue.create({ key: Uint8Array.of(0x61), modRevision: 3, value: new Uint8Array(300) });
  const before = KeyValue.create({ key: Uint8Array.of(0x61), modRevision: 2 });
  for (const type of [EventType.PUT, EventType.DELETE]) {
    for (const prevKv of [undefined, before]) {
      const bytes = encodeEvent(type, KeyValue.encode(kv), prevKv && KeyValue.encode(prevKv));
      assert.deepEqual(bytes, Event.encode({ type, kv, prevKv }));
      assert.deepEqual(Event.decode(bytes), { type, kv, prevKv });
    }
  }
});

test("the header's ids are written anew when they change", () => {
  const headers = [
    { clusterId: 1n, memberId: 2n, revision: 3, raftTerm: 4 },
    { clusterId: 1n, memberId: 5n, revision: 3, raftTerm: 4 },
    { clusterId: 2n ** 64n - 1n, memberId: 5n, revision: 0, raftTerm: 0 },
    { clusterId: 0n, memberId: 0n, revision: 9, raftTerm: 0 },
  ];
  for (const header of [...headers, ...headers.reverse()]) {
    assert.deepEqual(ResponseHeader.decode(ResponseHeader.encode(header)), header);
    const response = { header, kvs: [Uint8Array.of(1)], more: true, count: 3 };
    assert.deepEqual(RangeResponse.decode(RangeResponse.encode(response)), response);
  }
});

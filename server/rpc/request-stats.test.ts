import assert from "node:assert/strict";
import { test } from "node:test";
import { utf8Bytes } from "../base/bytes.ts";
import {
  Compare,
  DeleteRangeRequest,
  DeleteRangeResponse,
  PutRequest,
  RangeRequest,
  RangeResponse,
  RequestOp,
  StatusResponse,
  TxnRequest,
  TxnResponse,
} from "../proto/etcdserverpb.ts";
import { type AnyMethod, SERVICES } from "../proto/services.ts";
import { RequestStats } from "./request-stats.ts";

const { kv, maintenance } = SERVICES;

/** The line for one call that took `tookMs`. */
function lineOf(method: AnyMethod, request: unknown, response: unknown, tookMs = 301.5) {
  const lines: [string, Readonly<Record<string, unknown>>][] = [];
  const log = {
    debug: (_message: string, fields: Readonly<Record<string, unknown>>) => void lines.push(["debug", fields]),
    warn: (_message: string, fields: Readonly<Record<string, unknown>>) => void lines.push(["warn", fields]),
  };
  const stats = new RequestStats({ log, warnAfterMs: 300, all: true, wallMs: () => 1_700_000_000_301.5 });
  stats.observe({
    method: { ...method, service: "s" },
    remoteAddress: "127.0.0.1:1",
    tookMs,
    request,
    requestBytes: 4,
    response,
    responseBytes: 26,
  });
  return lines[0] as [string, Readonly<Record<string, unknown>>];
}

test("a slow call is told of with etcd's fields", () => {
  const request = DeleteRangeRequest.create({ key: utf8Bytes("zz") });
  const [level, fields] = lineOf(kv.methods.deleteRange, request, DeleteRangeResponse.create({ deleted: 3 }));
  assert.equal(level, "warn");
  assert.deepEqual(fields, {
    "start time": "2023-11-14T22:13:20.000Z",
    "time spent": "301.5ms",
    remote: "127.0.0.1:1",
    "response type": "/etcdserverpb.KV/DeleteRange",
    "request count": 0,
    "request size": 4,
    "response count": 3,
    "response size": 26,
    "request content": 'key:"zz"',
  });
  assert.equal(lineOf(kv.methods.deleteRange, request, DeleteRangeResponse.create(), 5)[0], "debug");
});

test("keys are shown, values are not", () => {
  const key = Uint8Array.of(0x61, 0x22, 0, 0xff);
  const put = PutRequest.create({ key, value: utf8Bytes("secret"), lease: 7n, prevKv: true });
  const [, fields] = lineOf(kv.methods.put, put, undefined);
  assert.equal(fields["request content"], 'key:"a\\"\\x00\\xff" value_size:6 lease:7 prev_kv:true');
  const range = RangeRequest.create({
    key: utf8Bytes("a"),
    rangeEnd: utf8Bytes("b"),
    limit: 5,
    sortOrder: 2,
    sortTarget: 3,
  });
  const [, ranged] = lineOf(kv.methods.range, range, RangeResponse.create({ count: 9 }));
  assert.equal(ranged["request content"], 'key:"a" range_end:"b" limit:5 sort_order:DESCEND sort_target:MOD');
  assert.equal(ranged["response count"], 9);
});

test("a transaction is shown with both branches, and counted by the one taken", () => {
  const put = RequestOp.create({ request: { kind: "put", value: PutRequest.create({ key: utf8Bytes("q") }) } });
  const txn = TxnRequest.create({
    compare: [
      Compare.create({ target: 1, key: utf8Bytes("k"), targetUnion: { kind: "createRevision", value: 0 } }),
      Compare.create({
        target: 3,
        result: 1,
        key: utf8Bytes("k"),
        targetUnion: { kind: "value", value: utf8Bytes("secret") },
      }),
    ],
    success: [put, put],
  });
  const [, fields] = lineOf(kv.methods.txn, txn, TxnResponse.create({ succeeded: true }));
  assert.equal(
    fields["request content"],
    'compare:<target:CREATE key:"k" create_revision:0> compare:<result:GREATER target:VALUE key:"k" value_size:6> ' +
      'success:<request_put:<key:"q"> request_put:<key:"q">> failure:<>',
  );
  assert.equal(fields["request count"], 2);
  assert.equal(lineOf(kv.methods.txn, txn, TxnResponse.create())[1]["request count"], 0);
});

test("other calls are told of without counts, and long words are cut", () => {
  const [, fields] = lineOf(maintenance.methods.status, {}, StatusResponse.create());
  assert.deepEqual([fields["request count"], fields["request size"], fields["request content"]], [-1, -1, ""]);
  const long = PutRequest.create({ key: new Uint8Array(100_000).fill(0x61) });
  assert.equal(String(lineOf(kv.methods.put, long, undefined)[1]["request content"]).length, 4099);
});

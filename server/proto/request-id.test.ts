import assert from "node:assert/strict";
import { test } from "node:test";
import { EMPTY_BYTES, utf8Bytes } from "../base/bytes.ts";
import { InternalRaftRequest, type InternalRequest, PutRequest, RequestHeader, requestIdOf } from "./etcdserverpb.ts";

const put: InternalRequest = { kind: "put", value: PutRequest.create({ key: utf8Bytes("a"), value: utf8Bytes("b") }) };
const authEnable: InternalRequest = { kind: "authEnable", value: {} };

test("an entry is for the id in its header, else for the one beside it as etcd before 3.0 wrote it", () => {
  const header = RequestHeader.create({ id: 0xffff_0000_0000_0001n, username: "root", authRevision: 3 });
  for (const request of [put, authEnable]) {
    assert.equal(requestIdOf(InternalRaftRequest.encode({ header, id: 0n, request })), 0xffff_0000_0000_0001n);
    assert.equal(requestIdOf(InternalRaftRequest.encode({ header, id: 7n, request })), 0xffff_0000_0000_0001n);
    assert.equal(requestIdOf(InternalRaftRequest.encode({ header: undefined, id: 7n, request })), 7n);
    assert.equal(requestIdOf(InternalRaftRequest.encode({ header: undefined, id: 0n, request })), 0n);
  }
  assert.equal(requestIdOf(EMPTY_BYTES), 0n);
});

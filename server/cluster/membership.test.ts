import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryBackend } from "../../test/simulation/world/backend.ts";
import { EMPTY_BYTES, utf8Bytes, utf8Text } from "../base/bytes.ts";
import type { Bucket } from "../ports/buckets.ts";
import { decodeMember, encodeMember, type MemberRecord, Membership } from "./membership.ts";

const BIG_ID = 0x8e9e_05c5_2164_694dn;

function member(id: bigint, more: Partial<MemberRecord> = {}): MemberRecord {
  return { id, name: "", peerUrls: ["http://p"], clientUrls: [], isLearner: false, ...more };
}

function bucket(backend: MemoryBackend, name: Bucket): Record<string, string> {
  const records: Record<string, string> = {};
  backend.scan(name, EMPTY_BYTES, undefined, (key, value) => {
    records[utf8Text(key)] = utf8Text(value);
    return true;
  });
  return records;
}

test("a member is etcd's JSON under its id in hex", () => {
  const backend = new MemoryBackend();
  const membership = new Membership(backend);
  membership.add(member(BIG_ID, { isLearner: true }));
  membership.setAttributes(BIG_ID, "one", ["http://c"]);
  membership.add(member(0xabcn));
  assert.deepEqual(bucket(backend, "members"), {
    "8e9e05c52164694d":
      '{"id":10276657743932975437,"peerURLs":["http://p"],"isLearner":true,"name":"one","clientURLs":["http://c"]}',
    abc: '{"id":2748,"peerURLs":["http://p"]}',
  });
});

test("a member's JSON is read as it was written, its id to the last digit", () => {
  for (const one of [
    member(BIG_ID, { name: 'the "one"', clientUrls: ["http://c:1", "http://c:2"] }),
    member(2n ** 64n - 1n, { isLearner: true }),
    member(9_007_199_254_740_993n),
    member(1n, { peerUrls: [] }),
  ])
    assert.deepEqual(decodeMember(encodeMember(one)), { ...one, isPromote: false });
});

test("the context of a promotion says so", () => {
  const text = `{"id":${BIG_ID},"peerURLs":null,"isPromote":true}`;
  assert.deepEqual(decodeMember(text), { ...member(BIG_ID, { peerUrls: [] }), isPromote: true });
});

test("what is no member is refused", () => {
  for (const text of ["", "{}", '{"id":"1"}', '{"id":1.5}', '{"id":1'])
    assert.throws(() => decodeMember(text), SyntaxError, text);
});

test("members are listed by rising ids", () => {
  const membership = new Membership(new MemoryBackend());
  for (const id of [BIG_ID, 3n, 2n ** 63n, 1n]) membership.add(member(id));
  assert.deepEqual(
    membership.list().map(({ id }) => id),
    [1n, 3n, 2n ** 63n, BIG_ID],
  );
});

test("a removed member is gone for good: its id never comes back", () => {
  const backend = new MemoryBackend();
  const membership = new Membership(backend);
  membership.add(member(1n));
  membership.add(member(BIG_ID));
  membership.remove(BIG_ID);
  assert.equal(membership.get(BIG_ID), undefined);
  assert.deepEqual([membership.isRemoved(BIG_ID), membership.isRemoved(1n)], [true, false]);
  assert.throws(() => membership.add(member(BIG_ID)), /a removed id never comes back/);
  assert.deepEqual(Object.keys(bucket(backend, "members")), ["1"]);
  assert.deepEqual(bucket(backend, "members_removed"), { "8e9e05c52164694d": "removed" });
});

test("attributes, peer URLs and promotions of unknown members are passed over", () => {
  const backend = new MemoryBackend();
  const membership = new Membership(backend);
  membership.add(member(1n));
  membership.remove(1n);
  const pending = backend.pendingOperations();
  for (const id of [1n, 2n]) {
    membership.setAttributes(id, "x", []);
    membership.setPeerUrls(id, ["http://x"]);
    membership.promote(id);
  }
  assert.deepEqual(membership.list(), []);
  assert.equal(backend.pendingOperations(), pending);
});

test("each change of a member leaves its other parts alone", () => {
  const membership = new Membership(new MemoryBackend());
  membership.add(member(1n, { isLearner: true }));
  membership.setAttributes(1n, "one", ["http://c"]);
  membership.setPeerUrls(1n, ["http://q"]);
  membership.promote(1n);
  assert.deepEqual(membership.get(1n), {
    id: 1n,
    name: "one",
    peerUrls: ["http://q"],
    clientUrls: ["http://c"],
    isLearner: false,
  });
});

test("everything is there again after a restart", () => {
  const backend = new MemoryBackend();
  const membership = new Membership(backend);
  assert.equal(membership.clusterVersion, undefined);
  membership.add(member(BIG_ID, { name: "one", clientUrls: ["http://c"] }));
  membership.add(member(2n, { isLearner: true }));
  membership.add(member(3n));
  membership.remove(3n);
  membership.setClusterVersion("3.7.0");
  const restarted = new Membership(backend);
  restarted.restore();
  assert.deepEqual(restarted.list(), membership.list());
  assert.ok(restarted.isRemoved(3n));
  assert.equal(restarted.clusterVersion, "3.7.0");
  backend.delete("members", utf8Bytes("2"));
  restarted.restore();
  assert.deepEqual(
    restarted.list().map(({ id }) => id),
    [BIG_ID],
  );
});

test("cluster version and downgrade lie where etcd looks for them", () => {
  const backend = new MemoryBackend();
  const membership = new Membership(backend);
  membership.setClusterVersion("3.7.0");
  membership.setDowngrade(true, "3.6.0");
  assert.deepEqual(bucket(backend, "cluster"), {
    clusterVersion: "3.7.0",
    downgrade: '{"target-version":"3.6.0","enabled":true}',
  });
});

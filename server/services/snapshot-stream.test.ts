import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeMember } from "../../test/support/fake-member.ts";
import { RecordingOutlet, settle, TestCall } from "../../test/support/recording-outlet.ts";
import { concatBytes } from "../base/bytes.ts";
import { sha256 } from "../base/digest.ts";
import { EtcdError } from "../base/error.ts";
import { SnapshotRequest, SnapshotResponse } from "../proto/etcdserverpb.ts";
import { Maintenance } from "./maintenance.ts";

function open(pieces: Uint8Array[], room = true) {
  const member = new FakeMember();
  member.pieces.push(...pieces);
  const outlet = new RecordingOutlet(SnapshotResponse);
  outlet.room = room;
  const call = new TestCall();
  new Maintenance(member).snapshot(SnapshotRequest.create(), call, outlet);
  return { member, outlet, call };
}

const PIECES = [1, 2, 3, 4, 5].map((number) => new Uint8Array(100_000).fill(number));

test("a snapshot comes in pieces that say how much is left, and its SHA-256 last", async () => {
  const { member, outlet } = open(PIECES);
  await settle();
  assert.deepEqual(
    outlet.messages.map(({ remainingBytes, version }) => [remainingBytes, version]),
    [400_000, 300_000, 200_000, 100_000, 0, 0].map((left) => [left, "3.7.0"]),
  );
  const blobs = outlet.messages.map(({ blob }) => blob);
  assert.deepEqual(blobs.at(-1), sha256(concatBytes(blobs.slice(0, -1))));
  assert.ok(outlet.ended);
  assert.equal(member.closedSnapshots, 1);
});

test("a slow reader is sent one piece at a time", async () => {
  const { member, outlet } = open(PIECES, false);
  await settle();
  assert.equal(outlet.messages.length, 1);
  outlet.drain();
  await settle();
  assert.equal(outlet.messages.length, 6);
  assert.equal(member.closedSnapshots, 1);
});

test("a caller that goes away lets the pages go, and nothing more is read", async () => {
  const { member, outlet, call } = open(PIECES, false);
  await settle();
  call.cancel();
  assert.equal(member.closedSnapshots, 1);
  outlet.drain();
  await settle();
  assert.equal(outlet.messages.length, 1);
  assert.ok(!outlet.ended);
});

test("a caller that is gone before the snapshot is there lets it go too", async () => {
  const { member, outlet, call } = open(PIECES);
  call.cancel();
  await settle();
  assert.equal(member.closedSnapshots, 1);
  assert.equal(outlet.messages.length, 0);
});

test("a refusal is the answer", async () => {
  const member = new FakeMember();
  member.instead.set("snapshot", () => Promise.reject(new EtcdError("TooManyRequests")));
  const outlet = new RecordingOutlet(SnapshotResponse);
  new Maintenance(member).snapshot(SnapshotRequest.create(), new TestCall(), outlet);
  await settle();
  assert.equal(outlet.failure?.code, "TooManyRequests");
});

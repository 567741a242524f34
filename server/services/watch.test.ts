import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeMember, type FakeWatchSide } from "../../test/support/fake-member.ts";
import { RecordingOutlet, settle, TestCall } from "../../test/support/recording-outlet.ts";
import { utf8Bytes } from "../base/bytes.ts";
import { EtcdError } from "../base/error.ts";
import { WatchCreateRequest, WatchRequest, WatchResponse } from "../proto/etcdserverpb.ts";
import { Event, encodeKeyValue } from "../proto/mvccpb.ts";
import { WatchHub } from "../watch/hub.ts";
import type { Inlet } from "./call.ts";
import { Watch } from "./watch.ts";

function open(): {
  member: FakeMember;
  side: FakeWatchSide;
  outlet: RecordingOutlet<WatchResponse>;
  inlet: Inlet<WatchRequest>;
} {
  const member = new FakeMember();
  const outlet = new RecordingOutlet(WatchResponse);
  const inlet = new Watch(member).watch(new TestCall(), outlet);
  return { member, side: member.watchSides[0] as FakeWatchSide, outlet, inlet };
}

const CREATE = WatchRequest.create({
  requestUnion: { kind: "create", value: WatchCreateRequest.create({ key: utf8Bytes("k") }) },
});

test("requests reach the hub, and its messages the client with the header filled in", () => {
  const { side, outlet, inlet } = open();
  void inlet.message(CREATE);
  void inlet.message(WatchRequest.create({ requestUnion: { kind: "cancel", value: { watchId: 5 } } }));
  void inlet.message(WatchRequest.create({ requestUnion: { kind: "progress", value: {} } }));
  void inlet.message(WatchRequest.create());
  assert.equal(side.created.length, 1);
  assert.deepEqual(side.canceledIds, [5]);
  assert.equal(side.progressRequests, 1);
  assert.deepEqual(outlet.messages, [
    WatchResponse.create({
      header: { clusterId: 0xc1n, memberId: 0xa1n, revision: 7, raftTerm: 3 },
      watchId: 0,
      created: true,
    }),
  ]);
});

test("the end of a compacted watch has revision 0 in its header", () => {
  const { side, outlet } = open();
  side.offer({ response: { watchId: 3, canceled: true, compactRevision: 12 }, revision: 0 });
  assert.equal(outlet.messages[0]?.header?.revision, 0);
  assert.equal(outlet.messages[0]?.header?.memberId, 0xa1n);
});

test("while the client does not read, messages stay in the hub", () => {
  const { side, outlet } = open();
  outlet.room = false;
  const message = (revision: number) => ({ response: { watchId: 1, events: [Uint8Array.of(1)] }, revision });
  side.offer(message(10), message(11), message(12));
  assert.equal(outlet.messages.length, 1);
  side.offer(message(13));
  assert.equal(outlet.messages.length, 1);
  assert.equal(side.waiting, 3);
  outlet.drain();
  assert.deepEqual(
    outlet.messages.map(({ header }) => header?.revision),
    [10, 11, 12, 13],
  );
});

test("while too many answers wait, no further request is read", async () => {
  const { side, outlet, inlet } = open();
  outlet.room = false;
  side.full = true;
  let read = false;
  void (inlet.message(CREATE) as Promise<void>).then(() => {
    read = true;
  });
  await settle();
  assert.equal(read, false);
  outlet.drain();
  await settle();
  assert.equal(read, false, "still too many");
  side.full = false;
  side.offer({ response: { watchId: 1 }, revision: 8 });
  await settle();
  assert.equal(read, true);
});

test("a message that goes to many streams is encoded once", () => {
  const { member, outlet } = open();
  const second = new RecordingOutlet(WatchResponse);
  new Watch(member).watch(new TestCall(), second);
  const delivery = { response: WatchResponse.create({ watchId: 4 }), revision: 9, encoded: undefined };
  for (const side of member.watchSides) {
    side.next = () => {
      side.next = () => undefined;
      return delivery;
    };
    side.offer();
  }
  assert.ok(delivery.encoded !== undefined);
  assert.deepEqual(outlet.messages, second.messages);
});

test("a half-closed stream goes on; one that is over lets go of its watches and of whoever waits", async () => {
  const { side, outlet, inlet } = open();
  side.full = true;
  const waiting = inlet.message(CREATE);
  inlet.halfClose();
  assert.equal(outlet.ended, false);
  assert.equal(side.closed, false);
  inlet.canceled();
  assert.equal(side.closed, true);
  await waiting;
});

test("a refusal of the hub goes to the engine, which ends the stream", () => {
  const { side, inlet } = open();
  side.refusal = new EtcdError("TooManyRequests");
  assert.throws(() => inlet.message(CREATE), { code: "TooManyRequests" });
});

/** A put of "k" in that revision, as the store tells of it. */
function putOfK(revision: number) {
  const kv = { key: utf8Bytes("k"), value: utf8Bytes(`${revision}`), createRevision: 2, modRevision: revision };
  const bytes = encodeKeyValue({ ...kv, version: revision - 1, lease: 0n });
  return { type: "put", key: "k", revision: { main: revision, sub: 0 }, kv: bytes, created: revision === 2 } as const;
}

test("on the real hub: created, history, then live events, in order and to a slow reader too", () => {
  const changes = [2, 3, 4].map(putOfK);
  const history = {
    currentRevision: 4,
    compactRevision: -1,
    events: (from: number, to: number) => changes.filter(({ revision: { main } }) => main >= from && main <= to),
    previous: () => undefined,
  };
  const hub = new WatchHub(history, { maxResponseBytes: 1_000_000 });
  const member = Object.assign(new FakeMember(), { hub });
  const outlet = new RecordingOutlet(WatchResponse);
  const inlet = new Watch(member).watch(new TestCall(), outlet);
  const value = WatchCreateRequest.create({ key: utf8Bytes("k"), startRevision: 2 });
  void inlet.message(WatchRequest.create({ requestUnion: { kind: "create", value } }));
  while (hub.catchUp(100));
  outlet.room = false;
  for (let revision = 5; revision < 300; revision++) {
    changes.push(putOfK(revision));
    history.currentRevision = revision;
    hub.publish(revision, [putOfK(revision)]);
  }
  assert.ok(outlet.messages.length < 5, "it waits in the hub");
  outlet.drain();
  while (hub.catchUp(100));
  assert.equal(outlet.messages[0]?.created, true);
  const seen = outlet.messages.flatMap(({ events }) => events.map((event) => Event.decode(event).kv?.modRevision));
  assert.deepEqual(
    seen,
    Array.from({ length: 298 }, (_, at) => at + 2),
  );
  inlet.canceled();
  assert.equal(hub.stats().streams, 0);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryBackend } from "../../test/simulation/world/backend.ts";
import { LogLines } from "../../test/support/settling.ts";
import { storeConfState } from "../apply/cluster-requests.ts";
import { storeConsistentIndex } from "../apply/consistent-index.ts";
import { concatBytes, utf8Text } from "../base/bytes.ts";
import { EtcdError } from "../base/error.ts";
import { BoltFile } from "../bolt/reader.ts";
import { Membership } from "../cluster/membership.ts";
import type { OutgoingSnapshot } from "../ports/network.ts";
import { ConfState, Message, MessageType } from "../proto/raftpb.ts";
import { OutgoingSnapshots, SENT_AT_ONCE } from "./outgoing-snapshots.ts";
import { StoreSnapshot } from "./store-snapshot.ts";

const VOTERS = [1n, 2n];

/** A store at entry 20 of term 3, and what was sent and reported. */
class Place {
  readonly backend = new MemoryBackend();
  readonly sent: OutgoingSnapshot[] = [];
  readonly reports: string[] = [];
  readonly pauses: number[] = [];
  wake: () => void = () => undefined;
  failure: Error | undefined;
  readonly outgoing = new OutgoingSnapshots({
    logger: new LogLines(),
    host: {
      open: async () => {
        if (this.failure !== undefined) throw this.failure;
        await this.backend.commit();
        return new StoreSnapshot(this.backend.openReadView());
      },
      sizeBytes: () => 1,
      send: (snapshot) => void this.sent.push(snapshot),
      report: (id, wasDelivered) => void this.reports.push(`${id} ${wasDelivered}`),
      nextTurn: () => Promise.resolve(),
      after: (delayMs, action) => {
        this.pauses.push(delayMs);
        this.wake = action;
        return { cancel: () => void this.pauses.push(-1) };
      },
    },
  });

  constructor() {
    const membership = new Membership(this.backend);
    const urls = { peerUrls: ["http://a:2380"], clientUrls: ["http://a:2379"] };
    membership.add({ id: 1n, name: "a", ...urls, isLearner: false });
    membership.add({ id: 9n, name: "", ...urls, isLearner: false });
    membership.remove(9n);
    membership.setClusterVersion("3.7.0");
    storeConsistentIndex(this.backend, { index: 20, term: 3 });
    storeConfState(this.backend, ConfState.create({ voters: VOTERS }));
  }

  async wanted(to: bigint, index = 10): Promise<void> {
    const snapshot = { data: new Uint8Array(0), metadata: { index, term: 1, confState: ConfState.create() } };
    this.outgoing.wanted(Message.create({ type: MessageType.SNAP, to, from: 1n, term: 4, snapshot }));
    await settle();
  }
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}

test("what is sent is the state as it is applied now, with the index, term and voters that the file itself holds", async () => {
  const place = new Place();
  await place.wanted(2n);
  const [{ message, body }] = place.sent as [OutgoingSnapshot];
  assert.deepEqual([message.to, message.from, message.term], [2n, 1n, 4]);
  const { index, term, confState } = message.snapshot?.metadata ?? {};
  assert.deepEqual([index, term, confState?.voters], [20, 3, VOTERS]);
  storeConsistentIndex(place.backend, { index: 21, term: 3 });
  await place.backend.commit();
  const pieces: Uint8Array[] = [];
  for await (const piece of body) pieces.push(piece);
  const bytes = concatBytes(pieces);
  const file = BoltFile.open({ sizeBytes: bytes.length, read: (at, length) => bytes.subarray(at, at + length) });
  const walk = file.walk();
  const meta = walk.buckets.find(({ name }) => utf8Text(name) === "meta");
  assert.ok(meta);
  const applied = [...walk.rows(meta)].find(({ key }) => utf8Text(key) === "consistent_index");
  assert.equal(applied?.value.at(-1), 20);
  assert.equal(place.backend.openReadViews(), 0, "closed at its end");
  place.outgoing.finished(2n, true);
  assert.deepEqual(place.reports, ["2 true"]);
});

test("its data is the tree of etcd's old store: members, the removed, the version", async () => {
  const place = new Place();
  await place.wanted(2n);
  const tree = JSON.parse(utf8Text(place.sent[0]?.message.snapshot?.data ?? new Uint8Array(0)));
  const { members, removed_members, version } = tree.Root.Children["0"].Children;
  assert.equal(version.Value, "3.7.0");
  assert.equal(version.Children, null);
  assert.deepEqual(Object.keys(removed_members.Children), ["9"]);
  const { raftAttributes, attributes } = members.Children["1"].Children;
  assert.equal(raftAttributes.Path, "/0/members/1/raftAttributes");
  assert.deepEqual(JSON.parse(raftAttributes.Value), { peerURLs: ["http://a:2380"] });
  assert.deepEqual(JSON.parse(attributes.Value), { name: "a", clientURLs: ["http://a:2379"] });
});

test("one at a time goes to a member, and so many in all; raft hears once of each", async () => {
  const place = new Place();
  for (const to of [2n, 2n, 3n, 4n]) await place.wanted(to);
  assert.deepEqual(
    place.sent.map(({ message }) => message.to),
    [2n, 3n],
  );
  assert.equal(SENT_AT_ONCE, 2);
  assert.deepEqual(place.reports, ["4 false"]);
  place.outgoing.finished(2n, false);
  place.outgoing.finished(2n, true);
  assert.deepEqual(place.reports, ["4 false", "2 false"]);
  assert.equal(place.backend.openReadViews(), 1, "never read from, and closed all the same");
  await place.wanted(4n);
  assert.equal(place.sent.length, 3);
});

test("a state older than what raft asked for, or none at all, is a failure that raft hears of", async () => {
  const place = new Place();
  await place.wanted(2n, 21);
  place.failure = new EtcdError("TooManyRequests");
  await place.wanted(3n);
  assert.deepEqual(place.sent, []);
  assert.deepEqual(place.reports, ["2 false", "3 false"]);
  assert.equal(place.backend.openReadViews(), 0);
});

test("raft hears of failures in a row later and later, so that it asks again later, and at once after a success", async () => {
  const place = new Place();
  const fail = async (pauseMs: number) => {
    const told = place.reports.length;
    const sent = place.sent.length;
    await place.wanted(2n);
    place.outgoing.finished(2n, false);
    if (pauseMs > 0) {
      assert.equal(place.pauses.at(-1), pauseMs);
      await place.wanted(2n);
      place.outgoing.finished(2n, false);
      assert.equal(place.sent.length, sent + 1, "nothing is sent before the pause is over");
      assert.equal(place.reports.length, told);
      place.wake();
    }
    assert.equal(place.reports.length, told + 1);
  };
  for (const pauseMs of [0, 200, 400, 800]) await fail(pauseMs);
  await place.wanted(2n);
  place.outgoing.finished(2n, true);
  assert.equal(place.reports.at(-1), "2 true");
  for (const pauseMs of [0, 200]) await fail(pauseMs);
  assert.equal(place.pauses.length, 4);
  assert.equal(place.backend.openReadViews(), 0);
});

test("a member that is given up while the state is being opened is sent nothing, and the store is let go", async () => {
  const place = new Place();
  const wanted = place.wanted(2n);
  place.outgoing.finished(2n, false);
  await wanted;
  assert.deepEqual(place.sent, []);
  assert.equal(place.backend.openReadViews(), 0);
  place.wake();
  assert.deepEqual(place.reports, ["2 false"]);
});

test("who waits to be tried again takes nobody's place, and is given up with the member", async () => {
  const place = new Place();
  for (let attempt = 0; attempt < 2; attempt++) {
    for (const to of [2n, 3n]) {
      await place.wanted(to);
      place.outgoing.finished(to, false);
    }
  }
  assert.deepEqual(place.pauses, [200, 200]);
  await place.wanted(4n);
  await place.wanted(5n);
  assert.deepEqual(
    place.sent.slice(-2).map(({ message }) => message.to),
    [4n, 5n],
  );
  place.outgoing.finished(4n, true);
  place.outgoing.close();
  assert.deepEqual(place.pauses, [200, 200, -1, -1]);
});

test("a body that is given up lets the store go, and does not go on", async () => {
  const place = new Place();
  await place.wanted(2n);
  const iterator = place.sent[0]?.body[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
  assert.equal((await iterator.next()).done, false);
  await iterator.return?.();
  assert.equal(place.backend.openReadViews(), 0);
  await assert.rejects(async () => iterator.next(), { code: "Stopped" });
});

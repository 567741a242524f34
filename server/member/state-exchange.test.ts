/** A member in virtual time that is sent the state of another one: what it makes of it, and of a crash at any moment. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ALL_KEYS, put } from "../../test/support/apply-state.ts";
import { MemberWorld } from "../../test/support/member-world.ts";
import { loadConsistentIndex } from "../apply/consistent-index.ts";
import { utf8Bytes } from "../base/bytes.ts";
import { encodeV2Store } from "../cluster/v2-store.ts";
import type { Receiver } from "../ports/network.ts";
import {
  AlarmAction,
  AlarmType,
  type PutRequest,
  RangeRequest,
  type RangeResponse,
  RequestOp,
  TxnRequest,
  WatchCreateRequest,
} from "../proto/etcdserverpb.ts";
import { ConfState, Message, MessageType } from "../proto/raftpb.ts";
import type { Member } from "./member.ts";
import { NO_NETWORK } from "./peers.ts";
import { wasReceived } from "./received-files.ts";

const SOURCE_URL = "http://127.0.0.1:2380";
const OWN_URL = "http://127.0.0.1:3380";
const FOLDER = "/data/member/received";
const PIECE_BYTES = 5000;

/** What a leader sends: its message and the file. */
interface Sent {
  readonly message: Message;
  readonly bytes: readonly Uint8Array[];
  readonly index: number;
  readonly hash: number;
  readonly clusterId: bigint;
  readonly members: Awaited<ReturnType<Member["members"]>>;
}

/** The state of a member that has added another one; `more` keys beside the few that tests look at. */
async function makeState(more = 0): Promise<Sent> {
  const source = new MemberWorld();
  const member = await source.start();
  const { id } = await source.come(member.leaseGrant({ id: 7n, ttl: 600 }));
  for (let n = 0; n < 30; n++) {
    const request = put(`key ${n}`, "v".repeat(400)).value as PutRequest;
    await source.come(member.put(n === 0 ? { ...request, lease: id } : request));
  }
  for (let first = 0; first < more; first += MORE_AT_ONCE) await source.come(member.txn(manyPuts(first)));
  await source.come(member.alarm({ action: AlarmAction.ACTIVATE, memberId: 9n, alarm: AlarmType.CORRUPT }));
  const { id: added } = (await source.come(member.changes.add([OWN_URL], true))) as { id: bigint };
  const snapshot = await source.come(member.snapshot());
  while (!snapshot.measure());
  const bytes: Uint8Array[] = [];
  for (let piece = snapshot.next(); piece !== undefined; piece = snapshot.next()) {
    for (let at = 0; at < piece.length; at += PIECE_BYTES) bytes.push(piece.slice(at, at + PIECE_BYTES));
  }
  const metadata = { ...snapshot.applied, confState: snapshot.confState as ConfState };
  const message = Message.create({
    type: MessageType.SNAP,
    from: member.memberId,
    to: added,
    term: snapshot.applied.term,
    snapshot: { data: encodeV2Store(snapshot.members), metadata },
  });
  snapshot.close();
  const { hash } = await source.come(member.hashKv(0));
  const members = await source.come(member.members(false));
  return { message, bytes, index: metadata.index, hash, clusterId: member.clusterId, members };
}

const MORE_AT_ONCE = 100;

function manyPuts(first: number): TxnRequest {
  const success = Array.from({ length: MORE_AT_ONCE }, (_, n) =>
    RequestOp.create({ request: { kind: "put", value: put(`more ${first + n}`, "v").value as PutRequest } }),
  );
  return TxnRequest.create({ success });
}

/** The same with other bytes where `text` is first found in the file, from `shift` on. */
function damaged(sent: Sent, text: string, shift: number, bytes: readonly number[]): Sent {
  const file = Buffer.concat(sent.bytes);
  const at = file.indexOf(text);
  assert.ok(at > 0, `"${text}" is in the file`);
  file.set(bytes, at + shift);
  return { ...sent, bytes: [file] };
}

/** The member that was added, before it knows anything. */
class Joiner {
  readonly world: MemberWorld;
  receiver: Receiver | undefined;
  readonly sent: Message[] = [];
  readonly peers: bigint[] = [];

  constructor({ clusterId, members }: Sent) {
    const network = {
      ...NO_NETWORK,
      start: (receiver: Receiver) => {
        this.receiver = receiver;
      },
      send: (messages: readonly Message[]) => void this.sent.push(...messages),
      addPeer: (id: bigint) => void this.peers.push(id),
    };
    this.world = new MemberWorld({
      name: "two",
      joined: { clusterId, members },
      initialCluster: new Map([
        ["one", [SOURCE_URL]],
        ["two", [OWN_URL]],
      ]),
      openNetwork: () => network,
    });
  }

  /** Starts the member; it waits for a leader for as long as the test runs. */
  async begin(): Promise<Member> {
    const member = this.world.make();
    member.start().catch(() => undefined);
    await this.world.pass(10);
    return member;
  }

  /** Takes the file in, and then the message. */
  async take({ message, bytes }: Sent): Promise<void> {
    const { world } = this;
    const receiver = this.receiver as Receiver;
    const sink = await world.come(Promise.resolve(receiver.openSnapshot(message)));
    for (const piece of bytes) await sink.write(piece);
    try {
      await world.come(sink.end());
    } catch (error) {
      sink.abort(error as Error);
      throw error;
    }
    receiver.message(message);
    await world.pass(200);
  }
}

async function assertLevel(joiner: Joiner, sent: Sent): Promise<void> {
  const { world } = joiner;
  const { member } = world;
  assert.deepEqual(world.fatal, []);
  assert.equal(loadConsistentIndex(world.backend).index, sent.index);
  assert.equal((await world.come(member.hashKv(0))).hash, sent.hash);
  assert.deepEqual(await member.members(false), sent.members);
  assert.deepEqual(
    member.alarms().map(({ memberId }) => memberId),
    [9n],
  );
  assert.deepEqual(member.lessor.keysOf(7n), ["key 0"]);
  assert.equal(member.isLearner, true);
  assert.equal(wasReceived(world.disk, FOLDER, sent.index), false);
  assert.deepEqual(world.disk.list(FOLDER), []);
}

test("the state that came is the member's own: keys, leases, alarms, members, and the way to them", async () => {
  const sent = await makeState();
  const joiner = new Joiner(sent);
  await joiner.begin();
  await joiner.take(sent);
  await assertLevel(joiner, sent);
  assert.deepEqual(joiner.peers, [sent.message.from]);
  const answer = joiner.sent.find(({ type }) => type === MessageType.APP_RESP);
  assert.deepEqual([answer?.to, answer?.index, answer?.reject], [sent.message.from, sent.index, false]);
  const { raftIndex, raftAppliedIndex } = joiner.world.member.status();
  assert.deepEqual([raftIndex, raftAppliedIndex], [sent.index, sent.index]);
  joiner.world.kill();
  await joiner.begin();
  await assertLevel(joiner, sent);
});

test("a watcher is told from history what the state holds and was never applied here", async () => {
  const sent = await makeState();
  const joiner = new Joiner(sent);
  const member = await joiner.begin();
  const stream = member.hub.openStream({ onWritable: () => undefined });
  stream.create(WatchCreateRequest.create({ key: utf8Bytes("key 3") }));
  const created = stream.next();
  assert.ok(created !== undefined);
  assert.equal(stream.next(), undefined);
  await joiner.take(sent);
  while (member.hub.behind) member.hub.catchUp(100);
  assert.ok(stream.next() !== undefined, "its put comes");
});

test("a member that stops, or is killed, while a state comes in starts without it", async () => {
  const sent = await makeState();
  for (const end of ["stop", "kill"] as const) {
    const joiner = new Joiner(sent);
    const member = await joiner.begin();
    const sink = await (joiner.receiver as Receiver).openSnapshot(sent.message);
    for (const piece of sent.bytes.slice(0, -1)) await sink.write(piece);
    if (end === "stop") await joiner.world.come(member.stop());
    joiner.world.kill();
    await joiner.begin();
    assert.equal(loadConsistentIndex(joiner.world.backend).index, 0);
    assert.deepEqual(joiner.world.disk.list(FOLDER), []);
    await joiner.take(sent);
    await assertLevel(joiner, sent);
  }
});

test("a damaged file is refused and changes nothing; the next one is taken", async () => {
  const sent = await makeState();
  const joiner = new Joiner(sent);
  await joiner.begin();
  const torn = { ...sent, bytes: sent.bytes.slice(0, -2) };
  await assert.rejects(joiner.take(torn), /truncated/);
  const late = {
    ...sent.message,
    snapshot: {
      data: new Uint8Array(0),
      metadata: { index: 1, term: 1, confState: ConfState.create({ voters: [1n] }) },
    },
  };
  await assert.rejects(
    joiner.take({ ...sent, message: late }),
    /the file is of entry \d+, the message with it of entry 1/,
  );
  assert.deepEqual(joiner.world.fatal, []);
  await joiner.take(sent);
  await assertLevel(joiner, sent);
});

test("a damaged record is found before raft hears of the state, and the sender is told which", async () => {
  const sent = await makeState();
  const joiner = new Joiner(sent);
  await joiner.begin();
  for (const { text, shift, bytes, found } of [
    { text: "key 3", shift: -1, bytes: [0xff], found: /revision \d+\.0 in bucket "key" is no KeyValue/ },
    { text: '{"id":', shift: 0, bytes: [0x21], found: /bucket "members" is damaged/ },
    { text: "\0\0\0\0\0\0\0\x07\x08\x07\x10", shift: 8, bytes: [0xff], found: /lease 7 in bucket "lease" is no lease/ },
  ]) {
    await assert.rejects(joiner.take(damaged(sent, text, shift, bytes)), found);
    assert.equal(joiner.world.member.status().raftIndex, 0, "raft has not heard of it");
    assert.deepEqual(joiner.world.disk.list(FOLDER), []);
  }
  assert.deepEqual(joiner.world.fatal, []);
  await joiner.take(sent);
  await assertLevel(joiner, sent);
});

test("while a state is loaded and read everybody has turns, and serializable reads are of the present state to the last", async () => {
  const sent = await makeState(20_000);
  const joiner = new Joiner(sent);
  const member = await joiner.begin();
  const { clock } = joiner.world;
  const everything = { ...RangeRequest.create(ALL_KEYS), serializable: true, countOnly: true };
  const count = () => (member.range(everything) as RangeResponse).count;
  const seen: number[] = [];
  const soon = clock.soon.bind(clock);
  clock.soon = (action) =>
    soon(() => {
      if (member.status().raftIndex < sent.index) seen.push(count());
      action();
    });
  await joiner.take(sent);
  assert.ok(seen.length > 40, `${seen.length} turns were had`);
  assert.deepEqual(new Set(seen), new Set([0]), "none of it shows before all of it does");
  assert.equal(count(), 20_030);
  await assertLevel(joiner, sent);
});

test("a newer state overtakes one that is still coming; the message without its file is nothing", async () => {
  const sent = await makeState();
  const joiner = new Joiner(sent);
  await joiner.begin();
  const receiver = joiner.receiver as Receiver;
  receiver.message(sent.message);
  await joiner.world.pass(50);
  assert.equal(joiner.world.member.status().raftIndex, 0);
  const first = await receiver.openSnapshot(sent.message);
  await first.write(sent.bytes[0] as Uint8Array);
  await joiner.take(sent);
  assert.throws(() => first.write(sent.bytes[1] as Uint8Array), /a newer one is sent/);
  await assertLevel(joiner, sent);
  await joiner.take(sent); // it has as much: as if it had not come
  await assertLevel(joiner, sent);
});

test("a state that comes while two are given up waits for the older one too: they share one folder", async () => {
  const sent = await makeState();
  const joiner = new Joiner(sent);
  await joiner.begin();
  const { world } = joiner;
  const receiver = joiner.receiver as Receiver;
  const first = await receiver.openSnapshot(sent.message);
  for (const piece of sent.bytes) await first.write(piece);
  const ended = first.end(); // its file is being synced
  const second = Promise.resolve(receiver.openSnapshot(sent.message));
  const third = Promise.resolve(receiver.openSnapshot(sent.message));
  let hasBegun = false;
  void third.then(() => {
    hasBegun = true;
  });
  await Promise.all([
    assert.rejects(ended, /a newer one is sent/),
    assert.rejects(second, /it was given up meanwhile/),
    Promise.resolve().then(async () => {
      for (let turn = 0; turn < 20; turn++) await Promise.resolve();
      assert.equal(hasBegun, false, "the first one's sync is still under way");
      await world.pass(10);
    }),
  ]);
  const sink = await world.come(third);
  for (const piece of sent.bytes) await sink.write(piece);
  await world.come(sink.end());
  receiver.message(sent.message);
  await world.pass(200);
  await assertLevel(joiner, sent);
});

test("until the log says what the store is of no other state comes in, for its file says so instead", async () => {
  const sent = await makeState();
  const joiner = new Joiner(sent);
  await joiner.begin();
  const { world } = joiner;
  const receiver = joiner.receiver as Receiver;
  const sink = await receiver.openSnapshot(sent.message);
  for (const piece of sent.bytes) await sink.write(piece);
  await world.come(sink.end());
  receiver.message(sent.message);
  let isExchanged = 0;
  while (wasReceived(world.disk, FOLDER, sent.index)) {
    await assert.rejects(Promise.resolve(receiver.openSnapshot(sent.message)), /is being installed/);
    if (loadConsistentIndex(world.backend).index === sent.index) isExchanged++;
    await world.pass(1);
  }
  assert.ok(isExchanged > 0);
  await assertLevel(joiner, sent);
});

test("a power cut at any operation of the disk leaves the old state or the new one, and the next start makes it whole", async (t) => {
  const sent = await makeState();
  const found = { before: 0, after: 0, repaired: 0 };
  for (let operation = 1; ; operation++) {
    const joiner = new Joiner(sent);
    await joiner.begin();
    joiner.world.disk.crashAtOperation(operation);
    let isCut = false;
    await joiner.take(sent).catch(() => {
      isCut = true;
    });
    isCut ||= joiner.world.fatal.length > 0;
    joiner.world.disk.crash();
    joiner.world.kill();
    joiner.world.fatal.length = 0;
    await joiner.begin();
    assert.deepEqual(joiner.world.disk.list(FOLDER), []);
    const { index } = loadConsistentIndex(joiner.world.backend);
    assert.ok(index === 0 || index === sent.index, `the store is of entry ${index}`);
    if (index === 0) {
      found.before++;
      await joiner.take(sent);
    } else found.after++;
    if (joiner.world.logger.of("warn").some((line) => line.includes("does not say so yet"))) found.repaired++;
    await assertLevel(joiner, sent);
    if (!isCut) break;
  }
  t.diagnostic(JSON.stringify(found));
  assert.ok(found.before > 5 && found.repaired > 0);
});

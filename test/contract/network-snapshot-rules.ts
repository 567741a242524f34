/** The contract of the network on snapshots: what became of each is told once, whatever that was. */
import assert from "node:assert/strict";
import type { SnapshotSink } from "../../server/ports/network.ts";
import { snapshotOf, WatchedBody, type Witness } from "./network-witness.ts";
import { type ContractMember, type NetworkWorld, type Rule, type Rules, twoMembers } from "./network-world.ts";

const LONG = 10_000;
const FAILED = { id: 2n, wasDelivered: false };
const never = new Promise<void>(() => undefined);

/** A sink that has a way to fail; what it is told goes to the witness. */
function sinkOf(witness: Witness, parts: Partial<SnapshotSink>): SnapshotSink {
  return {
    write: () => undefined,
    end: async () => void witness.told.push("end"),
    abort: ({ message }) => void witness.aborted.push(message),
    ...parts,
  };
}

/** One and only one failure was told, nothing arrived, and the body is let go of. */
async function failedOnce(world: NetworkWorld, one: ContractMember, two: ContractMember, body: WatchedBody) {
  await world.until(() => one.witness.statuses.length > 0, "it is reported");
  await world.until(() => body.isClosed, "the body is closed");
  await world.settle();
  assert.deepEqual(one.witness.statuses, [FAILED]);
  assert.deepEqual([two.witness.snapshots, two.witness.messages], [[], []]);
}

/** A snapshot that the receiver does not take, each for a reason of its own. */
function refused(sink: (witness: Witness) => SnapshotSink | Promise<SnapshotSink>, aborts: number): Rule {
  return async (world) => {
    const [one, two] = await twoMembers(world);
    two.witness.newSink = () => sink(two.witness);
    const body = new WatchedBody(LONG);
    one.network.sendSnapshot(snapshotOf(1n, 2n, body));
    await failedOnce(world, one, two, body);
    assert.equal(two.witness.aborted.length, aborts);
  };
}

/** A snapshot whose first pieces are stored, and the next not yet. */
async function halfWay(world: NetworkWorld, body: WatchedBody) {
  const [one, two] = await twoMembers(world);
  let isStored = false;
  two.witness.newSink = () =>
    sinkOf(two.witness, {
      write: () => {
        isStored = true;
      },
    });
  one.network.sendSnapshot(snapshotOf(1n, 2n, body));
  await world.until(() => isStored, "it begins");
  return [one, two] as const;
}

/** Of a body that comes to no end: its first pieces are there, the next is waited for. */
const stuckBody = () => new WatchedBody(LONG, (at) => (at > 3 ? never : undefined));

export const SNAPSHOT_RULES: Rules = {
  "a snapshot arrives whole, then its message, then the sender knows": async (world) => {
    const [one, two] = await twoMembers(world);
    const body = new WatchedBody(40);
    const sent = snapshotOf(1n, 2n, body);
    one.network.sendSnapshot(sent);
    await world.until(() => one.witness.statuses.length > 0, "it is reported");
    assert.deepEqual(one.witness.statuses, [{ id: 2n, wasDelivered: true }]);
    assert.deepEqual(two.witness.told, ["openSnapshot", "end", "snapshot message"]);
    assert.deepEqual(two.witness.messages, [sent.message]);
    assert.deepEqual(two.witness.snapshots[0]?.message, sent.message);
    assert.equal(Buffer.compare(two.witness.snapshots[0]?.body ?? new Uint8Array(), body.whole()), 0);
  },

  "the message waits until the end is stored": async (world) => {
    const [one, two] = await twoMembers(world);
    let store: () => void = () => undefined;
    const stored = new Promise<void>((resolve) => {
      store = resolve;
    });
    let isEnding = false;
    two.witness.newSink = () =>
      sinkOf(two.witness, {
        end: () => {
          isEnding = true;
          return stored;
        },
      });
    one.network.sendSnapshot(snapshotOf(1n, 2n, new WatchedBody(3)));
    await world.until(() => isEnding, "all has come");
    await world.settle();
    assert.deepEqual([two.witness.messages, one.witness.statuses], [[], []]);
    store();
    await world.until(() => one.witness.statuses.length === 1, "it is reported");
    assert.equal(two.witness.messages.length, 1);
    assert.deepEqual(two.witness.aborted, []);
  },

  "the body is read no faster than it is stored, and calls to the sink never overlap": async (world) => {
    const [one, two] = await twoMembers(world);
    let running = 0;
    let overlaps = 0;
    let goOn: () => void = () => undefined;
    const room = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    two.witness.newSink = () =>
      sinkOf(two.witness, {
        write: async () => {
          if (running++ > 0) overlaps++;
          await room;
          running--;
        },
      });
    const body = new WatchedBody(1000);
    one.network.sendSnapshot(snapshotOf(1n, 2n, body));
    await world.until(() => running > 0, "it begins");
    for (let before = -1; before !== body.reads; ) {
      before = body.reads;
      await world.settle();
    }
    assert.ok(body.reads < 500, `${body.reads} of 1000 pieces were read for a receiver that stores none`);
    goOn();
    await world.until(() => one.witness.statuses.length === 1, "it goes on");
    assert.deepEqual(one.witness.statuses, [{ id: 2n, wasDelivered: true }]);
    assert.equal(overlaps, 0);
  },

  "a snapshot that the receiver refuses is a failure": refused(() => {
    throw new Error("no room for it");
  }, 0),
  "a snapshot that the receiver refuses later is a failure": refused(() => Promise.reject(new Error("no room")), 0),
  "a snapshot that cannot be stored is a failure": refused(
    (witness) => sinkOf(witness, { write: () => Promise.reject(new Error("the disk is full")) }),
    1,
  ),

  "a snapshot whose end cannot be stored is a failure": async (world) => {
    const [one, two] = await twoMembers(world);
    two.witness.newSink = () => sinkOf(two.witness, { end: () => Promise.reject(new Error("the disk is full")) });
    one.network.sendSnapshot(snapshotOf(1n, 2n, new WatchedBody(3)));
    await world.until(() => one.witness.statuses.length > 0, "it is reported");
    await world.settle();
    assert.deepEqual(one.witness.statuses, [FAILED]);
    assert.deepEqual([two.witness.messages, two.witness.aborted.length], [[], 1]);
  },

  "a body that fails is a failure on both sides": async (world) => {
    const [one, two] = await twoMembers(world);
    const failing = new WatchedBody(LONG, (at) => (at === 5 ? Promise.reject(new Error("no disk")) : undefined));
    one.network.sendSnapshot(snapshotOf(1n, 2n, failing));
    await world.until(() => one.witness.statuses.length > 0, "it is reported");
    await world.until(() => two.witness.aborted.length > 0, "the receiver forgets it");
    await world.settle();
    assert.deepEqual(one.witness.statuses, [FAILED]);
    assert.deepEqual([two.witness.messages, two.witness.aborted.length], [[], 1]);
  },

  "a snapshot to a member that is not known, or is only a remote, is a failure": async (world) => {
    const [one, two] = [await world.member(1n), await world.member(2n)];
    const bodies = [new WatchedBody(3), new WatchedBody(3)] as const;
    one.network.sendSnapshot(snapshotOf(1n, 2n, bodies[0]));
    assert.deepEqual(one.witness.statuses, []);
    await failedOnce(world, one, two, bodies[0]);
    one.network.addRemote(2n, [two.url]);
    one.network.sendSnapshot(snapshotOf(1n, 2n, bodies[1]));
    await world.until(() => bodies[1].isClosed && one.witness.statuses.length === 2, "it is reported");
    assert.deepEqual(one.witness.statuses, [FAILED, FAILED]);
    assert.deepEqual(two.witness.told, []);
  },

  "a snapshot to a member that is down is a failure": async (world) => {
    const [one, two] = await twoMembers(world);
    await world.come(two.network.close());
    const body = new WatchedBody(LONG);
    one.network.sendSnapshot(snapshotOf(1n, 2n, body));
    await failedOnce(world, one, two, body);
  },

  "a second snapshot to a member, while one is on its way, is a failure": async (world) => {
    const [one, two] = await twoMembers(world);
    const second = new WatchedBody(3);
    one.network.sendSnapshot(snapshotOf(1n, 2n, new WatchedBody(20), 1));
    one.network.sendSnapshot(snapshotOf(1n, 2n, second, 2));
    await world.until(() => one.witness.statuses.length === 2, "both are reported");
    assert.deepEqual(one.witness.statuses, [FAILED, { id: 2n, wasDelivered: true }]);
    assert.ok(second.isClosed);
    assert.deepEqual(
      two.witness.messages.map(({ snapshot }) => snapshot?.metadata?.index),
      [1],
    );
  },

  "a snapshot of a removed member is refused, and the sender told": async (world) => {
    const [one, two] = await twoMembers(world);
    two.witness.removed.add(1n);
    const body = new WatchedBody(LONG);
    one.network.sendSnapshot(snapshotOf(1n, 2n, body));
    await failedOnce(world, one, two, body);
    await world.until(() => one.witness.selfRemovals === 1, "it is told");
    assert.ok(!two.witness.told.includes("openSnapshot"));
  },

  "a snapshot to a member that is removed meanwhile is a failure on both sides": async (world) => {
    const body = new WatchedBody(LONG);
    const [one, two] = await halfWay(world, body);
    one.network.removePeer(2n);
    await failedOnce(world, one, two, body);
    await world.until(() => two.witness.aborted.length === 1, "the receiver forgets it");
  },

  "a snapshot under way when its sender closes is a failure, told before close resolves": async (world) => {
    const [one, two] = await halfWay(world, new WatchedBody(LONG));
    await world.come(one.network.close());
    assert.deepEqual(one.witness.statuses, [FAILED]);
    await world.until(() => two.witness.aborted.length === 1, "the receiver forgets it");
    assert.deepEqual(two.witness.messages, []);
  },

  "so is one whose body does not go on": async (world) => {
    const [one, two] = await halfWay(world, stuckBody());
    await world.come(one.network.close());
    assert.deepEqual(one.witness.statuses, [FAILED]);
    await world.until(() => two.witness.aborted.length === 1, "the receiver forgets it");
  },

  "a snapshot under way when its receiver closes is a failure on both sides": async (world) => {
    const body = new WatchedBody(LONG);
    const [one, two] = await halfWay(world, body);
    await world.come(two.network.close());
    await failedOnce(world, one, two, body);
    await world.until(() => two.witness.aborted.length === 1, "the receiver forgets it");
  },

  "messages go their way beside a snapshot": async (world) => {
    const [one, two] = await halfWay(world, stuckBody());
    one.network.send([{ ...snapshotOf(1n, 2n, stuckBody()).message, type: 8, snapshot: undefined, commit: 3 }]);
    await world.until(() => two.witness.messages.length === 1, "it arrives");
    assert.deepEqual(one.witness.statuses, []);
    await world.come(one.network.close());
  },
};

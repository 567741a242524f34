/** The contract of the network on messages: who gets what, who hears of what, and who is turned away. */
import assert from "node:assert/strict";
import { Message, MessageType } from "../../server/proto/raftpb.ts";
import { snapshotOf, WatchedBody } from "./network-witness.ts";
import { append, heartbeat, NOBODY, type Rules, twoMembers } from "./network-world.ts";

/** More than any network lets wait for one member. */
const TOO_MANY = 10_000;

export const MESSAGE_RULES: Rules = {
  "messages arrive as they were when they were sent": async (world) => {
    const [one, two] = await twoMembers(world);
    const messages = Array.from({ length: 20 }, (_, n) => [append(1n, 2n, n + 1), heartbeat(1n, 2n, n + 1)]).flat();
    const copies = messages.map((message) => Message.decode(Message.encode(message)));
    one.network.send(messages);
    for (const message of messages) message.commit = message.term = 77; // the caller uses it again
    two.network.send([heartbeat(2n, 1n, 42)]);
    await world.until(() => two.witness.messages.length === 40 && one.witness.messages.length === 1, "all arrive");
    for (const type of [MessageType.APP, MessageType.HEARTBEAT]) {
      const of = (list: Message[]) => list.filter((message) => message.type === type);
      assert.deepEqual(of(two.witness.messages), of(copies));
    }
    assert.equal(one.witness.messages[0]?.commit, 42);
  },

  "members share no memory": async (world) => {
    const [one, two] = await twoMembers(world);
    const three = await world.member(3n);
    one.network.addPeer(3n, [three.url]);
    const toTwo = append(1n, 2n, 1);
    const [entry] = toTwo.entries;
    one.network.send([toTwo, { ...toTwo, to: 3n }]);
    await world.until(() => two.witness.messages.length === 1 && three.witness.messages.length === 1, "both arrive");
    two.witness.messages[0]?.entries[0]?.data.fill(9);
    const others = [entry, three.witness.messages[0]?.entries[0]].map((found) => found?.data[0]);
    assert.deepEqual(others, [1, 1]);
  },

  "messages to nobody, and to members that are not known, are passed over": async (world) => {
    const [one, two] = await twoMembers(world);
    one.network.send([heartbeat(1n, 0n, 1), heartbeat(1n, 9n, 2), heartbeat(1n, 2n, 3)]);
    await world.until(() => two.witness.messages.length === 1, "the one to a member arrives");
    await world.settle();
    assert.deepEqual([two.witness.messages.length, two.witness.messages[0]?.commit], [1, 3]);
    assert.deepEqual(one.witness.lost, []);
  },

  "a remote gets messages and is not active, until it is a member": async (world) => {
    const [one, two] = [await world.member(1n), await world.member(2n)];
    one.network.addRemote(2n, [two.url]);
    one.network.send([heartbeat(1n, 2n, 1)]);
    await world.until(() => two.witness.messages.length === 1, "it arrives");
    await world.settle();
    assert.equal(one.network.activeSince(2n), undefined);
    one.network.addPeer(2n, [two.url]);
    two.network.addPeer(1n, [one.url]);
    await world.until(() => one.network.activeSince(2n) !== undefined, "it is active");
    one.network.send([heartbeat(1n, 2n, 2)]);
    await world.until(() => two.witness.messages.length === 2, "the next arrives too");
  },

  "somebody of our cluster whom we do not know gets our answers": async (world) => {
    const [one, two] = [await world.member(1n), await world.member(2n)];
    one.network.addPeer(2n, [two.url]);
    one.network.send([heartbeat(1n, 2n, 1)]);
    await world.until(() => two.witness.messages.length === 1, "it arrives");
    two.network.send([heartbeat(2n, 1n, 2)]);
    await world.until(() => one.witness.messages.length === 1, "the answer arrives");
    assert.equal(two.network.activeSince(1n), undefined);
  },

  "a member that is added again stays as it was": async (world) => {
    const [one, two] = await twoMembers(world);
    const since = one.network.activeSince(2n);
    one.network.addPeer(2n, [NOBODY]);
    one.network.addRemote(2n, [NOBODY]);
    one.network.send([heartbeat(1n, 2n, 1)]);
    await world.until(() => two.witness.messages.length === 1, "it arrives");
    assert.equal(one.network.activeSince(2n), since);
  },

  "a message that did not leave is reported, and not inside the call": async (world) => {
    const one = await world.member(1n);
    one.network.addPeer(2n, [NOBODY]);
    one.network.send([heartbeat(1n, 2n, 1)]);
    assert.deepEqual(one.witness.lost, []);
    await world.until(() => one.witness.lost.length > 0, "it is reported");
    assert.ok(one.witness.lost.every((id) => id === 2n));
    assert.equal(one.network.activeSince(2n), undefined);
  },

  "only so many messages wait for a member, and what is dropped is reported": async (world) => {
    const [one, two] = await twoMembers(world);
    one.network.send(Array.from({ length: TOO_MANY }, (_, n) => heartbeat(1n, 2n, n)));
    await world.until(() => one.witness.lost.includes(2n), "it is reported");
    await world.settle();
    assert.ok(two.witness.messages.length < TOO_MANY);
    const before = two.witness.messages.length;
    one.network.send([heartbeat(1n, 2n, TOO_MANY)]);
    await world.until(() => two.witness.messages.length > before, "there is room again");
  },

  "a member that nobody can reach holds up no other": async (world) => {
    const [one, two] = await twoMembers(world);
    one.network.addPeer(3n, [NOBODY]);
    one.network.send(Array.from({ length: 200 }, (_, n) => heartbeat(1n, 3n, n)));
    one.network.send([heartbeat(1n, 2n, 1)]);
    await world.until(() => two.witness.messages.length === 1, "it arrives");
    await world.until(() => one.witness.lost.includes(3n), "what is lost is reported");
    assert.ok(!one.witness.lost.includes(2n));
  },

  "a removed member gets nothing through, and is told once": async (world) => {
    const [one, two] = await twoMembers(world);
    two.witness.removed.add(1n);
    two.network.removePeer(1n);
    one.network.send([heartbeat(1n, 2n, 1)]);
    await world.until(() => one.witness.selfRemovals > 0, "it is told");
    one.network.send([heartbeat(1n, 2n, 2)]);
    await world.until(() => one.network.activeSince(2n) === undefined, "it cannot be reached any more");
    one.network.send([heartbeat(1n, 2n, 3)]);
    await world.settle();
    assert.deepEqual(two.witness.messages, []);
    assert.equal(one.witness.selfRemovals, 1);
    assert.equal(two.witness.selfRemovals, 0);
  },

  "a message is taken by the member that it is for, and by no other": async (world) => {
    const [one, two] = [await world.member(1n), await world.member(2n)];
    one.network.addPeer(9n, [two.url]); // 9 moved away
    one.network.send([heartbeat(1n, 9n, 1)]);
    await world.until(() => one.witness.lost.includes(9n), "it is reported");
    assert.deepEqual(two.witness.messages, []);
    assert.equal(one.witness.selfRemovals, 0);
  },

  "a member of another cluster gets nothing through": async (world) => {
    const [one, two] = [await world.member(1n), await world.member(2n, { clusterId: 5n })];
    one.network.addPeer(2n, [two.url]);
    two.network.addPeer(1n, [one.url]);
    one.network.send([heartbeat(1n, 2n, 1)]);
    await world.until(() => one.witness.lost.includes(2n), "it is reported");
    assert.deepEqual(two.witness.messages, []);
    assert.equal(one.network.activeSince(2n), undefined);
    assert.equal(one.witness.selfRemovals, 0);
  },

  "messages go to the URLs that a member has now": async (world) => {
    const [one, two] = [await world.member(1n), await world.member(2n)];
    one.network.updatePeer(2n, [two.url]);
    one.network.send([heartbeat(1n, 2n, 1)]);
    one.network.addPeer(2n, [NOBODY]);
    one.network.send([heartbeat(1n, 2n, 2)]);
    await world.until(() => one.witness.lost.includes(2n), "nobody is at the first");
    one.network.updatePeer(2n, [two.url]);
    one.network.send([heartbeat(1n, 2n, 3)]);
    await world.until(() => two.witness.messages.length > 0, "it is at the second");
    assert.deepEqual(
      two.witness.messages.map(({ commit }) => commit),
      [3],
    );
  },

  "after a member is removed nothing goes to it": async (world) => {
    const [one, two] = await twoMembers(world);
    one.network.removePeer(9n);
    one.network.removePeer(2n);
    one.network.send([heartbeat(1n, 2n, 1)]);
    await world.settle();
    assert.deepEqual(two.witness.messages, []);
    assert.deepEqual(one.witness.lost, []);
    assert.equal(one.network.activeSince(2n), undefined);
  },

  "a member is active for as long as it can be reached": async (world) => {
    const [one, two] = await twoMembers(world);
    assert.ok(Number.isFinite(one.network.activeSince(2n)));
    assert.equal(one.network.activeSince(9n), undefined);
    await world.come(two.network.close());
    await world.until(() => one.network.activeSince(2n) === undefined, "it is seen to be gone");
    one.network.send([heartbeat(1n, 2n, 1)]);
    await world.until(() => one.witness.lost.includes(2n), "a message to it is reported");
  },

  "after close the receiver is not called": async (world) => {
    const [one, two] = await twoMembers(world);
    one.network.send([heartbeat(1n, 2n, 1)]);
    two.network.send([heartbeat(2n, 1n, 1)]);
    await world.come(one.network.close());
    const before = one.witness.told.length;
    one.network.send([heartbeat(1n, 2n, 2)]);
    one.network.addPeer(3n, [NOBODY]);
    one.network.send([heartbeat(1n, 3n, 2)]);
    const body = new WatchedBody(3);
    one.network.sendSnapshot(snapshotOf(1n, 2n, body));
    two.network.send([heartbeat(2n, 1n, 2)]);
    await world.come(one.network.close()); // again, without harm
    await world.settle();
    assert.equal(one.witness.told.length, before);
    assert.ok(body.isClosed);
    assert.ok(two.witness.messages.every(({ commit }) => commit === 1));
  },
};

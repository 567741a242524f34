/** The simulated network when it behaves badly: each fault does what it says, and the same seed does it again. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { AssertionFailure } from "../../../server/base/assert.ts";
import { WorldError } from "../../../server/base/error.ts";
import { Prng } from "../../../server/base/prng.ts";
import type { Network } from "../../../server/ports/network.ts";
import type { Message } from "../../../server/proto/raftpb.ts";
import { snapshotOf, WatchedBody, Witness } from "../../contract/network-witness.ts";
import { append, heartbeat } from "../../contract/network-world.ts";
import { pass } from "../../support/settling.ts";
import { SimClock } from "./clock.ts";
import { SimulatedNetwork } from "./network.ts";
import { CALM, checkFaults, DELAY_BOUND_MS, faultsByLot, type LinkFaults } from "./network-faults.ts";

const SEEDS = 40;

/** Members that know each other, each with a witness for its present life and those of its earlier ones. */
class Stage {
  readonly clock = new SimClock();
  readonly network: SimulatedNetwork;
  readonly lives = new Map<bigint, { readonly network: Network; readonly witness: Witness }>();
  readonly ended: { readonly witness: Witness; readonly toldBefore: number }[] = [];
  readonly #ids: readonly bigint[];

  constructor(count: number, faults: LinkFaults, seed = 1) {
    this.network = new SimulatedNetwork({ clock: this.clock, seed, faults });
    this.#ids = Array.from({ length: count }, (_, n) => BigInt(n + 1));
    for (const id of this.#ids) this.start(id);
  }

  start(id: bigint): void {
    const witness = new Witness({ leaseRenew: () => 60 });
    const network = witness.watch(this.network.join({ id, urls: [urlOf(id)] }));
    network.start(witness);
    for (const other of this.#ids) if (other !== id) network.addPeer(other, [urlOf(other)]);
    this.lives.set(id, { network, witness });
  }

  crash(id: bigint): void {
    this.network.crash(id);
    const { witness } = this.life(id);
    this.ended.push({ witness, toldBefore: witness.told.length });
    this.lives.delete(id);
  }

  life(id: bigint) {
    const life = this.lives.get(id);
    assert.ok(life !== undefined, `member ${id} is up`);
    return life;
  }

  /** What reached a member, by its commit index. */
  commits(id: bigint): number[] {
    return this.life(id).witness.messages.map(({ commit }) => commit);
  }

  pass(ms: number): Promise<void> {
    return pass(this.clock, ms);
  }
}

function urlOf(id: bigint): string {
  return `http://member-${id}:2380`;
}

function beats(from: bigint, to: bigint, count: number): Message[] {
  return Array.from({ length: count }, (_, n) => heartbeat(from, to, n + 1));
}

const COUNTED = Array.from({ length: 50 }, (_, n) => n + 1);

/** Everything at once, in an order that the seed decides. */
async function storm(seed: number): Promise<Stage> {
  const random = new Prng(seed);
  const stage = new Stage(4, faultsByLot(random), seed);
  for (let step = 0; step < 150; step++) {
    stir(stage, random);
    await stage.pass(random.below(40));
  }
  stage.network.healAll();
  stage.network.setFaults(CALM);
  await stage.pass(10 * 60_000); // whatever was under way has come to its end
  return stage;
}

function stir(stage: Stage, random: Prng): void {
  const up = [...stage.lives.keys()];
  const [from, to] = [random.pick(up), BigInt(1 + random.below(4))];
  const { network } = stage.life(from);
  const chance = random.below(20);
  if (chance < 12) network.send([append(from, to, random.below(100)), heartbeat(from, to, random.below(100))]);
  else if (chance < 15)
    network.sendSnapshot(snapshotOf(from, to, new WatchedBody(random.below(20)), 1 + random.below(9)));
  else if (chance < 16) void network.ask([urlOf(to)], "leaseRenew", { id: 1n }, 500).catch(() => undefined);
  else if (chance < 17) stage.network.cut(from, to);
  else if (chance < 18) stage.network.heal(from, to);
  else if (stage.lives.has(to) && up.length > 2) stage.crash(to);
  else if (!stage.lives.has(to)) stage.start(to);
}

test("the same seed has the same trace, and another one has another", async () => {
  const [once, again, other] = [await storm(7), await storm(7), await storm(8)];
  assert.deepEqual(again.network.trace.lines, once.network.trace.lines);
  assert.equal(again.network.trace.hash, once.network.trace.hash);
  assert.notEqual(other.network.trace.hash, once.network.trace.hash);
  assert.ok(once.network.trace.lines.length > 100);
});

test("whatever happens, nothing is told inside a call, the dead hear nothing, and each snapshot ends once", async () => {
  let ends = 0;
  let failures = 0;
  for (let seed = 1; seed <= SEEDS; seed++) {
    const { lives, ended } = await storm(seed);
    for (const { witness } of lives.values()) {
      assert.deepEqual(witness.inside, [], `seed ${seed}`);
      assert.equal(witness.statuses.length, witness.snapshotsSent, `seed ${seed}`);
      ends += witness.statuses.length;
      failures += witness.statuses.filter(({ wasDelivered }) => !wasDelivered).length;
      const begun = witness.told.filter((what) => what === "openSnapshot").length;
      assert.equal(begun, witness.snapshots.length + witness.aborted.length, `seed ${seed}: a sink hears of its end`);
    }
    for (const { witness, toldBefore } of ended) assert.equal(witness.told.length, toldBefore, `seed ${seed}`);
  }
  assert.ok(failures > SEEDS && ends - failures > SEEDS, `${failures} of ${ends} snapshots failed`);
});

test("without faults messages keep their order, with a share that passes others they do not", async () => {
  const calm = new Stage(2, { ...CALM, delayMaxMs: 50 });
  calm.life(1n).network.send(beats(1n, 2n, 50));
  await calm.pass(1000);
  assert.deepEqual(calm.commits(2n), COUNTED);
  for (const faults of [{ reorderShare: 0.5 }, { slowShare: 0.2, slowMaxMs: 500 }]) {
    const wild = new Stage(2, { ...CALM, delayMaxMs: 50, ...faults });
    wild.life(1n).network.send(beats(1n, 2n, 50));
    await wild.pass(1000);
    assert.notDeepEqual(wild.commits(2n), COUNTED);
    assert.deepEqual(
      wild.commits(2n).sort((a, b) => a - b),
      COUNTED,
    );
  }
});

test("a share of the messages is lost, and a share of the losses told", async () => {
  for (const reportShare of [0, 1]) {
    const stage = new Stage(2, { ...CALM, dropShare: 0.5, reportShare });
    stage.life(1n).network.send(beats(1n, 2n, 50));
    await stage.pass(1000);
    const arrived = stage.commits(2n).length;
    assert.ok(arrived > 10 && arrived < 40, `${arrived} arrived`);
    assert.equal(stage.life(1n).witness.lost.length > 0, reportShare === 1);
  }
});

test("a share of the messages arrives twice", async () => {
  const stage = new Stage(2, { ...CALM, duplicateShare: 1 });
  stage.life(1n).network.send(beats(1n, 2n, 50));
  await stage.pass(1000);
  assert.equal(stage.commits(2n).length, 100);
  const [first, second] = stage.life(2n).witness.messages.filter(({ commit }) => commit === 1);
  assert.deepEqual(first, second);
  assert.notEqual(first, second);
});

test("a way that is cut loses what is under way, and the way back stays", async () => {
  const stage = new Stage(2, { ...CALM, delayMinMs: 10, delayMaxMs: 10 });
  const [one, two] = [stage.life(1n), stage.life(2n)];
  await stage.pass(100);
  assert.ok(one.network.activeSince(2n) !== undefined);
  one.network.send(beats(1n, 2n, 1));
  await stage.pass(5);
  stage.network.cut(1n, 2n);
  two.network.send(beats(2n, 1n, 1));
  await stage.pass(100);
  assert.deepEqual([stage.commits(1n), stage.commits(2n)], [[1], []]);
  assert.deepEqual(one.witness.lost, [2n]);
  assert.deepEqual([one.network.activeSince(2n), two.network.activeSince(1n)], [undefined, undefined]);
  stage.network.heal(1n, 2n);
  one.network.send(beats(1n, 2n, 2));
  await stage.pass(100);
  assert.deepEqual(stage.commits(2n), [1, 2]);
  assert.ok(Number(one.network.activeSince(2n)) > 100);
});

test("a partition leaves those of one side together", async () => {
  const stage = new Stage(3, CALM);
  stage.network.partition([1n], [2n, 3n]);
  for (const id of [1n, 2n, 3n])
    for (const to of [1n, 2n, 3n]) stage.life(id).network.send([heartbeat(id, to, Number(id))]);
  await stage.pass(1000);
  assert.deepEqual([stage.commits(1n), stage.commits(2n), stage.commits(3n)], [[], [3], [2]]);
  stage.network.healAll();
  stage.life(1n).network.send([heartbeat(1n, 2n, 1)]);
  await stage.pass(1000);
  assert.deepEqual(stage.commits(2n), [3, 1]);
});

test("a crash loses what is under way, also for the next life, and the dead are not called", async () => {
  const stage = new Stage(2, { ...CALM, delayMinMs: 10, delayMaxMs: 10 });
  const one = stage.life(1n);
  const dead = stage.life(2n);
  one.network.send(beats(1n, 2n, 3));
  dead.network.send(beats(2n, 9n, 3));
  let isSettled = false;
  const settle = () => {
    isSettled = true;
  };
  dead.network.ask([urlOf(1n)], "leaseRenew", { id: 1n }, 100).then(settle, settle);
  await stage.pass(5);
  stage.crash(2n);
  stage.start(2n);
  await stage.pass(1000);
  assert.deepEqual([dead.witness.told, stage.commits(2n), isSettled], [[], [], false]);
  assert.ok(one.witness.lost.length > 0 && one.witness.lost.every((id) => id === 2n));
  one.network.send(beats(1n, 2n, 1));
  await stage.pass(1000);
  assert.deepEqual(stage.commits(2n), [1]);
});

test("a crash of either side ends a snapshot for the one that lives", async () => {
  for (const victim of [1n, 2n]) {
    const stage = new Stage(2, { ...CALM, delayMinMs: 10, delayMaxMs: 10 });
    const [one, two] = [stage.life(1n), stage.life(2n)];
    one.network.sendSnapshot(snapshotOf(1n, 2n, new WatchedBody(100)));
    await stage.pass(200);
    assert.deepEqual(two.witness.told, ["openSnapshot"]);
    stage.crash(victim);
    await stage.pass(1000);
    assert.deepEqual(one.witness.statuses, victim === 1n ? [] : [{ id: 2n, wasDelivered: false }]);
    assert.equal(two.witness.aborted.length, victim === 1n ? 1 : 0);
    assert.deepEqual(two.witness.messages, []);
  }
});

test("a snapshot breaks in the middle, and what came is a beginning of it", async () => {
  const stage = new Stage(2, { ...CALM, snapshotBreakShare: 0.05 });
  const { network, witness } = stage.life(1n);
  const receiver = stage.life(2n).witness;
  for (let n = 1; n <= 50; n++) {
    network.sendSnapshot(snapshotOf(1n, 2n, new WatchedBody(10), n));
    await stage.pass(1000);
  }
  const delivered = witness.statuses.filter(({ wasDelivered }) => wasDelivered).length;
  assert.ok(delivered > 10 && delivered < 40, `${delivered} of 50 were delivered`);
  assert.deepEqual([witness.statuses.length, receiver.snapshots.length], [50, delivered]);
  assert.equal(receiver.aborted.length, 50 - delivered);
  for (const { body } of receiver.snapshots) assert.equal(Buffer.compare(body, new WatchedBody(10).whole()), 0);
});

test("a snapshot that nobody takes comes to an end by itself", async () => {
  const stage = new Stage(2, CALM);
  stage.life(2n).witness.newSink = () => new Promise(() => undefined);
  stage.life(1n).network.sendSnapshot(snapshotOf(1n, 2n, new WatchedBody(3)));
  await stage.pass(60_000);
  assert.deepEqual(stage.life(1n).witness.statuses, [{ id: 2n, wasDelivered: false }]);
});

test("a question that is lost takes its whole time, then the next URL is asked", async () => {
  const stage = new Stage(3, CALM);
  stage.network.setLinkFaults(1n, 2n, { questionLossShare: 1 });
  const { network } = stage.life(1n);
  const asked = network.ask([urlOf(2n), urlOf(3n)], "leaseRenew", { id: 1n }, 500);
  const refused = assert.rejects(network.ask([urlOf(2n)], "leaseRenew", { id: 1n }, 500), WorldError);
  await stage.pass(400);
  const isEarly = await Promise.race([asked, Promise.resolve("not yet")]);
  assert.equal(isEarly, "not yet");
  await stage.pass(200);
  assert.equal(await asked, 60);
  await refused;
});

test("faults out of their bounds are refused", () => {
  for (const wrong of [
    { dropShare: 1.1 },
    { reportShare: -0.1 },
    { delayMaxMs: DELAY_BOUND_MS + 1 },
    { slowMaxMs: 0.5 },
    { delayMinMs: 4 },
  ])
    assert.throws(() => checkFaults({ ...CALM, ...wrong }), AssertionFailure);
  for (let seed = 0; seed < 1000; seed++) checkFaults(faultsByLot(new Prng(seed)));
});

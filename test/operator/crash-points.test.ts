/**
 * The operator ends at a call, its answer unheard, and another one goes on with what is there. While a cluster is made: at
 * every call that changes something, from the first to the last; while it grows and shrinks, at some of them or all.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { CLAIMS, PODS } from "../../operator/cluster/kinds.ts";
import { Life } from "./mortal.ts";
import { OperatorWorld } from "./operator-world.ts";

/** No story is as long as this. */
const MAX_CALLS = 300;
const LIMIT_MS = 900_000;
/** `KVORUM_OPERATOR_CRASH_STRIDE=1`: every change of every story, which takes some minutes. */
const STRIDE = Number(process.env["KVORUM_OPERATOR_CRASH_STRIDE"] ?? 5);

interface Story {
  readonly begin: (world: OperatorWorld) => Promise<void>;
  readonly replicas: number;
}

/** Ends it after the first change, then `stride` later each time, until the story is over before that. */
async function walk({ begin, replicas }: Story, stride = STRIDE): Promise<number> {
  for (let last = 1; last < MAX_CALLS; last += stride) {
    const world = new OperatorWorld();
    await begin(world);
    const births = world.etcd.births.length;
    const life = new Life(last);
    await world.startOperator(life);
    await world.until("it ends, or has nothing to do", () => life.isOver || world.isReady(replicas), LIMIT_MS);
    if (!life.isOver) return last;
    const latched = world.cluster.status?.clusterID;
    await world.startOperator();
    try {
      await world.untilReady(replicas, LIMIT_MS);
      await world.until("what is left over is gone", () => world.names(CLAIMS).length === replicas);
      check(world, replicas, latched);
      assert.ok(world.etcd.births.length <= Math.max(1, births));
    } catch (error) {
      throw new Error(`when it ends after ${last} changes: ${(error as Error).message}`, { cause: error });
    }
  }
  return MAX_CALLS;
}

function check(world: OperatorWorld, replicas: number, latched: string | undefined): void {
  const [id, ...others] = world.etcd.clusterIds;
  assert.deepEqual([others.length, world.etcd.births.length], [0, 1], "one cluster, begun once");
  assert.equal(world.cluster.status?.clusterID, id);
  if (latched !== undefined) assert.equal(id, latched, "the id stays");
  assert.equal(world.etcd.voters(id as string), replicas);
  assert.equal(world.names(PODS).length, replicas);
  assert.equal(world.names(CLAIMS).length, replicas);
  assert.deepEqual(world.madeTwice, [], "nothing is made twice");
}

test("a cluster is made, whenever the operator ends", async () => {
  const calls = await walk({ begin: async (world) => world.apply(), replicas: 3 }, 1);
  assert.ok(calls > 15, `only ${calls} changes were walked over`);
});

test("a cluster grows, whenever the operator ends", async () => {
  const calls = await walk({ begin: (world) => changed(world, 1, 3), replicas: 3 });
  assert.ok(calls > 5, `only ${calls} changes were walked over`);
});

test("a cluster shrinks, whenever the operator ends", async () => {
  const calls = await walk({ begin: (world) => changed(world, 3, 1), replicas: 1 });
  assert.ok(calls > 5, `only ${calls} changes were walked over`);
});

/** A ready cluster of `from` members of which `to` are asked for, and no operator. */
async function changed(world: OperatorWorld, from: number, to: number): Promise<void> {
  const life = new Life();
  await world.startOperator(life);
  world.apply({ replicas: from });
  await world.untilReady(from);
  life.end();
  world.change({ replicas: to });
}

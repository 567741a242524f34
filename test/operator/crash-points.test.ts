/**
 * The operator ends at a call, its answer unheard, and another one goes on with what is there. While a cluster is made: at
 * every third call that changes something; in all other stories at fewer. `KVORUM_OPERATOR_CRASH_STRIDE=1`: at every one, in
 * some minutes. The same walk is taken with operators that trust their memory: one mistake for each point, which it must see.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { exampleSpec } from "../../operator/api/example.ts";
import { ANNOTATIONS, REQUESTS } from "../../operator/api/names.ts";
import { clusterBuilders } from "../../operator/cluster/builders.ts";
import { CLAIMS, CLUSTERS, PODS } from "../../operator/cluster/kinds.ts";
import type { PlanOf } from "../../operator/cluster/reconcile.ts";
import { plan } from "../../operator/plan/plan.ts";
import { MISTAKES } from "./game/mistakes.ts";
import { Life } from "./mortal.ts";
import { NAME, OperatorWorld } from "./operator-world.ts";

/** No story is as long as this. */
const MAX_CALLS = 300;
const LIMIT_MS = 900_000;
/** What a planted mistake has stopped does not go on later: no story without one takes so long. */
const STUCK_MS = 240_000;
const STRIDE = Number(process.env["KVORUM_OPERATOR_CRASH_STRIDE"] ?? 8);
const STRIDE_OF_MAKING = Math.min(STRIDE, 3);
const KEY = { namespace: "default", name: NAME };

interface Story {
  /** What there is before the operator that ends is started. */
  readonly begin: (world: OperatorWorld) => Promise<void>;
  /** Whether the story has come to its end. */
  readonly isDone: (world: OperatorWorld) => boolean;
  /** What must hold then beside what holds in all stories. */
  readonly check?: (world: OperatorWorld) => void;
  /** Of the cluster in the end. */
  readonly replicas: number;
}

/** A new operator's plan, with a memory of its own. */
type MakePlan = () => PlanOf;

/** Ends it after the change `from`, then `stride` later each time, until the story is over before that. */
async function walk(
  story: Story,
  stride = STRIDE,
  makePlan: MakePlan = () => plan,
  limitMs = LIMIT_MS,
  from = 1,
): Promise<number> {
  for (let last = from; last < MAX_CALLS; last += stride)
    if (await isOverBefore(story, last, makePlan, limitMs)) return last;
  return MAX_CALLS;
}

/** Whether the story came to its end before the operator did. */
async function isOverBefore(
  { begin, isDone, check, replicas }: Story,
  last: number,
  makePlan: MakePlan,
  limitMs: number,
): Promise<boolean> {
  const world = new OperatorWorld();
  await begin(world);
  const life = new Life(last);
  await world.startOperator(life, makePlan());
  await world.until("it ends, or has nothing to do", () => life.isOver || isDone(world), limitMs);
  const latched = world.isGone ? undefined : world.cluster.status?.clusterID;
  if (life.isOver) await world.startOperator(new Life(), makePlan());
  try {
    await world.until("the story comes to its end", () => isDone(world), limitMs);
    await world.until("what is left over is gone", () => world.names(CLAIMS).length === replicas);
    checkCluster(world, replicas, latched);
    check?.(world);
  } catch (error) {
    throw new Error(`when it ends after ${last} changes: ${(error as Error).message}`, { cause: error });
  }
  return !life.isOver;
}

function checkCluster(world: OperatorWorld, replicas: number, latched: string | undefined): void {
  assert.equal(world.etcd.births.length, 1, "one cluster, begun once");
  assert.deepEqual(world.madeTwice, [], "nothing is made twice");
  if (world.isGone || replicas === 0) return;
  const [id, ...others] = world.etcd.clusterIds;
  if (world.cluster.spec.hibernate) return;
  assert.deepEqual(others, []);
  assert.equal(world.cluster.status?.clusterID, id);
  if (latched !== undefined) assert.equal(id, latched, "the id stays");
  assert.equal(world.etcd.voters(id as string), replicas);
  // A Pod of a dead node stays and terminates until the node is gone.
  const pods = world.kube.objects.all(PODS).filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  assert.equal(pods.length, replicas);
}

const MADE: Story = { begin: async (world) => world.apply(), isDone: (world) => world.isReady(3), replicas: 3 };
const GROWN: Story = {
  begin: (world) => formed(world, 1, () => world.change({ replicas: 3 })),
  isDone: (world) => world.isReady(3),
  replicas: 3,
};
const SHRUNK: Story = {
  begin: (world) => formed(world, 3, () => world.change({ replicas: 1 })),
  isDone: (world) => world.isReady(1),
  replicas: 1,
};
const ROLLED: Story = {
  begin: (world) =>
    formed(world, 3, () => world.change({ config: { ...world.cluster.spec.config, logLevel: "debug" } })),
  isDone: (world) => world.isReady(3) && world.cluster.status?.updatedReplicas === 3,
  check: (world) => {
    const hashes = world.kube.objects.all(PODS).map(({ metadata }) => metadata.annotations?.[ANNOTATIONS.templateHash]);
    assert.equal(new Set(hashes).size, 1);
    assert.deepEqual(
      world.etcd.changes.filter((what) => what.startsWith("remove")),
      [],
    );
  },
  replicas: 3,
};

const STORIES: readonly (readonly [what: string, story: Story])[] = [
  ["grows", GROWN],
  ["shrinks", SHRUNK],
  ["is rolled over to another spec", ROLLED],
  [
    "has a member of a dead node replaced",
    {
      begin: (world) =>
        formed(world, 3, () => {
          const pod = world.kube.objects.get(PODS, { ...KEY, name: `${NAME}-2` });
          world.kubelet.failNode((pod as unknown as { spec: { nodeName: string } }).spec.nodeName);
        }),
      isDone: (world) => isReadyWithout(world, `${NAME}-2`),
      check: (world) => assert.equal(world.cluster.status?.repairs?.length, 1, "counted once"),
      replicas: 3,
    },
  ],
  [
    "has a member replaced by request",
    {
      begin: (world) => formed(world, 3, () => ask(world, "replaceMember", `${NAME}-1:once`)),
      isDone: (world) =>
        isReadyWithout(world, `${NAME}-1`) && world.cluster.status?.handledRequests?.["replaceMember"] !== undefined,
      replicas: 3,
    },
  ],
  [
    "is restarted by request",
    {
      begin: (world) => formed(world, 3, () => ask(world, "restart", "once")),
      isDone: (world) => world.isReady(3) && world.cluster.status?.handledRequests?.["restart"] === "once",
      check: (world) => {
        for (const { metadata } of world.kube.objects.all(PODS))
          assert.equal(metadata.annotations?.[ANNOTATIONS.restart], "once", metadata.name);
      },
      replicas: 3,
    },
  ],
  [
    "goes to sleep",
    {
      begin: (world) => formed(world, 3, () => world.change({ hibernate: true })),
      isDone: (world) => world.names(PODS).length === 0 && world.cluster.status?.phase === "Hibernated",
      replicas: 3,
    },
  ],
  [
    "wakes",
    {
      begin: async (world) => {
        const life = await formedBy(world, 3);
        world.change({ hibernate: true });
        await world.until("no Pod is left", () => world.names(PODS).length === 0);
        life.end();
        world.change({ hibernate: false });
      },
      isDone: (world) => world.isReady(3),
      replicas: 3,
    },
  ],
  [
    "has its volumes grown",
    {
      begin: (world) => formed(world, 3, () => world.change({ storage: { persistent: { size: "4Gi" } } })),
      isDone: (world) => world.isReady(3) && sizes(world).every((size) => size === "4Gi"),
      replicas: 3,
    },
  ],
  [
    "is deleted with its volumes",
    {
      begin: (world) => {
        const { storage } = exampleSpec();
        const reclaim = { ...storage.reclaim, onDelete: "Delete" as const };
        return formed(world, 3, () => world.deleteCluster(), { storage: { ...storage, reclaim } });
      },
      isDone: (world) => world.isGone && world.names(PODS).length === 0,
      replicas: 0,
    },
  ],
];

test("a cluster is made, whenever the operator ends", async () => {
  const calls = await walk(MADE, STRIDE_OF_MAKING);
  assert.ok(calls > 15, `only ${calls} changes were walked over`);
});

for (const [what, story] of STORIES)
  test(`a cluster ${what}, whenever the operator ends`, async () => {
    const calls = await walk(story);
    assert.ok(calls > 1, "it did nothing");
  });

/** By the name of the mistake: the story in which its point is met, and a change shortly before it. */
const SEEN_IN: Readonly<Record<string, readonly [story: Story, before: number]>> = {
  "latches-only-what-it-started": [MADE, 12],
  "adds-only-what-it-made-a-claim-for": [MADE, 25],
  "starts-only-what-it-added": [GROWN, 8],
  "promotes-only-what-it-started": [GROWN, 17],
  "marks-only-what-it-promoted": [GROWN, 19],
  "clears-away-only-what-it-removed": [SHRUNK, 5],
  "restarts-only-what-it-stopped": [ROLLED, 3],
  "goes-on-only-where-it-moved-the-leader": [ROLLED, 18],
};

for (const [name, [story, before]] of Object.entries(SEEN_IN))
  test(`a planted mistake is seen: ${name}`, async () => {
    const mistake = MISTAKES.find((one) => one.name === name);
    assert.ok(mistake !== undefined, "there is such a mistake");
    const builders = clusterBuilders({ serverImage: "kvorum-server" });
    const makePlan: MakePlan = () => mistake.plant(() => (seen) => plan(seen, builders))();
    await assert.rejects(walk(story, 1, makePlan, STUCK_MS, before), /when it ends after \d+ changes/);
  });

/** A ready cluster of `from` members, no operator, and what has happened since. */
async function formed(
  world: OperatorWorld,
  from: number,
  happens: () => void,
  spec: Parameters<OperatorWorld["apply"]>[0] = {},
): Promise<void> {
  const life = await formedBy(world, from, spec);
  life.end();
  happens();
}

async function formedBy(
  world: OperatorWorld,
  replicas: number,
  spec: Parameters<OperatorWorld["apply"]>[0] = {},
): Promise<Life> {
  const life = new Life();
  await world.startOperator(life);
  world.apply({ ...spec, replicas });
  await world.untilReady(replicas);
  return life;
}

function ask(world: OperatorWorld, name: keyof typeof REQUESTS, text: string): void {
  world.kube.objects.patch(CLUSTERS, KEY, { metadata: { annotations: { [REQUESTS[name]]: text } } });
}

/** Three are ready, and this one is none of them. What is left of it on a dead node stays there. */
function isReadyWithout(world: OperatorWorld, member: string): boolean {
  const { status } = world.cluster;
  const isReady = status?.conditions?.some(({ type, status: is }) => type === "Ready" && is === "True") === true;
  return isReady && status?.voters === 3 && status.members?.every(({ name }) => name !== member) === true;
}

function sizes(world: OperatorWorld): readonly (string | undefined)[] {
  return world.kube.objects
    .all(CLAIMS)
    .map((claim) => (claim as unknown as { spec: { resources: { requests: { storage: string } } } }).spec.resources)
    .map(({ requests }) => requests.storage);
}

/** How the rows of three members are measured. All of them share this machine, as etcd's three do. */
import { setTimeout as sleep } from "node:timers/promises";
import type { ClusterMember, ClusterProcess } from "../support/cluster-process.ts";
import { type Experiment, type Kit, type Reading, rate } from "./experiment.ts";
import { fill } from "./fill.ts";
import { memoryOf } from "./loads/process.ts";
import { ProberProcess, runRaw } from "./loads/raw.ts";
import { PREFIX, VALUE_BYTES } from "./raw-client/shapes.ts";
import type { LoadResult } from "./raw-client/unary-load.ts";
import type { RowId } from "./rows.ts";
import { median } from "./statistics.ts";
import { type Subject, serversOf } from "./subject.ts";

const MEMBERS = 3;
const KEYS = 100_000;
const MANY_KEYS = "100 k keys";
const LARGE_VALUE_BYTES = 1024;
/** Leaders killed for one figure: how long an election takes is a matter of chance. */
const KILLS = 5;
const CALM_MS = 1500;
/** Some hundred puts a second take so long until what serves them has been compiled for speed. */
const FEW_IN_FLIGHT_WARM_SECONDS = 10;
const MISSED_PAUSE_MS = 5;
/** What was passed on to the leader that is gone comes to nothing: the next try must not wait for that. */
const TRY_MS = 100;
/** How long anything may be away. */
const PATIENCE_MS = 60_000;
const CATCH_UP_LIMIT_MS = 600_000;

export const CLUSTER_EXPERIMENTS: readonly Experiment[] = [
  {
    rows: ["clusterPut1", "clusterPutTail"],
    variant: MANY_KEYS,
    members: MEMBERS,
    warmSeconds: FEW_IN_FLIGHT_WARM_SECONDS,
    prepare: fillKeys,
    measure: async (subject, kit) => {
      const result = await load(subject, kit, "put", 1, 1);
      const { figures, notes } = rate("clusterPut1", result);
      return { figures: { ...figures, clusterPutTail: result.p99Us }, notes: { ...notes, "p50 us": result.p50Us } };
    },
  },
  put("clusterPut10", 10, 1),
  put("clusterPut100", 10, 10),
  put("clusterPut1000", 10, 100),
  {
    rows: ["clusterRange"],
    variant: MANY_KEYS,
    members: MEMBERS,
    prepare: fillKeys,
    measure: async (subject, kit) => {
      const follower = { ...subject, target: { ...subject.target, url: followerOf(subject).server.url } };
      return rate("clusterRange", await load(follower, kit, "range linearizable", 10, 100));
    },
  },
  {
    rows: ["clusterFailover"],
    variant: "",
    members: MEMBERS,
    slow: true,
    prepare: async () => {},
    measure: measureFailover,
  },
  {
    rows: ["clusterMemory", "clusterCatchUp", "clusterStall"],
    variant: "",
    members: MEMBERS,
    slow: true,
    prepare: (subject, { options }) => fill(subject, PREFIX, options.catchUpMiB * 1024, LARGE_VALUE_BYTES),
    measure: measureCatchUp,
  },
];

function put(id: RowId, connections: number, inFlight: number): Experiment {
  return {
    rows: [id],
    variant: MANY_KEYS,
    members: MEMBERS,
    ...(inFlight * connections <= 10 && { warmSeconds: FEW_IN_FLIGHT_WARM_SECONDS }),
    prepare: fillKeys,
    measure: async (subject, kit) => rate(id, await load(subject, kit, "put", connections, inFlight)),
  };
}

function fillKeys(subject: Subject): Promise<void> {
  return fill(subject, PREFIX, KEYS, VALUE_BYTES);
}

function load(
  { target }: Subject,
  { options: { seconds } }: Kit,
  shape: "put" | "range linearizable",
  connections: number,
  inFlight: number,
): Promise<LoadResult> {
  return runRaw<LoadResult>({ kind: "unary", target, shape, connections, inFlight, keys: KEYS, seconds, seed: 1 });
}

function clusterOf({ cluster }: Subject): ClusterProcess {
  if (cluster === undefined) throw new Error("this row is one of several members");
  return cluster;
}

function followerOf(subject: Subject): ClusterMember {
  const follower = clusterOf(subject).members.find(({ server }) => server !== subject.server);
  if (follower === undefined) throw new Error("there is no follower");
  return follower;
}

/** From the kill of a leader until another member has written something: the middle of a few. */
async function measureFailover(subject: Subject): Promise<Reading> {
  const cluster = clusterOf(subject);
  const awayMs: number[] = [];
  for (let kill = 0; kill < KILLS; kill++) {
    const leader = await cluster.leader();
    const other = cluster.members.find((member) => member !== leader) as ClusterMember;
    await other.put("failover", "before");
    await sleep(CALM_MS);
    const killedAtMs = performance.now();
    await leader.server.stop("SIGKILL");
    await untilWritten(other, killedAtMs);
    awayMs.push(performance.now() - killedAtMs);
    await leader.server.launch();
    await cluster.level();
  }
  return { figures: { clusterFailover: median(awayMs) }, notes: { "longest, ms": Math.max(...awayMs) } };
}

async function untilWritten(member: ClusterMember, sinceMs: number): Promise<void> {
  for (;;) {
    try {
      await member.tryPut("failover", "after", TRY_MS);
      return;
    } catch (error) {
      if (performance.now() - sinceMs > PATIENCE_MS) throw error;
      await sleep(MISSED_PAUSE_MS);
    }
  }
}

/** A member goes for good, and an empty one takes its place: until that has everything. */
async function measureCatchUp(subject: Subject, { options }: Kit): Promise<Reading> {
  const cluster = clusterOf(subject);
  await sleep(options.settleSeconds * 1000);
  const memory = serversOf(subject).reduce((sum, { pid }) => sum + memoryOf(pid).totalMiB, 0);
  const gone = followerOf(subject);
  const program = gone.command === undefined ? {} : { command: gone.command };
  await cluster.leave(gone);
  const prober = ProberProcess.start(subject.target);
  try {
    await sleep(CALM_MS);
    const quiet = await prober.take();
    const { revision } = await (await cluster.leader()).hash();
    const startAtMs = performance.now();
    const added = await cluster.join({ name: "late", ...program, readyMs: CATCH_UP_LIMIT_MS });
    while ((await added.revision()) < revision) {
      if (performance.now() - startAtMs > CATCH_UP_LIMIT_MS) throw new Error("the new member does not catch up");
      await sleep(MISSED_PAUSE_MS);
    }
    const tookMs = performance.now() - startAtMs;
    const meanwhile = await prober.take();
    return {
      figures: { clusterMemory: memory, clusterCatchUp: tookMs, clusterStall: meanwhile.maxMs },
      notes: { "longest with nothing going on, ms": quiet.maxMs, "p50 meanwhile us": meanwhile.p50Us },
    };
  } finally {
    prober.stop();
  }
}

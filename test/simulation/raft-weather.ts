/**
 * What a seed makes of its world, as plain data. Each kind of fault is there or not, by lot, and how strong it is too
 * ("swarm" configuration): a world with every fault at once would hide what only shows when some are absent.
 */
import type { Prng } from "../../server/base/prng.ts";
import type { RaftConfig } from "../../server/raft/raw-node.ts";
import { MS, streamOf } from "./raft-timeline.ts";

/** What the fault schedule may do, one at a time; see `raft-faults.ts`. */
export const FAULT_KINDS = [
  "crash",
  "power cut",
  "power cut of all",
  "pause",
  "clog",
  "one-way cut",
  "isolate",
  "split",
  "majority ring",
  "bridge",
  "clock rate",
  "disk stall",
  "replay",
  "campaign",
  "forget leader",
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

export interface RaftWeather {
  /** 3 to 7. */
  readonly members: number;
  /** How many of them vote at the beginning, 3 at least; the others are in no configuration yet. */
  readonly voters: number;
  readonly tickUs: number;
  readonly raft: Omit<RaftConfig, "id" | "storage" | "applied" | "confState" | "random"> & {
    readonly inflightBytesMax: number;
    readonly uncommittedBytesMax: number;
  };
  readonly network: {
    readonly delayUs: number;
    readonly dropShare: number;
    readonly duplicateShare: number;
    /** Messages that arrive once more, much later. */
    readonly lateShare: number;
    /** Whether messages of one link pass each other. */
    readonly reorders: boolean;
    /** Lost messages that the sender is told of. */
    readonly reportShare: number;
  };
  readonly disk: {
    readonly syncUs: number;
    /** Syncs that take up to `stallUs`. */
    readonly stallShare: number;
    readonly stallUs: number;
  };
  readonly process: {
    /** How long a member gathers before it asks raft what is ready, at most; 0: it asks after each event. */
    readonly gatherUs: number;
    /** How long committed entries wait to be applied, about; 0: not at all. */
    readonly applyUs: number;
    /** Of a death at each of the named points of a round. */
    readonly deathShare: number;
  };
  readonly workload: {
    readonly proposeUs: number;
    readonly readUs: number;
    readonly valueBytesMax: number;
    /** Between two compactions of the log, on average; 0: never. */
    readonly compactUs: number;
    readonly changeUs: number;
    readonly joint: boolean;
    readonly transferUs: number;
  };
  /** Between two faults, on average. */
  readonly faultUs: number;
  readonly faults: readonly FaultKind[];
}

/** The longest time that a member waits before it campaigns. */
export function electionTimeoutUs(weather: RaftWeather): number {
  return 2 * weather.raft.electionTicks * weather.tickUs;
}

/** Draws the world of a seed. */
export function drawWeather(seed: number): RaftWeather {
  const random = streamOf(seed, "weather");
  const members = 3 + random.below(5);
  const share = (most: number) => (random.chance(0.5) ? (random.chance(0.5) ? most : most / 5) : 0);
  const sometimes = (us: number) => (random.chance(0.5) ? us : 0);
  return {
    members,
    voters: Math.min(members, 3 + random.below(3)),
    tickUs: random.pick([25, 40, 50, 60, 100]) * MS,
    raft: drawRaft(random),
    network: {
      delayUs: random.pick([300, 1 * MS, 3 * MS, 10 * MS, 30 * MS]),
      dropShare: share(0.15),
      duplicateShare: share(0.15),
      lateShare: share(0.1),
      reorders: random.chance(0.5),
      reportShare: random.pick([0, 0.5, 1]),
    },
    disk: {
      syncUs: random.pick([100, 500, 2 * MS, 8 * MS, 25 * MS]),
      stallShare: share(0.01),
      stallUs: random.pick([100, 400, 2000]) * MS,
    },
    process: {
      gatherUs: sometimes(random.pick([500, 5 * MS])),
      applyUs: sometimes(random.pick([1 * MS, 20 * MS, 100 * MS])),
      deathShare: share(0.0005),
    },
    workload: {
      proposeUs: random.pick([9, 12, 16]) * MS,
      readUs: random.pick([30, 60, 150]) * MS,
      valueBytesMax: random.pick([16, 100, 1000]),
      compactUs: sometimes(random.pick([100, 400]) * MS),
      changeUs: sometimes(random.pick([150, 500]) * MS),
      joint: random.chance(0.5),
      transferUs: sometimes(random.pick([300, 1000]) * MS),
    },
    faultUs: random.pick([150, 400, 900]) * MS,
    faults: FAULT_KINDS.filter(() => random.chance(0.5)),
  };
}

function drawRaft(random: Prng): RaftWeather["raft"] {
  return {
    electionTicks: random.pick([5, 10, 10]),
    heartbeatTicks: random.pick([1, 1, 2]),
    preVote: random.chance(0.75),
    checkQuorum: random.chance(0.85),
    stepDownOnRemoval: random.chance(0.3),
    maxMessageBytes: random.pick([200, 2000, 1024 * 1024]),
    inflightMax: random.pick([1, 4, 256]),
    inflightBytesMax: random.pick([0, 0, 500, 5000]),
    uncommittedBytesMax: random.pick([600, 5000, 128 * 1024 * 1024]),
  };
}

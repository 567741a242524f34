/** The levels on which a cluster is simulated, by their names. */
import { POINTS, runCluster } from "./cluster.ts";
import type { Level } from "./outcome.ts";
import { RAFT_POINTS, runRaft } from "./raft-level.ts";

/** Whole members: log, store, leases, watches, membership, snapshots, with clients and operators. */
const server: Level = {
  name: "server",
  takesLess: true,
  points: POINTS,
  run: (seed, options) => runCluster(seed, {}, options),
};

/** Raft alone: some hundred times as many seeds in the same time. */
const raft: Level = {
  name: "raft",
  takesLess: false,
  points: RAFT_POINTS,
  run: async (seed, { log } = {}) => {
    const { proposals, traceHash, ...run } = runRaft(seed, log === undefined ? {} : { trace: log });
    return { ...run, operations: proposals, traceHash: traceHash.toString(16) };
  },
};

export const LEVELS: readonly Level[] = [server, raft];

/** The levels on which a cluster is simulated, by their names. */
import { POINTS, runCluster } from "./cluster.ts";
import type { Level } from "./outcome.ts";

/** Whole members: log, store, leases, watches, membership, snapshots, with clients and operators. */
const server: Level = {
  name: "server",
  points: POINTS,
  run: (seed, options) => runCluster(seed, {}, options),
};

export const LEVELS: readonly Level[] = [server];

/**
 * What becomes of the spec that was asked for. A good one is accepted and kept whole, and is in force from then on; a
 * bad one changes nothing, and the last good one goes on being served and repaired.
 */
import type { EtcdClusterSpec } from "../api/etcd-cluster.ts";
import type { Builders } from "./builders.ts";
import { ownClaims, ownPods } from "./members.ts";
import type { Observation, PodFacts } from "./observation.ts";
import { isSame } from "./same.ts";
import { lowestVersion, pathFault, versionsOf } from "./versions.ts";

export interface Wish {
  readonly state: "accepted" | "new" | "refused";
  /** What is served: the spec itself unless it was refused and another was accepted before. */
  readonly inForce: EtcdClusterSpec;
  /** Whether `inForce` may be acted on; false when nothing was ever good. */
  readonly isUsable: boolean;
  readonly reason?: "InvalidSpec" | "UnsupportedVersion";
  readonly message?: string;
}

/** How many faults a message names. */
const SHOWN_FAULTS = 5;

export function readWish(seen: Observation, builders: Builders): Wish {
  const { spec } = seen.cluster;
  const faults = builders.validate(seen.cluster);
  if (faults.length > 0) {
    const shown = faults.slice(0, SHOWN_FAULTS).map((fault) => `${fault.path}: ${fault.message}`);
    const more = faults.length > SHOWN_FAULTS ? [`and ${faults.length - SHOWN_FAULTS} more`] : [];
    return refused(seen, faults[0]?.kind ?? "InvalidSpec", [...shown, ...more].join("; "));
  }
  const running = runningVersion(seen);
  const fault = running === undefined ? undefined : pathFault(running, spec.version);
  if (fault !== undefined) return refused(seen, "UnsupportedVersion", fault);
  const state = seen.acceptedSpec !== undefined && isSame(seen.acceptedSpec, spec) ? "accepted" : "new";
  return { state, inForce: spec, isUsable: true };
}

function refused(seen: Observation, reason: "InvalidSpec" | "UnsupportedVersion", message: string): Wish {
  const inForce = seen.acceptedSpec ?? seen.cluster.spec;
  return { state: "refused", inForce, isUsable: seen.acceptedSpec !== undefined, reason, message };
}

/**
 * The lowest version that any member is known to run: of Pods that are ready, as one that never became ready, because
 * its image is missing or crashes, binds nobody; and as it was last written down, for a member that is down just now may
 * be the lowest. With the status lost and no Pod ready, that of the accepted spec. Before the birth, what may have formed
 * the cluster by now.
 */
export function runningVersion(seen: Observation): string | undefined {
  const isBorn =
    seen.cluster.status?.clusterID !== undefined || ownClaims(seen).some((claim) => claim.clusterId !== undefined);
  if (!isBorn) return lowestVersion(versionsOf(ownPods(seen).filter(mayHaveFormed)));
  const ready = versionsOf(ownPods(seen).filter((pod) => pod.readySince !== undefined));
  const written = seen.cluster.status?.currentVersion;
  const lowest = lowestVersion(written === undefined ? ready : [...ready, written]);
  return lowest ?? seen.acceptedSpec?.version;
}

function mayHaveFormed(pod: PodFacts): boolean {
  return pod.readySince !== undefined || (pod.container?.state === "Running" && pod.container.restarts === 0);
}

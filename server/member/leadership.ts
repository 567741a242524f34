/** Who leads has changed, or this member's part in it: whoever lives by that hears of it. */
import { memberIdText } from "../base/int64.ts";
import type { Logger } from "../ports/logger.ts";
import type { RawNode } from "../raft/raw-node.ts";
import type { ClusterVersion } from "./cluster-version.ts";
import type { Expectations } from "./expectations.ts";
import type { LeaderDuties } from "./leader-duties.ts";
import type { MemberMetrics } from "./member-metrics.ts";
import type { ReadBarrier } from "./read.ts";
import type { Standing } from "./standing.ts";

export interface LeadershipParts {
  readonly selfId: bigint;
  readonly standing: Standing;
  readonly raft: RawNode;
  readonly duties: LeaderDuties;
  readonly clusterVersion: ClusterVersion;
  readonly barrier: ReadBarrier;
  readonly expectations: Expectations;
  readonly electionMs: number;
  readonly metrics: MemberMetrics;
  readonly logger: Logger;
  /** Asks for a round of the loop. */
  readonly schedule: () => void;
}

/** Notes in `standing` what raft says, and tells the others. */
export function noteLeadership(parts: LeadershipParts, leaderId: bigint, isLeader: boolean): void {
  const { standing, duties, clusterVersion } = parts;
  const changed = leaderId !== standing.leaderId;
  const lost = changed && standing.leaderId !== 0n;
  standing.leaderId = leaderId;
  standing.isLeader = isLeader;
  if (isLeader) {
    duties.start(parts.electionMs);
    clusterVersion.start();
  } else {
    duties.stop();
    clusterVersion.stop();
  }
  if (lost) parts.barrier.leaderChanged();
  parts.schedule(); // others may have passed on proposals that wait for a leader
  parts.metrics.leaderChanged(leaderId !== 0n, isLeader);
  parts.expectations.check();
  if (!changed) return;
  parts.logger.info("raft leader changed", {
    "local-member-id": memberIdText(parts.selfId),
    "leader-id": memberIdText(leaderId),
    term: parts.raft.term,
  });
}

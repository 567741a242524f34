/** A view of one member's raft for operators and metrics. A copy: it does not change later. */
import type { ConfState } from "../proto/raftpb.ts";
import type { ProgressState } from "./progress.ts";
import type { Raft } from "./raft.ts";
import type { Role } from "./ready.ts";

export interface MemberProgress {
  readonly id: bigint;
  readonly match: number;
  readonly next: number;
  readonly state: ProgressState;
  readonly isPaused: boolean;
  readonly isLearner: boolean;
  readonly recentActive: boolean;
  /** Appends sent and not yet acknowledged. */
  readonly inflight: number;
  /** Index of the snapshot under way, 0 for none. */
  readonly pendingSnapshot: number;
}

export interface RaftStatus {
  readonly id: bigint;
  readonly term: number;
  readonly vote: bigint;
  readonly role: Role;
  /** 0n: none known. */
  readonly leaderId: bigint;
  /** Whom leadership is being handed to, 0n for nobody. */
  readonly transferTarget: bigint;
  readonly commit: number;
  readonly applied: number;
  readonly firstIndex: number;
  readonly lastIndex: number;
  /** The last index on our own disk. */
  readonly stableIndex: number;
  /** Bytes proposed in this term of leadership and not yet handed out to be applied. */
  readonly uncommittedBytes: number;
  readonly confState: ConfState;
  /** Everyone's progress while leading, by rising id; empty otherwise. */
  readonly progress: readonly MemberProgress[];
}

export function statusOf(raft: Raft): RaftStatus {
  const progress: MemberProgress[] = [];
  if (raft.role === "leader") {
    for (const member of raft.tracker.members) {
      progress.push({
        id: member.id,
        match: member.match,
        next: member.next,
        state: member.state,
        isPaused: member.isPaused,
        isLearner: member.isLearner,
        recentActive: member.recentActive,
        inflight: member.inflights.count,
        pendingSnapshot: member.pendingSnapshot,
      });
    }
  }
  return {
    id: raft.id,
    term: raft.term,
    vote: raft.vote,
    role: raft.role,
    leaderId: raft.leaderId,
    transferTarget: raft.transferTarget,
    commit: raft.log.committed,
    applied: raft.log.applied,
    firstIndex: raft.log.firstIndex(),
    lastIndex: raft.log.lastIndex(),
    stableIndex: raft.log.stableIndex,
    uncommittedBytes: raft.uncommittedBytes,
    confState: raft.tracker.config,
    progress,
  };
}

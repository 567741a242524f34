/** What the conductor reports of itself; the composer ties it to the series that Prometheus scrapes. */
export interface MemberMetrics {
  walWritten(bytes: number, durationMs: number): void;
  walSynced(durationMs: number): void;
  backendCommitted(durationMs: number): void;
  applied(kind: string, ok: boolean, durationMs: number): void;
  /** What one entry changed. */
  changed(puts: number, deletes: number, putBytes: number): void;
  slowApply(): void;
  proposalsCommitted(index: number): void;
  proposalsApplied(index: number): void;
  proposalsPending(count: number): void;
  proposalFailed(): void;
  leaderChanged(hasLeader: boolean, isLeader: boolean): void;
  leaseGrantedFor(ttlSeconds: number): void;
  leaseRenewed(): void;
  leaseExpired(): void;
  rangeServed(): void;
  readIndexSlow(): void;
  readIndexFailed(): void;
  compacted(durationMs: number): void;
  compactionPaused(durationMs: number): void;
}

/** Reports nothing: for tests and tools. */
export const NO_METRICS: MemberMetrics = {
  walWritten: () => undefined,
  walSynced: () => undefined,
  backendCommitted: () => undefined,
  applied: () => undefined,
  changed: () => undefined,
  slowApply: () => undefined,
  proposalsCommitted: () => undefined,
  proposalsApplied: () => undefined,
  proposalsPending: () => undefined,
  proposalFailed: () => undefined,
  leaderChanged: () => undefined,
  leaseGrantedFor: () => undefined,
  leaseRenewed: () => undefined,
  leaseExpired: () => undefined,
  rangeServed: () => undefined,
  readIndexSlow: () => undefined,
  readIndexFailed: () => undefined,
  compacted: () => undefined,
  compactionPaused: () => undefined,
};

/**
 * What the conductor reports, put into etcd's series. It has the shape that member/member-metrics.ts asks for, without
 * knowing it: the composer hands one to the other. Durations come in milliseconds and are kept in seconds.
 */
import type { Series } from "./series.ts";
import type { Family, Histogram } from "./series-types.ts";

/** Functions that count; cheap enough to be called for every entry. */
export function memberFeed(series: Series) {
  const { disk, lease, mvcc, server } = series;
  const applied = byNameAndSuccess(server.applySeconds, (name, success) => ["v3", name, success]);
  let leading: boolean | undefined;
  return {
    walWritten(bytes: number, durationMs: number): void {
      disk.walBytes.inc(bytes);
      disk.walWriteSeconds.observe(durationMs / 1000);
    },
    walSynced: (durationMs: number): void => disk.walSyncSeconds.observe(durationMs / 1000),
    backendCommitted: (durationMs: number): void => disk.commitSeconds.observe(durationMs / 1000),
    /** `kind`: as the request is called inside, "put"; etcd labels it "Put". */
    applied(kind: string, ok: boolean, durationMs: number): void {
      applied(kind, ok).observe(durationMs / 1000);
      if (kind === "leaseRevoke" && ok) lease.revoked.inc();
    },
    /** What one entry changed; as etcd, one that changed more than one key counts as a transaction. */
    changed(puts: number, deletes: number, putBytes: number): void {
      mvcc.puts.inc(puts);
      mvcc.deletes.inc(deletes);
      mvcc.putBytes.inc(putBytes);
      if (puts + deletes > 1) mvcc.txns.inc();
    },
    slowApply: (): void => server.slowApplies.inc(),
    proposalsCommitted: (index: number): void => server.proposalsCommitted.set(index),
    proposalsApplied: (index: number): void => server.proposalsApplied.set(index),
    proposalsPending: (count: number): void => server.proposalsPending.set(count),
    proposalFailed: (): void => server.proposalsFailed.inc(),
    leaderChanged(hasLeader: boolean, isLeader: boolean): void {
      server.hasLeader.set(hasLeader ? 1 : 0);
      server.isLeader.set(isLeader ? 1 : 0);
      if (hasLeader && leading !== hasLeader) server.leaderChanges.inc();
      leading = hasLeader;
    },
    leaseGrantedFor(ttlSeconds: number): void {
      lease.granted.inc();
      lease.ttl.observe(ttlSeconds);
    },
    leaseRenewed: (): void => lease.renewed.inc(),
    leaseExpired: (): void => lease.expired.inc(),
    rangeServed: (): void => mvcc.ranges.inc(),
    readIndexSlow: (): void => server.slowReadIndexes.inc(),
    readIndexFailed: (): void => server.readIndexesFailed.inc(),
    compacted: (durationMs: number): void => mvcc.compactionTotalMs.observe(durationMs),
    compactionPaused: (durationMs: number): void => mvcc.compactionPauseMs.observe(durationMs),
  };
}

/** The child of a family for a request's name and outcome, found without making text for each. */
function byNameAndSuccess(
  family: Family<Histogram>,
  labels: (name: string, success: string) => readonly string[],
): (name: string, ok: boolean) => Histogram {
  const known = { true: new Map<string, Histogram>(), false: new Map<string, Histogram>() };
  return (name, ok) => {
    const children = known[`${ok}`];
    let child = children.get(name);
    if (child === undefined) {
      child = family.with(...labels(name.charAt(0).toUpperCase() + name.slice(1), `${ok}`));
      children.set(name, child);
    }
    return child;
  };
}

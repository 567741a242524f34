/** What the member reports, as the series that Prometheus scrapes. */
import type { Member } from "../member/member.ts";
import type { MemberMetrics } from "../member/member-metrics.ts";
import type { Registry } from "../metrics/registry.ts";
import type { Series } from "../metrics/series.ts";
import { AlarmType } from "../proto/etcdserverpb.ts";

const SECOND_MS = 1000;

/** Counts into `series` what the conductor reports. */
export function memberMetrics(series: Series): MemberMetrics {
  const { disk, server, lease, mvcc } = series;
  let hadLeader = false;
  return {
    walWritten(bytes, durationMs) {
      disk.walBytes.inc(bytes);
      disk.walWriteSeconds.observe(durationMs / SECOND_MS);
    },
    walSynced: (durationMs) => disk.walSyncSeconds.observe(durationMs / SECOND_MS),
    backendCommitted: (durationMs) => disk.commitSeconds.observe(durationMs / SECOND_MS),
    applied(kind, ok, durationMs) {
      server.applySeconds.with("v3", kind, ok ? "true" : "false").observe(durationMs / SECOND_MS);
      if (kind === "put") mvcc.puts.inc();
      else if (kind === "txn") mvcc.txns.inc();
      else if (kind === "deleteRange") mvcc.deletes.inc();
      else if (kind === "leaseGrant" && ok) lease.granted.inc();
      else if (kind === "leaseRevoke" && ok) lease.revoked.inc();
    },
    slowApply: () => server.slowApplies.inc(),
    proposalsCommitted: (index) => server.proposalsCommitted.set(index),
    proposalsApplied: (index) => server.proposalsApplied.set(index),
    proposalsPending: (count) => server.proposalsPending.set(count),
    proposalFailed: () => server.proposalsFailed.inc(),
    leaderChanged(hasLeader, isLeader) {
      if (hasLeader && !hadLeader) server.leaderChanges.inc();
      hadLeader = hasLeader;
      server.hasLeader.set(hasLeader ? 1 : 0);
      server.isLeader.set(isLeader ? 1 : 0);
    },
    leaseGrantedFor: (ttlSeconds) => lease.ttl.observe(ttlSeconds),
    leaseRenewed: () => lease.renewed.inc(),
    leaseExpired: () => lease.expired.inc(),
    rangeServed: () => mvcc.ranges.inc(),
    readIndexSlow: () => server.slowReadIndexes.inc(),
    readIndexFailed: () => server.readIndexesFailed.inc(),
    compacted(durationMs) {
      mvcc.compactionTotalMs.observe(durationMs);
      mvcc.compactionLast.set(Math.floor(Date.now() / SECOND_MS));
    },
    compactionPaused: (durationMs) => mvcc.compactionPauseMs.observe(durationMs),
  };
}

/** Sets, before every scrape, what is a fact of the moment. */
export function scrapeMember(registry: Registry, series: Series, member: Member, quotaBytes: number | undefined): void {
  const { mvcc, server, cluster } = series;
  server.id.with(member.memberId.toString(16)).set(1);
  server.quotaBytes.set(quotaBytes ?? 0);
  registry.beforeScrape(() => {
    const { dbSize, dbSizeInUse } = member.status();
    mvcc.sizeBytes.set(dbSize);
    mvcc.sizeInUseBytes.set(dbSizeInUse);
    mvcc.currentRevision.set(member.store.currentRevision);
    mvcc.compactRevision.set(member.store.compactRevision);
    mvcc.keys.set(member.store.liveKeys);
    const watches = member.hub.stats();
    mvcc.watchStreams.set(watches.streams);
    mvcc.watchers.set(watches.watchers);
    mvcc.slowWatchers.set(watches.slowWatchers);
    mvcc.pendingEvents.set(watches.pendingEvents);
    mvcc.events.raiseTo(watches.sentEvents);
    server.isLearner.set(member.isLearner ? 1 : 0);
    if (member.clusterVersion !== "not_decided") cluster.version.with(member.clusterVersion.replace(/\.0$/, "")).set(1);
    for (const kind of ["NOSPACE", "CORRUPT"] as const) {
      const raised = member
        .alarms()
        .some(({ alarm, memberId }) => alarm === AlarmType[kind] && memberId === member.memberId);
      server.alarms.with(member.memberId.toString(16), kind).set(raised ? 1 : 0);
    }
  });
}

/** Facts of the member, set into their series before every scrape. */
import type { Member } from "../member/member.ts";
import type { Registry } from "../metrics/registry.ts";
import type { Series } from "../metrics/series.ts";
import { AlarmType } from "../proto/etcdserverpb.ts";

/** Has `registry` ask the member whenever somebody scrapes. */
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
    series.kvorum.openReadViews.set(member.openReadViews);
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

/** The fields of the line "starting an etcd server": the settings in effect, under the names that tools look for. */
import { formatDuration } from "../base/duration.ts";
import type { Config } from "./config.ts";
import { initialClusterText, urlTexts } from "./urls.ts";
import { ETCD_VERSION, KVORUM_VERSION } from "./version.ts";

/** `memberInitialized`: the data folder holds a member already. */
export function startFields(config: Config, memberInitialized: boolean): Readonly<Record<string, unknown>> {
  const retention = config.autoCompaction;
  const retentionMs = retention?.mode === "periodic" ? retention.periodMs : 0;
  return {
    "etcd-version": ETCD_VERSION,
    "kvorum-version": KVORUM_VERSION,
    "node-version": process.version,
    "member-initialized": memberInitialized,
    name: config.name,
    "data-dir": config.dataDir,
    "wal-dir": config.walDir ?? "",
    "force-new-cluster": config.forceNewCluster,
    ...(config.expectsData ? { "expect-data": true } : {}),
    "heartbeat-interval": formatDuration(config.heartbeatMs),
    "election-timeout": formatDuration(config.electionMs),
    "initial-election-tick-advance": config.initialElectionTickAdvance,
    "snapshot-count": config.snapshotCount,
    "snapshot-catchup-entries": config.snapshotCatchupEntries,
    "initial-advertise-peer-urls": config.peerUrls.advertise,
    "listen-peer-urls": urlTexts(config.peerUrls.listen),
    "advertise-client-urls": config.clientUrls.advertise,
    "listen-client-urls": urlTexts(config.clientUrls.listen),
    "listen-client-http-urls": urlTexts(config.listenClientHttpUrls),
    "listen-metrics-urls": urlTexts(config.listenMetricsUrls),
    cors: config.cors,
    "host-whitelist": config.hostWhitelist,
    "initial-cluster": initialClusterText(config.initialCluster),
    "initial-cluster-state": config.initialClusterState,
    "initial-cluster-token": config.initialClusterToken,
    "quota-backend-bytes": config.quotaBytes ?? -1,
    "max-request-bytes": config.maxRequestBytes,
    "max-txn-ops": config.maxTxnOps,
    "max-concurrent-streams": config.maxConcurrentStreams,
    "pre-vote": config.preVote,
    "feature-gates": config.featureGatesText,
    "auto-compaction-mode": retention?.mode ?? "periodic",
    "auto-compaction-retention":
      retention?.mode === "revision" ? String(retention.retainRevisions) : formatDuration(retentionMs),
    "compaction-batch-limit": config.compactionBatchLimit,
    "compaction-sleep-interval": formatDuration(config.compactionSleepMs),
    "watch-progress-notify-interval": formatDuration(config.watchProgressNotifyMs),
    "v2-deprecation": "write-only",
    "grpc-engine": config.grpcEngine,
    ...(config.unsafeNoFsync ? { "unsafe-no-fsync": true } : {}),
  };
}

/**
 * Every series of etcd 3.7, in one table: name, type, labels and bounds are etcd's, as dashboards and alerts ask for
 * them; the help is ours. Some have nothing to count in one member, or in our store, and stay at zero so that they are
 * found. Oddities are kept: some sums are gauges, and some labels begin with a capital.
 */
import type { Registry } from "./registry.ts";
import { type Counter, exponentialBounds, type Family, type Gauge, type Histogram } from "./series-types.ts";

interface Row {
  readonly kind: "counter" | "gauge" | "histogram";
  readonly name: string;
  readonly help: string;
  readonly labels?: readonly string[];
  readonly bounds?: readonly number[];
}

/** 1 ms to 8.2 s: disks and requests. */
const FROM_1_MS = exponentialBounds(0.001, 2, 14);
/** 0.1 ms to 52 s: entries and reads. */
const FROM_100_US = exponentialBounds(0.0001, 2, 20);
/** 0.1 s to 51 s: whole snapshots between members. */
const FROM_100_MS = exponentialBounds(0.1, 2, 10);

const ROWS = {
  cluster: {
    version: {
      kind: "gauge",
      name: "etcd_cluster_version",
      labels: ["cluster_version"],
      help: "1 for the version that the cluster speaks.",
    },
  },
  auth: {
    revision: { kind: "gauge", name: "etcd_debugging_auth_revision", help: "Revision of users and roles." },
  },
  lease: {
    granted: { kind: "counter", name: "etcd_debugging_lease_granted_total", help: "Leases granted." },
    renewed: {
      kind: "counter",
      name: "etcd_debugging_lease_renewed_total",
      help: "Renewals of leases, seen by the leader.",
    },
    revoked: { kind: "counter", name: "etcd_debugging_lease_revoked_total", help: "Leases revoked." },
    ttl: {
      kind: "histogram",
      name: "etcd_debugging_lease_ttl_total",
      help: "Time to live of leases in seconds, as asked for.",
      bounds: exponentialBounds(1, 2, 24),
    },
    expired: { kind: "counter", name: "etcd_debugging_server_lease_expired_total", help: "Leases that ran out." },
  },
  mvcc: {
    compactRevision: {
      kind: "gauge",
      name: "etcd_debugging_mvcc_compact_revision",
      help: "Revision below which history is gone; -1: none is.",
    },
    currentRevision: { kind: "gauge", name: "etcd_debugging_mvcc_current_revision", help: "Revision of the store." },
    compactionKeys: {
      kind: "counter",
      name: "etcd_debugging_mvcc_db_compaction_keys_total",
      help: "Revisions removed by compactions.",
    },
    compactionLast: {
      kind: "gauge",
      name: "etcd_debugging_mvcc_db_compaction_last",
      help: "When a compaction last ended, in seconds since 1970; 0: never.",
    },
    compactionPauseMs: {
      kind: "histogram",
      name: "etcd_debugging_mvcc_db_compaction_pause_duration_milliseconds",
      help: "How long one step of a compaction held everything else.",
      bounds: exponentialBounds(1, 2, 13),
    },
    compactionTotalMs: {
      kind: "histogram",
      name: "etcd_debugging_mvcc_db_compaction_total_duration_milliseconds",
      help: "How long a compaction took from end to end.",
      bounds: exponentialBounds(100, 2, 14),
    },
    indexCompactionPauseMs: {
      kind: "histogram",
      name: "etcd_debugging_mvcc_index_compaction_pause_duration_milliseconds",
      help: "How long one step of compacting the index held everything else.",
      bounds: exponentialBounds(0.5, 2, 14),
    },
    events: { kind: "counter", name: "etcd_debugging_mvcc_events_total", help: "Events sent to watchers." },
    keys: { kind: "gauge", name: "etcd_debugging_mvcc_keys_total", help: "Keys in the index." },
    pendingEvents: {
      kind: "gauge",
      name: "etcd_debugging_mvcc_pending_events_total",
      help: "Events waiting to be sent to watchers.",
    },
    slowWatchers: {
      kind: "gauge",
      name: "etcd_debugging_mvcc_slow_watcher_total",
      help: "Watchers that are behind the store.",
    },
    putBytes: {
      kind: "gauge",
      name: "etcd_debugging_mvcc_total_put_size_in_bytes",
      help: "Bytes of keys and values put.",
    },
    watchStreams: { kind: "gauge", name: "etcd_debugging_mvcc_watch_stream_total", help: "Open streams of watchers." },
    watchers: { kind: "gauge", name: "etcd_debugging_mvcc_watcher_total", help: "Watchers." },
    readTransactions: {
      kind: "gauge",
      name: "etcd_mvcc_db_open_read_transactions",
      help: "Read views of the store that are open.",
    },
    sizeBytes: { kind: "gauge", name: "etcd_mvcc_db_total_size_in_bytes", help: "Bytes that the store takes on disk." },
    sizeInUseBytes: {
      kind: "gauge",
      name: "etcd_mvcc_db_total_size_in_use_in_bytes",
      help: "Bytes of the store that hold data.",
    },
    deletes: { kind: "counter", name: "etcd_mvcc_delete_total", help: "Deletions applied." },
    puts: { kind: "counter", name: "etcd_mvcc_put_total", help: "Puts applied." },
    ranges: { kind: "counter", name: "etcd_mvcc_range_total", help: "Ranges served." },
    txns: { kind: "counter", name: "etcd_mvcc_txn_total", help: "Transactions applied." },
    hashSeconds: {
      kind: "histogram",
      name: "etcd_mvcc_hash_duration_seconds",
      help: "How long hashing the whole store took.",
      bounds: exponentialBounds(0.01, 2, 15),
    },
    hashRevisionSeconds: {
      kind: "histogram",
      name: "etcd_mvcc_hash_rev_duration_seconds",
      help: "How long hashing the store at a revision took.",
      bounds: exponentialBounds(0.01, 2, 15),
    },
  },
  watch: {
    controlSeconds: {
      kind: "histogram",
      name: "etcd_debugging_server_watch_send_loop_control_stream_duration_seconds",
      help: "How long answering the creation or end of a watch took.",
      bounds: FROM_1_MS,
    },
    progressSeconds: {
      kind: "histogram",
      name: "etcd_debugging_server_watch_send_loop_progress_duration_seconds",
      help: "How long sending a progress notice took.",
      bounds: FROM_1_MS,
    },
    perEventSeconds: {
      kind: "histogram",
      name: "etcd_debugging_server_watch_send_loop_watch_stream_duration_per_event_seconds",
      help: "How long sending events to a watch took, by event.",
      bounds: FROM_1_MS,
    },
    sendSeconds: {
      kind: "histogram",
      name: "etcd_debugging_server_watch_send_loop_watch_stream_duration_seconds",
      help: "How long sending events to a watch took.",
      bounds: FROM_1_MS,
    },
  },
  disk: {
    commitRebalanceSeconds: {
      kind: "histogram",
      name: "etcd_debugging_disk_backend_commit_rebalance_duration_seconds",
      help: "A step of bbolt's commits; LMDB has none such.",
      bounds: FROM_1_MS,
    },
    commitSpillSeconds: {
      kind: "histogram",
      name: "etcd_debugging_disk_backend_commit_spill_duration_seconds",
      help: "A step of bbolt's commits; LMDB has none such.",
      bounds: FROM_1_MS,
    },
    commitWriteSeconds: {
      kind: "histogram",
      name: "etcd_debugging_disk_backend_commit_write_duration_seconds",
      help: "How long writing the pages of a commit took.",
      bounds: FROM_1_MS,
    },
    commitSeconds: {
      kind: "histogram",
      name: "etcd_disk_backend_commit_duration_seconds",
      help: "How long a commit of the store took.",
      bounds: FROM_1_MS,
    },
    defragSeconds: {
      kind: "histogram",
      name: "etcd_disk_backend_defrag_duration_seconds",
      help: "How long giving space back took.",
      bounds: exponentialBounds(0.1, 2, 13),
    },
    snapshotSeconds: {
      kind: "histogram",
      name: "etcd_disk_backend_snapshot_duration_seconds",
      help: "How long sending a snapshot of the store took.",
      bounds: exponentialBounds(0.01, 2, 17),
    },
    defragInflight: { kind: "gauge", name: "etcd_disk_defrag_inflight", help: "1 while space is given back." },
    walSyncSeconds: {
      kind: "histogram",
      name: "etcd_disk_wal_fsync_duration_seconds",
      help: "How long syncing the log took.",
      bounds: FROM_1_MS,
    },
    walBytes: { kind: "gauge", name: "etcd_disk_wal_write_bytes_total", help: "Bytes written to the log." },
    walWriteSeconds: {
      kind: "histogram",
      name: "etcd_disk_wal_write_duration_seconds",
      help: "How long writing to the log took.",
      bounds: FROM_1_MS,
    },
    snapSaveMarshalSeconds: {
      kind: "histogram",
      name: "etcd_debugging_snap_save_marshalling_duration_seconds",
      help: "How long encoding a snapshot file took.",
      bounds: FROM_1_MS,
    },
    snapSaveSeconds: {
      kind: "histogram",
      name: "etcd_debugging_snap_save_total_duration_seconds",
      help: "How long saving a snapshot file took.",
      bounds: FROM_1_MS,
    },
    snapDbSyncSeconds: {
      kind: "histogram",
      name: "etcd_snap_db_fsync_duration_seconds",
      help: "How long syncing a store received from a peer took.",
      bounds: FROM_1_MS,
    },
    snapDbSaveSeconds: {
      kind: "histogram",
      name: "etcd_snap_db_save_total_duration_seconds",
      help: "How long saving a store received from a peer took.",
      bounds: FROM_100_MS,
    },
    snapSyncSeconds: {
      kind: "histogram",
      name: "etcd_snap_fsync_duration_seconds",
      help: "How long syncing a snapshot file took.",
      bounds: FROM_1_MS,
    },
  },
  network: {
    activePeers: {
      kind: "gauge",
      name: "etcd_network_active_peers",
      labels: ["Local", "Remote"],
      help: "Peers connected now.",
    },
    clientReceivedBytes: {
      kind: "counter",
      name: "etcd_network_client_grpc_received_bytes_total",
      help: "Bytes received from gRPC clients.",
    },
    clientSentBytes: {
      kind: "counter",
      name: "etcd_network_client_grpc_sent_bytes_total",
      help: "Bytes sent to gRPC clients.",
    },
    disconnectedPeers: {
      kind: "counter",
      name: "etcd_network_disconnected_peers_total",
      labels: ["Local", "Remote"],
      help: "Connections to peers that were lost.",
    },
    knownPeers: {
      kind: "gauge",
      name: "etcd_network_known_peers",
      labels: ["Local", "Remote"],
      help: "Members known, this one among them.",
    },
    peerReceivedBytes: {
      kind: "counter",
      name: "etcd_network_peer_received_bytes_total",
      labels: ["From"],
      help: "Bytes received from a peer.",
    },
    peerReceivedFailures: {
      kind: "counter",
      name: "etcd_network_peer_received_failures_total",
      labels: ["From"],
      help: "Failures to receive from a peer.",
    },
    peerRoundTripSeconds: {
      kind: "histogram",
      name: "etcd_network_peer_round_trip_time_seconds",
      labels: ["To"],
      help: "Round trips to a peer.",
      bounds: exponentialBounds(0.0001, 2, 16),
    },
    peerSentBytes: {
      kind: "counter",
      name: "etcd_network_peer_sent_bytes_total",
      labels: ["To"],
      help: "Bytes sent to a peer.",
    },
    peerSentFailures: {
      kind: "counter",
      name: "etcd_network_peer_sent_failures_total",
      labels: ["To"],
      help: "Failures to send to a peer.",
    },
    streamFailures: {
      kind: "counter",
      name: "etcd_network_server_stream_failures_total",
      labels: ["Type", "API"],
      help: "Streams to clients that broke.",
    },
    snapshotReceiveFailures: {
      kind: "counter",
      name: "etcd_network_snapshot_receive_failures",
      labels: ["From"],
      help: "Snapshots from a peer that failed.",
    },
    snapshotReceiveInflight: {
      kind: "gauge",
      name: "etcd_network_snapshot_receive_inflights_total",
      labels: ["From"],
      help: "Snapshots being received from a peer.",
    },
    snapshotReceiveSuccess: {
      kind: "counter",
      name: "etcd_network_snapshot_receive_success",
      labels: ["From"],
      help: "Snapshots received from a peer.",
    },
    snapshotReceiveSeconds: {
      kind: "histogram",
      name: "etcd_network_snapshot_receive_total_duration_seconds",
      labels: ["From"],
      help: "How long receiving a snapshot from a peer took.",
      bounds: FROM_100_MS,
    },
    snapshotSendFailures: {
      kind: "counter",
      name: "etcd_network_snapshot_send_failures",
      labels: ["To"],
      help: "Snapshots to a peer that failed.",
    },
    snapshotSendInflight: {
      kind: "gauge",
      name: "etcd_network_snapshot_send_inflights_total",
      labels: ["To"],
      help: "Snapshots being sent to a peer.",
    },
    snapshotSendSuccess: {
      kind: "counter",
      name: "etcd_network_snapshot_send_success",
      labels: ["To"],
      help: "Snapshots sent to a peer.",
    },
    snapshotSendSeconds: {
      kind: "histogram",
      name: "etcd_network_snapshot_send_total_duration_seconds",
      labels: ["To"],
      help: "How long sending a snapshot to a peer took.",
      bounds: FROM_100_MS,
    },
  },
  server: {
    alarms: {
      kind: "gauge",
      name: "etcd_debugging_server_alarms",
      labels: ["server_id", "alarm_type"],
      help: "1 for each alarm that is raised.",
    },
    applySeconds: {
      kind: "histogram",
      name: "etcd_server_apply_duration_seconds",
      labels: ["version", "op", "success"],
      help: "How long applying an entry took.",
      bounds: FROM_100_US,
    },
    clientRequests: {
      kind: "counter",
      name: "etcd_server_client_requests_total",
      labels: ["type", "client_api_version"],
      help: "Calls by version of the client.",
    },
    featureEnabled: {
      kind: "gauge",
      name: "etcd_server_feature_enabled",
      labels: ["name", "stage"],
      help: "1 for a feature gate that is on.",
    },
    goVersion: {
      kind: "gauge",
      name: "etcd_server_go_version",
      labels: ["server_go_version"],
      help: "1 for the runtime; here it is Node.js.",
    },
    hasLeader: { kind: "gauge", name: "etcd_server_has_leader", help: "1 while there is a leader." },
    healthFailures: { kind: "counter", name: "etcd_server_health_failures", help: "Answers of /health that were bad." },
    healthSuccess: { kind: "counter", name: "etcd_server_health_success", help: "Answers of /health that were good." },
    healthCheck: {
      kind: "gauge",
      name: "etcd_server_healthcheck",
      labels: ["type", "name"],
      help: "1 for a check of /livez or /readyz that was good last time.",
    },
    healthChecks: {
      kind: "counter",
      name: "etcd_server_healthchecks_total",
      labels: ["type", "name", "status"],
      help: "Checks of /livez and /readyz, by outcome.",
    },
    heartbeatSendFailures: {
      kind: "counter",
      name: "etcd_server_heartbeat_send_failures_total",
      help: "Heartbeats that left late; a busy disk or processor.",
    },
    id: { kind: "gauge", name: "etcd_server_id", labels: ["server_id"], help: "1 for the id of this member, in hex." },
    isLeader: { kind: "gauge", name: "etcd_server_is_leader", help: "1 while this member leads." },
    isLearner: { kind: "gauge", name: "etcd_server_is_learner", help: "1 while this member learns and has no vote." },
    leaderChanges: {
      kind: "counter",
      name: "etcd_server_leader_changes_seen_total",
      help: "Times that the leader became another.",
    },
    learnerPromoteFailures: {
      kind: "counter",
      name: "etcd_server_learner_promote_failures",
      labels: ["Reason"],
      help: "Learners that could not be promoted, seen by the leader.",
    },
    learnerPromoteSuccesses: {
      kind: "counter",
      name: "etcd_server_learner_promote_successes",
      help: "Learners promoted, seen by the leader.",
    },
    proposalsApplied: {
      kind: "gauge",
      name: "etcd_server_proposals_applied_total",
      help: "Index up to which entries are applied.",
    },
    proposalsCommitted: {
      kind: "gauge",
      name: "etcd_server_proposals_committed_total",
      help: "Index up to which entries are committed.",
    },
    proposalsFailed: { kind: "counter", name: "etcd_server_proposals_failed_total", help: "Proposals that failed." },
    proposalsPending: { kind: "gauge", name: "etcd_server_proposals_pending", help: "Proposals under way." },
    quotaBytes: { kind: "gauge", name: "etcd_server_quota_backend_bytes", help: "Bytes that the store may take." },
    rangeSeconds: {
      kind: "histogram",
      name: "etcd_server_range_duration_seconds",
      labels: ["success"],
      help: "How long serving a range took.",
      bounds: FROM_100_US,
    },
    readIndexesFailed: {
      kind: "counter",
      name: "etcd_server_read_indexes_failed_total",
      help: "Linearizable reads whose index could not be had.",
    },
    requestSeconds: {
      kind: "histogram",
      name: "etcd_server_request_duration_seconds",
      labels: ["type", "success"],
      help: "How long a request took, in the log and out of it.",
      bounds: FROM_1_MS,
    },
    slowApplies: {
      kind: "counter",
      name: "etcd_server_slow_apply_total",
      help: "Entries and reads that took longer than --warning-apply-duration.",
    },
    slowReadIndexes: {
      kind: "counter",
      name: "etcd_server_slow_read_indexes_total",
      help: "Linearizable reads that waited long for their index.",
    },
    snapshotApplying: {
      kind: "gauge",
      name: "etcd_server_snapshot_apply_in_progress_total",
      help: "1 while a peer's snapshot is taken in.",
    },
    version: {
      kind: "gauge",
      name: "etcd_server_version",
      labels: ["server_version"],
      help: "1 for the version of etcd that we speak.",
    },
  },
  /** etcd's v2 store, which is no more; dashboards still ask. */
  store: {
    expires: { kind: "counter", name: "etcd_debugging_store_expires_total", help: "Of the v2 store: always 0." },
    readsFailed: {
      kind: "counter",
      name: "etcd_debugging_store_reads_failed_total",
      labels: ["action"],
      help: "Of the v2 store: none.",
    },
    reads: {
      kind: "counter",
      name: "etcd_debugging_store_reads_total",
      labels: ["action"],
      help: "Of the v2 store: none.",
    },
    watchRequests: {
      kind: "counter",
      name: "etcd_debugging_store_watch_requests_total",
      help: "Of the v2 store: always 0.",
    },
    watchers: { kind: "gauge", name: "etcd_debugging_store_watchers", help: "Of the v2 store: always 0." },
    writesFailed: {
      kind: "counter",
      name: "etcd_debugging_store_writes_failed_total",
      labels: ["action"],
      help: "Of the v2 store: none.",
    },
    writes: {
      kind: "counter",
      name: "etcd_debugging_store_writes_total",
      labels: ["action"],
      help: "Of the v2 store: none.",
    },
  },
  proxy: {
    cacheHits: { kind: "gauge", name: "etcd_grpc_proxy_cache_hits_total", help: "Of the gRPC proxy: 0 in a server." },
    cacheKeys: { kind: "gauge", name: "etcd_grpc_proxy_cache_keys_total", help: "Of the gRPC proxy: 0 in a server." },
    cacheMisses: {
      kind: "gauge",
      name: "etcd_grpc_proxy_cache_misses_total",
      help: "Of the gRPC proxy: 0 in a server.",
    },
    eventsCoalescing: {
      kind: "counter",
      name: "etcd_grpc_proxy_events_coalescing_total",
      help: "Of the gRPC proxy: 0 in a server.",
    },
    watchersCoalescing: {
      kind: "gauge",
      name: "etcd_grpc_proxy_watchers_coalescing_total",
      help: "Of the gRPC proxy: 0 in a server.",
    },
  },
  /** Of the page of metrics itself, as Go's client counts it. */
  scrape: {
    inFlight: { kind: "gauge", name: "promhttp_metric_handler_requests_in_flight", help: "Scrapes being answered." },
    requests: {
      kind: "counter",
      name: "promhttp_metric_handler_requests_total",
      labels: ["code"],
      help: "Scrapes by status of the answer.",
    },
  },
  /** Our own. */
  kvorum: {
    version: { kind: "gauge", name: "kvorum_version", labels: ["version"], help: "1 for the version of Kvorum." },
    eventLoopLagSeconds: {
      kind: "histogram",
      name: "kvorum_event_loop_lag_seconds",
      help: "How late a timer ran: how long everything else had held the loop.",
      bounds: exponentialBounds(0.001, 2, 14),
    },
    heapShare: { kind: "gauge", name: "kvorum_heap_share", help: "Share of the heap's limit that is in use, 0 to 1." },
    openReadViews: {
      kind: "gauge",
      name: "kvorum_open_read_views",
      help: "Views of the store that keep its pages from being used again: snapshots being streamed.",
    },
    memoryLimitBytes: { kind: "gauge", name: "kvorum_memory_limit_bytes", help: "Memory that the process may use." },
    tlsLoaded: {
      kind: "gauge",
      name: "kvorum_tls_certificate_loaded",
      labels: ["listener", "kind", "file", "sha256"],
      help: "1 for each certificate that new connections use: leaves that are shown, authorities that are trusted.",
    },
    tlsNotAfterSeconds: {
      kind: "gauge",
      name: "kvorum_tls_certificate_not_after_seconds",
      labels: ["listener", "kind", "sha256"],
      help: "When each of these certificates ends, since 1970.",
    },
    tlsAuthorities: {
      kind: "gauge",
      name: "kvorum_tls_authorities",
      labels: ["listener"],
      help: "Authorities that are trusted by name; 0: those of the runtime.",
    },
    tlsFilesUnusable: {
      kind: "gauge",
      name: "kvorum_tls_files_unusable",
      labels: ["listener"],
      help: "1 while the files on disk have changed and cannot be used, so that those read before stay.",
    },
  },
} as const satisfies Record<string, Record<string, Row>>;

type InstanceOf<R extends Row> = R extends { readonly kind: "counter" }
  ? Counter
  : R extends { readonly kind: "gauge" }
    ? Gauge
    : Histogram;

type SeriesOf<R extends Row> = R extends { readonly labels: readonly string[] } ? Family<InstanceOf<R>> : InstanceOf<R>;

/** All series by group: `series.disk.walSyncSeconds.observe(0.002)`. */
export type Series = {
  readonly [Group in keyof typeof ROWS]: {
    readonly [Name in keyof (typeof ROWS)[Group]]: (typeof ROWS)[Group][Name] extends Row
      ? SeriesOf<(typeof ROWS)[Group][Name]>
      : never;
  };
};

/** Registers all series and answers them. */
export function createSeries(registry: Registry): Series {
  const groups = Object.entries(ROWS).map(([group, rows]) => {
    const made = Object.entries(rows).map(([name, row]) => [name, createOne(registry, row)]);
    return [group, Object.fromEntries(made)];
  });
  const series = Object.fromEntries(groups) as Series;
  series.mvcc.compactRevision.set(-1);
  for (const code of ["200", "500", "503"]) series.scrape.requests.with(code);
  return series;
}

function createOne(registry: Registry, row: Row): unknown {
  const { kind, name, help, labels, bounds = [] } = row;
  switch (kind) {
    case "counter":
      return labels === undefined ? registry.counter(name, help) : registry.counters(name, help, labels);
    case "gauge":
      return labels === undefined ? registry.gauge(name, help) : registry.gauges(name, help, labels);
    case "histogram":
      return labels === undefined
        ? registry.histogram(name, help, bounds)
        : registry.histograms(name, help, labels, bounds);
  }
}

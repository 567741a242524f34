/**
 * The only file that makes real ports: out of a configuration it puts together one running server. Order at start: the
 * folder and its lock, metrics, the store, the member; clients are let in once the member serves. At stop the reverse,
 * after leadership was handed to another member.
 */
import { join, resolve } from "node:path";
import { loadConsistentIndex } from "../apply/consistent-index.ts";
import type { Config } from "../config/config.ts";
import { type FeatureGate, gateStage } from "../config/feature-gates.ts";
import { startFields } from "../config/start-line.ts";
import { checkInitialCluster } from "../config/validate.ts";
import { CLUSTER_VERSION, ETCD_VERSION, KVORUM_VERSION } from "../config/version.ts";
import { makeDurableFolder } from "../member/durable-folder.ts";
import { nothingToForce } from "../member/force-new-cluster.ts";
import { Member } from "../member/member.ts";
import type { JoinedCluster, MemberOptions } from "../member/options.ts";
import { memberFeed } from "../metrics/member-feed.ts";
import { createProcessSeries } from "../metrics/process-series.ts";
import { Registry } from "../metrics/registry.ts";
import { createSeries, type Series } from "../metrics/series.ts";
import { LmdbBackend } from "../storage/lmdb-backend.ts";
import { SystemClock } from "../system/clock.ts";
import { SystemDisk } from "../system/disk.ts";
import { watchEventLoop } from "../system/event-loop.ts";
import { type FolderLock, lockFolder } from "../system/folder-lock.ts";
import { HeapGuard, observeCollections } from "../system/heap-guard.ts";
import type { SystemLogger } from "../system/logger.ts";
import { memoryLimit, planMemory } from "../system/memory.ts";
import { readProcessFacts } from "../system/process-facts.ts";
import { SystemRandom } from "../system/random.ts";
import { Wal } from "../wal/wal.ts";
import { DataExpected, RemovedFromCluster } from "./advice.ts";
import { scrapeCertificates } from "./certificate-series.ts";
import { ClientSide } from "./client-side.ts";
import { dropOriginal, isForeign, takeOver } from "./data/import.ts";
import { scrapeMember } from "./member-series.ts";
import { PeerSide } from "./peer-side.ts";

/** The store may outgrow its quota by what one batch and fragments add; a file without a quota ends here. */
const STORE_MARGIN = 1.5;
const STORE_MARGIN_BYTES = 2 ** 30;
const UNBOUNDED_STORE_BYTES = 2 ** 40;

/** A server that runs. */
export interface RunningServer {
  readonly member: Member;
  /** Where clients can connect: "127.0.0.1:2379". */
  readonly addresses: readonly string[];
  /** Has another member lead if this one does, lets calls under way finish, makes everything durable and frees the folder. */
  stop(): Promise<void>;
}

/** Starts a server and resolves when it serves clients. Rejects with an Error whose message is for the person who started it. */
export async function startServer(
  config: Config,
  logger: SystemLogger,
  fatal: (error: unknown) => void,
): Promise<RunningServer> {
  const undo: (() => void | Promise<void>)[] = [];
  const stop = async () => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    const disk = new SystemDisk();
    const clock = new SystemClock();
    const walFolder = config.walDir ?? join(config.dataDir, "member", "wal");
    const known = Wal.exists(disk, walFolder);
    if (!known && !isForeign(config.dataDir)) checkMayBegin(config, walFolder);
    if (!known) checkInitialCluster(config);
    logger.info("starting an etcd server", startFields(config, known));
    for (const lock of await lockFolders(disk, config)) undo.push(() => lock.release());
    if (isForeign(config.dataDir)) await takeOver(config.dataDir, walFolder, logger);

    const registry = new Registry();
    const series = createSeries(registry);
    const heap = observeProcess(registry, series, undo);
    const peers = await PeerSide.bind({ config, logger, series, clock });
    undo.push(() => peers.close());
    const clients = await ClientSide.bind({ config, logger, registry, series, clock, broken: fatal });
    undo.push(() => clients.close());
    scrapeCertificates(registry, series, [...clients.certificates, ...peers.certificates]);

    const joined = !known && config.initialClusterState === "existing" ? await peers.findCluster() : undefined;
    const removed = () => fatal(new RemovedFromCluster());
    const world = { disk, clock, walFolder, logger, series, heap, fatal, peers, joined, removed };
    const member = openMember(config, world);
    undo.splice(-1, 0, () => member.stop()); // after the clients have gone
    scrapeMember(registry, series, member, config.quotaBytes);
    describeProcess(series, config);
    await member.start();
    await clients.serve(member);
    undo.push(() => member.handOver()); // first of all, while clients are still served
    logger.info("ready to serve client requests");
    return { member, addresses: clients.addresses, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Whether an empty folder is what it should be. */
function checkMayBegin({ dataDir, expectsData, forceNewCluster }: Config, walFolder: string): void {
  if (expectsData) throw new DataExpected(dataDir, walFolder);
  if (forceNewCluster) throw nothingToForce(walFolder);
}

/** Makes the folders and takes them for this process. */
async function lockFolders(disk: SystemDisk, { dataDir, walDir }: Config): Promise<FolderLock[]> {
  makeDurableFolder(disk, resolve(dataDir));
  const locks = [await lockFolder(dataDir)];
  try {
    if (walDir !== undefined) {
      makeDurableFolder(disk, resolve(walDir));
      locks.push(await lockFolder(walDir));
    }
    return locks;
  } catch (error) {
    for (const lock of locks) lock.release();
    throw error;
  }
}

/** Counts what the process does; answers how full its heap is. */
function observeProcess(registry: Registry, series: Series, undo: (() => void)[]): HeapGuard {
  const heap = new HeapGuard();
  const processSeries = createProcessSeries(registry, readProcessFacts);
  undo.push(
    observeCollections((collection) => {
      heap.collected(collection);
      processSeries.collected(collection.seconds, Date.now() / 1000);
    }),
    watchEventLoop((lagSeconds) => series.kvorum.eventLoopLagSeconds.observe(lagSeconds)),
  );
  registry.beforeScrape(() => {
    series.kvorum.heapShare.set(heap.share());
    series.kvorum.memoryLimitBytes.set(memoryLimit().bytes);
  });
  return heap;
}

function storeFolder(dataDir: string): string {
  return join(dataDir, "member", "kvorum");
}

function openMember(
  config: Config,
  world: {
    disk: SystemDisk;
    clock: SystemClock;
    walFolder: string;
    logger: SystemLogger;
    series: Series;
    heap: HeapGuard;
    fatal: (error: unknown) => void;
    peers: PeerSide;
    joined: JoinedCluster | undefined;
    removed: () => void;
  },
): Member {
  const maxSizeBytes =
    config.quotaBytes === undefined ? UNBOUNDED_STORE_BYTES : config.quotaBytes * STORE_MARGIN + STORE_MARGIN_BYTES;
  const backend = LmdbBackend.open(storeFolder(config.dataDir), { maxSizeBytes });
  const logger = world.logger.child("member/member.ts");
  if (dropOriginal(config.dataDir, loadConsistentIndex(backend).index)) {
    logger.info("removed etcd's file of a directory taken over: the store has gone on from it");
  }
  const total = backend.recordCount("key");
  const restored = (records: number) =>
    logger.info("restoring the index from the store", { records, ...shareOf(records, total) });
  return new Member(
    { ...memberOptions(config, world.walFolder), joined: world.joined },
    {
      clock: world.clock,
      disk: world.disk,
      random: new SystemRandom(),
      backend,
      logger,
      metrics: memberFeed(world.series),
      openNetwork: (ids) => world.peers.openNetwork(ids),
      removed: world.removed,
      heapShare: () => world.heap.share(),
      fatal: world.fatal,
    },
    everySecond(world.clock, restored),
  );
}

function memberOptions(config: Config, walFolder: string): MemberOptions {
  const memory = planMemory(memoryLimit().bytes);
  return {
    name: config.name,
    walFolder,
    receivedFolder: resolve(config.dataDir, "member", "received"),
    initialCluster: config.initialCluster,
    clusterToken: config.initialClusterToken,
    forceNewCluster: config.forceNewCluster,
    strictReconfigCheck: config.strictReconfigCheck,
    maxLearners: config.maxLearners,
    clientUrls: config.clientUrls.advertise,
    heartbeatMs: config.heartbeatMs,
    electionMs: config.electionMs,
    preVote: config.preVote,
    initialElectionTickAdvance: config.initialElectionTickAdvance,
    snapshotCount: config.snapshotCount,
    snapshotCatchupEntries: config.snapshotCatchupEntries,
    maxRequestBytes: config.maxRequestBytes,
    quotaBytes: config.quotaBytes,
    backendBatchMs: config.backendBatchMs,
    backendBatchOperations: config.backendBatchLimit,
    compactionBatchRevisions: config.compactionBatchLimit,
    compactionSleepMs: config.compactionSleepMs,
    autoCompaction: config.autoCompaction,
    watchProgressNotifyMs: config.watchProgressNotifyMs,
    corruptionChecks: {
      initially: config.featureGates.InitialCorruptCheck,
      everyMs: config.corruptCheckMs,
      compactionsEveryMs: config.featureGates.CompactHashCheck ? config.compactHashCheckMs : undefined,
    },
    leaseCheckpoints: config.featureGates.LeaseCheckpoint,
    warningApplyMs: config.warningApplyMs,
    unsafeNoFsync: config.unsafeNoFsync,
    transitBytes: memory.transitBytes,
    valueCacheBytes: config.valueCacheBytes ?? memory.valueCacheBytes,
    serverVersion: ETCD_VERSION,
    clusterVersion: CLUSTER_VERSION,
  };
}

/** How far it has come; sorting and building, when all are read, take about as long again. */
function shareOf(records: number, total: number | undefined): { of?: number; share?: string } {
  if (total === undefined || total === 0) return {};
  return { of: total, share: `${Math.floor((100 * records) / total)}%` };
}

/** Passes on at most one call a second: long work shows progress without flooding the log. */
function everySecond(clock: SystemClock, action: (records: number) => void): (records: number) => void {
  let last = clock.monotonicMs();
  return (records) => {
    const now = clock.monotonicMs();
    if (now - last < 1000) return;
    last = now;
    action(records);
  };
}

function describeProcess(series: Series, config: Config): void {
  series.server.version.with(ETCD_VERSION).set(1);
  series.server.goVersion.with(`node-${process.version}`).set(1);
  series.kvorum.version.with(KVORUM_VERSION).set(1);
  for (const [gate, on] of Object.entries(config.featureGates)) {
    series.server.featureEnabled.with(gate, gateStage(gate as FeatureGate)).set(on ? 1 : 0);
  }
}

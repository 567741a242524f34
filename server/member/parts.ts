/**
 * Everything that a member is made of, opened and tied together: what a part is for stands in its file. Here is only who
 * knows whom; but for an interrupted compaction, which goes on at once, nothing runs before `Member.start`.
 */
import { Applier } from "../apply/applier.ts";
import { loadConfState } from "../apply/cluster-requests.ts";
import { loadConsistentIndex } from "../apply/consistent-index.ts";
import { restoreLeases } from "../apply/lease-requests.ts";
import type { State } from "../apply/state.ts";
import { EtcdError } from "../base/error.ts";
import { memberIdText } from "../base/int64.ts";
import { Alarms } from "../cluster/alarms.ts";
import { type MemberRecord, Membership } from "../cluster/membership.ts";
import { Lessor } from "../lease/lessor.ts";
import { Store } from "../mvcc/store.ts";
import { BackendFull } from "../ports/backend.ts";
import { RawNode } from "../raft/raw-node.ts";
import { SyncGuard } from "../wal/sync-guard.ts";
import type { Wal } from "../wal/wal.ts";
import { WatchHub } from "../watch/hub.ts";
import { AutoCompactor } from "./auto-compaction.ts";
import { bootstrap } from "./bootstrap.ts";
import { ClusterVersion } from "./cluster-version.ts";
import { Commits } from "./commits.ts";
import { CommittedEntries } from "./committed-entries.ts";
import { Compactor } from "./compactor.ts";
import { CorruptionChecks } from "./corruption-checks.ts";
import { Expectations } from "./expectations.ts";
import { ForwardedProposals } from "./forwarded-proposals.ts";
import { guardedClock } from "./guarded-clock.ts";
import { HeapWatch } from "./heap-watch.ts";
import {
  changesHost,
  checksHost,
  forwardedHost,
  leaseHost,
  lineHost,
  loopDuties,
  movesHost,
  peersOwner,
  snapshotsHost,
  spaceHost,
} from "./hosts.ts";
import { LeaderDuties } from "./leader-duties.ts";
import { LeaderLine } from "./leader-line.ts";
import { LeaderMoves } from "./leader-moves.ts";
import { LeaseCalls } from "./lease-calls.ts";
import { Loop } from "./loop.ts";
import { MembershipChanges } from "./membership-changes.ts";
import type { MemberOptions, MemberPorts } from "./options.ts";
import { OutgoingSnapshots } from "./outgoing-snapshots.ts";
import { type Asked, peerAnswers } from "./peer-answers.ts";
import { NO_NETWORK, Peers } from "./peers.ts";
import { Proposals } from "./proposals.ts";
import { Proposer } from "./proposer.ts";
import { ReadBarrier } from "./read.ts";
import { readStateSteps } from "./read-state.ts";
import { RequestIds } from "./request-ids.ts";
import { SnapshotIntake } from "./snapshot-intake.ts";
import { isAlone, LogSnapshots } from "./snapshots.ts";
import { SpaceAlarm } from "./space-alarm.ts";
import { SpareKeeper } from "./spare-keeper.ts";
import { Standing } from "./standing.ts";
import { StateExchange } from "./state-exchange.ts";
import { noteStorageVersion } from "./storage-version.ts";
import { ViewWatch } from "./view-watch.ts";
import { WatchPump } from "./watch-pump.ts";

const GRPC_OVERHEAD_BYTES = 512 * 1024;
/** Of the log in memory, for members that are behind: those further back are sent the store itself. */
const LOG_MEMORY_MAX_BYTES = 64 * 1024 * 1024;
const MAX_APPEND_BYTES = 1024 * 1024;
const MAX_INFLIGHT = 512;

export class MemberParts {
  readonly memberId: bigint;
  readonly clusterId: bigint;
  readonly options: MemberOptions;
  readonly ports: MemberPorts;
  readonly requestTimeoutMs: number;
  readonly standing: Standing;
  readonly state: State;
  readonly store: Store;
  readonly lessor: Lessor;
  readonly hub: WatchHub;
  readonly raft: RawNode;
  readonly wal: Wal;
  readonly loop: Loop;
  readonly commits: Commits;
  readonly entries: CommittedEntries;
  readonly barrier: ReadBarrier;
  readonly proposals = new Proposals();
  readonly proposer: Proposer;
  readonly forwarded: ForwardedProposals;
  readonly requestIds: RequestIds;
  readonly compactor: Compactor;
  readonly autoCompactor: AutoCompactor | undefined;
  readonly duties: LeaderDuties;
  readonly snapshots: LogSnapshots;
  readonly watchPump: WatchPump;
  readonly spare: SpareKeeper;
  readonly viewWatch: ViewWatch;
  readonly peers: Peers;
  readonly outgoing: OutgoingSnapshots;
  readonly intake: SnapshotIntake;
  readonly exchange: StateExchange;
  readonly changes: MembershipChanges;
  readonly expectations: Expectations;
  readonly moves: LeaderMoves;
  readonly checks: CorruptionChecks;
  readonly leaderLine: LeaderLine;
  readonly spaceAlarm: SpaceAlarm;
  readonly heap: HeapWatch;
  readonly leases: LeaseCalls;
  readonly clusterVersion: ClusterVersion;

  /**
   * Opens everything below and reads the state into memory, in one go. Throws `BootstrapError` when the folders do not
   * fit each other, `WorldError` when the disk refuses. `restored` hears how many records were read, now and then;
   * `answering` is asked what other members ask.
   */
  constructor(options: MemberOptions, ports: MemberPorts, restored: (records: number) => void, answering: Asked) {
    const clock = guardedClock(ports.clock, (error) => ports.fatal(error));
    this.options = options;
    this.ports = { ...ports, clock, heapShare: () => ports.heapShare(), fatal: (error) => ports.fatal(error) };
    const { backend, disk, logger, metrics, random } = ports;
    const timeoutMs = 5000 + 2 * options.electionMs;
    const maxLearners = options.maxLearners ?? 1;
    this.requestTimeoutMs = timeoutMs;

    this.standing = new Standing(loadConsistentIndex(backend));
    const { index, term } = this.standing.consistent;
    const stored = loadConfState(backend);
    const log = bootstrap(options, disk, index, logger, { term, confState: stored });
    const confState = stored ?? log.log.confState;
    this.memberId = log.memberId;
    this.clusterId = log.clusterId;
    this.wal = log.wal;
    this.requestIds = new RequestIds(log.memberId, clock.wallMs());
    this.standing.isAlone = isAlone(confState) && confState.voters[0] === this.memberId;

    this.state = openState(options, ports, restored);
    this.store = this.state.store;
    this.lessor = this.state.lessor;
    this.hub = new WatchHub(this.store, {
      maxResponseBytes: options.maxRequestBytes + GRPC_OVERHEAD_BYTES,
      onBehind: () => this.watchPump.behind(),
    });
    this.watchPump = new WatchPump({ hub: this.hub, clock, progressNotifyMs: options.watchProgressNotifyMs });

    // ---- other members

    const { openNetwork = () => NO_NETWORK } = ports;
    this.expectations = new Expectations(clock);
    this.forwarded = new ForwardedProposals({ host: forwardedHost(this), clock, patienceMs: timeoutMs });
    this.peers = new Peers({
      network: openNetwork({ memberId: this.memberId, clusterId: this.clusterId }),
      selfId: this.memberId,
      membership: this.state.membership,
      answers: peerAnswers(answering, options.serverVersion),
      owner: peersOwner(this),
    });
    this.intake = new SnapshotIntake({
      disk,
      backend,
      clock,
      logger,
      folder: options.receivedFolder,
      read: (reader) =>
        readStateSteps({ reader, backend, hashSeed: random.below(2 ** 31), lessor: newLessor(options) }),
      newestVersion: options.clusterVersion,
    });
    this.outgoing = new OutgoingSnapshots({ host: snapshotsHost(this), logger });

    // ---- the log, and what becomes of its entries

    this.raft = new RawNode({
      id: this.memberId,
      electionTicks: electionTicks(options),
      heartbeatTicks: 1,
      storage: log.log,
      applied: log.snapshotIndex,
      confState,
      preVote: options.preVote,
      checkQuorum: true,
      maxMessageBytes: MAX_APPEND_BYTES,
      inflightMax: MAX_INFLIGHT,
      random: (bound) => random.below(bound),
    });
    this.commits = new Commits({
      backend,
      clock,
      metrics,
      batchMs: options.backendBatchMs,
      batchOperations: options.backendBatchOperations,
      batchBytes: options.transitBytes,
      applied: () => this.standing.consistent,
      durable: (through) => this.#committedThrough(through),
      failed: (error) => this.#commitFailed(error),
    });
    this.snapshots = new LogSnapshots({
      wal: this.wal,
      log: log.log,
      logger,
      snapshotIndex: log.snapshotIndex,
      applied: { index: stored === undefined ? log.snapshotIndex : index, value: confState },
      count: options.snapshotCount,
      catchupEntries: options.snapshotCatchupEntries,
      logBytes: Math.min(options.transitBytes, LOG_MEMORY_MAX_BYTES),
    });
    this.barrier = new ReadBarrier({
      clock,
      metrics,
      ask: (context) => void this.raft.readIndex(context),
      schedule: () => this.loop.schedule(),
      timeoutMs,
    });
    this.compactor = new Compactor({
      clock,
      logger,
      metrics,
      batchRevisions: options.compactionBatchRevisions,
      sleepMs: options.compactionSleepMs,
      commit: () => this.commits.commit(),
      noteWork: () => this.commits.noteBackground(),
      hasRoom: () => this.commits.hasRoomForBackground,
    });
    this.changes = new MembershipChanges({
      membership: this.state.membership,
      options: { clusterToken: options.clusterToken, isStrict: options.strictReconfigCheck ?? true, maxLearners },
      host: changesHost(this),
      clock,
      timeoutMs,
    });
    this.heap = new HeapWatch(() => ports.heapShare(), logger);
    this.spaceAlarm = new SpaceAlarm(spaceHost(this), logger);
    this.proposer = new Proposer({
      standing: this.standing,
      state: this.state,
      raft: this.raft,
      proposals: this.proposals,
      requestIds: this.requestIds,
      heap: this.heap,
      spaceAlarm: this.spaceAlarm,
      clock,
      metrics,
      maxRequestBytes: options.maxRequestBytes,
      transitBytes: options.transitBytes,
      timeoutMs,
      schedule: () => this.loop.schedule(),
    });
    this.entries = new CommittedEntries({
      selfId: this.memberId,
      standing: this.standing,
      state: this.state,
      applier: new Applier(this.state),
      raft: this.raft,
      hub: this.hub,
      proposals: this.proposals,
      snapshots: this.snapshots,
      commits: this.commits,
      compactor: this.compactor,
      barrier: this.barrier,
      expectations: this.expectations,
      peers: this.peers,
      changes: this.changes,
      spaceAlarm: this.spaceAlarm,
      clock,
      logger,
      metrics,
      replaysChanges: stored === undefined,
      maxLearners,
      deleteStepKeys: options.deleteStepKeys,
      warningApplyMs: options.warningApplyMs,
      versionDecided: () => this.noteStorageVersion(),
      removed: () => this.removed(),
    });
    this.exchange = new StateExchange({
      selfId: this.memberId,
      standing: this.standing,
      state: this.state,
      raft: this.raft,
      hub: this.hub,
      intake: this.intake,
      entries: this.entries,
      proposals: this.proposals,
      snapshots: this.snapshots,
      compactor: this.compactor,
      peers: this.peers,
      clock,
      logger,
      removed: () => this.removed(),
    });
    const pending = this.store.pendingCompaction;
    if (pending !== undefined) this.compactor.add(pending);

    // ---- what only a leader does, and who asks it

    this.duties = new LeaderDuties({
      clock,
      lessor: this.lessor,
      logger,
      metrics,
      checkpoints: options.leaseCheckpoints,
      confirmLeadership: () => this.linearizableRead(),
      term: () => this.raft.term,
      propose: (request) => this.proposer.propose(request),
    });
    this.clusterVersion = new ClusterVersion({
      clock,
      logger,
      ours: options.clusterVersion,
      known: () => this.state.membership.clusterVersion,
      others: () => this.others(),
      ask: (urls, askMs) => this.peers.ask(urls, "version", undefined, askMs),
      decide: (ver) => this.proposer.propose({ kind: "clusterVersionSet", value: { ver } }),
    });
    this.leaderLine = new LeaderLine({ host: lineHost(this), clock, timeoutMs });
    this.leases = new LeaseCalls({
      host: leaseHost(this),
      lessor: this.lessor,
      leader: this.leaderLine,
      expectations: this.expectations,
      clock,
      metrics,
    });
    this.moves = new LeaderMoves({
      host: movesHost(this),
      expectations: this.expectations,
      clock,
      logger,
      electionMs: options.electionMs,
    });

    // ---- what is looked at now and then

    this.viewWatch = new ViewWatch({ clock, logger, openViews: () => backend.openReadViews() });
    this.spare = new SpareKeeper({ wal: this.wal, clock, logger });
    this.checks = new CorruptionChecks({
      host: checksHost(this),
      options: options.corruptionChecks ?? { initially: false, everyMs: 0, compactionsEveryMs: undefined },
      clock,
      logger,
      askTimeoutMs: timeoutMs,
    });
    this.autoCompactor =
      options.autoCompaction === undefined
        ? undefined
        : new AutoCompactor({
            clock,
            logger,
            mode: options.autoCompaction,
            currentRevision: () => this.store.currentRevision,
            isLeader: () => this.standing.isLeader,
            compact: (revision) => this.proposer.propose({ kind: "compaction", value: { revision, physical: false } }),
          });

    // ---- last, as it calls what it is given

    this.loop = new Loop({
      raft: this.raft,
      wal: this.wal,
      clock,
      guard: new SyncGuard(),
      metrics,
      unsafeNoFsync: options.unsafeNoFsync,
      duties: loopDuties(this),
    });
  }

  /** Everything committed before this call is visible to reads after it. */
  linearizableRead(): Promise<void> {
    this.standing.hasRead = true;
    if (this.standing.isStopping) return Promise.reject(new EtcdError("Stopped"));
    return this.barrier.wait();
  }

  /** Members but this one. */
  others(): MemberRecord[] {
    return this.state.membership.list().filter(({ id }) => id !== this.memberId);
  }

  noteStorageVersion(): void {
    if (noteStorageVersion(this.state.backend, this.state.membership.clusterVersion)) this.commits.note();
  }

  /** The others go on without us. A moment later, so that the last messages of this leader tell them. */
  removed(): void {
    if (this.standing.isRemoved) return;
    this.standing.isRemoved = true;
    this.ports.logger.warn("this member was removed from the cluster: it stops", {
      "local-member-id": memberIdText(this.memberId),
    });
    this.ports.clock.after(this.options.electionMs, () => this.ports.removed?.());
  }

  /** Data up to `index` is durable: the log before it is no longer needed. */
  #committedThrough(index: number): void {
    if (!this.standing.isStopping) this.snapshots.maybeTake(index);
    this.loop.schedule(); // applying may have waited for this
  }

  /** A full store keeps its promises from memory and refuses what would grow it; any other failure ends the member. */
  #commitFailed(error: unknown): void {
    if (error instanceof BackendFull) {
      this.ports.logger.warn("the store has no room left: compact, delete keys or raise the quota", { error });
      this.spaceAlarm.raise();
    } else this.ports.fatal(error);
  }
}

/** The state that the backend holds, read into memory. */
function openState(
  options: MemberOptions,
  { backend, random }: MemberPorts,
  restored: (records: number) => void,
): State {
  const store = new Store(backend, { valueCacheBytes: options.valueCacheBytes });
  for (const records of store.restore(random.below(2 ** 31))) restored(records);
  const state: State = {
    backend,
    store,
    lessor: newLessor(options),
    membership: new Membership(backend),
    alarms: new Alarms(backend),
    quotaBytes: options.quotaBytes,
  };
  state.membership.restore();
  state.alarms.restore();
  restoreLeases(state);
  return state;
}

function newLessor({ electionMs }: MemberOptions): Lessor {
  return new Lessor({ minTtlSeconds: Math.ceil((1.5 * electionMs) / 1000) });
}

/** Of an election timeout. */
export function electionTicks({ electionMs, heartbeatMs }: MemberOptions): number {
  return Math.max(1, Math.round(electionMs / heartbeatMs));
}

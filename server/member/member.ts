/**
 * One running member: ties raft, the log, apply, leases and watches together, and offers the calls that services make.
 * It decides nothing that a room below can decide; the order of input and output is the loop's.
 */
import { Applier, requestOf } from "../apply/applier.ts";
import { checkConfChange, executeConfChange, loadConfState, storeConfState } from "../apply/cluster-requests.ts";
import { loadConsistentIndex } from "../apply/consistent-index.ts";
import { costBytes } from "../apply/costs.ts";
import { withinQuota } from "../apply/gates.ts";
import { restoreLeases } from "../apply/lease-requests.ts";
import type { Applied, Responses } from "../apply/outcome.ts";
import { executeRange } from "../apply/range.ts";
import type { State } from "../apply/state.ts";
import { executeReadOnlyTxn, isReadOnlyTxn, isSerializableTxn } from "../apply/txn.ts";
import { assert } from "../base/assert.ts";
import { EtcdError } from "../base/error.ts";
import { besideFailpoint, failpoint } from "../base/failpoint.ts";
import { memberIdText } from "../base/int64.ts";
import { Alarms } from "../cluster/alarms.ts";
import { type MemberRecord, Membership } from "../cluster/membership.ts";
import { Lessor } from "../lease/lessor.ts";
import type { Change } from "../mvcc/event.ts";
import { Store } from "../mvcc/store.ts";
import { BackendFull } from "../ports/backend.ts";
import type { Timer } from "../ports/clock.ts";
import type { PeerLease } from "../ports/network.ts";
import {
  AlarmAction,
  type AlarmMember,
  type AlarmRequest,
  type AlarmResponse,
  AlarmType,
  type CompactionRequest,
  type CompactionResponse,
  type DeleteRangeRequest,
  type DeleteRangeResponse,
  InternalRaftRequest,
  type InternalRequest,
  type LeaseGrantRequest,
  type LeaseGrantResponse,
  type LeaseRevokeRequest,
  type LeaseRevokeResponse,
  type PutRequest,
  type PutResponse,
  type RangeRequest,
  type RangeResponse,
  type ResponseHeader,
  requestIdOf,
  type StatusResponse,
  type TxnRequest,
  type TxnResponse,
} from "../proto/etcdserverpb.ts";
import { ConfChange, type ConfState, type Entry, EntryType, type Message, MessageType } from "../proto/raftpb.ts";
import { RawNode } from "../raft/raw-node.ts";
import { SyncGuard } from "../wal/sync-guard.ts";
import type { Wal } from "../wal/wal.ts";
import { WatchHub } from "../watch/hub.ts";
import { AutoCompactor } from "./auto-compaction.ts";
import { bootstrap } from "./bootstrap.ts";
import { ClusterVersion } from "./cluster-version.ts";
import { Commits } from "./commits.ts";
import { Compactor } from "./compactor.ts";
import { type ChecksHost, CorruptionChecks } from "./corruption-checks.ts";
import { Expectations } from "./expectations.ts";
import { FirstElection } from "./first-election.ts";
import { guardedClock } from "./guarded-clock.ts";
import { HeapWatch } from "./heap-watch.ts";
import { LeaderDuties } from "./leader-duties.ts";
import { LeaderLine, type LineHost } from "./leader-line.ts";
import { LeaderMoves, type MovesHost } from "./leader-moves.ts";
import { LeaseCalls, type LeaseHost, newLeaseId } from "./lease-calls.ts";
import { Loop } from "./loop.ts";
import { type ChangesHost, MembershipChanges } from "./membership-changes.ts";
import type { MemberOptions, MemberPorts } from "./options.ts";
import { OutgoingSnapshots, type OutgoingSnapshotsHost } from "./outgoing-snapshots.ts";
import { peerAnswers } from "./peer-answers.ts";
import { NO_NETWORK, Peers } from "./peers.ts";
import { Proposals } from "./proposals.ts";
import { ReadBarrier } from "./read.ts";
import { RequestIds } from "./request-ids.ts";
import { markOf, SnapshotIntake, type StateMark } from "./snapshot-intake.ts";
import { isAlone, LogSnapshots } from "./snapshots.ts";
import { SpaceAlarm, type SpaceHost } from "./space-alarm.ts";
import { SpareKeeper } from "./spare-keeper.ts";
import { memberStatus } from "./status.ts";
import { noteStorageVersion, storageVersionOf } from "./storage-version.ts";
import { StoreSnapshot } from "./store-snapshot.ts";
import { ViewWatch } from "./view-watch.ts";
import { WatchPump } from "./watch-pump.ts";

/** Entries committed and not yet applied before new proposals are refused. */
const BACKLOG_MAX = 5000;
const GRPC_OVERHEAD_BYTES = 512 * 1024;
/** Of the log in memory, for members that are behind: those further back are sent the store itself. */
const LOG_MEMORY_MAX_BYTES = 64 * 1024 * 1024;
const DELETE_STEP_KEYS = 500;
const MAX_APPEND_BYTES = 1024 * 1024;
const MAX_INFLIGHT = 512;
/** Snapshots under way: each keeps pages of the store from being used again. */
const SNAPSHOTS_MAX = 8;

/** Until when somebody waits; absent: the member's own request timeout alone. */
export interface Patience {
  /** Monotonic milliseconds. */
  readonly deadlineMs: number | undefined;
}

export class Member {
  readonly memberId: bigint;
  readonly clusterId: bigint;
  readonly name: string;
  readonly store: Store;
  readonly lessor: Lessor;
  readonly hub: WatchHub;
  readonly requestTimeoutMs: number;

  readonly #options: MemberOptions;
  readonly #ports: MemberPorts;
  readonly #state: State;
  readonly #applier: Applier;
  readonly #raft: RawNode;
  readonly #wal: Wal;
  readonly #loop: Loop;
  readonly #commits: Commits;
  readonly #barrier: ReadBarrier;
  readonly #proposals = new Proposals();
  readonly #requestIds: RequestIds;
  readonly #compactor: Compactor;
  readonly #autoCompactor: AutoCompactor | undefined;
  readonly #duties: LeaderDuties;
  readonly #snapshots: LogSnapshots;
  readonly #watchPump: WatchPump;
  readonly #spare: SpareKeeper;
  readonly #viewWatch: ViewWatch;
  readonly #peers: Peers;
  readonly #outgoing: OutgoingSnapshots;
  readonly #intake: SnapshotIntake;
  readonly #changes: MembershipChanges;
  readonly #expectations: Expectations;
  readonly #moves: LeaderMoves;
  readonly #checks: CorruptionChecks;
  readonly #leaderLine: LeaderLine;
  readonly #spaceAlarm: SpaceAlarm;
  readonly #heap: HeapWatch;
  readonly #leases: LeaseCalls;
  readonly #clusterVersion: ClusterVersion;
  /** Nobody else is in raft's configuration. */
  #isAlone = false;
  #hasRead = false;
  /** The store does not say who votes: changes of the log are made again. */
  readonly #replaysChanges: boolean;
  /** The last entry whose effect the state holds. */
  #consistent: { index: number; term: number };
  #leaderId = 0n;
  #isLeader = false;
  #stopping = false;
  #isRemoved = false;
  #ticker: Timer | undefined;
  #firstElection: FirstElection | undefined;

  /**
   * Opens everything below and reads the state into memory, in one go. Throws `BootstrapError` when the folders do not
   * fit each other, `WorldError` when the disk refuses. `restored` hears how many records were read, now and then.
   */
  constructor(options: MemberOptions, ports: MemberPorts, restored: (records: number) => void = () => undefined) {
    const clock = guardedClock(ports.clock, (error) => ports.fatal(error));
    this.#options = options;
    this.#ports = { ...ports, clock, heapShare: () => ports.heapShare(), fatal: (error) => ports.fatal(error) };
    const { backend, logger, metrics } = ports;
    this.name = options.name;
    this.requestTimeoutMs = 5000 + 2 * options.electionMs;

    this.#consistent = { ...loadConsistentIndex(backend) };
    const stored = loadConfState(backend);
    const mark = { term: this.#consistent.term, confState: stored };
    const log = bootstrap(options, ports.disk, this.#consistent.index, logger, mark);
    this.memberId = log.memberId;
    this.clusterId = log.clusterId;
    this.#wal = log.wal;
    this.#requestIds = new RequestIds(log.memberId, clock.wallMs());

    this.store = new Store(backend, { valueCacheBytes: options.valueCacheBytes });
    for (const records of this.store.restore(ports.random.below(2 ** 31))) restored(records);
    this.lessor = new Lessor({ minTtlSeconds: Math.ceil((1.5 * options.electionMs) / 1000) });
    this.#state = {
      backend,
      store: this.store,
      lessor: this.lessor,
      membership: new Membership(backend),
      alarms: new Alarms(backend),
      quotaBytes: options.quotaBytes,
    };
    this.#state.membership.restore();
    this.#state.alarms.restore();
    restoreLeases(this.#state);
    this.#applier = new Applier(this.#state);

    this.hub = new WatchHub(this.store, {
      maxResponseBytes: options.maxRequestBytes + GRPC_OVERHEAD_BYTES,
      onBehind: () => this.#watchPump.behind(),
    });
    this.#watchPump = new WatchPump({ hub: this.hub, clock, progressNotifyMs: options.watchProgressNotifyMs });

    const { openNetwork = () => NO_NETWORK } = ports;
    this.#expectations = new Expectations(clock);
    this.#peers = new Peers({
      network: openNetwork({ memberId: this.memberId, clusterId: this.clusterId }),
      selfId: this.memberId,
      membership: this.#state.membership,
      answers: peerAnswers(this, options.serverVersion),
      owner: {
        message: (message) => {
          if (message.type === MessageType.SNAP) this.#stepSnapshot(message);
          else this.#raft.step(message);
          this.#loop.schedule();
        },
        openSnapshot: (message) => this.#intake.open(message),
        unreachable: (id) => this.#raft.reportUnreachable(id),
        snapshotStatus: (id, wasDelivered) => this.#outgoing.finished(id, wasDelivered),
        snapshotWanted: (message) => this.#outgoing.wanted(message),
        removed: () => this.#removed(),
      },
    });

    this.#intake = new SnapshotIntake({
      disk: ports.disk,
      backend,
      logger,
      folder: options.receivedFolder,
      newestVersion: options.clusterVersion,
    });
    this.#outgoing = new OutgoingSnapshots({ host: this.#snapshotsHost(), logger });

    const confState = stored ?? log.log.confState;
    this.#replaysChanges = stored === undefined;
    this.#raft = new RawNode({
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
      random: (bound) => ports.random.below(bound),
    });
    this.#commits = new Commits({
      backend,
      clock,
      metrics,
      batchMs: options.backendBatchMs,
      batchOperations: options.backendBatchOperations,
      batchBytes: options.transitBytes,
      applied: () => this.#consistent,
      durable: (index) => this.#committedThrough(index),
      failed: (error) => this.#commitFailed(error),
    });
    this.#snapshots = new LogSnapshots({
      wal: this.#wal,
      log: log.log,
      logger,
      snapshotIndex: log.snapshotIndex,
      applied: { index: stored === undefined ? log.snapshotIndex : this.#consistent.index, value: confState },
      count: options.snapshotCount,
      catchupEntries: options.snapshotCatchupEntries,
      logBytes: Math.min(options.transitBytes, LOG_MEMORY_MAX_BYTES),
    });
    this.#viewWatch = new ViewWatch({ clock, logger, openViews: () => backend.openReadViews() });
    this.#spare = new SpareKeeper({ wal: this.#wal, clock, logger });
    this.#barrier = new ReadBarrier({
      clock,
      metrics,
      ask: (context) => void this.#raft.readIndex(context),
      schedule: () => this.#loop.schedule(),
      timeoutMs: this.requestTimeoutMs,
    });
    this.#loop = new Loop({
      raft: this.#raft,
      wal: this.#wal,
      clock,
      guard: new SyncGuard(),
      metrics,
      unsafeNoFsync: options.unsafeNoFsync,
      duties: {
        beforeRound: () => this.#barrier.begin(),
        applyEntry: (entry) => this.#applyEntry(entry),
        mayApply: () => this.#commits.hasRoom,
        isAlone: () => this.#isAlone,
        hasRead: () => this.#takeRead(),
        appliedThrough: (index) => this.#appliedThrough(index),
        readStates: (states) => this.#barrier.answered(states),
        softState: ({ leaderId, role }) => this.#leadership(leaderId, role === "leader"),
        send: (messages) => this.#peers.send(messages),
        prepareInstall: (snapshot) => this.#intake.prepare(markOf(snapshot).index),
        install: (snapshot) => this.#install(markOf(snapshot)),
        installed: (snapshot) => this.#installed(markOf(snapshot).index),
        fatal: (error) => ports.fatal(error),
      },
    });
    this.#compactor = new Compactor({
      clock,
      logger,
      metrics,
      batchRevisions: options.compactionBatchRevisions,
      sleepMs: options.compactionSleepMs,
      commit: () => this.#commits.commit(),
      noteWork: () => this.#commits.noteBackground(),
      hasRoom: () => this.#commits.hasRoomForBackground,
    });
    const pending = this.store.pendingCompaction;
    if (pending !== undefined) this.#compactor.add(pending);
    this.#duties = new LeaderDuties({
      clock,
      lessor: this.lessor,
      logger,
      metrics,
      checkpoints: options.leaseCheckpoints,
      confirmLeadership: () => this.linearizableRead(),
      term: () => this.#raft.term,
      propose: (request) => this.#propose(request),
    });
    this.#isAlone = isAlone(confState) && confState.voters[0] === this.memberId;
    this.#changes = new MembershipChanges({
      membership: this.#state.membership,
      options: {
        clusterToken: options.clusterToken,
        isStrict: options.strictReconfigCheck ?? true,
        maxLearners: this.#maxLearners,
      },
      host: this.#changesHost(),
      clock,
      timeoutMs: this.requestTimeoutMs,
    });
    this.#moves = new LeaderMoves({
      host: this.#movesHost(),
      expectations: this.#expectations,
      clock,
      logger,
      electionMs: options.electionMs,
    });
    this.#heap = new HeapWatch(() => ports.heapShare(), logger);
    this.#spaceAlarm = new SpaceAlarm(this.#spaceHost(), logger);
    this.#leaderLine = new LeaderLine({ host: this.#lineHost(), clock, timeoutMs: this.requestTimeoutMs });
    this.#leases = new LeaseCalls({
      host: this.#leaseHost(),
      lessor: this.lessor,
      leader: this.#leaderLine,
      expectations: this.#expectations,
      clock,
      metrics,
    });
    this.#checks = new CorruptionChecks({
      host: this.#checksHost(),
      options: options.corruptionChecks ?? { initially: false, everyMs: 0, compactionsEveryMs: undefined },
      clock,
      logger,
      askTimeoutMs: this.requestTimeoutMs,
    });
    this.#clusterVersion = new ClusterVersion({
      clock,
      logger,
      ours: options.clusterVersion,
      known: () => this.#state.membership.clusterVersion,
      others: () => this.#others(),
      ask: (urls, timeoutMs) => this.#peers.ask(urls, "version", undefined, timeoutMs),
      decide: (ver) => this.#propose({ kind: "clusterVersionSet", value: { ver } }),
    });
    this.#autoCompactor =
      options.autoCompaction === undefined
        ? undefined
        : new AutoCompactor({
            clock,
            logger,
            mode: options.autoCompaction,
            currentRevision: () => this.store.currentRevision,
            isLeader: () => this.#isLeader,
            compact: (revision) => this.#propose({ kind: "compaction", value: { revision, physical: false } }),
          });
  }

  /**
   * Meets the others, publishes its name and URLs, and resolves when it serves: when there is a leader and all members
   * know that it is there. Alone it elects itself at once. Rejects when it is stopped meanwhile, and with `BootstrapError`
   * when its data are found to differ from another member's.
   */
  async start(): Promise<void> {
    await this.#checks.initially();
    if (this.#stopping) throw new EtcdError("Stopped");
    this.#peers.start(this.#options.joined?.members ?? []);
    if (this.#options.initialElectionTickAdvance === true) {
      this.#firstElection = new FirstElection(electionTicks(this.#options), this.#ports.clock.monotonicMs());
    }
    this.#tick();
    this.#loop.schedule();
    const known = this.#raft.commitIndex;
    await this.#expectations.until(() => this.#raft.appliedIndex >= known); // only then raft knows who may vote
    if (this.#isAlone) {
      this.#raft.campaign();
      this.#loop.schedule();
      await this.#expectations.until(() => this.#isLeader);
    }
    await this.#announce();
    await this.#expectations.until(() => this.#state.membership.clusterVersion !== undefined);
    this.#noteStorageVersion();
    this.#watchPump.start();
    this.#autoCompactor?.start();
    this.#checks.start();
  }

  #noteStorageVersion(): void {
    if (noteStorageVersion(this.#state.backend, this.#state.membership.clusterVersion)) this.#commits.note();
  }

  /** Tells all members our name and where clients find us, as often as it takes. */
  async #announce(): Promise<void> {
    const memberAttributes = { name: this.name, clientUrls: [...this.#options.clientUrls] };
    for (;;) {
      await this.#expectations.until(() => this.#leaderId !== 0n);
      if (besideFailpoint !== undefined) await besideFailpoint("beforePublishing");
      try {
        await this.#propose({ kind: "clusterMemberAttrSet", value: { memberId: this.memberId, memberAttributes } });
        return;
      } catch (error) {
        if (this.#stopping || !(error instanceof EtcdError)) throw error;
        this.#ports.logger.warn("could not publish this member's name and URLs; trying again", { error: error.code });
        await this.#nextTurn();
      }
    }
  }

  /** Takes nothing more, makes what was applied durable, and closes log and store. */
  async stop(): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    this.#ticker?.cancel();
    this.#duties.stop();
    this.#clusterVersion.stop();
    this.#autoCompactor?.stop();
    this.#checks.stop();
    this.#watchPump.stop();
    this.#spare.stop();
    this.#compactor.stop();
    this.#loop.stop();
    this.#proposals.failAll("Stopped");
    this.#changes.failAll("Stopped");
    await this.#peers.close();
    this.#outgoing.close();
    await this.#intake.stop();
    this.#barrier.failAll("Stopped");
    this.#expectations.stop();
    // What was applied in part is applied again from the log.
    if (!this.#commits.isHeld) await this.#commits.commit();
    this.#commits.stop();
    this.#wal.close();
    await this.#ports.backend.close();
  }

  // ---- what services ask --------------------------------------------------------------------------------------------

  /** Ids, term and current revision, as of now. */
  header(): ResponseHeader {
    return {
      clusterId: this.clusterId,
      memberId: this.memberId,
      revision: this.store.currentRevision,
      raftTerm: this.#raft.term,
    };
  }

  get leaderId(): bigint {
    return this.#leaderId;
  }

  get isLeader(): boolean {
    return this.#isLeader;
  }

  /** A cluster of one has no learners. */
  get isLearner(): boolean {
    return this.#state.membership.get(this.memberId)?.isLearner ?? false;
  }

  /** "not_decided" until the first leader has set it, as etcd says it at /version. */
  get clusterVersion(): string {
    return this.#state.membership.clusterVersion ?? "not_decided";
  }

  get storageVersion(): string {
    return storageVersionOf(this.#state.backend);
  }

  alarms(): AlarmMember[] {
    return this.#state.alarms.list();
  }

  range(request: RangeRequest, _patience?: Patience): RangeResponse | Promise<RangeResponse> {
    this.#ports.metrics.rangeServed();
    this.#hasRead = true;
    if (request.serializable) return executeRange(this.store, request);
    return this.linearizableRead().then(() => executeRange(this.store, request));
  }

  put(request: PutRequest, patience?: Patience): Promise<PutResponse> {
    return this.#propose({ kind: "put", value: request }, patience) as Promise<PutResponse>;
  }

  deleteRange(request: DeleteRangeRequest, patience?: Patience): Promise<DeleteRangeResponse> {
    return this.#propose({ kind: "deleteRange", value: request }, patience) as Promise<DeleteRangeResponse>;
  }

  /** A transaction of ranges alone is answered without the log; any other, a nested one too, goes through it. */
  txn(request: TxnRequest, patience?: Patience): Promise<TxnResponse> {
    if (isReadOnlyTxn(request)) return this.#readOnlyTxn(request);
    return this.#propose({ kind: "txn", value: request }, patience) as Promise<TxnResponse>;
  }

  async #readOnlyTxn(request: TxnRequest): Promise<TxnResponse> {
    this.#hasRead = true;
    if (!isSerializableTxn(request)) await this.linearizableRead();
    return executeReadOnlyTxn(this.store, request);
  }

  /** With `physical`, answers only when the deletion is finished and durable here. */
  async compact(request: CompactionRequest, patience?: Patience): Promise<CompactionResponse> {
    const response = (await this.#propose({ kind: "compaction", value: request }, patience)) as CompactionResponse;
    if (request.physical) await this.#compactor.idle();
    return response;
  }

  async leaseGrant(request: LeaseGrantRequest, patience?: Patience): Promise<LeaseGrantResponse> {
    const id = request.id === 0n ? newLeaseId(this.#ports.random) : request.id;
    const response = await this.#propose({ kind: "leaseGrant", value: { ...request, id } }, patience);
    const granted = response as LeaseGrantResponse;
    this.#ports.metrics.leaseGrantedFor(granted.ttl);
    return granted;
  }

  leaseRevoke(request: LeaseRevokeRequest, patience?: Patience): Promise<LeaseRevokeResponse> {
    return this.#propose({ kind: "leaseRevoke", value: request }, patience) as Promise<LeaseRevokeResponse>;
  }

  /** See `LeaseCalls`, as for the next two. */
  leaseRenew(id: bigint): Promise<number> {
    return this.#leases.renew(id);
  }

  leaseTimeToLive(id: bigint, keys: boolean): Promise<PeerLease | undefined> {
    return this.#leases.timeToLive(id, keys);
  }

  leaseRemainingSeconds(id: bigint): number {
    return this.#leases.remainingSeconds(id);
  }

  alarm(request: AlarmRequest, patience?: Patience): Promise<AlarmResponse> {
    return this.#propose({ kind: "alarm", value: request }, patience) as Promise<AlarmResponse>;
  }

  /** Whether anything was read since this was last asked. */
  #takeRead(): boolean {
    const hasRead = this.#hasRead;
    this.#hasRead = false;
    return hasRead;
  }

  /** Everything committed before this call is visible to reads after it. */
  linearizableRead(): Promise<void> {
    this.#hasRead = true;
    if (this.#stopping) return Promise.reject(new EtcdError("Stopped"));
    return this.#barrier.wait();
  }

  async members(linearizable: boolean): Promise<MemberRecord[]> {
    if (linearizable) await this.linearizableRead();
    return this.#state.membership.list();
  }

  /** Changes of membership; see `MembershipChanges` for what they refuse. */
  get changes(): MembershipChanges {
    return this.#changes;
  }

  /** Hands leadership to a voter: see `LeaderMoves.move`. */
  moveLeader(target: bigint): Promise<void> {
    return this.#moves.move(target);
  }

  /** To be called before `stop`, while clients are still served: somebody else leads then, if anybody can. */
  handOver(): Promise<void> {
    return this.#moves.away();
  }

  status(): StatusResponse {
    return memberStatus({
      header: this.header(),
      serverVersion: this.#options.serverVersion,
      storageVersion: this.storageVersion,
      backend: this.#state.backend,
      raft: this.#raft.status(),
      alarms: this.alarms(),
      isLearner: this.isLearner,
      quotaBytes: this.#options.quotaBytes,
    });
  }

  /** Steps of the CRC-32C of the whole backend, as Maintenance.Hash has it. */
  hashSteps(): Generator<void, number, void> {
    return this.store.hashAllSteps();
  }

  /** Steps of the hash of the keys at a revision; the caller runs them in slices. Throws Compacted or FutureRevision. */
  async hashKv(revision: number): Promise<{ hash: number; compactRevision: number; hashRevision: number }> {
    const steps = this.store.hashKv(revision);
    for (;;) {
      const step = steps.next();
      if (step.done === true) return step.value;
      await this.#nextTurn();
    }
  }

  /** Gives free space of the store back to the file system while it goes on serving. */
  async defragment(): Promise<void> {
    await this.#commits.commit();
    await this.#state.backend.defragment();
  }

  /** Views of the store that keep pages from being used again. */
  get openReadViews(): number {
    return this.#state.backend.openReadViews();
  }

  /** What is applied now, made durable first, as a bbolt file; `close` it. Throws TooManyRequests when too many are open. */
  async snapshot(): Promise<StoreSnapshot> {
    const snapshot = await this.#openSnapshot();
    this.#ports.logger.info("sending database snapshot", {
      "storage-version": snapshot.version,
      "read-views": this.#state.backend.openReadViews(),
    });
    return snapshot;
  }

  async #openSnapshot(): Promise<StoreSnapshot> {
    const { backend } = this.#state;
    await this.#commits.commit();
    if (this.#stopping) throw new EtcdError("Stopped");
    if (backend.openReadViews() >= SNAPSHOTS_MAX) throw new EtcdError("TooManyRequests");
    return new StoreSnapshot(backend.openReadView());
  }

  /** Resolves when what waits now has run. */
  nextTurn(): Promise<void> {
    return this.#nextTurn();
  }

  // ---- the way into the log ------------------------------------------------------------------------------------------

  /** Puts the request into the log; resolves with its answer once it is applied, rejects with its refusal. */
  #propose(request: InternalRequest, patience?: Patience): Promise<Responses[keyof Responses]> {
    return new Promise((resolve, reject) => {
      this.#admit(request);
      const id = this.#requestIds.next();
      const data = InternalRaftRequest.encode({ header: { id, username: "", authRevision: 0 }, id: 0n, request });
      if (data.length > this.#options.maxRequestBytes) throw new EtcdError("RequestTooLarge");
      const inFlight = this.#proposals.bytes;
      const crowded = inFlight > 0 && inFlight + data.length > this.#options.transitBytes;
      if (crowded && costBytes(request) > 0) throw new EtcdError("TooManyRequests");
      if (!this.#raft.propose(data)) {
        this.#ports.metrics.proposalFailed();
        throw new EtcdError("NoLeader");
      }
      const latest = this.#ports.clock.monotonicMs() + this.requestTimeoutMs;
      const deadlineMs = Math.min(patience?.deadlineMs ?? latest, latest);
      this.#proposals.add({ id, request, data, deadlineMs, resolve, reject });
      this.#loop.schedule();
    });
  }

  /** Refuses before the log is touched: stopping, too far behind, or no space. */
  #admit(request: InternalRequest): void {
    if (this.#stopping) throw new EtcdError("Stopped");
    if (this.#raft.commitIndex - this.#consistent.index > BACKLOG_MAX) throw new EtcdError("TooManyRequests");
    if (costBytes(request) === 0) return;
    if (this.#heap.isTight) throw new EtcdError("NoSpace");
    if (withinQuota(this.#state, request)) return;
    this.#spaceAlarm.raise();
    throw new EtcdError("NoSpace");
  }

  // ---- what the loop calls -------------------------------------------------------------------------------------------

  #applyEntry(entry: Entry): Iterator<void, void> | undefined {
    const isNew = entry.index > this.#consistent.index;
    this.#snapshots.noteApplied(entry);
    if (entry.type === EntryType.CONF_CHANGE) this.#applyConfChange(entry, isNew);
    else if (isNew) {
      failpoint?.("beforeApplyOneEntryNormal");
      assert(entry.type === EntryType.NORMAL, `entry ${entry.index} is of a type that this version does not apply`);
      const started = this.#ports.clock.monotonicMs();
      // What was proposed here need not be read again: the entry holds nothing else.
      const requestId = requestIdOf(entry.data);
      const proposal = this.#proposals.find(requestId);
      const request = proposal?.data === entry.data ? proposal.request : requestOf(entry);
      // Watchers may want previous values that it takes away.
      if (request?.kind === "compaction") this.hub.deliver();
      const steps = this.#applier.steps(request, this.#options.deleteStepKeys ?? DELETE_STEP_KEYS);
      if (steps !== undefined) return this.#applyInSteps(entry, steps, started);
      this.#finishApply({ entry, requestId, started }, this.#applier.apply(entry, request));
    }
    if (isNew) this.#consistent = { index: entry.index, term: entry.term };
    return undefined;
  }

  /** Nothing is committed in between: a crash finds the entry applied or not at all. */
  *#applyInSteps(entry: Entry, steps: Iterator<void, Applied>, started: number): Generator<void, void, void> {
    this.#commits.hold();
    for (let step = steps.next(); ; step = steps.next()) {
      if (step.done === true) {
        this.#finishApply({ entry, requestId: requestIdOf(entry.data), started }, step.value);
        break;
      }
      yield;
    }
    this.#consistent = { index: entry.index, term: entry.term };
    this.#commits.release();
  }

  #finishApply(
    { entry, requestId, started }: { entry: Entry; requestId: bigint; started: number },
    { kind, outcome, changes, compaction }: Applied,
  ): void {
    const { clock, metrics } = this.#ports;
    if (changes.length > 0) this.#publish(changes);
    if (compaction !== undefined) this.#compactor.add(compaction);
    if (kind === "clusterVersionSet") this.#noteStorageVersion();
    const tookMs = clock.monotonicMs() - started;
    metrics.applied(kind, outcome.ok, tookMs);
    if (tookMs > this.#options.warningApplyMs) {
      metrics.slowApply();
      this.#ports.logger.warn("apply request took too long", { took: `${tookMs.toFixed(3)}ms`, index: entry.index });
    }
    // It was let in when there was room, and found none any more: it stands, and is the last.
    if (!outcome.ok && outcome.code === "NoSpace") this.#spaceAlarm.raise();
    this.#proposals.finish(requestId, outcome);
  }

  #publish(changes: readonly Change[]): void {
    let puts = 0;
    let putBytes = 0;
    for (const { type, kv } of changes) {
      if (type !== "put") continue;
      puts++;
      putBytes += kv.length;
    }
    this.#ports.metrics.changed(puts, changes.length - puts, putBytes);
    this.hub.note(this.store.currentRevision, changes);
  }

  /** What was applied before this start is in the configuration that raft began with, if the store has kept it. */
  #applyConfChange(entry: Entry, isNew: boolean): void {
    failpoint?.("beforeApplyOneConfChange");
    const change = ConfChange.decode(entry.data);
    if (!isNew) {
      if (this.#replaysChanges) this.#configured(entry.index, this.#raft.applyConfChange(change));
      return;
    }
    const refusal = checkConfChange(this.#state.membership, change, this.#maxLearners);
    if (refusal === undefined) executeConfChange(this.#state, change);
    // Of node 0 it has no effect, but raft may take the next one.
    const confState = this.#raft.applyConfChange(refusal === undefined ? change : { ...change, nodeId: 0n });
    this.#configured(entry.index, confState);
    storeConfState(this.#state.backend, confState);
    if (refusal === undefined) this.#peers.changed(change.nodeId);
    this.#changes.applied(change, refusal);
    if (this.#state.membership.isRemoved(this.memberId)) this.#removed();
  }

  #configured(index: number, confState: ConfState): void {
    this.#snapshots.noteConfState(index, confState);
    this.#isAlone = isAlone(confState) && confState.voters[0] === this.memberId;
  }

  /** The others go on without us. A moment later, so that the last messages of this leader tell them. */
  #removed(): void {
    if (this.#isRemoved) return;
    this.#isRemoved = true;
    this.#ports.logger.warn("this member was removed from the cluster: it stops", {
      "local-member-id": memberIdText(this.memberId),
    });
    this.#ports.clock.after(this.#options.electionMs, () => this.#ports.removed?.());
  }

  get #maxLearners(): number {
    return this.#options.maxLearners ?? 1;
  }

  #changesHost(): ChangesHost {
    const member = this;
    return {
      selfId: this.memberId,
      get isLeader() {
        return member.#isLeader;
      },
      nextRequestId: () => this.#requestIds.next(),
      propose: (change) => this.#raft.proposeConfChange(change),
      schedule: () => this.#loop.schedule(),
      activeSince: (id) => this.#peers.activeSince(id),
      progress: (id) => {
        const { progress, lastIndex } = this.#raft.status();
        const match = progress.find((one) => one.id === id)?.match;
        return match === undefined ? undefined : { match, last: lastIndex };
      },
      promoteAtLeader: async (id) => void (await this.#leaderLine.ask("promote", { id, token: "" })),
    };
  }

  #movesHost(): MovesHost {
    const member = this;
    return {
      selfId: this.memberId,
      get isLeader() {
        return member.#isLeader;
      },
      get leaderId() {
        return member.#leaderId;
      },
      isVoter: (id) => this.#state.membership.get(id)?.isLearner === false,
      progress: () => this.#raft.status().progress,
      activeSince: (id) => this.#peers.activeSince(id),
      transfer: (target) => {
        this.#raft.transferLeader(target);
        this.#loop.schedule();
      },
    };
  }

  #spaceHost(): SpaceHost {
    const member = this;
    return {
      get canRaise() {
        return member.#leaderId !== 0n && !member.#state.alarms.isActive(AlarmType.NOSPACE);
      },
      get inUseBytes() {
        return member.#state.backend.sizeInUseBytes();
      },
      quotaBytes: this.#options.quotaBytes,
      raise: () => this.alarm({ action: AlarmAction.ACTIVATE, memberId: this.memberId, alarm: AlarmType.NOSPACE }),
    };
  }

  #lineHost(): LineHost {
    const member = this;
    return {
      selfId: this.memberId,
      get leader() {
        return member.#state.membership.get(member.#leaderId);
      },
      get isStopping() {
        return member.#stopping;
      },
      ask: this.#peers.ask,
    };
  }

  #leaseHost(): LeaseHost {
    const member = this;
    return {
      get countsTime() {
        return member.#isLeader || member.#isAlone;
      },
      get leadsOthers() {
        return member.#isLeader && !member.#isAlone;
      },
      linearizableRead: () => this.linearizableRead(),
      propose: (request) => this.#propose(request),
    };
  }

  #checksHost(): ChecksHost {
    const member = this;
    return {
      selfId: this.memberId,
      get isLeader() {
        return member.#isLeader;
      },
      others: () => this.#others(),
      hashKv: (revision) => this.hashKv(revision),
      compactionHashes: () => this.store.compactionHashes(),
      ask: (urls, revision, timeoutMs) => this.#peers.ask(urls, "hashKv", { revision }, timeoutMs),
      linearizableRead: () => this.linearizableRead(),
      raise: (memberId) => this.alarm({ action: AlarmAction.ACTIVATE, memberId, alarm: AlarmType.CORRUPT }),
    };
  }

  #others(): MemberRecord[] {
    return this.#state.membership.list().filter(({ id }) => id !== this.memberId);
  }

  #snapshotsHost(): OutgoingSnapshotsHost {
    return {
      open: () => this.#openSnapshot(),
      sizeBytes: () => this.#state.backend.sizeInUseBytes(),
      send: (snapshot) => this.#peers.sendSnapshot(snapshot),
      report: (id, wasDelivered) => {
        this.#raft.reportSnapshot(id, wasDelivered);
        this.#loop.schedule();
      },
      nextTurn: () => this.#nextTurn(),
    };
  }

  // ---- the state of another member ------------------------------------------------------------------------------------

  /** Its file has come and is loaded. What raft makes no use of is let go of. */
  #stepSnapshot(message: Message): void {
    const index = message.snapshot?.metadata?.index ?? 0;
    if (this.#stopping || !this.#intake.isLoaded(index)) return; // without its file the message is worth nothing
    this.#raft.step(message);
    this.#intake.settle(this.#raft.pendingSnapshotIndex === index);
  }

  /**
   * The loaded store takes the place of ours, and all that is kept in memory of it is read anew: at once, so that nobody
   * meets the one without the other. Holds the loop for as long as a start reads its store.
   */
  #install({ index, term, confState }: StateMark): void {
    const { clock, logger, random } = this.#ports;
    const started = clock.monotonicMs();
    const { membership, alarms, backend } = this.#state;
    const before = membership.list();
    this.hub.deliver();
    this.#compactor.drop();
    this.#intake.takePlace(index);
    for (const _records of this.store.restore(random.below(2 ** 31)));
    membership.restore();
    alarms.restore();
    this.lessor.clear();
    restoreLeases(this.#state);
    this.#consistent = { ...loadConsistentIndex(backend) };
    assert(this.#consistent.index === index, "the store is of the entry that the snapshot is of");
    this.#proposals.failAll("Timeout"); // entries that the state stands for are never seen here: what they came to is not known
    this.#snapshots.replaced({ index, term, confState });
    this.#configured(index, confState);
    this.#peers.replaced(before);
    this.hub.restored();
    const pending = this.store.pendingCompaction;
    if (pending !== undefined) this.#compactor.add(pending);
    if (membership.isRemoved(this.memberId)) this.#removed();
    logger.info("installed the state that another member sent", {
      "snapshot-index": index,
      "current-revision": this.store.currentRevision,
      took: `${(clock.monotonicMs() - started).toFixed(3)}ms`,
    });
  }

  /** The log says so too: what waited for entries that the state holds has them. */
  #installed(index: number): void {
    this.#intake.finished();
    this.#appliedThrough(index);
  }

  #appliedThrough(index: number): void {
    this.hub.deliver();
    this.#snapshots.trim(index);
    this.#commits.note();
    this.#barrier.appliedThrough(index);
    this.#expectations.check();
    const { metrics } = this.#ports;
    metrics.proposalsCommitted(this.#raft.commitIndex);
    metrics.proposalsApplied(index);
    metrics.proposalsPending(this.#proposals.size);
  }

  /** Data up to `index` is durable: the log before it is no longer needed. */
  #committedThrough(index: number): void {
    if (!this.#stopping) this.#snapshots.maybeTake(index);
    this.#loop.schedule(); // applying may have waited for this
  }

  #leadership(leaderId: bigint, isLeader: boolean): void {
    const changed = leaderId !== this.#leaderId;
    const lost = changed && this.#leaderId !== 0n;
    this.#leaderId = leaderId;
    this.#isLeader = isLeader;
    if (isLeader) {
      this.#duties.start(this.#options.electionMs);
      this.#clusterVersion.start();
    } else {
      this.#duties.stop();
      this.#clusterVersion.stop();
    }
    if (lost) this.#barrier.leaderChanged();
    this.#ports.metrics.leaderChanged(leaderId !== 0n, isLeader);
    this.#expectations.check();
    if (!changed) return;
    this.#ports.logger.info("raft leader changed", {
      "local-member-id": memberIdText(this.memberId),
      "leader-id": memberIdText(leaderId),
      term: this.#raft.term,
    });
  }

  /** A full store keeps its promises from memory and refuses what would grow it; any other failure ends the member. */
  #commitFailed(error: unknown): void {
    if (error instanceof BackendFull) {
      this.#ports.logger.warn("the store has no room left: compact, delete keys or raise the quota", { error });
      this.#spaceAlarm.raise();
    } else this.#ports.fatal(error);
  }

  #tick(): void {
    this.#ticker = this.#ports.clock.after(this.#options.heartbeatMs, () => this.#tick());
    this.#raft.tick();
    this.#passTicks();
    this.#barrier.tick();
    this.#heap.tick();
    const expired = this.#proposals.expire(this.#ports.clock.monotonicMs());
    for (let count = 0; count < expired; count++) this.#ports.metrics.proposalFailed();
    this.#changes.tick(this.#ports.clock.monotonicMs());
    this.#spare.tick();
    this.#viewWatch.tick();
    if (this.#raft.hasReady()) this.#loop.schedule();
  }

  #passTicks(): void {
    if (this.#firstElection === undefined) return;
    const connected = () => this.#others().filter(({ id }) => this.#peers.activeSince(id) !== undefined).length;
    const ticks = this.#firstElection.advance(this.#ports.clock.monotonicMs(), this.#leaderId !== 0n, connected);
    for (let passed = 0; passed < ticks; passed++) this.#raft.tick();
  }

  #nextTurn(): Promise<void> {
    return new Promise((resolve) => this.#ports.clock.soon(resolve));
  }
}

/** Of an election timeout. */
function electionTicks({ electionMs, heartbeatMs }: MemberOptions): number {
  return Math.max(1, Math.round(electionMs / heartbeatMs));
}

/**
 * One running member, as the rest of the program meets it: it starts, ticks and stops, and offers the calls that services
 * make. What it is made of, and who knows whom, stands in `parts.ts`; the way of a request into the log in `proposer.ts`,
 * and what becomes of it there in `committed-entries.ts`; the order of input and output is the loop's.
 */
import { executeRange } from "../apply/range.ts";
import type { State } from "../apply/state.ts";
import { executeReadOnlyTxn, isReadOnlyTxn, isSerializableTxn } from "../apply/txn.ts";
import { EtcdError } from "../base/error.ts";
import { besideFailpoint } from "../base/failpoint.ts";
import type { MemberRecord } from "../cluster/membership.ts";
import type { Lessor } from "../lease/lessor.ts";
import type { Store } from "../mvcc/store.ts";
import type { Timer } from "../ports/clock.ts";
import type { PeerLease } from "../ports/network.ts";
import type {
  AlarmMember,
  AlarmRequest,
  AlarmResponse,
  CompactionRequest,
  CompactionResponse,
  DeleteRangeRequest,
  DeleteRangeResponse,
  LeaseGrantRequest,
  LeaseGrantResponse,
  LeaseRevokeRequest,
  LeaseRevokeResponse,
  PutRequest,
  PutResponse,
  RangeRequest,
  RangeResponse,
  ResponseHeader,
  StatusResponse,
  TxnRequest,
  TxnResponse,
} from "../proto/etcdserverpb.ts";
import type { RawNode } from "../raft/raw-node.ts";
import type { WatchHub } from "../watch/hub.ts";
import { FirstElection } from "./first-election.ts";
import { newLeaseId } from "./lease-calls.ts";
import type { MembershipChanges } from "./membership-changes.ts";
import type { MemberOptions, MemberPorts } from "./options.ts";
import { electionTicks, MemberParts } from "./parts.ts";
import type { Patience, Proposer } from "./proposer.ts";
import type { Standing } from "./standing.ts";
import { memberStatus } from "./status.ts";
import { storageVersionOf } from "./storage-version.ts";
import type { StoreSnapshot } from "./store-snapshot.ts";
import { hashInSlices, nextTurn, openSnapshot } from "./whole-store.ts";

/** The longest that one try to publish name and URLs is waited for; etcd's request timeout is 7 s. */
const PUBLISH_PATIENCE_MAX_MS = 10_000;

export class Member {
  readonly memberId: bigint;
  readonly clusterId: bigint;
  readonly name: string;
  readonly store: Store;
  readonly lessor: Lessor;
  readonly hub: WatchHub;
  readonly requestTimeoutMs: number;

  readonly #parts: MemberParts;
  readonly #ports: MemberPorts;
  readonly #state: State;
  readonly #standing: Standing;
  readonly #raft: RawNode;
  readonly #proposer: Proposer;
  #ticker: Timer | undefined;
  #firstElection: FirstElection | undefined;

  /** See `MemberParts` for what it opens, and what it throws. */
  constructor(options: MemberOptions, ports: MemberPorts, restored: (records: number) => void = () => undefined) {
    const parts = new MemberParts(options, ports, restored, this);
    this.memberId = parts.memberId;
    this.clusterId = parts.clusterId;
    this.name = options.name;
    this.store = parts.store;
    this.lessor = parts.lessor;
    this.hub = parts.hub;
    this.requestTimeoutMs = parts.requestTimeoutMs;
    this.#parts = parts;
    this.#ports = parts.ports;
    this.#state = parts.state;
    this.#standing = parts.standing;
    this.#raft = parts.raft;
    this.#proposer = parts.proposer;
  }

  /**
   * Meets the others, publishes its name and URLs, and resolves when it serves: when there is a leader and all members
   * know that it is there. Alone it elects itself at once. Rejects when it is stopped meanwhile, and with `BootstrapError`
   * when its data are found to differ from another member's.
   */
  async start(): Promise<void> {
    await this.#parts.checks.initially();
    if (this.#standing.isStopping) throw new EtcdError("Stopped");
    this.#parts.peers.start(this.#parts.options.joined?.members ?? []);
    if (this.#parts.options.initialElectionTickAdvance === true) {
      this.#firstElection = new FirstElection(electionTicks(this.#parts.options), this.#ports.clock.monotonicMs());
    }
    this.#tick();
    this.#parts.loop.schedule();
    const known = this.#raft.commitIndex;
    await this.#parts.expectations.until(() => this.#raft.appliedIndex >= known); // only then raft knows who may vote
    if (this.#standing.isAlone) {
      this.#raft.campaign();
      this.#parts.loop.schedule();
      await this.#parts.expectations.until(() => this.#standing.isLeader);
    }
    await this.#announce();
    await this.#parts.expectations.until(() => this.#state.membership.clusterVersion !== undefined);
    this.#parts.noteStorageVersion();
    this.#parts.watchPump.start();
    this.#parts.autoCompactor?.start();
    this.#parts.checks.start();
  }

  /** Tells all members our name and where clients find us, as often as it takes. */
  async #announce(): Promise<void> {
    const { options } = this.#parts;
    const memberAttributes = { name: this.name, clientUrls: [...options.clientUrls] };
    // What was handed to a leader that has just lost its place comes to nothing: the first tries are given up early.
    let patienceMs = 2 * options.electionMs;
    for (;;) {
      await this.#parts.expectations.until(() => this.#standing.leaderId !== 0n);
      if (besideFailpoint !== undefined) await besideFailpoint("beforePublishing");
      try {
        const value = { memberId: this.memberId, memberAttributes };
        const deadlineMs = this.#ports.clock.monotonicMs() + patienceMs;
        await this.#proposer.propose({ kind: "clusterMemberAttrSet", value }, { deadlineMs });
        return;
      } catch (error) {
        if (this.#standing.isStopping || !(error instanceof EtcdError)) throw error;
        this.#ports.logger.warn("could not publish this member's name and URLs; trying again", { error: error.code });
        if (error.code === "Timeout") patienceMs = Math.min(2 * patienceMs, PUBLISH_PATIENCE_MAX_MS);
        else await new Promise<void>((resolve) => this.#ports.clock.after(options.electionMs, resolve)); // a refusal comes at once
      }
    }
  }

  /** Takes nothing more, makes what was applied durable, and closes log and store. */
  async stop(): Promise<void> {
    if (this.#standing.isStopping) return;
    this.#standing.isStopping = true;
    this.#ticker?.cancel();
    this.#parts.duties.stop();
    this.#parts.clusterVersion.stop();
    this.#parts.autoCompactor?.stop();
    this.#parts.checks.stop();
    this.#parts.watchPump.stop();
    this.#parts.spare.stop();
    this.#parts.compactor.stop();
    this.#parts.loop.stop();
    this.#parts.proposals.failAll("Stopped");
    this.#parts.changes.failAll("Stopped");
    await this.#parts.peers.close();
    this.#parts.outgoing.close();
    await this.#parts.intake.stop();
    this.#parts.barrier.failAll("Stopped");
    this.#parts.expectations.stop();
    // What was applied in part is applied again from the log.
    if (!this.#parts.commits.isHeld) await this.#parts.commits.commit();
    this.#parts.commits.stop();
    this.#parts.wal.close();
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
    return this.#standing.leaderId;
  }

  get isLeader(): boolean {
    return this.#standing.isLeader;
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
    this.#standing.hasRead = true;
    if (request.serializable) return executeRange(this.store, request);
    return this.linearizableRead().then(() => executeRange(this.store, request));
  }

  put(request: PutRequest, patience?: Patience): Promise<PutResponse> {
    return this.#proposer.propose({ kind: "put", value: request }, patience) as Promise<PutResponse>;
  }

  deleteRange(request: DeleteRangeRequest, patience?: Patience): Promise<DeleteRangeResponse> {
    return this.#proposer.propose({ kind: "deleteRange", value: request }, patience) as Promise<DeleteRangeResponse>;
  }

  /** A transaction of ranges alone is answered without the log; any other, a nested one too, goes through it. */
  txn(request: TxnRequest, patience?: Patience): Promise<TxnResponse> {
    if (isReadOnlyTxn(request)) return this.#readOnlyTxn(request);
    return this.#proposer.propose({ kind: "txn", value: request }, patience) as Promise<TxnResponse>;
  }

  async #readOnlyTxn(request: TxnRequest): Promise<TxnResponse> {
    this.#standing.hasRead = true;
    if (!isSerializableTxn(request)) await this.linearizableRead();
    return executeReadOnlyTxn(this.store, request);
  }

  /** With `physical`, answers only when the deletion is finished and durable here. */
  async compact(request: CompactionRequest, patience?: Patience): Promise<CompactionResponse> {
    const response = (await this.#proposer.propose(
      { kind: "compaction", value: request },
      patience,
    )) as CompactionResponse;
    if (request.physical) await this.#parts.compactor.idle();
    return response;
  }

  async leaseGrant(request: LeaseGrantRequest, patience?: Patience): Promise<LeaseGrantResponse> {
    const id = request.id === 0n ? newLeaseId(this.#ports.random) : request.id;
    const response = await this.#proposer.propose({ kind: "leaseGrant", value: { ...request, id } }, patience);
    const granted = response as LeaseGrantResponse;
    this.#ports.metrics.leaseGrantedFor(granted.ttl);
    return granted;
  }

  leaseRevoke(request: LeaseRevokeRequest, patience?: Patience): Promise<LeaseRevokeResponse> {
    return this.#proposer.propose({ kind: "leaseRevoke", value: request }, patience) as Promise<LeaseRevokeResponse>;
  }

  /** See `LeaseCalls`, as for the next two. */
  leaseRenew(id: bigint): Promise<number> {
    return this.#parts.leases.renew(id);
  }

  leaseTimeToLive(id: bigint, keys: boolean): Promise<PeerLease | undefined> {
    return this.#parts.leases.timeToLive(id, keys);
  }

  leaseRemainingSeconds(id: bigint): number {
    return this.#parts.leases.remainingSeconds(id);
  }

  alarm(request: AlarmRequest, patience?: Patience): Promise<AlarmResponse> {
    return this.#proposer.propose({ kind: "alarm", value: request }, patience) as Promise<AlarmResponse>;
  }

  /** Everything committed before this call is visible to reads after it. */
  linearizableRead(): Promise<void> {
    return this.#parts.linearizableRead();
  }

  async members(linearizable: boolean): Promise<MemberRecord[]> {
    if (linearizable) await this.linearizableRead();
    return this.#state.membership.list();
  }

  /** Changes of membership; see `MembershipChanges` for what they refuse. */
  get changes(): MembershipChanges {
    return this.#parts.changes;
  }

  /** Hands leadership to a voter: see `LeaderMoves.move`. */
  moveLeader(target: bigint): Promise<void> {
    return this.#parts.moves.move(target);
  }

  /** To be called before `stop`, while clients are still served: somebody else leads then, if anybody can. */
  handOver(): Promise<void> {
    return this.#parts.moves.away();
  }

  status(): StatusResponse {
    return memberStatus({
      header: this.header(),
      serverVersion: this.#parts.options.serverVersion,
      storageVersion: this.storageVersion,
      backend: this.#state.backend,
      raft: this.#raft.status(),
      alarms: this.alarms(),
      isLearner: this.isLearner,
      quotaBytes: this.#parts.options.quotaBytes,
    });
  }

  /** Steps of the CRC-32C of the whole backend, as Maintenance.Hash has it. */
  hashSteps(): Generator<void, number, void> {
    return this.store.hashAllSteps();
  }

  /** The hash of the keys at a revision, in slices. Throws Compacted or FutureRevision. */
  hashKv(revision: number): Promise<{ hash: number; compactRevision: number; hashRevision: number }> {
    return hashInSlices(this.store, this.#ports.clock, revision);
  }

  /** Gives free space of the store back to the file system while it goes on serving. */
  async defragment(): Promise<void> {
    await this.#parts.commits.commit();
    await this.#state.backend.defragment();
  }

  /** Views of the store that keep pages from being used again. */
  get openReadViews(): number {
    return this.#state.backend.openReadViews();
  }

  /** What is applied now, made durable first, as a bbolt file; `close` it. Throws TooManyRequests when too many are open. */
  async snapshot(): Promise<StoreSnapshot> {
    const snapshot = await openSnapshot(this.#state.backend, this.#parts.commits, this.#standing);
    this.#ports.logger.info("sending database snapshot", {
      "storage-version": snapshot.version,
      "read-views": this.#state.backend.openReadViews(),
    });
    return snapshot;
  }

  /** Resolves when what waits now has run. */
  nextTurn(): Promise<void> {
    return nextTurn(this.#ports.clock);
  }

  #tick(): void {
    this.#ticker = this.#ports.clock.after(this.#parts.options.heartbeatMs, () => this.#tick());
    this.#raft.tick();
    this.#passTicks();
    if (this.#parts.forwarded.isKeeping) this.#parts.loop.schedule(); // a transfer may have been given up
    this.#parts.barrier.tick();
    this.#parts.heap.tick();
    const expired = this.#parts.proposals.expire(this.#ports.clock.monotonicMs());
    for (let count = 0; count < expired; count++) this.#ports.metrics.proposalFailed();
    this.#parts.changes.tick(this.#ports.clock.monotonicMs());
    this.#parts.spare.tick();
    this.#parts.viewWatch.tick();
    if (this.#raft.hasReady()) this.#parts.loop.schedule();
  }

  /** See `FirstElection`. */
  #passTicks(): void {
    if (this.#firstElection === undefined) return;
    const { peers } = this.#parts;
    const connected = () => this.#parts.others().filter(({ id }) => peers.activeSince(id) !== undefined).length;
    const ticks = this.#firstElection.advance(
      this.#ports.clock.monotonicMs(),
      this.#standing.leaderId !== 0n,
      connected,
    );
    for (let passed = 0; passed < ticks; passed++) this.#raft.tick();
  }
}

/**
 * What becomes of a committed entry: apply makes it state, then watchers, waiters, the log's snapshots and the other
 * parts that live by what was applied hear of it. The loop calls it entry by entry;
 * the exchange of a state says what was applied with it.
 */
import { type Applier, requestOf } from "../apply/applier.ts";
import { checkConfChange, executeConfChange, storeConfState } from "../apply/cluster-requests.ts";
import type { Applied } from "../apply/outcome.ts";
import type { State } from "../apply/state.ts";
import { assert } from "../base/assert.ts";
import { failpoint } from "../base/failpoint.ts";
import type { Change } from "../mvcc/event.ts";
import type { Clock } from "../ports/clock.ts";
import type { Logger } from "../ports/logger.ts";
import { requestIdOf } from "../proto/etcdserverpb.ts";
import { ConfChange, type ConfState, type Entry, EntryType } from "../proto/raftpb.ts";
import type { RawNode } from "../raft/raw-node.ts";
import type { WatchHub } from "../watch/hub.ts";
import type { Commits } from "./commits.ts";
import type { Compactor } from "./compactor.ts";
import type { Expectations } from "./expectations.ts";
import type { MemberMetrics } from "./member-metrics.ts";
import type { MembershipChanges } from "./membership-changes.ts";
import type { Peers } from "./peers.ts";
import type { Proposals } from "./proposals.ts";
import type { ReadBarrier } from "./read.ts";
import { isAlone, type LogSnapshots } from "./snapshots.ts";
import type { SpaceAlarm } from "./space-alarm.ts";
import type { Standing } from "./standing.ts";

const DELETE_STEP_KEYS = 500;

export interface CommittedEntriesParts {
  readonly selfId: bigint;
  readonly standing: Standing;
  readonly state: State;
  readonly applier: Applier;
  readonly raft: RawNode;
  readonly hub: WatchHub;
  readonly proposals: Proposals;
  readonly snapshots: LogSnapshots;
  readonly commits: Commits;
  readonly compactor: Compactor;
  readonly barrier: ReadBarrier;
  readonly expectations: Expectations;
  readonly peers: Peers;
  readonly changes: MembershipChanges;
  readonly spaceAlarm: SpaceAlarm;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: MemberMetrics;
  /** The store does not say who votes: changes of the log are made again. */
  readonly replaysChanges: boolean;
  readonly maxLearners: number;
  readonly deleteStepKeys: number | undefined;
  readonly warningApplyMs: number;
  /** The cluster has decided on a version. */
  readonly versionDecided: () => void;
  /** This member is in the cluster no more. */
  readonly removed: () => void;
}

export class CommittedEntries {
  readonly #parts: CommittedEntriesParts;
  // Asked for every entry, so at hand.
  readonly #standing: Standing;
  readonly #applier: Applier;
  readonly #proposals: Proposals;
  readonly #snapshots: LogSnapshots;
  readonly #hub: WatchHub;
  readonly #clock: Clock;
  readonly #metrics: MemberMetrics;
  readonly #deleteStepKeys: number;

  constructor(parts: CommittedEntriesParts) {
    this.#parts = parts;
    this.#standing = parts.standing;
    this.#applier = parts.applier;
    this.#proposals = parts.proposals;
    this.#snapshots = parts.snapshots;
    this.#hub = parts.hub;
    this.#clock = parts.clock;
    this.#metrics = parts.metrics;
    this.#deleteStepKeys = parts.deleteStepKeys ?? DELETE_STEP_KEYS;
  }

  /** Applies it, unless the state holds it already; an iterator has steps left, which the caller runs to their end. */
  apply(entry: Entry): Iterator<void, void> | undefined {
    const isNew = entry.index > this.#standing.consistent.index;
    this.#snapshots.noteApplied(entry);
    if (entry.type === EntryType.CONF_CHANGE) this.#applyConfChange(entry, isNew);
    else if (isNew) {
      failpoint?.("beforeApplyOneEntryNormal");
      assert(entry.type === EntryType.NORMAL, `entry ${entry.index} is of a type that this version does not apply`);
      const started = this.#clock.monotonicMs();
      // What was proposed here need not be read again: the entry holds nothing else.
      const oldest = this.#proposals.oldestOf(entry.data);
      const requestId = oldest?.id ?? requestIdOf(entry.data);
      const proposal = oldest ?? this.#proposals.find(requestId);
      const request = proposal?.data === entry.data ? proposal.request : requestOf(entry);
      // Watchers may want previous values that it takes away.
      if (request?.kind === "compaction") this.#hub.deliver();
      const steps = this.#applier.steps(request, this.#deleteStepKeys);
      if (steps !== undefined) return this.#applyInSteps(entry, steps, started);
      this.#finish({ entry, requestId, started }, this.#applier.apply(entry, request));
    }
    if (isNew) this.#standing.consistent = { index: entry.index, term: entry.term };
    return undefined;
  }

  /** Everything up to `index` is applied, for now: whoever waits for that goes on. */
  appliedThrough(index: number): void {
    const { commits, barrier, expectations, raft } = this.#parts;
    this.#hub.deliver();
    this.#snapshots.trim(index);
    commits.note();
    barrier.appliedThrough(index);
    expectations.check();
    this.#metrics.proposalsCommitted(raft.commitIndex);
    this.#metrics.proposalsApplied(index);
    this.#metrics.proposalsPending(this.#proposals.size);
  }

  /** Who votes is this, since the entry `index`. */
  configured(index: number, confState: ConfState): void {
    this.#snapshots.noteConfState(index, confState);
    this.#standing.isAlone = isAlone(confState) && confState.voters[0] === this.#parts.selfId;
  }

  /** Nothing is committed in between: a crash finds the entry applied or not at all. */
  *#applyInSteps(entry: Entry, steps: Iterator<void, Applied>, started: number): Generator<void, void, void> {
    const { commits } = this.#parts;
    commits.hold();
    for (let step = steps.next(); ; step = steps.next()) {
      if (step.done === true) {
        this.#finish({ entry, requestId: requestIdOf(entry.data), started }, step.value);
        break;
      }
      yield;
    }
    this.#standing.consistent = { index: entry.index, term: entry.term };
    commits.release();
  }

  #finish(
    { entry, requestId, started }: { entry: Entry; requestId: bigint; started: number },
    { kind, outcome, changes, compaction }: Applied,
  ): void {
    if (changes.length > 0) this.#publish(changes);
    if (compaction !== undefined) this.#parts.compactor.add(compaction);
    if (kind === "clusterVersionSet") this.#parts.versionDecided();
    const tookMs = this.#clock.monotonicMs() - started;
    this.#metrics.applied(kind, outcome.ok, tookMs);
    if (tookMs > this.#parts.warningApplyMs) this.#wasSlow(entry, tookMs);
    // It was let in when there was room, and found none any more: it stands, and is the last.
    if (!outcome.ok && outcome.code === "NoSpace") this.#parts.spaceAlarm.raise();
    this.#proposals.finish(requestId, outcome);
  }

  #wasSlow({ index }: Entry, tookMs: number): void {
    this.#metrics.slowApply();
    this.#parts.logger.warn("apply request took too long", { took: `${tookMs.toFixed(3)}ms`, index });
  }

  #publish(changes: readonly Change[]): void {
    let puts = 0;
    let putBytes = 0;
    for (const { type, kv } of changes) {
      if (type !== "put") continue;
      puts++;
      putBytes += kv.length;
    }
    this.#metrics.changed(puts, changes.length - puts, putBytes);
    this.#hub.note(this.#parts.state.store.currentRevision, changes);
  }

  /** What was applied before this start is in the configuration that raft began with, if the store has kept it. */
  #applyConfChange(entry: Entry, isNew: boolean): void {
    failpoint?.("beforeApplyOneConfChange");
    const { selfId, state, raft, peers, changes, replaysChanges, maxLearners, removed } = this.#parts;
    const change = ConfChange.decode(entry.data);
    if (!isNew) {
      if (replaysChanges) this.configured(entry.index, raft.applyConfChange(change));
      return;
    }
    const refusal = checkConfChange(state.membership, change, maxLearners);
    if (refusal === undefined) executeConfChange(state, change);
    // Of node 0 it has no effect, but raft may take the next one.
    const confState = raft.applyConfChange(refusal === undefined ? change : { ...change, nodeId: 0n });
    this.configured(entry.index, confState);
    storeConfState(state.backend, confState);
    if (refusal === undefined) peers.changed(change.nodeId);
    changes.applied(change, refusal);
    if (state.membership.isRemoved(selfId)) removed();
  }
}

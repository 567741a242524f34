/** The state of another member comes: its file and its message, and the turn in which it takes the place of ours. */
import { loadConsistentIndex } from "../apply/consistent-index.ts";
import type { State } from "../apply/state.ts";
import { assert } from "../base/assert.ts";
import type { Clock } from "../ports/clock.ts";
import type { Logger } from "../ports/logger.ts";
import type { Message } from "../proto/raftpb.ts";
import type { RawNode } from "../raft/raw-node.ts";
import type { WatchHub } from "../watch/hub.ts";
import type { CommittedEntries } from "./committed-entries.ts";
import type { Compactor } from "./compactor.ts";
import type { Peers } from "./peers.ts";
import type { Proposals } from "./proposals.ts";
import type { SnapshotIntake, StateMark } from "./snapshot-intake.ts";
import type { LogSnapshots } from "./snapshots.ts";
import type { Standing } from "./standing.ts";

export interface StateExchangeParts {
  readonly selfId: bigint;
  readonly standing: Standing;
  readonly state: State;
  readonly raft: RawNode;
  readonly hub: WatchHub;
  readonly intake: SnapshotIntake;
  readonly entries: CommittedEntries;
  readonly proposals: Proposals;
  readonly snapshots: LogSnapshots;
  readonly compactor: Compactor;
  readonly peers: Peers;
  readonly clock: Clock;
  readonly logger: Logger;
  /** This member is in the cluster no more. */
  readonly removed: () => void;
}

export class StateExchange {
  readonly #parts: StateExchangeParts;

  constructor(parts: StateExchangeParts) {
    this.#parts = parts;
  }

  /** A MsgSnap whose file has come and is loaded. What raft makes no use of is let go of. */
  step(message: Message): void {
    const { standing, intake, raft } = this.#parts;
    const index = message.snapshot?.metadata?.index ?? 0;
    if (standing.isStopping || !intake.isLoaded(index)) return; // without its file the message is worth nothing
    raft.step(message);
    intake.settle(raft.pendingSnapshotIndex === index);
  }

  /**
   * The loaded store takes the place of ours, and so does what was read of it into memory: at once, so that nobody meets
   * the one without the other. Nothing here takes the longer the more the store holds.
   */
  install({ index, term, confState }: StateMark): void {
    const { standing, state, hub, intake, entries, snapshots, compactor, peers, clock } = this.#parts;
    const started = clock.monotonicMs();
    const { store, membership, alarms, backend } = state;
    const before = membership.list();
    hub.deliver();
    compactor.drop();
    const { contents, lessor } = intake.takePlace(index);
    store.adopt(contents);
    state.lessor.adopt(lessor);
    membership.restore();
    alarms.restore();
    standing.consistent = { ...loadConsistentIndex(backend) };
    assert(standing.consistent.index === index, "the store is of the entry that the snapshot is of");
    // Entries that the state stands for are never seen here: what they came to is not known.
    this.#parts.proposals.failAll("Timeout");
    snapshots.replaced({ index, term, confState });
    entries.configured(index, confState);
    peers.replaced(before);
    hub.restored();
    const pending = store.pendingCompaction;
    if (pending !== undefined) compactor.add(pending);
    if (membership.isRemoved(this.#parts.selfId)) this.#parts.removed();
    this.#parts.logger.info("installed the state that another member sent", {
      "snapshot-index": index,
      "current-revision": store.currentRevision,
      took: `${(clock.monotonicMs() - started).toFixed(3)}ms`,
    });
  }

  /** The log says so too: what waited for entries that the state holds has them. */
  installed(index: number): void {
    this.#parts.intake.finished();
    this.#parts.entries.appliedThrough(index);
  }
}

/**
 * The only place where input and output are ordered: what raft has ready goes to the log, is synced, and only then
 * counts, is answered and applied. One round a turn of the event loop: everything proposed in a turn shares one write
 * and one sync. A member alone syncs on the loop while the disk is quick; when it has been slow the sync runs beside it,
 * and the next round waits for it. A member with others always syncs beside the loop, and rounds go on meanwhile: its
 * heartbeats and appends leave however slow its disk is, and what they rest on counts in order. A failed write or sync
 * is fatal.
 */
import { assert } from "../base/assert.ts";
import { failpoint } from "../base/failpoint.ts";
import type { Clock } from "../ports/clock.ts";
import type { Entry, Message, Snapshot } from "../proto/raftpb.ts";
import type { RawNode } from "../raft/raw-node.ts";
import type { ReadState } from "../raft/read-index.ts";
import type { Ready, SoftState } from "../raft/ready.ts";
import type { SyncGuard } from "../wal/sync-guard.ts";
import type { Wal } from "../wal/wal.ts";
import type { MemberMetrics } from "./member-metrics.ts";

/** Entries and bytes applied between two looks at the clock, and how long one turn may apply before others get theirs. */
const APPLY_CHUNK = 32;
const APPLY_CHUNK_BYTES = 1024 * 1024;
const APPLY_SLICE_MS = 5;

export interface LoopDuties {
  /** Asks raft for what this turn's readers need; called before raft is asked what is ready. */
  beforeRound(): void;
  /** Applies the entry; what takes long is answered in steps, of which only the last one makes it applied. */
  applyEntry(entry: Entry): Iterator<void, void> | undefined;
  /** False while applying must wait: the backend is too far behind. */
  mayApply(): boolean;
  /** Nobody else waits for our messages. */
  isAlone(): boolean;
  /** Whether anything was read since this was last asked. */
  hasRead(): boolean;
  /** After a slice: everything up to `index` is applied. */
  appliedThrough(index: number): void;
  readStates(states: readonly ReadState[]): void;
  softState(state: SoftState): void;
  send(messages: readonly Message[]): void;
  /** The state of a snapshot that raft has taken is about to take the place of ours; resolves when it can. */
  prepareInstall(snapshot: Snapshot): Promise<void>;
  /** It takes the place, durably: after this all that is asked and applied is of it. */
  install(snapshot: Snapshot): void;
  /** The log says so too, durably. */
  installed(snapshot: Snapshot): void;
  fatal(error: unknown): void;
}

export class Loop {
  readonly #raft: RawNode;
  readonly #wal: Wal;
  readonly #clock: Clock;
  readonly #guard: SyncGuard;
  readonly #metrics: MemberMetrics;
  readonly #duties: LoopDuties;
  readonly #unsafeNoFsync: boolean;
  #scheduled = false;
  #syncing = false;
  /** Written and not yet synced, in order; none of a member alone. Raft bounds them (`READYS_OUT_MAX`). */
  #unsynced: Ready[] = [];
  #stopped = false;
  /** Its snapshot is to take the place of our state, once what was committed before is applied: no round until then. */
  #installing: Ready | undefined;
  #preparing = false;
  /** Committed and not yet applied, from `#next` on. Bounded by the backlog that proposals are refused at. */
  #committed: Entry[] = [];
  #next = 0;
  /** Of the entry at `#next`, which is applied in part. */
  #steps: Iterator<void, void> | undefined;

  constructor(parts: {
    raft: RawNode;
    wal: Wal;
    clock: Clock;
    guard: SyncGuard;
    metrics: MemberMetrics;
    duties: LoopDuties;
    unsafeNoFsync: boolean;
  }) {
    this.#raft = parts.raft;
    this.#wal = parts.wal;
    this.#clock = parts.clock;
    this.#guard = parts.guard;
    this.#metrics = parts.metrics;
    this.#duties = parts.duties;
    this.#unsafeNoFsync = parts.unsafeNoFsync;
  }

  /** Something was proposed, asked or ticked: run a round once this turn's other work has been gathered. */
  schedule(): void {
    if (this.#scheduled || this.#stopped) return;
    this.#scheduled = true;
    this.#clock.soon(() => {
      this.#scheduled = false;
      this.#run();
    });
  }

  stop(): void {
    this.#stopped = true;
  }

  #run(): void {
    if (this.#stopped) return;
    try {
      this.#duties.beforeRound();
      while (this.#mayRound() && this.#raft.hasReady()) this.#round(this.#raft.ready());
      if (this.#installing === undefined) this.#answerReads();
      this.#applySlice();
      this.#prepareInstall();
    } catch (error) {
      this.#stopped = true;
      this.#duties.fatal(error);
    }
  }

  #mayRound(): boolean {
    return this.#installing === undefined && (!this.#syncing || !this.#duties.isAlone());
  }

  /** A slow sync that a member alone waits for keeps writes, and no read: what those rest on has been synced before. */
  #answerReads(): void {
    const states = this.#raft.takeReadStates();
    if (states.length > 0) this.#duties.readStates(states);
  }

  #round(ready: Ready): void {
    if (ready.softState !== undefined) this.#duties.softState(ready.softState);
    if (this.#raft.isLeader) failpoint?.("raftBeforeLeaderSend");
    this.#duties.send(ready.messages);
    // These are on disk already: they wait for no sync.
    for (const entry of ready.committedEntries) this.#committed.push(entry);
    if (ready.readStates.length > 0) this.#duties.readStates(ready.readStates);
    if (ready.snapshot !== undefined) {
      this.#installing = ready;
      return;
    }
    failpoint?.("raftBeforeSave");
    this.#save(ready);
    if (!this.#duties.isAlone() || this.#unsynced.length > 0) {
      this.#unsynced.push(ready);
      this.#syncBeside();
    } else if (!ready.mustSync || this.#unsafeNoFsync) {
      this.#finish(ready);
    } else if (this.#guard.mayBlock(this.#clock.monotonicMs(), this.#isLone(ready))) {
      const started = this.#clock.monotonicMs();
      this.#wal.syncNow();
      this.#synced(started);
      this.#finish(ready);
    } else {
      this.#unsynced.push(ready);
      this.#syncBeside();
    }
  }

  /** A single write, and nobody asks for anything else. */
  #isLone({ entries }: Ready): boolean {
    return !this.#duties.hasRead() && entries.length === 1;
  }

  #save(ready: Ready): void {
    if (ready.entries.length > 0 || ready.hardState !== undefined) {
      const started = this.#clock.monotonicMs();
      const bytes = this.#wal.save(ready.hardState, ready.entries);
      this.#metrics.walWritten(bytes, this.#clock.monotonicMs() - started);
    }
  }

  /** Waits until nothing of our state is applied any more, then has the other one take its place. */
  #prepareInstall(): void {
    const snapshot = this.#installing?.snapshot;
    if (snapshot === undefined || this.#preparing || this.#next < this.#committed.length) return;
    this.#preparing = true;
    this.#duties
      .prepareInstall(snapshot)
      .then(() => {
        if (this.#stopped) return;
        this.#install();
        this.#run();
      })
      .catch((error: unknown) => {
        if (this.#stopped) return;
        this.#stopped = true;
        this.#duties.fatal(error);
      });
  }

  /** The store first, then the log: a store ahead of its log is made good by the next start, the reverse could not be. */
  #install(): void {
    const ready = this.#installing as Ready;
    const snapshot = ready.snapshot as Snapshot;
    const { metadata } = snapshot;
    assert(metadata !== undefined, "a snapshot says what it is of");
    failpoint?.("applyBeforeOpenSnapshot");
    this.#duties.install(snapshot);
    failpoint?.("applyAfterOpenSnapshot");
    failpoint?.("raftBeforeSaveSnap");
    failpoint?.("raftBeforeWALSaveSnaphot");
    this.#wal.saveSnapshot(metadata);
    failpoint?.("raftAfterSaveSnap");
    this.#save(ready);
    this.#installing = undefined;
    this.#preparing = false;
    this.#unsynced.push(ready);
    this.#syncBeside();
  }

  /** One sync for all that has been written until now; what comes meanwhile has the next. */
  #syncBeside(): void {
    if (this.#syncing) return;
    // Before the first that needs it nothing has to wait, and order is kept.
    while (this.#unsynced.length > 0 && (!this.#unsynced[0]?.mustSync || this.#unsafeNoFsync)) {
      this.#finish(this.#unsynced.shift() as Ready);
    }
    if (this.#unsynced.length === 0) return;
    const started = this.#clock.monotonicMs();
    const covered = this.#unsynced.length;
    this.#syncing = true;
    const finish = () => {
      this.#syncing = false;
      if (this.#stopped) return;
      this.#synced(started);
      for (const ready of this.#unsynced.splice(0, covered)) this.#finish(ready);
      this.#syncBeside();
      this.#run();
    };
    this.#wal
      .sync()
      .then(finish)
      .catch((error: unknown) => {
        this.#stopped = true;
        this.#duties.fatal(error);
      });
  }

  #synced(startedMs: number): void {
    const now = this.#clock.monotonicMs();
    this.#guard.record(now - startedMs, now);
    this.#metrics.walSynced(now - startedMs);
  }

  /** The sync under `ready` has returned: from here on it counts. */
  #finish(ready: Ready): void {
    failpoint?.("raftAfterSave");
    if (ready.snapshot !== undefined) failpoint?.("raftBeforeApplySnap");
    failpoint?.("raftBeforeAdvance");
    this.#raft.persisted(ready);
    if (ready.snapshot !== undefined) {
      failpoint?.("raftAfterApplySnap");
      this.#duties.installed(ready.snapshot);
    }
    if (!this.#raft.isLeader) failpoint?.("raftBeforeFollowerSend");
    this.#duties.send(ready.messagesAfterSync);
  }

  #applySlice(): void {
    const started = this.#clock.monotonicMs();
    const first = this.#next;
    while (this.#next < this.#committed.length && (this.#steps !== undefined || this.#duties.mayApply())) {
      const end = Math.min(this.#next + APPLY_CHUNK, this.#committed.length);
      for (let bytes = 0; this.#next < end && bytes < APPLY_CHUNK_BYTES; ) {
        const entry = this.#committed[this.#next] as Entry;
        if (!this.#applied(entry)) break;
        this.#next++;
        bytes += entry.data.length;
      }
      if (this.#steps !== undefined || this.#clock.monotonicMs() - started > APPLY_SLICE_MS) break;
    }
    if (this.#next === first) {
      if (this.#steps !== undefined) this.schedule();
      return;
    }
    const index = (this.#committed[this.#next - 1] as Entry).index;
    if (this.#next === this.#committed.length) {
      this.#committed = [];
      this.#next = 0;
    }
    this.#raft.appliedTo(index);
    this.#duties.appliedThrough(index);
    if (this.#next < this.#committed.length || this.#raft.hasReady()) this.schedule();
  }

  /** One step a turn for what has steps: each takes about as long as a slice may. */
  #applied(entry: Entry): boolean {
    this.#steps ??= this.#duties.applyEntry(entry);
    if (this.#steps === undefined) return true;
    if (this.#steps.next().done !== true) return false;
    this.#steps = undefined;
    return true;
  }
}

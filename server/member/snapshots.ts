/**
 * When the log may be cut. A snapshot record in the log says "everything up to here is in the store"; it is written only
 * once the store's commit of that much is durable, so a restart never looks for entries that are gone. The copy in memory
 * is for followers: where there are none, it goes as soon as it is applied.
 */
import { assert } from "../base/assert.ts";
import { failpoint } from "../base/failpoint.ts";
import type { Logger } from "../ports/logger.ts";
import type { ConfState, Entry } from "../proto/raftpb.ts";
import { entrySize, type LogStorage } from "../raft/log-storage.ts";
import type { Wal } from "../wal/wal.ts";

/** What holds from `index` on. */
export interface Since<T> {
  readonly index: number;
  readonly value: T;
}

export class LogSnapshots {
  readonly #wal: Wal;
  readonly #log: LogStorage;
  readonly #logger: Logger;
  readonly #count: number;
  readonly #catchupEntries: number;
  readonly #logBytes: number;
  #snapshotIndex: number;
  /** Of the entries applied since the last snapshot, or since the start. */
  #bytes = 0;
  // As of the last snapshot, then what was applied since: who votes, and the term.
  readonly #confStates: Since<ConfState>[];
  readonly #terms: Since<number>[];

  constructor(parts: {
    wal: Wal;
    log: LogStorage;
    logger: Logger;
    snapshotIndex: number;
    /** Who voted as of the last entry that the store holds, and its index. */
    applied: Since<ConfState>;
    count: number;
    catchupEntries: number;
    /** The log takes so much at most, in memory and on disk, and what was written since the store's last commit. */
    logBytes: number;
  }) {
    this.#wal = parts.wal;
    this.#log = parts.log;
    this.#logger = parts.logger;
    this.#snapshotIndex = parts.snapshotIndex;
    this.#count = parts.count;
    this.#catchupEntries = parts.catchupEntries;
    this.#logBytes = parts.logBytes;
    this.#confStates = [parts.applied];
    this.#terms = [{ index: parts.snapshotIndex, value: parts.log.term(parts.snapshotIndex) ?? 0 }];
  }

  /** The change of the configuration at `index` was applied. */
  noteConfState(index: number, confState: ConfState): void {
    this.#confStates.push({ index, value: confState });
  }

  /** The store is of another member's now, and so is what the log begins with; the log itself says so already. */
  replaced({ index, term, confState }: { index: number; term: number; confState: ConfState }): void {
    this.#snapshotIndex = index;
    this.#bytes = 0;
    this.#confStates.splice(0, Number.POSITIVE_INFINITY, { index, value: confState });
    this.#terms.splice(0, Number.POSITIVE_INFINITY, { index, value: term });
  }

  /** An entry was applied: for the first time, or again after a restart. */
  noteApplied(entry: Entry): void {
    this.#bytes += entrySize(entry);
    if (entry.term !== this.#terms.at(-1)?.value) this.#terms.push({ index: entry.index, value: entry.term });
  }

  /**
   * Everything up to `index` is applied. A member that is alone keeps no entries in memory for followers: a hundred
   * thousand a second that live until the next snapshot are half of what the collector would copy.
   */
  trim(index: number): void {
    const confState = this.#confStates.at(-1)?.value;
    if (confState === undefined || !isAlone(confState) || index <= this.#log.snapshotIndex) return;
    this.#log.createSnapshot(index, confState);
    this.#log.compact(index);
  }

  /**
   * The store holds everything up to `index`: takes a snapshot when enough has come since the last, and the log says that
   * so much is committed.
   */
  maybeTake(index: number): void {
    const entries = index - this.#snapshotIndex;
    const bytes = Math.max(this.#bytes, this.#log.bytes);
    if (entries <= 0 || (entries <= this.#count && bytes <= this.#logBytes)) return;
    // The store may be ahead: a commit index is saved without a sync, and a power cut takes it. A snapshot beyond it would
    // not count, and what it lets go of would be missing.
    if (index > this.#wal.committedIndex) return;
    this.#snapshotIndex = index;
    this.#bytes = 0;
    const confState = valueAt(this.#confStates, index);
    const term = valueAt(this.#terms, index);
    assert(confState.voters.length > 0, "somebody votes");
    failpoint?.("raftBeforeWALSaveSnaphot");
    this.#wal.saveSnapshot({ index, term, confState });
    this.#wal.syncNow();
    if (index > this.#log.snapshotIndex) {
      this.#log.createSnapshot(index, confState);
      const kept = Math.max(index - this.#catchupEntries, this.#log.firstIndexWithin(this.#logBytes / 2) - 1);
      const compactIndex = Math.min(index, kept);
      if (compactIndex > this.#log.firstIndex()) this.#log.compact(compactIndex);
    }
    this.#wal.release(index);
    failpoint?.("raftAfterWALRelease");
    this.#logger.info("saved snapshot", { "snapshot-index": index, "snapshot-term": term });
  }
}

/** The value as of `index`; those before it are forgotten, what is above belongs to a later snapshot. */
function valueAt<T>(values: Since<T>[], index: number): T {
  const later = values.findIndex((one) => one.index > index);
  if (later !== 0) values.splice(0, (later < 0 ? values.length : later) - 1);
  const [first] = values;
  assert(first !== undefined, "there is a value for the last snapshot, and one for each change since");
  return first.value;
}

/** Whether the configuration is one voter and nobody else. */
export function isAlone({ voters, votersOutgoing, learners, learnersNext }: ConfState): boolean {
  return voters.length === 1 && votersOutgoing.length === 0 && learners.length === 0 && learnersNext.length === 0;
}

/**
 * When the log may be cut. A snapshot record in the log says "everything up to here is in the store"; it is written only
 * once the store's commit of that much is durable, so a restart never looks for entries that are gone.
 */
import { assert } from "../base/assert.ts";
import type { Logger } from "../ports/logger.ts";
import type { ConfState } from "../proto/raftpb.ts";
import type { LogStorage } from "../raft/log-storage.ts";
import type { Wal } from "../wal/wal.ts";

export class LogSnapshots {
  readonly #wal: Wal;
  readonly #log: LogStorage;
  readonly #logger: Logger;
  readonly #count: number;
  readonly #catchupEntries: number;
  readonly #logBytes: number;
  #snapshotIndex: number;
  /** Who votes, by the index from which on it holds: as of the last snapshot, then what was applied since. */
  #confStates: { readonly index: number; readonly confState: ConfState }[];

  constructor(parts: {
    wal: Wal;
    log: LogStorage;
    logger: Logger;
    snapshotIndex: number;
    count: number;
    catchupEntries: number;
    /** The log takes so much memory at most, and what was written since the store's last commit. */
    logBytes: number;
  }) {
    this.#wal = parts.wal;
    this.#log = parts.log;
    this.#logger = parts.logger;
    this.#snapshotIndex = parts.snapshotIndex;
    this.#count = parts.count;
    this.#catchupEntries = parts.catchupEntries;
    this.#logBytes = parts.logBytes;
    // A snapshot is the only one to know it: the entries that made it so are gone from the log.
    this.#confStates = [{ index: parts.snapshotIndex, confState: parts.log.confState }];
  }

  /** The change of the configuration at `index` was applied. */
  noteConfState(index: number, confState: ConfState): void {
    this.#confStates.push({ index, confState });
  }

  /** The store holds everything up to `durableIndex`: takes a snapshot when enough has come since the last. */
  maybeTake(durableIndex: number): void {
    const entries = durableIndex - this.#snapshotIndex;
    if (entries === 0 || (entries <= this.#count && this.#log.bytes <= this.#logBytes)) return;
    this.#snapshotIndex = durableIndex;
    const term = this.#log.term(durableIndex);
    assert(term !== undefined, "an entry that was applied since the last snapshot is still in the log");
    const confState = this.#confStateAt(durableIndex);
    this.#wal.saveSnapshot({ index: durableIndex, term, confState });
    this.#wal.syncNow();
    this.#log.createSnapshot(durableIndex, confState);
    const kept = Math.max(durableIndex - this.#catchupEntries, this.#log.firstIndexWithin(this.#logBytes / 2) - 1);
    const compactIndex = Math.min(durableIndex, kept);
    if (compactIndex > this.#log.firstIndex()) this.#log.compact(compactIndex);
    this.#wal.release(durableIndex);
    this.#logger.info("saved snapshot", { "snapshot-index": durableIndex, "snapshot-term": term });
  }

  /** What applied changes are above `index` belongs to a later snapshot. */
  #confStateAt(index: number): ConfState {
    const later = this.#confStates.findIndex((one) => one.index > index);
    if (later !== 0) this.#confStates.splice(0, (later < 0 ? this.#confStates.length : later) - 1);
    const confState = this.#confStates[0]?.confState;
    assert(confState !== undefined && confState.voters.length > 0, "somebody votes");
    return confState;
  }
}

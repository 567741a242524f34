/** What a member begins with, or why it cannot. */
import type { LogStorage } from "../raft/log-storage.ts";
import type { Wal } from "../wal/wal.ts";

export interface Bootstrapped {
  readonly memberId: bigint;
  readonly clusterId: bigint;
  readonly wal: Wal;
  readonly log: LogStorage;
  /** The last entry that the snapshot in the log stands for; entries after it are handed to apply again. */
  readonly snapshotIndex: number;
}

/** A start that cannot go on: a sentence for the person who started it. */
export class BootstrapError extends Error {
  override readonly name = "BootstrapError";
}

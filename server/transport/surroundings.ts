/** What every part of the room works with: who we are, the world, how long things may take, and whom to tell. */
import type { Clock } from "../ports/clock.ts";
import type { Logger } from "../ports/logger.ts";
import type { Message } from "../proto/raftpb.ts";
import type { Dialer } from "./dial.ts";
import type { Identity } from "./handshake.ts";
import type { SharedEntries } from "./msgapp-codec.ts";
import type { PeerSeries } from "./peer-series.ts";
import type { PeerStatus } from "./peer-status.ts";
import type { PeerUrls } from "./peer-urls.ts";
import type { Reports } from "./reports.ts";

export interface Timing {
  /** Longest silence on a stream that we read; a third of it lies between our own signs of life. */
  readonly readMs: number;
  /** Longest wait until a peer takes what we write. */
  readonly writeMs: number;
  /** Longest wait until a connection stands. */
  readonly dialMs: number;
  /** Shortest time between two attempts to dial one stream; doubled with each that fails, up to `redialMaxMs`. */
  readonly redialMs: number;
  readonly redialMaxMs: number;
  /** Between two measurements of the round trip. */
  readonly probeMs: number;
  /** Longest silence while a snapshot is on its way. */
  readonly snapshotIdleMs: number;
  /** Longest wait for the answer to a whole snapshot: the receiver stores and loads it before. */
  readonly snapshotAnswerMs: number;
}

/** etcd's where it has one. */
export const DEFAULT_TIMING: Timing = {
  readMs: 5000,
  writeMs: 5000,
  dialMs: 2000,
  redialMs: 100,
  redialMaxMs: 500,
  probeMs: 4000,
  snapshotIdleMs: 30_000,
  snapshotAnswerMs: 3_600_000,
};

export interface Surroundings {
  readonly identity: Identity;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly timing: Timing;
  readonly dialer: Dialer;
  readonly reports: Reports;
  readonly sharedEntries: SharedEntries;
  /** Hands a message to the member; a sentence says why it was not taken. */
  deliver(message: Message): string | undefined;
}

/** One other member, as the parts that talk to it know it. */
export interface Remote {
  readonly id: bigint;
  readonly urls: PeerUrls;
  readonly status: PeerStatus;
  readonly series: PeerSeries;
}

/**
 * Reads that wait until a quorum has confirmed our leadership (thesis section 6.4). Requests stand in a line and are
 * numbered as they come; every heartbeat carries the number of the last one, and an answer confirms all up to it.
 * Numbers only rise within a term, so a late answer can never confirm a read that came after it was sent: the mistake
 * of asking twice under one id cannot be made.
 */
import { assert } from "../base/assert.ts";
import { EMPTY_BYTES } from "../base/bytes.ts";
import type { ConfState } from "../proto/raftpb.ts";
import { jointIndex } from "./quorum.ts";

/** A read that may be answered by state which has applied `index`. `context` is the asker's own number. */
export interface ReadState {
  readonly index: number;
  readonly context: bigint;
}

export interface WaitingRead {
  /** Who asked: ourselves or a follower. */
  readonly from: bigint;
  /** Our commit index when it asked. */
  readonly index: number;
  /** The asker's bytes, given back unchanged. */
  readonly context: Uint8Array;
}

/** Reads that may wait on one leader; more are refused, and whoever asked asks again later. */
export const READS_WAITING_MAX = 10_000;

export class ReadQueue {
  #waiting: WaitingRead[] = [];
  /** How many were confirmed and left the line since this term began. */
  #confirmed = 0;
  readonly #acked = new Map<bigint, number>();
  readonly #ackedOf = (id: bigint): number => this.#acked.get(id) ?? 0;

  get isFull(): boolean {
    return this.#waiting.length >= READS_WAITING_MAX;
  }

  /** Adds a read; `self`, the leader, confirms it at once. */
  add(read: WaitingRead, self: bigint): void {
    assert(!this.isFull, "the line of reads is bounded");
    this.#waiting.push(read);
    this.#acked.set(self, this.#position);
  }

  /** What a heartbeat carries: 8 bytes little-endian as etcd 3.7 sends them, or nothing when nobody waits. */
  heartbeatContext(): Uint8Array {
    return this.#waiting.length === 0 ? EMPTY_BYTES : positionBytes(this.#position);
  }

  /** `from` answered a heartbeat that carried `context`. Bytes that are none of ours are passed over. */
  acknowledge(from: bigint, context: Uint8Array): void {
    const position = readPosition(context);
    if (position > this.#position || position <= this.#ackedOf(from)) return;
    this.#acked.set(from, position);
  }

  /** Takes the reads that a quorum of `config` has confirmed out of the line, in order. */
  takeConfirmed(config: ConfState): readonly WaitingRead[] {
    const confirmed = jointIndex(config.voters, config.votersOutgoing, this.#ackedOf);
    if (confirmed <= this.#confirmed) return [];
    const reads = this.#waiting.splice(0, confirmed - this.#confirmed);
    this.#confirmed = confirmed;
    return reads;
  }

  /** The number of the last read in the line. */
  get #position(): number {
    return this.#confirmed + this.#waiting.length;
  }
}

function positionBytes(position: number): Uint8Array {
  const bytes = new Uint8Array(8);
  for (let at = 0, rest = position; rest > 0; at++, rest = Math.floor(rest / 256)) bytes[at] = rest % 256;
  return bytes;
}

/** 0 for anything that is no position. */
function readPosition(bytes: Uint8Array): number {
  if (bytes.length !== 8) return 0;
  let position = 0;
  for (let at = 7; at >= 0; at--) position = position * 256 + (bytes[at] as number);
  return position;
}

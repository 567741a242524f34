/**
 * Whole states on their way to members that are too far behind for the log. Raft says only who needs one; what is sent is
 * the state as it is applied now, out of one read view, with the index, the term and the voters that this very view holds.
 * One at a time goes to a member, and `SENT_AT_ONCE` in all, for each keeps pages of the store from being used again: who
 * comes above that hears of a failure, and raft asks again. Raft is told once what became of each; of failures in a row
 * to one member a while later each time, for raft asks again as soon as it knows: a member that refuses what it is sent
 * would be sent all of it with every heartbeat, and each time there would be something to log.
 */
import { EtcdError } from "../base/error.ts";
import { GrowingPause } from "../base/growing-pause.ts";
import { memberIdText } from "../base/int64.ts";
import { encodeV2Store } from "../cluster/v2-store.ts";
import type { Timer } from "../ports/clock.ts";
import type { Logger } from "../ports/logger.ts";
import type { OutgoingSnapshot } from "../ports/network.ts";
import type { Message } from "../proto/raftpb.ts";
import type { StoreSnapshot } from "./store-snapshot.ts";

export const SENT_AT_ONCE = 2;
/** Between a failure and the next attempt. */
const PAUSES = { firstMs: 200, longestMs: 10_000 };
/** Members whose failures are remembered; of more the oldest is forgotten. */
const REMEMBERED = 64;
/** Pieces of 32 KiB in a turn of the loop: about what one slice of the store gives. */
const PIECES_IN_TURN = 4;

export interface OutgoingSnapshotsHost {
  /** What is applied now, durable, and to be closed. Rejects with `EtcdError` when there cannot be one. */
  open(): Promise<StoreSnapshot>;
  /** About the size of it. */
  sizeBytes(): number;
  send(snapshot: OutgoingSnapshot): void;
  /** Tells raft. */
  report(id: bigint, wasDelivered: boolean): void;
  /** Resolves when what waits now has run. */
  nextTurn(): Promise<void>;
  /** Calls `action` once after `delayMs`. */
  after(delayMs: number, action: () => void): Timer;
}

/** One on its way; or one that has failed, of which raft does not know yet. */
interface Run {
  /** Once there is one. */
  body: SnapshotBody | undefined;
  /** Until raft is told. */
  pause: Timer | undefined;
}

export class OutgoingSnapshots {
  readonly #host: OutgoingSnapshotsHost;
  readonly #logger: Logger;
  /** By receiver. */
  readonly #running = new Map<bigint, Run>();
  /** Of those to whom the last one did not get through. */
  readonly #pauses = new Map<bigint, GrowingPause>();

  constructor({ host, logger }: { host: OutgoingSnapshotsHost; logger: Logger }) {
    this.#host = host;
    this.#logger = logger;
  }

  /** Raft's MsgSnap: `message.to` needs a state at least as new as its snapshot. Never waits and never throws. */
  wanted(message: Message): void {
    const { to } = message;
    if (this.#running.has(to)) return; // what becomes of that one answers this too
    if (this.#sending >= SENT_AT_ONCE) {
      void this.#host.nextTurn().then(() => this.#host.report(to, false));
      return;
    }
    const run: Run = { body: undefined, pause: undefined };
    this.#running.set(to, run);
    void this.#send(message, run);
  }

  /** The network says what became of the snapshot to `id`. */
  finished(id: bigint, wasDelivered: boolean): void {
    const run = this.#running.get(id);
    if (run === undefined || run.pause !== undefined) return;
    run.body?.close();
    const delayMs = wasDelivered ? this.#succeeded(id) : this.#pauseOf(id).failed();
    if (delayMs === 0) this.#report(id, wasDelivered);
    else run.pause = this.#host.after(delayMs, () => this.#report(id, wasDelivered));
  }

  #report(id: bigint, wasDelivered: boolean): void {
    this.#running.delete(id);
    this.#host.report(id, wasDelivered);
  }

  #succeeded(id: bigint): 0 {
    this.#pauses.delete(id);
    return 0;
  }

  #pauseOf(id: bigint): GrowingPause {
    const known = this.#pauses.get(id);
    if (known !== undefined) return known;
    const pause = new GrowingPause(PAUSES);
    this.#pauses.set(id, pause);
    if (this.#pauses.size > REMEMBERED) this.#pauses.delete(this.#pauses.keys().next().value as bigint);
    return pause;
  }

  get #sending(): number {
    let sending = 0;
    for (const { pause } of this.#running.values()) if (pause === undefined) sending++;
    return sending;
  }

  /** The member stops: nothing more is told. */
  close(): void {
    for (const { body, pause } of this.#running.values()) {
      body?.close();
      pause?.cancel();
    }
    this.#running.clear();
  }

  async #send(message: Message, run: Run): Promise<void> {
    const { to } = message;
    try {
      const body = new SnapshotBody(await this.#host.open(), () => this.#host.nextTurn());
      // It was given up meanwhile, or the network has said that nothing reaches the member.
      if (this.#running.get(to) !== run || run.pause !== undefined) return body.close();
      run.body = body;
      const snapshot = { message: withState(message, body.snapshot), body };
      this.#host.send({ ...snapshot, sizeBytes: this.#host.sizeBytes() });
    } catch (error) {
      this.#logger.warn("cannot send a snapshot to a member that is too far behind for the log", {
        "remote-peer-id": memberIdText(to),
        error,
      });
      this.finished(to, false);
    }
  }
}

/** The message as it leaves, with what the snapshot really is of. */
function withState(message: Message, snapshot: StoreSnapshot): Message {
  const { index, term } = snapshot.applied;
  const asked = message.snapshot?.metadata?.index ?? 0;
  const { confState } = snapshot;
  if (index < asked || confState === undefined) {
    throw new EtcdError("Unimplemented", `the store is of entry ${index}, the log begins after entry ${asked}`);
  }
  const data = encodeV2Store(snapshot.members);
  return { ...message, snapshot: { data, metadata: { index, term, confState } } };
}

/** The file in pieces. Closed by whoever comes first: its reader, or the end of the sending. */
export class SnapshotBody implements AsyncIterableIterator<Uint8Array> {
  readonly snapshot: StoreSnapshot;
  readonly #nextTurn: () => Promise<void>;
  #isClosed = false;
  #piecesLeft = PIECES_IN_TURN;

  /** The snapshot is this body's from now on. */
  constructor(snapshot: StoreSnapshot, nextTurn: () => Promise<void>) {
    this.snapshot = snapshot;
    this.#nextTurn = nextTurn;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Rejects with `EtcdError` when no bbolt file can hold the store, or when it was closed too early. */
  async next(): Promise<IteratorResult<Uint8Array>> {
    this.#checkOpen();
    while (!this.snapshot.measure()) await this.#turn();
    if (--this.#piecesLeft < 0) {
      await this.#turn();
      this.#piecesLeft = PIECES_IN_TURN;
    }
    const value = this.snapshot.next();
    if (value !== undefined) return { done: false, value };
    this.close();
    return { done: true, value: undefined };
  }

  async return(): Promise<IteratorResult<Uint8Array>> {
    this.close();
    return { done: true, value: undefined };
  }

  /** Lets the view go. Twice is once. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.snapshot.close();
  }

  async #turn(): Promise<void> {
    await this.#nextTurn();
    this.#checkOpen();
  }

  #checkOpen(): void {
    if (this.#isClosed) throw new EtcdError("Stopped");
  }
}

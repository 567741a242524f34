/**
 * A whole state on its way through a simulated network: the message, then the body chunk by chunk, each after a delay, no
 * faster than it is stored. Breaks off when a way is cut, a side dies or stops, or by lot; a sender that lives is told
 * exactly once, and a sink that was opened hears either `end` or `abort`.
 */
import { AssertionFailure } from "../../../server/base/assert.ts";
import { copyBytes } from "../../../server/base/bytes.ts";
import type { Timer } from "../../../server/ports/clock.ts";
import type { OutgoingSnapshot, SnapshotSink } from "../../../server/ports/network.ts";
import { Message } from "../../../server/proto/raftpb.ts";
import { type Station, type Wires, wayOf } from "./network-wires.ts";

/** Largest piece in which a sink gets the body. */
const CHUNK_BYTES = 64 * 1024;
/** Longest silence while a snapshot is on its way, and while it is being synced: as the real one has it. */
const IDLE_MS = 30_000;
const ANSWER_MS = 300_000;

/** The end that a snapshot goes to. */
export interface SnapshotTarget extends Station {
  readonly isCrashed: boolean;
  /** Takes the transfer up, or rejects with why not. */
  openSnapshot(message: Message, transfer: Transfer): Promise<SnapshotSink>;
  /** It came whole; a sentence when it is not wanted any more. */
  deliver(message: Message): string | undefined;
  /** The transfer is over. */
  forget(transfer: Transfer): void;
}

export interface TransferEnds {
  readonly from: bigint;
  /** Who listens at the member's URLs; undefined: nobody. */
  readonly target: SnapshotTarget | undefined;
  /** Called once with what became of it, unless the sender died; `reason` is why it failed. */
  tell(wasDelivered: boolean, reason: string): void;
}

export class Transfer {
  readonly #wires: Wires;
  readonly #ends: TransferEnds;
  readonly #to: bigint;
  readonly #head: Uint8Array;
  readonly #body: AsyncIterator<Uint8Array>;
  #isBodyOver = false;
  /** A read of the body that has not come back. */
  #reading: Promise<unknown> | undefined;
  #isTold = false;
  #broken: Error | undefined;
  #break: (error: Error) => void = () => undefined;
  readonly #whenBroken: Promise<never>;
  #idle: Timer | undefined;

  constructor(wires: Wires, snapshot: OutgoingSnapshot, ends: TransferEnds) {
    this.#wires = wires;
    this.#ends = ends;
    this.#to = snapshot.message.to;
    this.#head = Message.encode(snapshot.message);
    this.#body = snapshot.body[Symbol.asyncIterator]();
    this.#whenBroken = new Promise((_, reject) => {
      this.#break = reject;
    });
    this.#whenBroken.catch(() => undefined);
  }

  get target(): SnapshotTarget | undefined {
    return this.#ends.target;
  }

  /** Rejects only when our own code broke a promise. */
  async run(): Promise<void> {
    const { from, target } = this.#ends;
    try {
      this.#progress(IDLE_MS);
      await this.#travel(from, this.#to);
      if (target === undefined) throw new Error("nobody listens at its URLs");
      await this.#receive(target);
      await this.#travel(this.#to, from);
      this.#tell(true);
    } catch (error) {
      if (error instanceof AssertionFailure) throw error;
      await new Promise<void>((resolve) => this.#wires.after(this.#to, from, resolve)); // the sender learns of it later
      this.breakOff(error instanceof Error ? error : new Error(String(error)));
    } finally {
      this.#idle?.cancel();
      target?.forget(this);
    }
  }

  /** It goes no further; the sender is told. */
  breakOff(error: Error): void {
    if (this.#broken !== undefined || this.#isTold) return;
    this.#tell(false, error.message);
    this.#stop(error);
  }

  /** The sender's process is dead: nobody is told, and the receiver sees the connection break. */
  senderDied(): void {
    if (this.#broken === undefined) this.#stop(new Error("the connection broke"));
    this.#isTold = true;
  }

  #stop(error: Error): void {
    this.#broken = error;
    this.#idle?.cancel();
    this.#break(error);
    void this.#closeBody();
  }

  #tell(wasDelivered: boolean, reason = "done"): void {
    if (this.#isTold) return;
    this.#isTold = true;
    const { from, tell } = this.#ends;
    this.#wires.note(`${wayOf(from, this.#to)} snapshot ${wasDelivered ? "delivered" : `failed: ${reason}`}`);
    tell(wasDelivered, reason);
  }

  async #receive(target: SnapshotTarget): Promise<void> {
    const message = Message.decode(this.#head);
    const sink = await target.openSnapshot(message, this);
    try {
      await this.#fill(sink);
      this.#progress(ANSWER_MS);
      await sink.end();
    } catch (error) {
      // A process that is dead hears nothing. After a refusal by the sink itself it is told too.
      if (!target.isCrashed) sink.abort(error instanceof Error ? error : new Error(String(error)));
      throw error;
    }
    if (target.isCrashed) throw new Error("the connection broke");
    const problem = target.deliver(message);
    if (problem !== undefined) throw new Error(problem);
  }

  async #fill(sink: SnapshotSink): Promise<void> {
    const { from } = this.#ends;
    const { random } = this.#wires;
    for (let chunk = await this.#read(); chunk !== undefined; chunk = await this.#read()) {
      for (let at = 0; at < chunk.length; at += CHUNK_BYTES) {
        const piece = copyBytes(chunk.subarray(at, at + CHUNK_BYTES));
        const breaksHere = random.chance(this.#wires.faultsOf(from, this.#to).snapshotBreakShare);
        await this.#travel(from, this.#to);
        await this.#write(sink, breaksHere ? piece.subarray(0, random.below(piece.length)) : piece);
        if (breaksHere) throw new Error("the connection broke in the middle");
      }
    }
  }

  async #write(sink: SnapshotSink, piece: Uint8Array): Promise<void> {
    this.#progress(IDLE_MS);
    if (piece.length > 0) await sink.write(piece);
    this.#check();
  }

  /** The next of the body; undefined: that was all. */
  async #read(): Promise<Uint8Array | undefined> {
    this.#check();
    const reading = this.#body.next();
    this.#reading = reading;
    try {
      const { done, value } = await Promise.race([reading, this.#whenBroken]);
      if (done === true) this.#isBodyOver = true;
      return done === true ? undefined : value;
    } catch (error) {
      if (this.#broken === undefined) this.#isBodyOver = true; // it failed by itself
      throw error;
    }
  }

  /** One delay; rejects when the connection does not stand at its end. */
  async #travel(from: bigint, to: bigint): Promise<void> {
    this.#check();
    await new Promise<void>((resolve) => this.#wires.after(from, to, resolve));
    this.#check();
    if (!this.#wires.passes(from, to)) throw new Error("the connection broke");
  }

  #check(): void {
    if (this.#broken !== undefined) throw this.#broken;
  }

  /** Something happened: from here on silence counts anew. */
  #progress(limitMs: number): void {
    this.#idle?.cancel();
    if (this.#broken !== undefined) return;
    this.#idle = this.#wires.clock.after(limitMs, () => this.breakOff(new Error(`nothing came for ${limitMs} ms`)));
  }

  /** Lets go of what stands behind the body, when nobody is reading from it. */
  async #closeBody(): Promise<void> {
    await this.#reading?.catch(() => undefined);
    if (!this.#isBodyOver) await closeBody(this.#body);
  }
}

/** Lets go of what stands behind a body; nobody is told when that fails. */
export async function closeBody(body: AsyncIterator<Uint8Array>): Promise<void> {
  try {
    await body.return?.();
  } catch {
    // It was of no use any more.
  }
}

/**
 * Turns for reads that may be long, so that one client's cost another client little.
 *
 *   a read        is steps of a millisecond or less
 *   a turn        of the event loop gives them TURN_MS in all, however many wait; then everything else has its turn
 *   connections   take steps by turns, whatever they ask for; the reads of one connection go one after another
 *   a step        that took longer than a turn's share (a hash of everything cannot be cut) is followed by as long a rest
 *
 * So reads take all of a loop that has nothing else to do, and at most about half of one that has. The first reads of a
 * turn need not wait: what is short is answered at once, as if this file were not there.
 *
 * What finished steps hold in memory until their read is complete is bounded: beyond HELD_MAX_BYTES only the read that
 * has waited longest goes on, beside those that hold little. A connection that does not take its answers
 * (`Call.unsentBytes`) gets no further ones. Answers hold on to what they were put together from until they are sent, so
 * those of all connections (`Call.unsentOfAllBytes`) count with what reads hold.
 */
import { EtcdError } from "../base/error.ts";
import type { Call } from "./call.ts";

/** What reads may take of one turn. A put beside them waits for one turn, a read through the log for two. */
export const TURN_MS = 1;

/** What unfinished reads may hold together, and how much one may hold beyond that. */
export const HELD_MAX_BYTES = 256 * 1024 * 1024;
const HELD_LITTLE_BYTES = 1024 * 1024;

/** The longest answer. A longer one is refused, as grpc-go refuses what is longer than 2 GiB. */
export const ANSWER_MAX_BYTES = 1024 * 1024 * 1024;

/** Answers not yet taken by a peer from which on its next reads wait, and when it is looked at again. */
export const UNSENT_MAX_BYTES = 16 * 1024 * 1024;
const UNSENT_LOOK_MS = 5;

/** Answers not yet taken by all peers from which on only reads that hold little go on; the engine ends whoever stalls. */
export const UNSENT_OF_ALL_MAX_BYTES = 1024 * 1024 * 1024;

/** Nobody hears it: one for all. */
const CANCELED = new EtcdError("Canceled");

/** Steps that yield how many bytes the read holds by now, and return its answer. Thrown refusals are the call's. */
export type Steps<T> = Generator<number, T, void>;

/** Of the clock, what turns need. */
export interface TurnClock {
  monotonicMs(): number;
  soon(action: () => void): void;
  after(delayMs: number, action: () => void): unknown;
}

/** What a read knows of its caller. */
export type Reader = Pick<Call, "remoteAddress" | "canceled" | "onCanceled" | "unsentBytes" | "unsentOfAllBytes">;

interface Read {
  readonly steps: Steps<unknown>;
  readonly reader: Reader;
  readonly done: (answer: unknown) => void;
  readonly failed: (error: unknown) => void;
  heldBytes: number;
}

export class HeavyReads {
  readonly #clock: TurnClock | undefined;
  /** The reads of each connection that has any; the first is at work. In the order of their turns. */
  readonly #lanes = new Map<string, Set<Read>>();
  #heldBytes = 0;
  #scheduled = false;
  /** Time that reads have had in the turn at hand, as far as they were answered at once. */
  #spentMs = 0;

  /** Without a clock every read is answered at once. */
  constructor(clock: TurnClock | undefined) {
    this.#clock = clock;
  }

  /** Reads that wait or are at work. */
  get size(): number {
    let size = 0;
    for (const lane of this.#lanes.values()) size += lane.size;
    return size;
  }

  /**
   * The answer of `steps`: at once when there is time for it and nobody waits, else when its turns have come. Refused with
   * Canceled as soon as its caller has gone.
   */
  run<T>(reader: Reader, steps: Steps<T>): T | Promise<T> {
    if (reader.canceled) throw CANCELED;
    let heldBytes = 0;
    const clock = this.#clock;
    if (clock === undefined || (this.#lanes.size === 0 && this.#spentMs < TURN_MS)) {
      const startedMs = clock?.monotonicMs() ?? 0;
      do {
        const step = steps.next();
        if (clock !== undefined && (step.done === true || clock.monotonicMs() - startedMs >= TURN_MS)) {
          this.#spend(clock, clock.monotonicMs() - startedMs);
        }
        if (step.done === true) return step.value;
        heldBytes = step.value;
      } while (clock === undefined || this.#spentMs < TURN_MS);
    }
    return new Promise<T>((done, failed) => {
      const read: Read = { steps, reader, done: done as (answer: unknown) => void, failed, heldBytes };
      this.#heldBytes += heldBytes;
      const lane = this.#lanes.get(reader.remoteAddress);
      if (lane === undefined) this.#lanes.set(reader.remoteAddress, new Set([read]));
      else lane.add(read);
      // At once: whoever asks and resets as fast as it can does so faster than turns come.
      reader.onCanceled(() => this.#end(read) && failed(CANCELED));
      this.#schedule(clock as TurnClock, 0);
    });
  }

  /** Counts what was answered at once; the next turn begins at nothing again. */
  #spend(clock: TurnClock, ms: number): void {
    this.#spentMs += ms;
    this.#schedule(clock, 0);
  }

  #schedule(clock: TurnClock, restMs: number): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    const turn = () => {
      this.#scheduled = false;
      this.#turn(clock);
    };
    if (restMs > 0) clock.after(restMs, turn);
    else clock.soon(turn);
  }

  #turn(clock: TurnClock): void {
    this.#spentMs = 0;
    const startedMs = clock.monotonicMs();
    let tookMs = 0;
    let idle = 0;
    while (tookMs < TURN_MS && idle < this.#lanes.size) {
      const [connection, lane] = this.#lanes.entries().next().value as [string, Set<Read>];
      this.#lanes.delete(connection);
      this.#lanes.set(connection, lane); // at the end: the others have their turn
      const read = firstOf(lane);
      if (this.#mayGoOn(read)) {
        idle = 0;
        this.#step(read);
      } else idle++;
      tookMs = clock.monotonicMs() - startedMs;
    }
    if (this.#lanes.size === 0) return;
    if (idle > 0 && idle === this.#lanes.size) this.#schedule(clock, UNSENT_LOOK_MS);
    else this.#schedule(clock, tookMs > 2 * TURN_MS ? tookMs : 0);
  }

  #mayGoOn(read: Read): boolean {
    if (isBehind(read)) return false;
    if (read.heldBytes <= HELD_LITTLE_BYTES) return true;
    const unsentBytes = read.reader.unsentOfAllBytes ?? 0;
    if (unsentBytes > UNSENT_OF_ALL_MAX_BYTES) return false;
    if (this.#heldBytes + unsentBytes <= HELD_MAX_BYTES) return true;
    // The largest goes on: it is nearest to its end, and only ends make room.
    for (const lane of this.#lanes.values()) {
      const other = firstOf(lane);
      if (!isBehind(other) && other.heldBytes > read.heldBytes) return false;
    }
    return true;
  }

  #step(read: Read): void {
    try {
      const step = read.steps.next();
      if (step.done === true) {
        this.#end(read);
        read.done(step.value);
        return;
      }
      this.#heldBytes += step.value - read.heldBytes;
      read.heldBytes = step.value;
      if (step.value > ANSWER_MAX_BYTES) throw new EtcdError("TooManyRequests");
    } catch (error) {
      this.#end(read);
      read.failed(error);
    }
  }

  /** False: it had ended before. */
  #end(read: Read): boolean {
    const { remoteAddress } = read.reader;
    const lane = this.#lanes.get(remoteAddress);
    if (lane?.delete(read) !== true) return false;
    if (lane.size === 0) this.#lanes.delete(remoteAddress);
    this.#heldBytes -= read.heldBytes;
    return true;
  }
}

/** A connection's read that is at work. */
function firstOf(lane: Set<Read>): Read {
  return lane.values().next().value as Read;
}

/** Its connection has much to take before anything more is read for it. */
function isBehind({ reader }: Read): boolean {
  return (reader.unsentBytes ?? 0) > UNSENT_MAX_BYTES;
}

/**
 * What one stream still has to send, in order. One queue for answers and events, so that "created" stands before the
 * events of its watch, and a progress notice behind every event it vouches for.
 *
 * Nobody ever waits here. When there is no room for events the watcher falls behind and reads history later: that costs
 * a number, not memory. Answers to the client's own requests cannot be read again, so they have room beyond the point
 * where `full` asks the caller to stop reading requests; a client that sends on regardless loses its stream.
 *
 *      at 128 event responses, or 16 MiB   room is false: watchers fall behind
 *      at 64 and 8 MiB                     settled is true again: they catch up
 *      at 16 answers                       full is true: read no further requests
 *      at 4096 answers                     TooManyRequests: the stream ends
 */
import { EtcdError } from "../base/error.ts";
import type { WatchResponse } from "../proto/etcdserverpb.ts";

/** Event responses waiting at most: etcd's. */
export const EVENT_RESPONSES_MAX = 128;

/** Answers waiting from which on no more requests should be read: etcd's. */
export const ANSWERS_SOFT_MAX = 16;

/** Answers waiting at most. What lies in socket buffers when reading stops fits well below. */
export const ANSWERS_MAX = 4096;

/** Bytes of events waiting at most, counted for each stream though streams share them. One response always fits. */
export const EVENT_BYTES_MAX = 16 * 1024 * 1024;

/**
 * One message to send. The same object goes to every stream for which it is the same message: it is never changed, and
 * whoever encodes it may keep the bytes in `encoded` for the next.
 */
export interface Delivery {
  /** Without its header. */
  readonly response: WatchResponse;
  /** For the header; 0 for the cancellation of a compacted watch, as etcd sends it. */
  readonly revision: number;
  /** Left to the sender, undefined at first. */
  encoded: Uint8Array | undefined;
}

/** One place in the outbox: a message, or all fragments of one. */
export interface Parcel {
  readonly deliveries: readonly Delivery[];
  /** An answer to the client's request (or the end of a watch), not events or progress. */
  readonly answer: boolean;
  readonly events: number;
  readonly bytes: number;
}

export class Outbox {
  /** From #head to #tail; kept when empty, for most streams hold one message at a time. */
  #parcels: (Parcel | undefined)[] = [];
  #head = 0;
  #tail = 0;
  /** Fragments of the first parcel that went already. */
  #fragment = 0;
  #answers = 0;
  #events = 0;
  #bytes = 0;

  /** Messages waiting, fragments counted as one. */
  get waiting(): number {
    return this.#tail - this.#head;
  }

  /** Events in them. */
  get events(): number {
    return this.#events;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Whether the client should be heard no further until it has read. */
  get full(): boolean {
    return this.#answers >= ANSWERS_SOFT_MAX;
  }

  /** Whether those that fell behind may catch up: well below the bounds, so that they do not flap. */
  get settled(): boolean {
    return this.#eventResponses * 2 <= EVENT_RESPONSES_MAX && this.#bytes * 2 <= EVENT_BYTES_MAX && !this.full;
  }

  get #eventResponses(): number {
    return this.waiting - this.#answers;
  }

  /** Takes events or progress, if there is room. */
  offer(parcel: Parcel): boolean {
    const responses = this.#eventResponses;
    if (responses >= EVENT_RESPONSES_MAX) return false;
    if (responses > 0 && this.#bytes + parcel.bytes > EVENT_BYTES_MAX) return false;
    this.#push(parcel);
    return true;
  }

  /** Takes an answer. Throws TooManyRequests when far too many wait: the stream must be ended. */
  answer(parcel: Parcel): void {
    if (this.#answers >= ANSWERS_MAX) throw new EtcdError("TooManyRequests");
    this.#answers++;
    this.#push(parcel);
  }

  /** The next message to send; undefined when nothing waits. */
  next(): Delivery | undefined {
    if (this.#head === this.#tail) return undefined;
    const parcel = this.#parcels[this.#head] as Parcel;
    const delivery = parcel.deliveries[this.#fragment++] as Delivery;
    if (this.#fragment === parcel.deliveries.length) this.#dropFirst(parcel);
    return delivery;
  }

  clear(): void {
    this.#parcels = [];
    this.#head = 0;
    this.#tail = 0;
    this.#fragment = 0;
    this.#answers = 0;
    this.#events = 0;
    this.#bytes = 0;
  }

  #push(parcel: Parcel): void {
    this.#events += parcel.events;
    this.#bytes += parcel.bytes;
    this.#parcels[this.#tail++] = parcel;
  }

  #dropFirst(parcel: Parcel): void {
    this.#fragment = 0;
    this.#events -= parcel.events;
    this.#bytes -= parcel.bytes;
    if (parcel.answer) this.#answers--;
    this.#parcels[this.#head++] = undefined;
    if (this.#head === this.#tail) {
      this.#head = 0;
      this.#tail = 0;
    } else if (this.#head > 64 && this.#head * 2 > this.#tail) {
      this.#parcels = this.#parcels.slice(this.#head, this.#tail);
      this.#tail -= this.#head;
      this.#head = 0;
    }
  }
}

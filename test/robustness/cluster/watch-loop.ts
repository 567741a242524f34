/**
 * One who watches an interval of keys for as long as the run takes: whenever the stream breaks, is silent for too long or
 * was canceled, it goes on at another member behind what it has seen. What it was sent is kept in the form of the
 * watch validators, a watcher for each stream.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { fromByteString, toByteString } from "../../../server/base/bytes.ts";
import type { Prng } from "../../../server/base/prng.ts";
import { connect } from "../../../server/client/client.ts";
import type { BidiStream } from "../../../server/client/streams.ts";
import {
  WatchCreateRequest,
  type WatchResponse as WatchMessage,
  type WatchRequest,
} from "../../../server/proto/etcdserverpb.ts";
import { Event, EventType, type KeyValue } from "../../../server/proto/mvccpb.ts";
import { SERVICES } from "../../../server/proto/services.ts";
import type { Interval, Kv } from "../../checkers/history.ts";
import type { WatchEvent, Watcher, WatchResponse } from "../../checkers/watch-history.ts";

/** Longest silence: members are told to give a notice of progress every second. */
const SILENCE_MS = 3000;
const REST_MS = 100;
/** gRPC's filters of a watch. */
const NO_PUT = 0;
const NO_DELETE = 1;

export interface WatchOptions extends Interval {
  readonly name: string;
  readonly prevKv?: boolean;
  readonly fragment?: boolean;
  readonly noPut?: boolean;
  readonly noDelete?: boolean;
  /** Whether the stream ends when its member knows no leader. */
  readonly needsLeader?: boolean;
  /** How long it stays with one member, on average; undefined: until something breaks. */
  readonly movesAfterMs?: number;
  /** Where the first stream begins; 0: now. */
  readonly startRevision: number;
}

/** A `Watcher` that is still told things. */
interface Piece extends Watcher {
  readonly responses: WatchResponse[];
}

export class WatchLoop {
  readonly pieces: Piece[] = [];
  /** All up to here was sent, or can be no more because it is compacted. */
  through = 0;
  /** Streams that were canceled because what they needed is compacted. */
  compacted = 0;
  readonly #options: WatchOptions;
  readonly #endpoints: () => readonly string[];
  readonly #random: Prng;
  #next: number;
  #stream: BidiStream<WatchRequest, WatchMessage> | undefined;
  #isOver = false;
  #running: Promise<void> | undefined;

  constructor(options: WatchOptions, endpoints: () => readonly string[], random: Prng) {
    this.#options = options;
    this.#endpoints = endpoints;
    this.#random = random;
    this.#next = options.startRevision;
  }

  /** Events of all streams together. */
  get events(): number {
    let sum = 0;
    for (const { responses } of this.pieces) for (const { events } of responses) sum += events.length;
    return sum;
  }

  start(): void {
    this.#running = this.#run();
  }

  /** Asks the member to say how far it is, which comes as a notice of progress. */
  askProgress(): void {
    this.#stream?.send({ requestUnion: { kind: "progress", value: {} } });
  }

  /** Resolves when the stream is closed. */
  async stop(): Promise<void> {
    this.#isOver = true;
    this.#stream?.cancel();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#isOver) {
      await this.#follow(this.#random.pick(this.#endpoints()));
      if (!this.#isOver) await sleep(REST_MS);
    }
  }

  /** One stream, to its end. */
  async #follow(endpoint: string): Promise<void> {
    const { needsLeader = false, movesAfterMs } = this.#options;
    const client = connect(endpoint);
    const headers = needsLeader ? { hasleader: "true" } : {};
    const stream = client.bidi(SERVICES.watch.methods.watch, { headers });
    this.#stream = stream;
    stream.send({ requestUnion: { kind: "create", value: this.#request() } });
    const piece = this.#begin();
    const leaveMs =
      movesAfterMs === undefined ? Infinity : performance.now() + 2 * movesAfterMs * this.#random.below(100) * 0.01;
    while (!this.#isOver && performance.now() < leaveMs) {
      const silent = setTimeout(() => stream.cancel(), SILENCE_MS);
      const message = await stream.next();
      clearTimeout(silent);
      if (message === undefined) break;
      this.#take(piece, message);
      if (message.canceled) break;
    }
    stream.cancel();
    client.close();
  }

  #request(): WatchCreateRequest {
    const { key, end, prevKv = false, fragment = false, noPut = false, noDelete = false } = this.#options;
    return WatchCreateRequest.create({
      key: fromByteString(key),
      rangeEnd: fromByteString(end),
      startRevision: this.#next,
      progressNotify: true,
      filters: [...(noPut ? [NO_PUT] : []), ...(noDelete ? [NO_DELETE] : [])],
      prevKv,
      fragment,
    });
  }

  #begin(): Piece {
    const { name, key, end, prevKv = false, fragment = false, noPut = false, noDelete = false } = this.#options;
    return {
      name: `${name}, stream ${this.pieces.length}`,
      ...{ key, end, startRevision: this.#next, prevKv, fragment, noPut, noDelete, responses: [] },
    };
  }

  #take(piece: Piece, message: WatchMessage): void {
    const { header, created, canceled, cancelReason, compactRevision, fragment } = message;
    const events = message.events.map(eventOf);
    // Counted only once it has said something: a stream that was never created is no watcher.
    if (piece.responses.length === 0) this.pieces.push(piece);
    piece.responses.push({
      header: header === undefined ? undefined : { revision: header.revision },
      ...{ created, canceled, cancelReason, compactRevision, fragment, events },
    });
    const revision = header?.revision ?? 0;
    if (created && piece.startRevision === 0) this.#saw(revision);
    const last = events.at(-1)?.kv.modRevision;
    // Of a piece the last revision may go on in the next one.
    if (last !== undefined) this.#saw(fragment ? last - 1 : last);
    else if (!created && !canceled && !fragment) this.#saw(revision);
    if (canceled && compactRevision > 0) {
      this.compacted++;
      this.#saw(compactRevision - 1);
    }
  }

  #saw(revision: number): void {
    this.through = Math.max(this.through, revision);
    this.#next = Math.max(this.#next, revision + 1);
  }
}

function eventOf(bytes: Uint8Array): WatchEvent {
  const { type, kv, prevKv } = Event.decode(bytes);
  if (kv === undefined) throw new Error("a member sent an event without a key");
  return {
    kind: type === EventType.DELETE ? "delete" : "put",
    kv: plain(kv),
    prevKv: prevKv === undefined ? undefined : plain(prevKv),
  };
}

function plain({ key, value, createRevision, modRevision, version, lease }: KeyValue): Kv {
  return { key: toByteString(key), value: toByteString(value), createRevision, modRevision, version, lease };
}

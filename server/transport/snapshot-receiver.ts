/**
 * A whole state that a member sends us: the MsgSnap behind its length, then the bbolt file, handed on piece by piece and
 * no faster than it is stored. Only one that came whole reaches raft.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { AssertionFailure } from "../base/assert.ts";
import { GrowingPause } from "../base/growing-pause.ts";
import { memberIdText } from "../base/int64.ts";
import type { Receiver, SnapshotSink } from "../ports/network.ts";
import { type Message, MessageType } from "../proto/raftpb.ts";
import { answerJsonError, answerText, REMOVED_MEMBER, WRONG_MEMBER } from "./handshake.ts";
import { FrameError, PlainDecoder, textOf } from "./message-codec.ts";
import type { NetworkSeries } from "./peer-series.ts";
import type { Surroundings } from "./surroundings.ts";

/** The MsgSnap alone, without the file behind it: it holds the members, and is small. etcd's bound. */
export const SNAPSHOT_MESSAGE_MAX_BYTES = 64 * 1024 * 1024;
/** Snapshots that may come in at a time. A newer one of the same member ends its older one, which it has given up. */
export const SNAPSHOTS_MAX = 4;

/**
 * Between two lines of the log about failures in a row of one sender: etcd's leader tries again with each heartbeat. Those
 * in between are counted.
 */
const LOG_PAUSES = { firstMs: 1000, longestMs: 600_000 };
/** Senders whose failures are remembered; of more the oldest is forgotten. */
const REMEMBERED = 64;

/** A sender's failures in a row. */
interface Failures {
  readonly pause: GrowingPause;
  /** Monotonic milliseconds; nothing is logged before. */
  quietUntilMs: number;
  unlogged: number;
}

/** A refusal with its status. */
class Refused extends Error {
  readonly status: number;

  constructor(status: number, text: string) {
    super(text);
    this.status = status;
  }
}

interface Arrival {
  readonly message: Message;
  readonly sink: SnapshotSink;
}

export class SnapshotReceiver {
  readonly #world: Surroundings;
  readonly #receiver: Receiver;
  readonly #series: NetworkSeries;
  /** By sender. */
  readonly #running = new Map<bigint, IncomingMessage>();
  /** By sender, as the log names it. */
  readonly #failures = new Map<string, Failures>();

  constructor(world: Surroundings, receiver: Receiver, series: NetworkSeries) {
    this.#world = world;
    this.#receiver = receiver;
    this.#series = series;
  }

  /** Rejects only when our own code broke a promise, which ends the process. */
  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const idleMs = this.#world.timing.snapshotIdleMs;
    request.setTimeout(idleMs, () => request.destroy(new Error(`nothing came for ${idleMs} ms`)));
    const start = this.#world.clock.monotonicMs();
    let arrival: Arrival | undefined;
    try {
      arrival = await this.#receive(request, (begun) => {
        arrival = begun;
      });
      request.setTimeout(0);
      await arrival.sink.end();
    } catch (error) {
      if (error instanceof AssertionFailure) throw error;
      this.#failed(arrival, error, response);
      return;
    } finally {
      this.#ended(request, arrival);
    }
    this.#succeeded(arrival.message, start);
    const problem = this.#world.deliver(arrival.message); // removed, or stopped, while the file came
    if (problem === undefined) response.writeHead(204).end();
    else answerText(response, 500, problem);
  }

  /** Breaks off all that are under way. */
  close(): void {
    for (const request of this.#running.values()) request.destroy(new Error("this member stops"));
  }

  async #receive(request: IncomingMessage, begun: (arrival: Arrival) => void): Promise<Arrival> {
    const decoder = new PlainDecoder(SNAPSHOT_MESSAGE_MAX_BYTES);
    let arrival: Arrival | undefined;
    // The connection is still needed for the answer when this loop is left.
    for await (const bytes of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      if (arrival === undefined) {
        decoder.push(bytes);
        const message = decoder.next();
        if (message === undefined) continue;
        arrival = await this.#begin(message, request);
        begun(arrival);
        for (const piece of decoder.rest()) await this.#store(arrival, piece);
      } else await this.#store(arrival, bytes);
    }
    if (arrival === undefined) throw new Refused(400, "failed to decode raft message (unexpected EOF)");
    return arrival;
  }

  async #begin(message: Message, request: IncomingMessage): Promise<Arrival> {
    if (message.type !== MessageType.SNAP) throw new Refused(400, "wrong raft message type");
    const metadata = message.snapshot?.metadata;
    if (metadata === undefined || metadata.index === 0)
      throw new Refused(400, "failed to decode raft message (a snapshot says what index it is of)");
    if (this.#receiver.isRemoved(message.from)) throw new Refused(403, REMOVED_MEMBER);
    if (message.to !== this.#world.identity.memberId) throw new Refused(500, WRONG_MEMBER);
    this.#running.get(message.from)?.destroy(new Error("the sender began a newer one"));
    if (this.#running.size >= SNAPSHOTS_MAX && !this.#running.has(message.from))
      throw new Refused(503, `${SNAPSHOTS_MAX} snapshots are being received; send it again later`);
    this.#running.set(message.from, request);
    const sink = await this.#open(message, request);
    const from = memberIdText(message.from);
    this.#series.snapshotReceiveInflight.with(from).inc();
    if (!this.#isQuiet(from)) {
      this.#world.logger.info("receiving database snapshot", {
        "local-member-id": memberIdText(this.#world.identity.memberId),
        "remote-snapshot-sender-id": from,
        "incoming-snapshot-index": metadata.index,
      });
    }
    return { message, sink };
  }

  async #open(message: Message, request: IncomingMessage): Promise<SnapshotSink> {
    try {
      return await this.#receiver.openSnapshot(message);
    } catch (error) {
      if (this.#running.get(message.from) === request) this.#running.delete(message.from);
      throw error;
    }
  }

  async #store({ message, sink }: Arrival, bytes: Uint8Array): Promise<void> {
    this.#series.peerReceivedBytes.with(memberIdText(message.from)).inc(bytes.length);
    await sink.write(bytes);
  }

  #ended(request: IncomingMessage, arrival: Arrival | undefined): void {
    if (arrival === undefined) return;
    const { from } = arrival.message;
    this.#series.snapshotReceiveInflight.with(memberIdText(from)).dec();
    if (this.#running.get(from) === request) this.#running.delete(from);
  }

  #isQuiet(from: string): boolean {
    const failures = this.#failures.get(from);
    return failures !== undefined && this.#world.clock.monotonicMs() < failures.quietUntilMs;
  }

  #logFailure(from: string, error: Error): void {
    if (this.#isQuiet(from)) {
      (this.#failures.get(from) as Failures).unlogged++;
      return;
    }
    const failures = this.#failures.get(from) ?? { pause: new GrowingPause(LOG_PAUSES), quietUntilMs: 0, unlogged: 0 };
    this.#world.logger.warn("failed to save incoming database snapshot", {
      "remote-snapshot-sender-id": from,
      error: textOf(error),
      ...(failures.unlogged > 0 && { "failures-not-logged": failures.unlogged }),
    });
    failures.unlogged = 0;
    failures.quietUntilMs = this.#world.clock.monotonicMs() + failures.pause.failed();
    this.#failures.set(from, failures);
    if (this.#failures.size > REMEMBERED) this.#failures.delete(this.#failures.keys().next().value as string);
  }

  #succeeded({ from, snapshot }: Message, start: number): void {
    const tookMs = this.#world.clock.monotonicMs() - start;
    this.#failures.delete(memberIdText(from));
    this.#series.snapshotReceiveSuccess.with(memberIdText(from)).inc();
    this.#series.snapshotReceiveSeconds.with(memberIdText(from)).observe(tookMs / 1000);
    this.#world.logger.info("received and saved database snapshot", {
      "remote-snapshot-sender-id": memberIdText(from),
      "incoming-snapshot-index": snapshot?.metadata?.index,
      "download-took": `${Math.round(tookMs)}ms`,
    });
  }

  #failed(arrival: Arrival | undefined, cause: unknown, response: ServerResponse): void {
    const error = cause instanceof Error ? cause : new Error(String(cause));
    const from = arrival === undefined ? "UNKNOWN_SNAPSHOT_SENDER" : memberIdText(arrival.message.from);
    this.#series.snapshotReceiveFailures.with(from).inc();
    this.#logFailure(from, error);
    arrival?.sink.abort(error);
    if (response.destroyed) return;
    response.setHeader("Connection", "close"); // what is left of the file is not read
    if (error instanceof Refused && error.status === 403) answerJsonError(response, 403, error.message);
    else if (error instanceof Refused) answerText(response, error.status, error.message);
    else if (error instanceof FrameError) answerText(response, 400, `failed to decode raft message (${error.message})`);
    else answerText(response, 500, `failed to save KV snapshot (${textOf(error)})`);
  }
}

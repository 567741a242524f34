/**
 * One stream to a member, on the connection that it opened for reading from us. Messages are encoded as they are sent
 * and leave together at the end of the turn, in one write. When too much waits, further messages are refused; when the
 * member takes nothing for a while, the connection is broken and it dials again.
 */
import type { ServerResponse } from "node:http";
import { memberIdText } from "../base/int64.ts";
import type { Timer } from "../ports/clock.ts";
import type { Message } from "../proto/raftpb.ts";
import type { MessageEncoder } from "./message-codec.ts";
import type { Remote, Surroundings } from "./surroundings.ts";

/** Messages that may wait on one stream, as etcd has it. */
export const STREAM_QUEUE_MAX = 4096;
/** Bytes that may wait; one message is taken whatever its size when nothing waits. */
export const STREAM_QUEUE_BYTES_MAX = 64 * 1024 * 1024;
/** What waits is copied together up to this size; beyond, copying costs more than a list of pieces. */
const GATHER_BYTES = 64 * 1024;

/** One connection that the member has opened. */
interface Connection {
  readonly response: ServerResponse;
  readonly encoder: MessageEncoder;
  pieces: Uint8Array[];
  pieceBytes: number;
  pieceMessages: number;
  /** Taken down and not yet with the system. */
  waitingMessages: number;
  waitingBytes: number;
  isFlushDue: boolean;
}

export class OutgoingStream {
  readonly #name: string;
  readonly #createEncoder: () => MessageEncoder;
  readonly #world: Surroundings;
  readonly #remote: Remote;
  #connection: Connection | undefined;
  #heartbeat: Timer | undefined;

  /** `name` is for the log; every connection has an encoder of its own. */
  constructor(name: string, createEncoder: () => MessageEncoder, world: Surroundings, remote: Remote) {
    this.#name = name;
    this.#createEncoder = createEncoder;
    this.#world = world;
    this.#remote = remote;
  }

  /** Whether messages can be sent here. */
  get isOpen(): boolean {
    return this.#connection !== undefined;
  }

  /** The member has dialled; a connection that it opened before is worthless. `response` has its head and no body yet. */
  attach(response: ServerResponse): void {
    this.#drop("a new connection took its place");
    const connection: Connection = {
      response,
      encoder: this.#createEncoder(),
      pieces: [],
      pieceBytes: 0,
      pieceMessages: 0,
      waitingMessages: 0,
      waitingBytes: 0,
      isFlushDue: false,
    };
    this.#connection = connection;
    response.on("error", () => undefined); // its close follows
    response.once("close", () => {
      if (this.#connection === connection) this.#drop("the member closed it");
    });
    const { writeMs } = this.#world.timing;
    response.setTimeout(writeMs, () => {
      if (this.#connection !== connection || connection.waitingMessages === 0) return; // only idle: the next write counts anew
      this.#drop(`the member took nothing for ${writeMs} ms`);
    });
    this.#remote.status.activate();
    this.#log("info", "established TCP streaming connection with remote peer");
    this.#scheduleHeartbeat();
  }

  /** Whether the message was taken down; false: too much waits, or nobody is there. */
  send(message: Message): boolean {
    const connection = this.#connection;
    if (connection === undefined) return false;
    if (connection.waitingMessages >= STREAM_QUEUE_MAX) return false;
    if (connection.waitingBytes >= STREAM_QUEUE_BYTES_MAX) return false;
    this.#add(connection, connection.encoder.encode(message));
    return true;
  }

  stop(): void {
    this.#drop("this member stops");
  }

  #add(connection: Connection, pieces: readonly Uint8Array[]): void {
    let bytes = 0;
    for (const piece of pieces) {
      connection.pieces.push(piece);
      bytes += piece.length;
    }
    connection.pieceBytes += bytes;
    connection.pieceMessages++;
    connection.waitingBytes += bytes;
    connection.waitingMessages++;
    if (connection.isFlushDue) return;
    connection.isFlushDue = true;
    process.nextTick(() => this.#flush(connection));
  }

  /** Everything taken down since the last one leaves as one chunk in one write. */
  #flush(connection: Connection): void {
    connection.isFlushDue = false;
    if (connection !== this.#connection) return;
    const { response, pieces, pieceBytes, pieceMessages } = connection;
    connection.pieces = [];
    connection.pieceBytes = connection.pieceMessages = 0;
    const left = () => {
      connection.waitingBytes -= pieceBytes;
      connection.waitingMessages -= pieceMessages;
    };
    if (pieceBytes <= GATHER_BYTES) response.write(Buffer.concat(pieces, pieceBytes), left);
    else {
      response.cork();
      const last = pieces.length - 1;
      for (const [at, piece] of pieces.entries()) at === last ? response.write(piece, left) : response.write(piece);
      response.uncork();
    }
    this.#remote.series.sentBytes.inc(pieceBytes);
  }

  #scheduleHeartbeat(): void {
    this.#heartbeat?.cancel();
    this.#heartbeat = this.#world.clock.after(this.#world.timing.readMs / 3, () => {
      const connection = this.#connection;
      if (connection === undefined) return;
      // Behind messages that wait it would say nothing new.
      if (connection.waitingMessages === 0) this.#add(connection, [connection.encoder.linkHeartbeat()]);
      this.#scheduleHeartbeat();
    });
  }

  /** Gives the connection up; what waited on it is lost. */
  #drop(reason: string): void {
    const connection = this.#connection;
    if (connection === undefined) return;
    this.#connection = undefined;
    this.#heartbeat?.cancel();
    connection.response.destroy();
    this.#log("warn", "lost TCP streaming connection with remote peer", { error: reason });
    if (connection.waitingMessages === 0) return;
    this.#remote.series.sentFailures.inc(connection.waitingMessages);
    this.#world.reports.unreachable(this.#remote.id);
  }

  #log(level: "info" | "warn", message: string, fields: Readonly<Record<string, unknown>> = {}): void {
    this.#world.logger[level](message, {
      "stream-writer-type": this.#name,
      "local-member-id": memberIdText(this.#world.identity.memberId),
      "remote-peer-id": memberIdText(this.#remote.id),
      ...fields,
    });
  }
}

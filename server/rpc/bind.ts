/**
 * gRPC on our own HTTP/2 engine: each request of a connection becomes a call of the dispatcher, or goes to the paths that
 * are no gRPC.
 */
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { Connection, type ConnectionOwner, Shared } from "../http2/connection.ts";
import { GOODBYE_MS } from "../http2/limits.ts";
import type { RequestHead } from "../http2/request-head.ts";
import type { Stream, StreamOwner } from "../http2/stream.ts";
import { type CallFacts, type Peer, readCallFacts } from "./call-facts.ts";
import type { Dispatcher } from "./dispatch.ts";
import { type TurnedAway, type Way, wayOf } from "./door.ts";
import type { Engine } from "./engine.ts";
import { GrpcStream, type GrpcStreamOptions, turnAway } from "./grpc-stream.ts";
import { type HttpHandler, HttpStream } from "./http-stream.ts";
import { remoteAddressText } from "./peer-address.ts";
import { PingPolicy } from "./ping-policy.ts";

export interface OwnEngineOptions {
  readonly dispatcher: Dispatcher;
  /** Bytes of one message at most, unpacked. */
  readonly maxReceiveBytes: number;
  /** Calls at a time on one connection. */
  readonly maxConcurrentStreams: number;
  readonly keepalive: {
    /** A peer that pings more often is sent away. Not over TLS: etcd does not watch there. 0: never. */
    readonly minTimeMs: number;
    /** Infinity: we do not ping. */
    readonly intervalMs: number;
    /** Infinity: we do not ping. */
    readonly timeoutMs: number;
  };
  /** Answers what comes over HTTP/2 and is no gRPC: health, metrics, the gateway. */
  readonly http?: HttpHandler | undefined;
  readonly monotonicMs: () => number;
}

/** How often connections look at the time. */
const TICK_MS = 1000;

export class OwnEngine implements Engine {
  readonly #options: OwnEngineOptions;
  readonly #shared = new Shared();
  readonly #connections = new Set<Connection>();
  #ticks: NodeJS.Timeout | undefined;
  #stopping = false;
  #allClosed: (() => void) | undefined;

  constructor(options: OwnEngineOptions) {
    this.#options = options;
  }

  accept(socket: Socket): void {
    if (this.#stopping) {
      socket.destroy();
      return;
    }
    const { keepalive, maxConcurrentStreams, monotonicMs } = this.#options;
    const owner = new RpcConnection(this.#options, socket, () => this.#closed(connection));
    const connection: Connection = new Connection(
      socket,
      owner,
      {
        maxConcurrentStreams,
        pingIntervalMs: keepalive.intervalMs,
        pingTimeoutMs: keepalive.timeoutMs,
        monotonicMs,
      },
      this.#shared,
    );
    owner.connection = connection;
    this.#connections.add(connection);
    this.#ticks ??= setInterval(() => this.#tick(), TICK_MS).unref();
    connection.start();
  }

  async stop(graceMs: number): Promise<void> {
    this.#stopping = true;
    for (const connection of this.#connections) connection.drain();
    await this.#options.dispatcher.stop(graceMs);
    await this.#untilClosed();
    for (const connection of this.#connections) connection.destroy();
    clearInterval(this.#ticks);
  }

  /** The last trailers are on their way: a moment for them, not more. */
  #untilClosed(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#connections.size === 0) return resolve();
      const timer = setTimeout(resolve, GOODBYE_MS);
      this.#allClosed = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #tick(): void {
    const nowMs = this.#options.monotonicMs();
    for (const connection of this.#connections) connection.tick(nowMs);
  }

  #closed(connection: Connection): void {
    this.#connections.delete(connection);
    if (this.#connections.size > 0) return;
    clearInterval(this.#ticks);
    this.#ticks = undefined;
    this.#allClosed?.();
  }
}

/** What is known of requests whose header block comes again and again. */
interface KnownHead {
  readonly way: Way;
  readonly facts: CallFacts;
  readonly stream: GrpcStreamOptions;
}

/** The headers that a call's facts are in. */
const FACT_HEADERS: ReadonlySet<string> = new Set([
  "token",
  "authorization",
  "hasleader",
  "client-api-version",
  "grpc-timeout",
  "grpc-encoding",
]);

class RpcConnection implements ConnectionOwner {
  readonly #options: OwnEngineOptions;
  readonly #peer: Peer;
  readonly #secure: boolean;
  readonly #pings: PingPolicy;
  readonly #closed: () => void;
  /** Set before anything can come. */
  connection: Connection | undefined;

  constructor(options: OwnEngineOptions, socket: Socket, closed: () => void) {
    this.#options = options;
    this.#peer = { remoteAddress: remoteAddressText(socket), commonName: commonNameOf(socket) };
    this.#secure = socket instanceof TLSSocket;
    this.#pings = new PingPolicy(options.keepalive.minTimeMs);
    this.#closed = closed;
  }

  request(stream: Stream, head: RequestHead): StreamOwner {
    head.tag ??= this.#know(head);
    const known = head.tag as KnownHead;
    if (known.way !== "call") return this.#noCall(stream, head, known.way);
    const wire = new GrpcStream(stream, known.stream);
    wire.carry(this.#options.dispatcher.begin(head.path, known.facts, wire));
    return wire;
  }

  pinged(): boolean {
    const { minTimeMs } = this.#options.keepalive;
    if (this.#secure || minTimeMs === 0) return true;
    const connection = this.connection as Connection;
    if (connection.takeSent()) this.#pings.sent();
    return this.#pings.allow(this.#options.monotonicMs(), connection.streamCount);
  }

  closed(): void {
    this.#closed();
  }

  #know(head: RequestHead): KnownHead {
    const headers: Record<string, string> = {};
    let contentType = "";
    for (const { name, value } of head.fields) {
      if (FACT_HEADERS.has(name)) headers[name] ??= value;
      else if (name === "content-type") contentType ||= value;
    }
    const encoding = headers["grpc-encoding"];
    const { maxReceiveBytes, http, dispatcher } = this.#options;
    const { method, path } = head;
    const asked = { method, path, contentType, timeout: headers["grpc-timeout"], secure: this.#secure };
    return {
      way: wayOf(asked, { hasPaths: http !== undefined, serves: (name) => dispatcher.serves(name) }),
      facts: readCallFacts(headers, this.#peer),
      stream: { maxReceiveBytes, encoding },
    };
  }

  #noCall(stream: Stream, head: RequestHead, way: "paths" | TurnedAway): StreamOwner {
    if (way === "paths") return new HttpStream(stream, head, this.#secure, this.#options.http as HttpHandler);
    turnAway(stream, way);
    return nobody(stream);
  }
}

/** For a stream that has been answered before its body came. */
function nobody(stream: Stream): StreamOwner {
  const nothing = () => undefined;
  return { data: (bytes) => stream.consumed(bytes.length), end: nothing, drained: nothing, gone: nothing };
}

/** Of the certificate that was asked for and verified. */
function commonNameOf(socket: Socket): string | undefined {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined;
  const name: string | string[] | undefined = socket.getPeerCertificate().subject?.CN;
  return typeof name === "string" ? name : name?.[0];
}

/**
 * The dispatcher's calls on @grpc/grpc-js: the reference engine.
 *
 * grpc-js frames messages, unpacks gzip, keeps connections alive and sends trailers. Everything above is ours: each call
 * is taken over by an interceptor, so that no stream object of grpc-js stands in between, messages are asked for one by
 * one, and a unary call is handled as soon as its message has come.
 *
 * Some of what is used is not public (`Internals`; the version is pinned, and the tests beside fail when it moves):
 * where it looks at the content type we read the raw headers (it drops those that are not ASCII, and its own deadline
 * breaks beyond 24 days); where it looks up a handler an unknown path passes on to the dispatcher; where it sets up a
 * connection windows are widened and pings watched.
 */
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import {
  Http2ServerRequest,
  Http2ServerResponse,
  constants as http2,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import {
  logVerbosity,
  Metadata,
  Server,
  ServerCredentials,
  ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  setLogVerbosity,
} from "@grpc/grpc-js";
import { type Headers, type Peer, readCallFacts } from "./call-facts.ts";
import type { Dispatcher } from "./dispatch.ts";
import { escapeMessage, type TurnedAway, wayOf } from "./door.ts";
import type { Engine } from "./engine.ts";
import { remoteAddressText } from "./peer-address.ts";
import { PingPolicy } from "./ping-policy.ts";
import type { Running, Wire } from "./running-call.ts";
import { GrpcCode, type Status } from "./status.ts";

export interface GrpcJsOptions {
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
  readonly http?: RequestListener | undefined;
  readonly monotonicMs: () => number;
}

/** The largest number that the setting can say: no bound. */
const STREAMS_UNBOUNDED = 0xffff_ffff;
const TIMER_MAX_MS = 2 ** 31 - 1;

/** What a peer may send ahead on one stream, and on a connection. */
const STREAM_WINDOW_BYTES = 1024 * 1024;
const CONNECTION_WINDOW_BYTES = 4 * 1024 * 1024;

/** Unsent bytes of a stream from which on its service is held back. */
const UNSENT_MAX_BYTES = 64 * 1024;

/** What goes out between two pings when nothing but they are answered; headers or data are more. */
const PING_ANSWER_BYTES_MAX = 64;

/** How long the last words to a peer may take. */
const GOODBYE_MS = 500;

/** What grpc-js 1.14 has and does not say. */
interface Internals {
  commonServerOptions: { settings?: { maxConcurrentStreams?: number; initialWindowSize?: number } };
  _verifyContentType(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): boolean;
  _retrieveHandler(path: string): unknown;
  _setupHandlers(server: SessionSource, interceptors: readonly unknown[]): void;
}

interface SessionSource {
  on(event: "session", listener: (session: ServerHttp2Session) => void): void;
}

/** One connection, as long as it lives. */
interface Connection {
  readonly peer: Peer;
  readonly pings: PingPolicy;
  calls: number;
}

/** A call between the two hooks of grpc-js that it passes without a pause. */
interface Opening {
  readonly stream: ServerHttp2Stream;
  readonly headers: IncomingHttpHeaders;
}

export class GrpcJsEngine implements Engine {
  readonly #options: GrpcJsOptions;
  readonly #server: Server;
  readonly #injector: ReturnType<Server["createConnectionInjector"]>;
  readonly #connections = new Map<ServerHttp2Session, Connection>();
  #opening: Opening | undefined;
  #allClosed: (() => void) | undefined;

  constructor(options: GrpcJsOptions) {
    setLogVerbosity(logVerbosity.NONE); // it would write to standard error
    this.#options = options;
    const { intervalMs, timeoutMs } = options.keepalive;
    this.#server = new Server({
      "grpc.enable_channelz": 0,
      "grpc.max_receive_message_length": options.maxReceiveBytes,
      ...(intervalMs < TIMER_MAX_MS && timeoutMs < TIMER_MAX_MS
        ? { "grpc.keepalive_time_ms": intervalMs, "grpc.keepalive_timeout_ms": timeoutMs }
        : {}),
      ...(options.maxConcurrentStreams < STREAMS_UNBOUNDED
        ? { "grpc.max_concurrent_streams": options.maxConcurrentStreams }
        : {}),
      interceptors: [(_method, call) => this.#takeOver(call)],
    });
    this.#hook(this.#server as unknown as Internals);
    this.#injector = this.#server.createConnectionInjector(ServerCredentials.createInsecure());
  }

  accept(socket: Socket): void {
    this.#injector.injectConnection(socket);
  }

  async stop(graceMs: number): Promise<void> {
    for (const session of this.#connections.keys()) session.close(); // says GOAWAY; ends when its calls have
    await this.#options.dispatcher.stop(graceMs);
    await this.#untilClosed();
    for (const session of this.#connections.keys()) session.destroy();
    this.#injector.destroy();
    this.#server.forceShutdown();
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

  // ---- hooks

  #hook(internals: Internals): void {
    const setUp = internals._setupHandlers;
    const settings = internals.commonServerOptions.settings;
    internals.commonServerOptions.settings = { ...settings, initialWindowSize: STREAM_WINDOW_BYTES };
    internals._setupHandlers = (server, interceptors) => {
      setUp.call(internals, server, interceptors);
      server.on("session", (session) => this.#connected(session));
    };
    internals._verifyContentType = (stream, headers) => this.#headersCame(stream, headers);
    internals._retrieveHandler = (path) => ({
      path,
      type: "bidi",
      func: neverCalled,
      serialize: asBuffer,
      deserialize,
    });
  }

  #connected(session: ServerHttp2Session): void {
    const { minTimeMs } = this.#options.keepalive;
    const connection = { peer: peerOf(session), pings: new PingPolicy(minTimeMs), calls: 0 };
    this.#connections.set(session, connection);
    session.once("close", () => {
      this.#connections.delete(session);
      if (this.#connections.size === 0) this.#allClosed?.();
    });
    session.setLocalWindowSize(CONNECTION_WINDOW_BYTES);
    if (session.encrypted || minTimeMs === 0) return;
    // A long answer goes out piece by piece, and only the socket's counter tells that some of it went between two pings.
    let writtenBefore = 0;
    session.on("ping", () => {
      const { bytesWritten } = session.socket;
      if (bytesWritten - writtenBefore > PING_ANSWER_BYTES_MAX) connection.pings.sent();
      writtenBefore = bytesWritten;
      if (!connection.pings.allow(this.#options.monotonicMs(), connection.calls)) sendAway(session);
    });
  }

  /** Whether grpc-js is to go on with it. */
  #headersCame(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): boolean {
    if (!this.#isCall(stream, headers)) return false;
    this.#opening = { stream, headers: { ...headers } };
    delete headers["grpc-timeout"]; // the dispatcher keeps it
    return true;
  }

  /** False: it has been answered, or will be by the HTTP paths. */
  #isCall(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): boolean {
    const { http, dispatcher } = this.#options;
    const asked = {
      method: headers[":method"] ?? "",
      path: headers[":path"] ?? "",
      contentType: headers["content-type"] ?? "",
      timeout: headers["grpc-timeout"] as string | undefined,
      secure: stream.session?.encrypted === true,
    };
    const way = wayOf(asked, { hasPaths: http !== undefined, serves: (name) => dispatcher.serves(name) });
    if (way === "call") return true;
    if (way === "paths") {
      const request = new Http2ServerRequest(stream, headers, {}, []);
      const response = new Http2ServerResponse(stream);
      http?.(request as unknown as IncomingMessage, response as unknown as ServerResponse);
    } else turnAway(stream, way);
    return false;
  }

  // ---- calls

  #takeOver(call: ServerInterceptingCallInterface): ServerInterceptingCall {
    const opening = this.#opening;
    this.#opening = undefined;
    return new TakenCall(call, () => {
      if (opening !== undefined) this.#begin(opening, call);
    });
  }

  #begin({ stream, headers }: Opening, call: ServerInterceptingCallInterface): void {
    const connection = stream.session && this.#connections.get(stream.session as ServerHttp2Session);
    if (connection === undefined || stream.destroyed) return; // it has gone already
    const wire = new GrpcJsWire(call, connection.pings);
    connection.calls++;
    stream.once("close", () => {
      connection.calls--;
      wire.closed();
    });
    const facts = readCallFacts(headers as Headers, connection.peer);
    wire.carry(this.#options.dispatcher.begin(headers[":path"] ?? "", facts, wire));
  }
}

/** A call whose start is ours: the handler that grpc-js would start never runs. */
class TakenCall extends ServerInterceptingCall {
  readonly #begin: () => void;

  constructor(call: ServerInterceptingCallInterface, begin: () => void) {
    super(call);
    this.#begin = begin;
  }

  override start(): void {
    this.#begin();
  }
}

class GrpcJsWire implements Wire {
  readonly #call: ServerInterceptingCallInterface;
  readonly #pings: PingPolicy;
  readonly #sendStatus: ServerInterceptingCallInterface["sendStatus"];
  #running: Running | undefined;
  #unsentBytes = 0;
  #heldBack = false;

  constructor(call: ServerInterceptingCallInterface, pings: PingPolicy) {
    this.#call = call;
    this.#pings = pings;
    this.#sendStatus = call.sendStatus.bind(call);
    // Refusals of grpc-js itself pass here too: they get grpc-go's words, and the running call hears of its end.
    call.sendStatus = ({ code, details }) =>
      this.#running?.refuse({ grpc: code ?? GrpcCode.UNKNOWN, text: goText(details ?? "") });
    call.start({
      onReceiveMetadata: () => undefined,
      onReceiveMessage: (message: Uint8Array) => this.#running?.message(message),
      onReceiveHalfClose: () => this.#running?.halfClose(),
      onCancel: () => undefined, // the stream's close says it, whatever happened before
    });
  }

  /** From now on what comes belongs to `running`. Nothing can have come before: messages are asked for. */
  carry(running: Running): void {
    this.#running = running;
  }

  closed(): void {
    this.#running?.peerGone();
  }

  read(): void {
    this.#call.startRead();
  }

  send(bytes: Uint8Array): boolean {
    this.#pings.sent();
    this.#unsentBytes += bytes.length;
    this.#call.sendMessage(bytes, () => this.#sent(bytes.length));
    if (this.#unsentBytes < UNSENT_MAX_BYTES) return true;
    this.#heldBack = true;
    return false;
  }

  finish({ grpc, text }: Status): void {
    this.#pings.sent();
    this.#sendStatus({ code: grpc, details: "", metadata: text === "" ? null : messageMetadata(text) });
  }

  #sent(bytes: number): void {
    this.#unsentBytes -= bytes;
    if (!this.#heldBack || this.#unsentBytes * 2 > UNSENT_MAX_BYTES) return;
    this.#heldBack = false;
    this.#running?.drained();
  }
}

/** The text of a status as grpc-go escapes it: grpc-js would escape spaces too. Its own empty text is replaced. */
function messageMetadata(text: string): Metadata {
  const metadata = new Metadata();
  metadata.set("grpc-message", escapeMessage(text));
  return metadata;
}

/** What grpc-js says, in the words of grpc-go, which etcd's clients may know. */
function goText(details: string): string {
  const tooLarge = /^Received message larger than max \((\d+) vs (\d+)\)$/.exec(details);
  if (tooLarge !== null) return `grpc: received message larger than max (${tooLarge[1]} vs. ${tooLarge[2]})`;
  const unpacked = /^Received message that decompresses to a size larger than (\d+)$/.exec(details);
  if (unpacked !== null) return `grpc: received message after decompression larger than max ${unpacked[1]}`;
  if (details === "Failed to decompress message") return "grpc: failed to decompress the message: unexpected EOF";
  return details;
}

function turnAway(stream: ServerHttp2Stream, { status, headers, body }: TurnedAway): void {
  stream.respond({ ":status": status, ...Object.fromEntries(headers) });
  stream.end(body);
}

/** Ends a connection whose peer does not keep to the rules. */
function sendAway(session: ServerHttp2Session): void {
  if (session.destroyed) return;
  session.goaway(http2.NGHTTP2_ENHANCE_YOUR_CALM, 0, Buffer.from("too_many_pings"));
  setTimeout(() => session.destroy(), GOODBYE_MS).unref();
}

function peerOf(session: ServerHttp2Session): Peer {
  const { socket } = session;
  return { remoteAddress: remoteAddressText(socket as Socket), commonName: commonNameOf(socket) };
}

/** Of the certificate that was asked for and verified. */
function commonNameOf(socket: Socket | TLSSocket): string | undefined {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined;
  const name: string | string[] | undefined = socket.getPeerCertificate().subject?.CN;
  return typeof name === "string" ? name : name?.[0];
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function deserialize(bytes: Buffer): Buffer {
  return bytes;
}

function neverCalled(): void {}

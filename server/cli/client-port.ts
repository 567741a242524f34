/**
 * One listening socket for clients, and where each connection on it goes. A connection is TLS or plain, and HTTP/2 (gRPC,
 * or the HTTP paths) or HTTP/1; its first bytes say which.
 *
 *   socket ──┬─ plain   first bytes ──┬─ "PRI " ──────────────► engine
 *            │                        └─ anything else ───────► HTTP/1 ──► paths
 *            └─ TLS     handshake, certificate ──┬─ ALPN h2 ──► engine
 *                                                └─ else ─────► HTTP/1 ──► paths
 */
import { unlinkSync } from "node:fs";
import {
  createServer as createHttpServer,
  type Server as HttpServer,
  type IncomingMessage,
  type RequestListener,
  type ServerResponse,
} from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import type { TLSSocket, Server as TlsServer } from "node:tls";
import { HELLO_MS, HTTP1_HEAD_MS, HTTP1_REQUEST_MS, MAX_SILENT } from "../http2/limits.ts";
import type { Engine } from "../rpc/engine.ts";
import type { ClientCertificates } from "./client-certificates.ts";

/** Who answers. Without an engine HTTP/2 is not spoken, without `http` nothing but gRPC. */
export interface Traffic {
  readonly engine?: Engine | undefined;
  readonly http?: RequestListener | undefined;
}

/** What one socket is opened on. */
export interface Place {
  readonly host: string;
  readonly port: number;
  /** Of a socket file; then host and port mean nothing. */
  readonly path: string;
  readonly url: string;
  readonly plain: boolean;
  readonly secure: boolean;
  /** Not there on every machine: no error when it cannot be had. */
  readonly optional: boolean;
}

/** How often Node looks for requests over HTTP/1 that take too long, and we for connections that say nothing. */
const LOOK_MS = 1000;

const TCP_KEEPALIVE_MS = 30_000;

/** The start of HTTP/2's preface; no HTTP/1 request begins so. */
const PREFACE = Buffer.from("PRI ");
/** The first byte of a TLS handshake. */
const TLS_HANDSHAKE = 0x16;

/** Connections that may wait for `serve`. */
const EARLY_MAX = 1024;

/** Of all ports of a program: connections that are open, and what happens beyond the bound. */
export interface ConnectionCount {
  open: number;
  readonly max: number;
  /** One more has been closed as it came. */
  readonly refused: () => void;
}

/** One listening socket. The HTTP/1 server owns it, and is given those connections alone that speak HTTP/1. */
export class ClientPort {
  readonly plain: boolean;
  readonly secure: boolean;
  readonly #place: Place;
  readonly #server: HttpServer;
  readonly #takeHttp1: (socket: Socket) => void;
  readonly #tls: TlsServer | undefined;
  readonly #sockets = new Set<Socket>();
  readonly #count: ConnectionCount;
  /** Connections that have not shown what they speak, oldest first, and since when. */
  readonly #silent = new Map<Socket, number>();
  /** Those of them whose TLS handshake is under way, by the peer's address: what comes out of it is another socket. */
  readonly #handshakes = new Map<string, Socket>();
  #looks: NodeJS.Timeout | undefined;
  #traffic: Traffic | undefined;
  #early: Socket[] = [];
  #closing = false;
  /** Under way over HTTP/1. */
  #requests = 0;
  #idle: (() => void) | undefined;

  constructor(place: Place, count: ConnectionCount, tls: ClientCertificates | undefined) {
    this.#place = place;
    this.#count = count;
    this.plain = place.plain;
    this.secure = place.secure;
    this.#server = createHttpServer(
      {
        headersTimeout: HTTP1_HEAD_MS,
        requestTimeout: HTTP1_REQUEST_MS,
        connectionsCheckingInterval: LOOK_MS,
        noDelay: true,
      },
      (request, response) => this.#requested(request, response),
    );
    const own = this.#server.listeners("connection") as ((socket: Socket) => void)[];
    this.#takeHttp1 = (socket) => {
      for (const take of own) take.call(this.#server, socket);
    };
    this.#server.removeAllListeners("connection");
    this.#server.on("connection", (socket: Socket) => this.#connected(socket));
    this.#server.on("clientError", (_error, socket) => socket.destroy());
    this.#tls = place.secure ? tls?.createServer((socket) => this.#secured(socket)) : undefined;
  }

  get text(): string {
    return placeText({ ...this.#place, port: this.boundPort });
  }

  get boundPort(): number {
    return (this.#server.address() as AddressInfo | null)?.port ?? this.#place.port;
  }

  get engine(): Engine | undefined {
    return this.#traffic?.engine;
  }

  async bind(): Promise<void> {
    const { host, port, path } = this.#place;
    if (path !== "") await removeDeadSocketFile(path);
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      const listening = () => {
        this.#server.off("error", reject);
        resolve();
      };
      // Without a host Node listens on all addresses, IPv4 and IPv6, as Go does.
      if (path !== "") this.#server.listen({ path }, listening);
      else
        this.#server.listen(
          { port, ...(host === "" ? {} : { host, ipv6Only: host.includes(":") && host !== "::" }) },
          listening,
        );
    });
    this.#server.on("error", () => undefined); // of single connections that could not be accepted
  }

  serve(traffic: Traffic): void {
    this.#traffic = traffic;
    const early = this.#early;
    this.#early = [];
    for (const socket of early) this.#letIn(socket);
  }

  /** Resolves when every connection has gone. */
  stopAccepting(): Promise<void> {
    this.#closing = true;
    const early = this.#early;
    this.#early = [];
    for (const socket of early) socket.destroy();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }

  /** Resolves when no request over HTTP/1 is under way, after `graceMs` at the latest. */
  finishRequests(graceMs: number): Promise<void> {
    return new Promise((resolve) => {
      if (this.#requests === 0) return resolve();
      const timer = setTimeout(resolve, graceMs);
      this.#idle = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  destroyConnections(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #requested(request: IncomingMessage, response: ServerResponse): void {
    this.#requests++;
    response.once("close", () => {
      this.#requests--;
      if (this.#requests === 0) this.#idle?.();
    });
    this.#traffic?.http?.(request, response);
  }

  #connected(socket: Socket): void {
    if (this.#count.open >= this.#count.max && !this.#makeRoom()) {
      socket.destroy();
      this.#count.refused();
      return;
    }
    this.#sockets.add(socket);
    this.#count.open++;
    socket.once("close", () => {
      this.#sockets.delete(socket);
      this.#silent.delete(socket);
      this.#count.open--;
    });
    socket.on("error", () => undefined); // its close follows, and whoever reads from it hears of it
    socket.allowHalfOpen = false; // an HTTP/1 server wants it so; an HTTP/2 session would never hear of the end
    socket.setNoDelay(true);
    socket.setKeepAlive(true, TCP_KEEPALIVE_MS);
    if (this.#traffic !== undefined) this.#letIn(socket);
    else if (this.#early.length < EARLY_MAX && !this.#closing) this.#early.push(socket);
    else socket.destroy();
  }

  /** Closes the connection that has been silent for longest, if there is one. */
  #makeRoom(): boolean {
    const [oldest] = this.#silent.keys();
    if (oldest === undefined) return false;
    this.#silent.delete(oldest);
    oldest.destroy();
    return true;
  }

  #awaitHello(socket: Socket): void {
    if (this.#silent.size >= MAX_SILENT) this.#makeRoom();
    this.#silent.set(socket, performance.now());
    this.#looks ??= setInterval(() => this.#endSilent(performance.now()), LOOK_MS).unref();
  }

  #endSilent(nowMs: number): void {
    for (const [socket, sinceMs] of this.#silent) {
      if (nowMs - sinceMs < HELLO_MS) return;
      this.#silent.delete(socket);
      socket.destroy();
    }
    clearInterval(this.#looks);
    this.#looks = undefined;
  }

  #letIn(socket: Socket): void {
    this.#awaitHello(socket);
    if (!this.plain) this.#beginTls(socket);
    else this.#sniff(socket);
  }

  #beginTls(socket: Socket): void {
    if (socket.remotePort === undefined)
      this.#silent.delete(socket); // a socket file: the handshake's own deadline must do
    else {
      const peer = peerOf(socket);
      this.#handshakes.set(peer, socket);
      socket.once("close", () => this.#handshakes.delete(peer));
    }
    this.#tls?.emit("connection", socket);
  }

  /** Waits for as many bytes as tell what is spoken, and puts them back. */
  #sniff(socket: Socket): void {
    let start: Buffer = Buffer.alloc(0);
    const look = () => {
      const chunk: Buffer | null = socket.read();
      if (chunk === null) return; // the end, or not yet
      start = start.length === 0 ? chunk : Buffer.concat([start, chunk]);
      const spoken = spokenIn(start);
      if (spoken === undefined) return;
      socket.off("readable", look);
      socket.unshift(start);
      this.#route(socket, spoken);
    };
    socket.on("readable", look);
  }

  #route(socket: Socket, spoken: "tls" | "http2" | "http1"): void {
    const { engine, http } = this.#traffic as Traffic;
    if (spoken === "tls" && this.#tls !== undefined) {
      this.#beginTls(socket);
      return;
    }
    this.#silent.delete(socket);
    if (spoken === "http2" && engine !== undefined) engine.accept(socket);
    else if (spoken === "http1" && http !== undefined) {
      socket.allowHalfOpen = true; // a client may end its side and still read the answer
      this.#takeHttp1(socket);
    } else socket.destroy();
  }

  #secured(socket: TLSSocket): void {
    const below = this.#handshakes.get(peerOf(socket));
    if (below !== undefined) this.#silent.delete(below);
    this.#route(socket, socket.alpnProtocol === "h2" ? "http2" : "http1");
  }
}

function peerOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}

/** What the first bytes of a connection say; undefined: too few of them. */
function spokenIn(start: Buffer): "tls" | "http2" | "http1" | undefined {
  if (start[0] === TLS_HANDSHAKE) return "tls";
  const length = Math.min(start.length, PREFACE.length);
  if (start.compare(PREFACE, 0, length, 0, length) !== 0) return "http1";
  return length === PREFACE.length ? "http2" : undefined;
}

/** A socket file that nobody listens on any more is in the way of a new one. */
async function removeDeadSocketFile(path: string): Promise<void> {
  const code = await new Promise<string | undefined>((resolve) => {
    const probe = connect(path);
    probe.once("connect", () => {
      probe.destroy();
      resolve(undefined);
    });
    probe.once("error", (error: NodeJS.ErrnoException) => resolve(error.code));
  });
  if (code === "ECONNREFUSED") unlinkSync(path);
}

/** "127.0.0.1:2379", "[::1]:2379" or the path of a socket file. */
export function placeText({ host, port, path }: Place): string {
  if (path !== "") return path;
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

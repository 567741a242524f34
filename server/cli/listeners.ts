/**
 * The sockets that clients connect to. One port speaks everything: a connection is TLS or plain, and HTTP/2 (gRPC, or
 * the HTTP paths) or HTTP/1; its first bytes say which.
 *
 *   socket ──┬─ http://   first bytes ──┬─ "PRI " ──────────────► engine
 *            │                          └─ anything else ───────► HTTP/1 ──► paths
 *            └─ https://  handshake, certificate ──┬─ ALPN h2 ──► engine
 *                                                  └─ else ─────► HTTP/1 ──► paths
 *
 * Ports are taken early, so that one in use is found before anything is opened; connections are let in by `serve`.
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
import { createServer as createTlsServer, type TLSSocket, type Server as TlsServer } from "node:tls";
import { WorldError } from "../base/error.ts";
import type { ClientTls } from "../config/config.ts";
import { type Address, isSecure } from "../config/urls.ts";
import type { Logger } from "../ports/logger.ts";
import type { Engine } from "../rpc/engine.ts";
import { TlsFiles } from "../system/tls-files.ts";

export interface ListenerOptions {
  /** http and https may share a port. */
  readonly addresses: readonly Address[];
  /** For the message when one cannot be taken: "--listen-client-urls". */
  readonly flag: string;
  /** Needed when an address is https or unixs. */
  readonly tls: Pick<
    ClientTls,
    "certFile" | "keyFile" | "trustedCaFile" | "clientCertAuth" | "minVersion" | "maxVersion" | "ciphers"
  >;
  readonly logger: Logger;
  /** Connections on one socket at most; more are closed as they come. Undefined: what the system allows. */
  readonly maxConnections?: number | undefined;
}

/** Who answers. Without an engine HTTP/2 is not spoken, without `http` nothing but gRPC. */
export interface Traffic {
  readonly engine?: Engine | undefined;
  readonly http?: RequestListener | undefined;
}

/** As etcd's. */
const HANDSHAKE_MS = 10_000;
const HEADERS_MS = 5 * 60_000;

const TCP_KEEPALIVE_MS = 30_000;

/** The start of HTTP/2's preface; no HTTP/1 request begins so. */
const PREFACE = Buffer.from("PRI ");
/** The first byte of a TLS handshake. */
const TLS_HANDSHAKE = 0x16;

/** Connections that may wait for `serve`. */
const EARLY_MAX = 1024;

export class Listeners {
  readonly #options: ListenerOptions;
  readonly #ports: Port[];

  private constructor(options: ListenerOptions, ports: Port[]) {
    this.#options = options;
    this.#ports = ports;
  }

  /** Takes all ports, or none. Rejects with `WorldError`, which names the address and what to do. */
  static async bind(options: ListenerOptions): Promise<Listeners> {
    const tls = options.addresses.some(isSecure) ? new ClientCertificates(options) : undefined;
    const ports: Port[] = [];
    try {
      for (const places of placesOf(options.addresses)) ports.push(...(await bindPlaces(places, options, tls)));
    } catch (error) {
      await closeAll(ports);
      throw error;
    }
    return new Listeners(options, ports);
  }

  /** Where clients can connect: "127.0.0.1:2379", "[::1]:2379" or the path of a socket file. */
  get addresses(): string[] {
    return this.#ports.map((port) => port.text);
  }

  /** Lets connections in, those first that have waited. */
  serve(traffic: Traffic): void {
    const name = [...(traffic.engine ? ["grpc"] : []), ...(traffic.http ? ["http"] : [])].join("+");
    for (const port of this.#ports) {
      port.serve(traffic);
      const fields = { traffic: name, address: port.text };
      if (port.plain) {
        const message = "serving client traffic insecurely; this is strongly discouraged!";
        this.#options.logger.info(message, fields);
      }
      if (port.secure) this.#options.logger.info("serving client traffic securely", fields);
    }
  }

  /**
   * Accepts nothing more, lets calls under way finish for at most `graceMs`, and closes every connection. May be
   * called before `serve`, and twice.
   */
  async close(graceMs: number): Promise<void> {
    const closed = this.#ports.map((port) => port.stopAccepting());
    const engines = new Set(this.#ports.flatMap(({ engine }) => (engine === undefined ? [] : [engine])));
    await Promise.all([
      ...[...engines].map((engine) => engine.stop(graceMs)),
      ...this.#ports.map((port) => port.finishRequests(graceMs)),
    ]);
    for (const port of this.#ports) port.destroyConnections();
    await Promise.all(closed);
  }
}

/** What one socket is opened on. */
interface Place {
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

/** One group for each address; localhost is two places that share a port. */
function placesOf(addresses: readonly Address[]): Place[][] {
  const groups = new Map<string, Place[]>();
  for (const address of addresses) {
    const { host, port, path, url } = address;
    const key = path === "" ? `${host}:${port === 0 ? url : port}` : path;
    const plain = !isSecure(address);
    const place = { host, port, path, url, plain, secure: !plain, optional: false };
    const before = groups.get(key);
    if (before !== undefined) {
      groups.set(
        key,
        before.map((one) => ({ ...one, plain: one.plain || plain, secure: one.secure || !plain })),
      );
    } else if (host === "localhost" && path === "") {
      groups.set(key, [
        { ...place, host: "127.0.0.1" },
        { ...place, host: "::1", optional: true },
      ]);
    } else groups.set(key, [place]);
  }
  return [...groups.values()];
}

async function bindPlaces(
  places: readonly Place[],
  options: ListenerOptions,
  tls: ClientCertificates | undefined,
): Promise<Port[]> {
  const ports: Port[] = [];
  for (const place of places) {
    const taken = ports[0]?.boundPort ?? place.port; // "any port" is the same one for all places of an address
    const port = new Port({ ...place, port: taken }, options, tls);
    try {
      await port.bind();
      ports.push(port);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (place.optional && (code === "EADDRNOTAVAIL" || code === "EAFNOSUPPORT")) continue;
      await closeAll(ports);
      throw new WorldError(
        `listen on ${placeText(place)} (${options.flag}=${place.url})`,
        new Error(hint(code, error)),
      );
    }
  }
  return ports;
}

async function closeAll(ports: readonly Port[]): Promise<void> {
  const closed = ports.map((port) => port.stopAccepting());
  for (const port of ports) port.destroyConnections();
  await Promise.all(closed);
}

function hint(code: string | undefined, error: unknown): string {
  switch (code) {
    case "EADDRINUSE":
      return "another process listens there; stop it, or choose another address";
    case "EACCES":
      return "this user may not; choose a port above 1023, or a folder that may be written to";
    case "EADDRNOTAVAIL":
      return "this machine has no such address; choose one that it has, or 0.0.0.0 for all";
    default:
      return error instanceof Error ? error.message : String(error);
  }
}

function placeText({ host, port, path }: Place): string {
  if (path !== "") return path;
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** One listening socket. The HTTP/1 server owns it, and is given those connections alone that speak HTTP/1. */
class Port {
  readonly plain: boolean;
  readonly secure: boolean;
  readonly #place: Place;
  readonly #server: HttpServer;
  readonly #takeHttp1: (socket: Socket) => void;
  readonly #tls: TlsServer | undefined;
  readonly #sockets = new Set<Socket>();
  #traffic: Traffic | undefined;
  #early: Socket[] = [];
  #closing = false;
  /** Under way over HTTP/1. */
  #requests = 0;
  #idle: (() => void) | undefined;

  constructor(place: Place, options: ListenerOptions, tls: ClientCertificates | undefined) {
    this.#place = place;
    this.plain = place.plain;
    this.secure = place.secure;
    this.#server = createHttpServer(
      { headersTimeout: HEADERS_MS, requestTimeout: 0, noDelay: true },
      (request, response) => this.#requested(request, response),
    );
    if (options.maxConnections !== undefined) this.#server.maxConnections = options.maxConnections;
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
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    socket.on("error", () => undefined); // its close follows, and whoever reads from it hears of it
    socket.allowHalfOpen = false; // an HTTP/1 server wants it so; an HTTP/2 session would never hear of the end
    socket.setNoDelay(true);
    socket.setKeepAlive(true, TCP_KEEPALIVE_MS);
    if (this.#traffic !== undefined) this.#letIn(socket);
    else if (this.#early.length < EARLY_MAX && !this.#closing) this.#early.push(socket);
    else socket.destroy();
  }

  #letIn(socket: Socket): void {
    if (!this.plain) this.#tls?.emit("connection", socket);
    else this.#sniff(socket);
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
      socket.setTimeout(0);
      socket.unshift(start);
      this.#route(socket, spoken);
    };
    socket.setTimeout(HEADERS_MS, () => socket.destroy());
    socket.on("readable", look);
  }

  #route(socket: Socket, spoken: "tls" | "http2" | "http1"): void {
    const { engine, http } = this.#traffic as Traffic;
    if (spoken === "tls" && this.#tls !== undefined) this.#tls.emit("connection", socket);
    else if (spoken === "http2" && engine !== undefined) engine.accept(socket);
    else if (spoken === "http1" && http !== undefined) {
      socket.allowHalfOpen = true; // a client may end its side and still read the answer
      this.#takeHttp1(socket);
    } else socket.destroy();
  }

  #secured(socket: TLSSocket): void {
    this.#route(socket, socket.alpnProtocol === "h2" ? "http2" : "http1");
  }
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

/** TLS of one set of client addresses: which certificate we show, and whose we ask for. */
class ClientCertificates {
  readonly #files: TlsFiles;
  readonly #logger: Logger;
  readonly #required: boolean;
  readonly #servers: TlsServer[] = [];

  constructor({ tls, logger }: ListenerOptions) {
    this.#files = new TlsFiles(tls, logger);
    this.#logger = logger;
    this.#required = tls.clientCertAuth || tls.trustedCaFile !== "";
  }

  /** A server that is handed connections and hands on those that have passed. */
  createServer(passed: (socket: TLSSocket) => void): TlsServer {
    const server = createTlsServer({
      ...this.#files.options,
      ALPNProtocols: ["h2", "http/1.1"],
      requestCert: this.#required,
      rejectUnauthorized: false, // judged below, where the reason is known
      handshakeTimeout: HANDSHAKE_MS,
    });
    server.prependListener("connection", () => this.#refresh());
    server.on("tlsClientError", (error, socket) => this.#reject(socket, failureText(error)));
    server.on("secureConnection", (socket) => {
      socket.on("error", () => undefined);
      if (this.#required && !socket.authorized) this.#reject(socket, distrustText(socket));
      else passed(socket);
    });
    this.#servers.push(server);
    return server;
  }

  #refresh(): void {
    if (!this.#files.refresh()) return;
    for (const server of this.#servers) server.setSecureContext(this.#files.options);
  }

  #reject(socket: TLSSocket, error: string): void {
    this.#logger.warn("rejected connection on client endpoint", {
      "remote-addr": socket.remoteAddress === undefined ? "" : `${socket.remoteAddress}:${socket.remotePort}`,
      "server-name": socket.servername || "",
      error,
    });
    socket.destroy();
  }
}

/** Why a handshake failed, in Go's words where there are some. */
function failureText(error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case "ERR_SSL_HTTP_REQUEST":
    case "ERR_SSL_WRONG_VERSION_NUMBER":
      return "tls: first record does not look like a TLS handshake";
    case "ERR_SSL_UNSUPPORTED_PROTOCOL":
      return "tls: client offered only unsupported versions";
    case "ERR_SSL_NO_SHARED_CIPHER":
      return "tls: no cipher suite supported by both client and server";
    case "ERR_TLS_HANDSHAKE_TIMEOUT":
      return "tls: handshake timed out";
    case "ECONNRESET":
      return "EOF";
    default:
      return error.message;
  }
}

/** Why a client's certificate does not count. */
function distrustText(socket: TLSSocket): string {
  if (socket.getPeerCertificate().raw === undefined) return "tls: client didn't provide a certificate";
  return `tls: failed to verify certificate: x509: ${distrustReason(String(socket.authorizationError))}`;
}

function distrustReason(code: string): string {
  switch (code) {
    case "CERT_HAS_EXPIRED":
    case "CERT_NOT_YET_VALID":
      return "certificate has expired or is not yet valid";
    case "INVALID_PURPOSE":
      return "certificate specifies an incompatible key usage";
    case "UNABLE_TO_VERIFY_LEAF_SIGNATURE":
    case "UNABLE_TO_GET_ISSUER_CERT":
    case "UNABLE_TO_GET_ISSUER_CERT_LOCALLY":
    case "SELF_SIGNED_CERT_IN_CHAIN":
    case "DEPTH_ZERO_SELF_SIGNED_CERT":
      return "certificate signed by unknown authority";
    default:
      return code;
  }
}

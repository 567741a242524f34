/**
 * The sockets that other members connect to. Ports are taken early, so that one in use is found before anything is
 * opened; requests that come before `serve` wait for it.
 */
import {
  createServer,
  type Server as HttpServer,
  type IncomingMessage,
  type RequestListener,
  type ServerResponse,
} from "node:http";
import { type AddressInfo, createServer as createPlainServer, type Server as NetServer, type Socket } from "node:net";
import { WorldError } from "../base/error.ts";
import type { PeerCertificates } from "./peer-certificates.ts";

export interface PeerAddress {
  /** "": all addresses. */
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
  readonly isSecure: boolean;
}

/** Far more than members need: two streams each way, messages, questions. More are closed as they come. */
const CONNECTIONS_MAX = 1024;
/** Requests that may wait for `serve`; more are answered with 503. */
const EARLY_MAX = 256;
const HEADERS_MS = 10_000;
/** Longer than others keep one, so that it is not closed as they send on it. */
const KEEP_ALIVE_MS = 30_000;
const TCP_KEEPALIVE_MS = 30_000;

export class PeerListener {
  readonly #http: HttpServer;
  readonly #bound: NetServer[] = [];
  readonly #sockets = new Set<Socket>();
  #handler: RequestListener | undefined;
  #early: { readonly request: IncomingMessage; readonly response: ServerResponse }[] = [];

  private constructor() {
    // A snapshot may take longer than any time for a whole request; silence is bounded where it is read.
    const times = { headersTimeout: HEADERS_MS, requestTimeout: 0, keepAliveTimeout: KEEP_ALIVE_MS };
    this.#http = createServer({ ...times, noDelay: true, keepAlive: true }, (request, response) =>
      this.#requested(request, response),
    );
    this.#http.on("clientError", (_error, socket) => socket.destroy());
  }

  /** Takes all ports, or none; https ones need certificates. Rejects with `WorldError`, which names the address. */
  static async bind(
    addresses: readonly PeerAddress[],
    certificates?: PeerCertificates | undefined,
  ): Promise<PeerListener> {
    const listener = new PeerListener();
    try {
      for (const address of addresses) await listener.#bind(address, certificates);
    } catch (error) {
      await listener.close();
      throw error;
    }
    return listener;
  }

  /** "127.0.0.1:2380", in the order in which they were asked for. */
  get addresses(): string[] {
    return this.#bound.map((server) => {
      const { address, port } = server.address() as AddressInfo;
      return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
    });
  }

  /** Answers requests, those first that have waited. */
  serve(handler: RequestListener): void {
    this.#handler = handler;
    const early = this.#early;
    this.#early = [];
    for (const { request, response } of early) handler(request, response);
  }

  /** Accepts nothing more and breaks every connection. */
  async close(): Promise<void> {
    const closed = this.#bound.map((server) => new Promise<void>((resolve) => server.close(() => resolve())));
    for (const socket of this.#sockets) socket.destroy();
    this.#http.closeAllConnections();
    await Promise.all(closed);
  }

  async #bind({ host, port, isSecure }: PeerAddress, certificates: PeerCertificates | undefined): Promise<void> {
    const where = `${isSecure ? "https" : "http"}://${host}:${port}`;
    if (isSecure && certificates === undefined)
      throw new WorldError(`listen on ${where}`, new Error("no peer certificates are given (--peer-cert-file)"));
    const take = (socket: Socket) => this.#http.emit("connection", socket);
    const server: NetServer =
      isSecure && certificates !== undefined ? certificates.createServer(take) : createPlainServer(take);
    server.maxConnections = CONNECTIONS_MAX;
    server.on("connection", (socket: Socket) => this.#connected(socket));
    await new Promise<void>((resolve, reject) => {
      server.once("error", (error) => reject(new WorldError(`listen on ${where} (--listen-peer-urls)`, error)));
      server.listen({ port, ...(host === "" ? {} : { host }) }, resolve);
    });
    server.on("error", () => undefined); // of single connections that could not be accepted
    this.#bound.push(server);
  }

  #connected(socket: Socket): void {
    this.#sockets.add(socket);
    socket.setNoDelay(true);
    socket.setKeepAlive(true, TCP_KEEPALIVE_MS);
    socket.on("error", () => undefined);
    socket.once("close", () => this.#sockets.delete(socket));
  }

  #requested(request: IncomingMessage, response: ServerResponse): void {
    if (this.#handler !== undefined) this.#handler(request, response);
    else if (this.#early.length < EARLY_MAX) this.#early.push({ request, response });
    else response.writeHead(503).end();
  }
}

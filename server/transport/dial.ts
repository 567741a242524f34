/**
 * Requests to other members. Streams, messages and snapshots take a connection of their own; questions share those that
 * are open. Everything has an end: a silent connection is broken after its time.
 */
import { type ClientRequest, Agent as HttpAgent, type IncomingMessage, request as requestHttp } from "node:http";
import { Agent as HttpsAgent, request as requestHttps } from "node:https";
import { WorldError } from "../base/error.ts";
import { textOf } from "./message-codec.ts";
import type { PeerCertificates } from "./peer-certificates.ts";

export interface DialOptions {
  readonly method: "GET" | "POST";
  readonly headers: Readonly<Record<string, string | number>>;
  /** Longest silence. */
  readonly idleMs: number;
  /** Longest wait until the connection stands. */
  readonly dialMs: number;
  /** Whether an open connection may be used, and this one be used again. */
  readonly isShared?: boolean;
}

/** Questions under way to one address; more wait for these. */
const SHARED_MAX = 32;
/** A member of etcd closes a connection after 5 s of silence: one that old may be closed as we write to it. */
const SHARED_IDLE_MS = 4000;

export class Dialer {
  readonly #certificates: PeerCertificates | undefined;
  readonly #http: HttpAgent;
  readonly #https: HttpsAgent;
  readonly #open = new Set<ClientRequest>();
  #closed = false;

  /** Without certificates https URLs fail. */
  constructor(certificates: PeerCertificates | undefined) {
    this.#certificates = certificates;
    const options = { keepAlive: true, maxSockets: SHARED_MAX, maxFreeSockets: 2, timeout: SHARED_IDLE_MS };
    this.#http = new HttpAgent(options);
    this.#https = new HttpsAgent(options);
  }

  /** Begins a request; whoever called listens to its events and ends it. Throws `WorldError` when that is impossible. */
  open(url: URL, path: string, options: DialOptions): ClientRequest {
    if (this.#closed) throw new WorldError(`connect to ${url.origin}`, new Error("this member stops"));
    const { method, headers, idleMs, dialMs, isShared = false } = options;
    const host = url.hostname.replace(/^\[|\]$/g, "");
    const common = { host, port: url.port, path, method, headers, setHost: true };
    const request =
      url.protocol === "https:"
        ? requestHttps({ ...common, ...this.#secrets(url), agent: isShared ? this.#https : false })
        : requestHttp({ ...common, agent: isShared ? this.#http : false });
    this.#open.add(request);
    request.once("close", () => this.#open.delete(request));
    request.setTimeout(idleMs, () => request.destroy(new Error(`nothing came or went for ${idleMs} ms`)));
    limitConnecting(request, dialMs);
    return request;
  }

  /** Breaks everything off. */
  close(): void {
    this.#closed = true;
    for (const request of this.#open) request.destroy();
    this.#http.destroy();
    this.#https.destroy();
  }

  #secrets(url: URL): object {
    if (this.#certificates !== undefined) return this.#certificates.clientOptions();
    throw new WorldError(`connect to ${url.origin}`, new Error("no peer certificates are given (--peer-cert-file)"));
  }
}

function limitConnecting(request: ClientRequest, dialMs: number): void {
  request.once("socket", (socket) => {
    socket.setNoDelay(true);
    if (!socket.connecting) return;
    const late = () => request.destroy(new Error(`no connection within ${dialMs} ms`));
    const timer = setTimeout(late, dialMs);
    socket.once("encrypted" in socket ? "secureConnect" : "connect", () => clearTimeout(timer));
    socket.once("close", () => clearTimeout(timer));
  });
}

/** An answer, read to its end. */
export interface PeerResponse {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
}

/** Reads an answer to its end; rejects when it breaks off or is longer than `maxBytes`. */
export async function readAnswer(request: ClientRequest, maxBytes: number): Promise<PeerResponse> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    request.once("response", resolve);
    request.on("error", reject);
    request.once("close", () => reject(new Error("the connection was closed")));
  });
  const body = await readBody(response, maxBytes);
  return { status: response.statusCode ?? 0, headers: response.headers, body };
}

/** A body that was longer than it may be. */
export class BodyTooLong extends Error {
  override readonly name = "BodyTooLong";
}

/** All bytes of a request or an answer. Rejects when it breaks off, or with `BodyTooLong`. */
export function readBody(message: IncomingMessage, maxBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const pieces: Buffer[] = [];
    let length = 0;
    message.on("data", (piece: Buffer) => {
      length += piece.length;
      if (length <= maxBytes) pieces.push(piece);
      else {
        reject(new BodyTooLong(`a body of more than ${maxBytes} bytes`));
        message.removeAllListeners("data");
        message.resume();
      }
    });
    message.once("end", () => resolve(Buffer.concat(pieces, Math.min(length, maxBytes))));
    message.on("error", (error) => reject(new Error(`the body broke off: ${textOf(error)}`, { cause: error })));
    message.once("close", () => reject(new Error("the body broke off")));
  });
}

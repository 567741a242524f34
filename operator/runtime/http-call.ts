/** One HTTP request over node:http or node:https, with a limit in time and in size. */
import http, { type Agent, type IncomingMessage } from "node:http";
import https from "node:https";
import { KubeError } from "./kube.ts";
import type { Time } from "./time.ts";

/** How the API server is reached: where, as whom, over which kept connections. */
export interface Connection {
  /** With a path when the API server stands behind one. */
  readonly server: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly agent: Agent;
}

export interface HttpRequest {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly connection: Connection;
}

export interface Answer {
  readonly status: number;
  readonly retryAfter: string | undefined;
  readonly body: string;
}

/** A request whose answer has begun. */
export interface Opened {
  readonly response: IncomingMessage;
  /** Breaks the connection; whoever reads the answer gets `error`. */
  destroy(error?: Error): void;
}

/** After so long without a byte a connection is asked by TCP whether it lives; some 10 s later a dead one breaks. */
const TCP_KEEP_ALIVE_MS = 30_000;

/** The whole exchange, within `limitMs` and `maxBytes` of answer. Fails with a `KubeError` without a status. */
export async function exchange(
  time: Time,
  request: HttpRequest,
  { limitMs, maxBytes }: { readonly limitMs: number; readonly maxBytes: number },
): Promise<Answer> {
  let stop = (_: Error) => {};
  let late: KubeError | undefined;
  const timer = time.after(limitMs, () => {
    late = new KubeError(`${named(request)}: no whole answer within ${limitMs} ms: nobody knows whether it was done`);
    stop(late);
  });
  try {
    const { response, destroy } = await open(request, (destroyer) => {
      stop = destroyer;
    });
    try {
      const body = await bodyOf(response, maxBytes);
      return { status: response.statusCode ?? 0, retryAfter: response.headers["retry-after"], body };
    } finally {
      if (!response.complete) destroy();
    }
  } catch (error) {
    throw late ?? broken(request, error);
  } finally {
    timer.cancel();
  }
}

/** Resolves when the answer has begun. `started` is given at once what breaks the request off. */
export function open(request: HttpRequest, started: (destroy: (error: Error) => void) => void): Promise<Opened> {
  const { connection, method, body, headers } = request;
  const { server, agent } = connection;
  const path = `${server.pathname.replace(/\/$/, "")}${request.path}`;
  const length = body === undefined ? {} : { "Content-Length": String(Buffer.byteLength(body)) };
  const options = {
    agent,
    method,
    path,
    hostname: server.hostname.replace(/^\[|\]$/g, ""),
    port: server.port,
    headers: { ...connection.headers, ...headers, ...length },
  };
  return new Promise((resolve, reject) => {
    const sent = server.protocol === "https:" ? https.request(options) : http.request(options);
    started((error) => sent.destroy(error));
    sent.on("socket", (socket) => socket.setKeepAlive(true, TCP_KEEP_ALIVE_MS));
    sent.once("response", (response) => {
      // Whoever reads it hears of it; a break before that must not end the process.
      response.on("error", () => undefined);
      resolve({
        response,
        destroy(error) {
          response.destroy(error);
          sent.destroy();
        },
      });
    });
    sent.on("error", (error) => reject(isOldConnection(error, sent.reusedSocket) ? new OldConnection(error) : error));
    sent.end(body);
  });
}

/** A kept connection that the other side had closed meanwhile: a call that only reads may be sent once more at once. */
export class OldConnection extends Error {
  constructor(cause: Error) {
    super(cause.message, { cause });
  }
}

function isOldConnection(error: Error, isReused: boolean): boolean {
  return isReused && ["ECONNRESET", "EPIPE"].includes((error as NodeJS.ErrnoException).code ?? "");
}

async function bodyOf(response: IncomingMessage, maxBytes: number): Promise<string> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of response as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > maxBytes) throw new Error(`the answer is longer than ${maxBytes} bytes: ask for smaller pages`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString("utf8");
}

/** The error of a call that has not got its answer. */
export function broken(request: Pick<HttpRequest, "method" | "path">, error: unknown): KubeError {
  if (error instanceof KubeError) return error;
  const text = error instanceof Error ? error.message : String(error);
  const failure = new KubeError(`${named(request)}: ${text}`);
  failure.cause = error;
  return failure;
}

/** For messages: without the query, which may be long. */
export function named({ method, path }: Pick<HttpRequest, "method" | "path">): string {
  return `${method} ${path.split("?")[0]}`;
}

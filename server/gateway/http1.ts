/**
 * HTTP/1.1 for the paths of ops.ts, on node:http. The server takes connections from a listener of its own or, by
 * `shared`, from one that it shares with gRPC. Headers, time and bodies are bounded; answers look
 * like those of etcd, which is written in Go.
 */
import {
  createServer,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type RequestListener,
  type Server,
  type ServerResponse,
} from "node:http";
import type { Duplex } from "node:stream";
import { type Access, checkHost, corsHeaders, targetOf } from "./access.ts";
import { handleOps, type OpsAnswer, type OpsFacts, type OpsPlace } from "./ops.ts";

export interface Http1Options {
  readonly facts: OpsFacts;
  readonly place: OpsPlace;
  /** Only for `place: "client"`; the metrics listener knows neither. */
  readonly access?: Access;
  /** It does not listen: connections are handed to it by `emit("connection", socket)`. Close it at the end all the same. */
  readonly shared?: boolean;
  /** Longest time for a head to come in; 20 s unless given. */
  readonly headersTimeoutMs?: number;
}

/** Longest head of a request. */
const MAX_HEADER_BYTES = 64 * 1024;
/** Longest time for a head, and for a whole request, to come in. */
const HEADERS_TIMEOUT_MS = 20_000;
const REQUEST_TIMEOUT_MS = 30_000;
/** How often connections are looked at for that. */
const CHECK_MS = 5000;
/** Longest rest of a connection between two requests: longer than scrapes and probes are apart. */
const KEEP_ALIVE_MS = 90_000;
/** How long a refused connection may finish sending. */
const LINGER_MS = 500;
/** Connections of a listener that is served here alone. */
const MAX_CONNECTIONS = 4096;

/** A server that answers; it does not listen yet. */
export function createHttp1Server(options: Http1Options): Server {
  const server = createServer(
    {
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: options.headersTimeoutMs ?? HEADERS_TIMEOUT_MS,
      connectionsCheckingInterval: Math.min(CHECK_MS, options.headersTimeoutMs ?? CHECK_MS),
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
      requireHostHeader: false, // asked for below, in Go's words
    },
    (request, response) => void serve(request, response, options),
  );
  server.maxConnections = MAX_CONNECTIONS;
  server.on("clientError", refuse);
  // Node looks after the times of connections from "listening" on, and only then (20 and 24).
  if (options.shared === true) server.emit("listening");
  return server;
}

/** Answers requests of a server that somebody else keeps, over HTTP/1 or HTTP/2. */
export function opsListener(options: Http1Options): RequestListener {
  return (request, response) => void serve(request, response, options);
}

async function serve(request: IncomingMessage, response: ServerResponse, options: Http1Options): Promise<void> {
  try {
    write(request, response, await answer(request, options));
  } catch (error) {
    options.facts.log.error("answering an HTTP request failed", { path: request.url, error });
    response.destroy();
  }
}

async function answer(request: IncomingMessage, { facts, place, access }: Http1Options): Promise<OpsAnswer> {
  const isHttp2 = "stream" in request;
  const hosts = request.rawHeaders.filter((name, index) => index % 2 === 0 && /^host$/i.test(name)).length;
  const target = targetOf(request.url ?? "");
  if (!isHttp2 && request.httpVersionMajor !== 1)
    return refusal("505 HTTP Version Not Supported: unsupported protocol version");
  if (hosts === 0 && request.httpVersion === "1.1") return refusal("400 Bad Request: missing required Host header");
  if (hosts > 1 || target === undefined) return refusal("400 Bad Request");
  if (request.method === "OPTIONS" && request.url === "*") return { status: 200, headers: [], body: "" };
  const secure = "encrypted" in request.socket;
  const misdirected = access && checkHost({ host: target.host ?? hostOf(request), secure }, access, facts.log);
  if (misdirected !== undefined) return misdirected;
  const before = access === undefined ? [] : corsHeaders(request.headers.origin ?? "", access);
  if (access !== undefined && request.method === "OPTIONS") return { status: 200, headers: before, body: "" };
  const { path, query } = target;
  const acceptEncoding = String(request.headers["accept-encoding"] ?? "");
  const given = await handleOps({ method: request.method ?? "", path, query, acceptEncoding }, facts, place);
  return { ...given, headers: [...before, ...given.headers] };
}

/** HTTP/2 has a field of its own for it. */
function hostOf({ headers }: IncomingMessage): string {
  return String(headers[":authority"] ?? headers.host ?? "");
}

/** As Go refuses what it has read as a request and will not handle; `text` begins with the status. */
function refusal(text: string): OpsAnswer {
  const headers = [
    ["Content-Type", "text/plain; charset=utf-8"],
    ["Connection", "close"],
  ] as const;
  return { status: Number(text.slice(0, 3)), headers, body: text };
}

function write(request: IncomingMessage, response: ServerResponse, { status, headers, body }: OpsAnswer): void {
  for (const [name, value] of headers) response.setHeader(name, value);
  if (body !== "" || request.method !== "HEAD") response.setHeader("Content-Length", Buffer.byteLength(body));
  const hasBody = request.headers["content-length"] !== undefined || request.headers["transfer-encoding"] !== undefined;
  // A body that nobody reads must not be able to go on for ever.
  if (hasBody && request.headers["content-length"] !== "0") response.shouldKeepAlive = false;
  // HTTP/1.1 keeps connections without saying so; Go does not say it either.
  else if (request.httpVersion === "1.1" && response.shouldKeepAlive && !response.hasHeader("Connection")) {
    response.removeHeader("Connection");
  }
  response.writeHead(status, {} as OutgoingHttpHeaders);
  response.end(body);
}

/** Connections that were refused and are lingering: what still comes in on them is reported as wrong again. */
const REFUSED = new WeakSet<Duplex>();

/** What could not even be read as a request gets Go's answer, and the connection ends. */
function refuse(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (REFUSED.has(socket)) return;
  if (!socket.writable || error.code === "ECONNRESET") {
    socket.destroy();
    return;
  }
  REFUSED.add(socket);
  const status =
    error.code === "HPE_HEADER_OVERFLOW"
      ? "431 Request Header Fields Too Large"
      : error.code === "ERR_HTTP_REQUEST_TIMEOUT"
        ? "408 Request Timeout"
        : "400 Bad Request";
  const head = `HTTP/1.1 ${status}\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n`;
  socket.end(head + status);
  // Closed at once, what is still on its way here would make the system throw the answer away over there.
  socket.resume();
  setTimeout(() => socket.destroy(), LINGER_MS).unref();
}

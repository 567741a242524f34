/**
 * The fake API server over HTTP, for tests of the real client:
 *
 *   const server = await serveFakeKube(fake, [PODS, LEASES]);
 *   ... server.url ...
 *   await server.close();
 *
 * A call that is lost breaks its connection; a watch that is silent keeps it.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import type { ApplyOptions, Key, KubeObject, ListOptions, Resource, WatchEvent } from "../../operator/runtime/kube.ts";
import { KubeError } from "../../operator/runtime/kube.ts";
import type { FakeKube } from "./fake-kube.ts";

export interface ServerOptions {
  /** Who does not come with this token is refused with 401. */
  readonly token?: () => string;
  /** Watches are written in pieces of so many bytes, each a turn after the other. */
  readonly pieceBytes?: number;
}

export interface FakeKubeServer {
  readonly url: string;
  /** Requests so far, as `METHOD path?query`. */
  readonly requests: readonly string[];
  /** Headers of the last request. */
  readonly lastHeaders: () => IncomingMessage["headers"];
  /** Connections that were opened so far. */
  readonly connections: () => number;
  /** Breaks all connections; new ones are taken. */
  breakAll(): void;
  close(): Promise<void>;
}

interface Target {
  readonly resource: Resource;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  readonly subresource: string | undefined;
}

interface Exchange extends Target {
  readonly fake: FakeKube;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly query: URLSearchParams;
  readonly options: ServerOptions;
}

/** Longer than clients keep a connection that they do not use. */
const KEEP_ALIVE_MS = 300_000;

const PATH = /^\/(?:api\/(v1)|apis\/([^/]+)\/([^/]+))(?:\/namespaces\/([^/]+))?\/([^/]+)(?:\/([^/]+))?(?:\/([^/]+))?$/;

export async function serveFakeKube(
  fake: FakeKube,
  resources: readonly Resource[],
  options: ServerOptions = {},
): Promise<FakeKubeServer> {
  const requests: string[] = [];
  const sockets = new Set<Socket>();
  let headers: IncomingMessage["headers"] = {};
  let opened = 0;
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    headers = request.headers;
    serve(fake, resources, options, request, response).catch((error: unknown) => fail(request, response, error));
  });
  // As the real one, which leaves it to clients to close connections that nobody uses.
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  server.on("connection", (socket) => {
    opened++;
    socket.setNoDelay(true);
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  const url = await listening(server);
  const breakAll = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    url,
    requests,
    lastHeaders: () => headers,
    connections: () => opened,
    breakAll,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      breakAll();
      await closed;
    },
  };
}

async function listening(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function serve(
  fake: FakeKube,
  resources: readonly Resource[],
  options: ServerOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { pathname, searchParams: query } = new URL(request.url ?? "/", "http://fake");
  if (options.token !== undefined && request.headers.authorization !== `Bearer ${options.token()}`)
    throw new KubeError("Unauthorized", 401, "Unauthorized");
  const target = targetOf(pathname, resources);
  if (target === undefined) {
    response.writeHead(404, { "Content-Type": "text/plain" }).end("404 page not found\n");
    return;
  }
  const exchange: Exchange = { ...target, fake, request, response, query, options };
  if (request.method === "GET" && query.get("watch")) await watch(exchange);
  else await answer(exchange);
}

function targetOf(pathname: string, resources: readonly Resource[]): Target | undefined {
  const [, core, group = "", other, namespace, plural, name, subresource] = PATH.exec(decodeURI(pathname)) ?? [];
  const version = core ?? other;
  const resource = resources.find((one) => one.group === group && one.version === version && one.plural === plural);
  return resource && { resource, namespace, name, subresource };
}

async function answer(exchange: Exchange): Promise<void> {
  const { request, response } = exchange;
  const result = await resultOf(exchange, await bodyOf(request));
  const code = request.method === "POST" ? 201 : 200;
  response.writeHead(code, { "Content-Type": "application/json" }).end(JSON.stringify(result));
}

async function resultOf(exchange: Exchange, body: string): Promise<unknown> {
  const { fake, request, resource, name, query } = exchange;
  const { method } = request;
  const key = keyOf(exchange);
  if (method === "GET" && name === undefined) return list(exchange);
  if (method === "GET") return (await fake.get(resource, key)) ?? missing(resource, key);
  fake.manager = (request.headers["user-agent"] ?? "unknown").split("/")[0] as string;
  const given = JSON.parse(body);
  if (method === "POST") return fake.create(resource, given as KubeObject);
  const isStatus = exchange.subresource === "status";
  const subresource = isStatus ? ({ subresource: "status" } as const) : {};
  if (method === "DELETE") {
    const { preconditions = {}, gracePeriodSeconds } = given;
    const grace = gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds };
    await fake.delete(resource, key, { ...preconditions, ...grace });
    return { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success" };
  }
  switch (request.headers["content-type"]) {
    case "application/merge-patch+json":
      return fake.patch(resource, key, given, subresource);
    case "application/apply-patch+yaml": {
      const options: ApplyOptions = {
        fieldManager: query.get("fieldManager") ?? "",
        force: query.get("force") === "true",
        ...subresource,
      };
      if (options.fieldManager === "")
        throw new KubeError("fieldManager is required for apply patch", 400, "BadRequest");
      return fake.apply(resource, given, options);
    }
    default:
      throw new KubeError(`${request.headers["content-type"]} is no supported patch`, 415, "UnsupportedMediaType");
  }
}

function keyOf({ namespace, name = "" }: Target): Key {
  return namespace === undefined ? { name } : { namespace, name };
}

function missing({ plural }: Resource, { name }: Key): never {
  throw new KubeError(`${plural} "${name}" not found`, 404, "NotFound");
}

async function list(exchange: Exchange): Promise<object> {
  const { fake, resource, query } = exchange;
  const limit = query.get("limit");
  const token = query.get("continue");
  const page = await fake.list(resource, {
    ...selection(exchange),
    ...(limit === null ? {} : { limit: Number(limit) }),
    ...(token === null ? {} : { continueToken: token }),
  });
  const { resourceVersion, continueToken } = page;
  // As the real one: what an item of a list is stands on the list alone.
  const items = page.items.map(({ apiVersion, kind, ...item }) => item);
  const metadata = { resourceVersion, ...(continueToken === undefined ? {} : { continue: continueToken }) };
  return { kind: `${resource.kind}List`, apiVersion: groupVersion(resource), metadata, items };
}

function selection({ namespace, query }: Exchange): Pick<ListOptions, "namespace" | "labelSelector" | "fieldSelector"> {
  const labelSelector = query.get("labelSelector");
  const fieldSelector = query.get("fieldSelector");
  return {
    ...(namespace === undefined ? {} : { namespace }),
    ...(labelSelector === null ? {} : { labelSelector }),
    ...(fieldSelector === null ? {} : { fieldSelector }),
  };
}

function groupVersion({ group, version }: Resource): string {
  return group === "" ? version : `${group}/${version}`;
}

async function watch(exchange: Exchange): Promise<void> {
  const { fake, response, resource, query } = exchange;
  const closed = new AbortController();
  response.once("close", () => closed.abort());
  const events = fake.watch(resource, {
    ...selection(exchange),
    resourceVersion: query.get("resourceVersion") ?? "0",
    timeoutSeconds: Number(query.get("timeoutSeconds") ?? 1800),
    signal: closed.signal,
  });
  const iterator = events[Symbol.asyncIterator]();
  let next = iterator.next();
  // What is refused at once is refused by HTTP; that a version is too old is said in the stream, as the real one does.
  const first = await Promise.race([
    next.then(
      () => undefined,
      (error: unknown) => error,
    ),
    turn().then(() => undefined),
  ]);
  if (first instanceof KubeError && first.status !== 410) throw first;
  response.writeHead(200, { "Content-Type": "application/json", "Transfer-Encoding": "chunked" });
  response.flushHeaders();
  try {
    for (let result = await next; !result.done; result = await next) {
      await write(exchange, lineOf(resource, result.value as WatchEvent<KubeObject>, query));
      next = iterator.next();
    }
    response.end();
  } catch (error) {
    if (!(error instanceof KubeError) || error.status === undefined) return void response.destroy();
    await write(exchange, `${JSON.stringify({ type: "ERROR", object: statusOf(error, undefined) })}\n`);
    response.end();
  }
}

function lineOf(resource: Resource, event: WatchEvent<KubeObject>, query: URLSearchParams): string {
  if (event.type !== "BOOKMARK") return `${JSON.stringify(event)}\n`;
  if (query.get("allowWatchBookmarks") !== "true") return "";
  const { resourceVersion } = event;
  const object = {
    kind: resource.kind,
    apiVersion: groupVersion(resource),
    metadata: { resourceVersion, creationTimestamp: null },
  };
  return `${JSON.stringify({ type: "BOOKMARK", object })}\n`;
}

async function write({ response, options: { pieceBytes } }: Exchange, line: string): Promise<void> {
  const bytes = Buffer.from(line);
  const size = pieceBytes ?? bytes.length;
  for (let start = 0; start < bytes.length; start += size) {
    response.write(bytes.subarray(start, start + size));
    if (pieceBytes !== undefined) await turn();
  }
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of request as AsyncIterable<Buffer>) parts.push(part);
  return Buffer.concat(parts).toString();
}

function fail(request: IncomingMessage, response: ServerResponse, error: unknown): void {
  if (!(error instanceof KubeError) || error.status === undefined) return void request.socket.destroy();
  const headers: Record<string, string> = { "Content-Type": "application/json" };
  if (error.retryAfterMs !== undefined) headers["Retry-After"] = String(Math.ceil(error.retryAfterMs / 1000));
  const [, name] = /"([^"]+)"/.exec(error.message) ?? [];
  response.writeHead(error.status, headers).end(JSON.stringify(statusOf(error, name)));
}

function statusOf({ status = 500, reason, message }: KubeError, name: string | undefined): object {
  // A path that is not there is said to be "not found" as well, but of nothing that has a name.
  const isUnknownPath = reason === "UnknownPath";
  return {
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    message,
    reason: isUnknownPath ? "NotFound" : reason,
    details: isUnknownPath || name === undefined ? {} : { name },
    code: status,
  };
}

/**
 * The port `Kube` over HTTP: JSON as it is in both directions. Knows paths, verbs, limits and errors; how the API server
 * is reached and as whom is `Connections`' affair.
 */

import { failureInStream, failureOf } from "./api-failure.ts";
import { collectionPath, objectPath, query, selection } from "./api-path.ts";
import {
  type Answer,
  broken,
  type Connection,
  exchange,
  type HttpRequest,
  named,
  OldConnection,
  type Opened,
  open,
} from "./http-call.ts";
import type {
  ApplyOptions,
  DeleteOptions,
  Key,
  Kube,
  KubeObject,
  ListOptions,
  Page,
  PatchOptions,
  Resource,
  WatchEvent,
  WatchOptions,
} from "./kube.ts";
import { KubeError } from "./kube.ts";
import { type ApiMetrics, NO_API_METRICS } from "./series.ts";
import type { Time } from "./time.ts";
import { linesOf } from "./watch-lines.ts";

export interface Connections {
  /** What to use now. Fails with what is wrong with the configuration. */
  current(): Promise<Connection>;
  /** The credentials were refused: the next ones are read anew. */
  renew(): void;
}

export interface RestClientOptions {
  readonly connections: Connections;
  readonly time: Time;
  /** Begins with the name under which the API server keeps who owns which field: `NAME/VERSION`. */
  readonly userAgent: string;
  readonly metrics?: ApiMetrics;
  /** A call has so long, answer included; milliseconds. */
  readonly callLimitMs?: number;
  /** A list has so long for a page. */
  readonly listLimitMs?: number;
}

const CALL_LIMIT_MS = 30_000;
const LIST_LIMIT_MS = 60_000;

/** An object is at most 1.5 MB in etcd, 3 MB on its way. */
const MAX_LINE_BYTES = 16 * 1024 * 1024;
const MAX_BODY_BYTES = 128 * 1024 * 1024;

/** What a watch may be silent beyond the time after which the server ends it. */
export const WATCH_SLACK_MS = 30_000;

type Verb = "get" | "list" | "watch" | "create" | "apply" | "patch" | "delete";

interface Call {
  readonly verb: Verb;
  readonly resource: Resource;
  readonly method: string;
  readonly path: string;
  readonly body?: unknown;
  readonly contentType?: string;
  readonly limitMs?: number;
}

export class RestClient implements Kube {
  readonly #connections: Connections;
  readonly #time: Time;
  readonly #userAgent: string;
  readonly #metrics: ApiMetrics;
  readonly #callLimitMs: number;
  readonly #listLimitMs: number;

  constructor(options: RestClientOptions) {
    this.#connections = options.connections;
    this.#time = options.time;
    this.#userAgent = options.userAgent;
    this.#metrics = options.metrics ?? NO_API_METRICS;
    this.#callLimitMs = options.callLimitMs ?? CALL_LIMIT_MS;
    this.#listLimitMs = options.listLimitMs ?? LIST_LIMIT_MS;
  }

  async get<T extends KubeObject>(resource: Resource, key: Key): Promise<T | undefined> {
    try {
      return (await this.#call({ verb: "get", resource, method: "GET", path: objectPath(resource, key) })) as T;
    } catch (error) {
      if (error instanceof KubeError && error.status === 404 && error.reason === "NotFound") return undefined;
      throw error;
    }
  }

  async list<T extends KubeObject>(resource: Resource, options: ListOptions): Promise<Page<T>> {
    const parameters = {
      ...selection(options),
      limit: options.limit,
      continue: options.continueToken,
      resourceVersion: options.resourceVersion,
    };
    const path = collectionPath(resource, options.namespace) + query(parameters);
    const limitMs = this.#listLimitMs;
    const list = (await this.#call({ verb: "list", resource, method: "GET", path, limitMs })) as {
      readonly items?: readonly T[] | null;
      readonly metadata?: { readonly resourceVersion?: string; readonly continue?: string };
    };
    const { resourceVersion, continue: token } = list.metadata ?? {};
    if (resourceVersion === undefined)
      throw new KubeError(`GET ${path}: the answer is no list: it has no resourceVersion`);
    const items = (list.items ?? []).map((item) => withKind(resource, item));
    return { items, resourceVersion, ...(token ? { continueToken: token } : {}) };
  }

  async *watch<T extends KubeObject>(resource: Resource, options: WatchOptions): AsyncGenerator<WatchEvent<T>> {
    const { signal, namespace, resourceVersion, timeoutSeconds } = options;
    const parameters = {
      ...selection(options),
      watch: true,
      allowWatchBookmarks: true,
      resourceVersion,
      timeoutSeconds,
    };
    const path = collectionPath(resource, namespace) + query(parameters);
    const what = { method: "GET", path };
    let isSilent = false;
    try {
      if (signal.aborted) return;
      const { response, destroy } = await this.#openWatch(resource, path, signal);
      const idleMs = timeoutSeconds * 1000 + WATCH_SLACK_MS;
      const guard = new Guard(this.#time, idleMs, () => {
        isSilent = true;
        destroy();
      });
      const aborted = () => destroy();
      signal.addEventListener("abort", aborted, { once: true });
      try {
        for await (const line of linesOf(guard.watched(response), MAX_LINE_BYTES)) {
          if (signal.aborted) return;
          yield eventOf<T>(resource, what, line);
        }
      } finally {
        guard.stop();
        signal.removeEventListener("abort", aborted);
        destroy();
      }
      if (isSilent) throw silence(what);
    } catch (error) {
      if (signal.aborted) return;
      throw isSilent ? silence(what) : broken(what, error);
    }
  }

  async create<T extends KubeObject>(resource: Resource, object: T): Promise<T> {
    const { namespace } = object.metadata;
    if (resource.isNamespaced && namespace === undefined)
      throw new TypeError(`${resource.kind} "${object.metadata.name}" was to be created without a namespace: name one`);
    const path = collectionPath(resource, namespace);
    return (await this.#call({ verb: "create", resource, method: "POST", path, body: object })) as T;
  }

  async apply<T extends KubeObject>(resource: Resource, object: T, options: ApplyOptions): Promise<T> {
    const { fieldManager, force, subresource } = options;
    const path = objectPath(resource, object.metadata, subresource) + query({ fieldManager, force });
    // A body of JSON is YAML.
    const contentType = "application/apply-patch+yaml";
    return (await this.#call({ verb: "apply", resource, method: "PATCH", path, body: object, contentType })) as T;
  }

  async patch<T extends KubeObject>(
    resource: Resource,
    key: Key,
    patch: object,
    options: PatchOptions = {},
  ): Promise<T> {
    const { subresource, resourceVersion } = options;
    const path = objectPath(resource, key, subresource);
    const { metadata } = patch as { readonly metadata?: object };
    const body = resourceVersion === undefined ? patch : { ...patch, metadata: { ...metadata, resourceVersion } };
    const contentType = "application/merge-patch+json";
    return (await this.#call({ verb: "patch", resource, method: "PATCH", path, body, contentType })) as T;
  }

  async delete(resource: Resource, key: Key, options: DeleteOptions): Promise<void> {
    const { uid, resourceVersion, gracePeriodSeconds } = options;
    const body = {
      apiVersion: "v1",
      kind: "DeleteOptions",
      propagationPolicy: "Background",
      preconditions: { uid, resourceVersion },
      gracePeriodSeconds,
    };
    await this.#call({ verb: "delete", resource, method: "DELETE", path: objectPath(resource, key), body });
  }

  async #call(call: Call): Promise<unknown> {
    const startedAt = this.#time.monotonic();
    let code = "none";
    try {
      const { status, retryAfter, body } = await this.#answer(call);
      code = String(status);
      if (status >= 200 && status < 300) return parsed(call, body);
      throw failureOf(named(call), status, body, retryAfter);
    } finally {
      this.#metrics.called(call.verb, call.resource.plural, code, this.#time.monotonic() - startedAt);
    }
  }

  /** Sent a second time only when nothing can have been done: credentials refused, or a read on a connection gone stale. */
  async #answer(call: Call): Promise<Answer> {
    const limits = { limitMs: call.limitMs ?? this.#callLimitMs, maxBytes: MAX_BODY_BYTES };
    const answer = await this.#sent(call, limits).catch((error: unknown) => {
      const isOld = error instanceof KubeError && error.cause instanceof OldConnection;
      if (isOld && call.method === "GET") return this.#sent(call, limits);
      throw error;
    });
    if (answer.status !== 401) return answer;
    this.#connections.renew();
    return this.#sent(call, limits);
  }

  async #sent(call: Call, limits: { readonly limitMs: number; readonly maxBytes: number }): Promise<Answer> {
    return exchange(this.#time, await this.#request(call), limits);
  }

  async #request({
    method,
    path,
    body,
    contentType = "application/json",
  }: Omit<Call, "verb" | "resource">): Promise<HttpRequest> {
    const connection = await this.#connections.current().catch((error: unknown) => {
      throw broken({ method, path }, error);
    });
    const headers: Record<string, string> = { Accept: "application/json", "User-Agent": this.#userAgent };
    if (body === undefined) return { method, path, headers, connection };
    headers["Content-Type"] = contentType;
    return { method, path, headers, connection, body: JSON.stringify(body) };
  }

  /** A watch whose answer has begun, and is a success. */
  async #openWatch(resource: Resource, path: string, signal: AbortSignal): Promise<Opened> {
    const startedAt = this.#time.monotonic();
    const opened = await this.#begun(path, signal);
    const { statusCode = 0, headers } = opened.response;
    this.#metrics.called("watch", resource.plural, String(statusCode), this.#time.monotonic() - startedAt);
    if (statusCode === 200) return opened;
    if (statusCode === 401) this.#connections.renew();
    const guard = new Guard(this.#time, this.#callLimitMs, () => opened.destroy());
    try {
      let body = "";
      for await (const part of opened.response.setEncoding("utf8")) body = (body + part).slice(0, 100_000);
      throw failureOf(named({ method: "GET", path }), statusCode, body, headers["retry-after"]);
    } finally {
      guard.stop();
      opened.destroy();
    }
  }

  /** The headers have to come within the limit of a call, and while `signal` is silent. */
  async #begun(path: string, signal: AbortSignal): Promise<Opened> {
    const request = await this.#request({ method: "GET", path });
    let stop = (_: Error) => {};
    const late = new KubeError(`${named(request)}: the watch has not begun within ${this.#callLimitMs} ms`);
    const timer = this.#time.after(this.#callLimitMs, () => stop(late));
    const aborted = () => stop(new Error("aborted"));
    signal.addEventListener("abort", aborted, { once: true });
    try {
      return await open(request, (destroy) => {
        stop = destroy;
        if (signal.aborted) aborted();
      });
    } finally {
      timer.cancel();
      signal.removeEventListener("abort", aborted);
    }
  }
}

/** Calls `silent` once nothing has come for `idleMs`. */
class Guard {
  readonly #time: Time;
  readonly #idleMs: number;
  readonly #silent: () => void;
  #timer: { cancel(): void };

  constructor(time: Time, idleMs: number, silent: () => void) {
    this.#time = time;
    this.#idleMs = idleMs;
    this.#silent = silent;
    this.#timer = time.after(idleMs, silent);
  }

  async *watched<T>(chunks: AsyncIterable<T>): AsyncGenerator<T> {
    for await (const chunk of chunks) {
      this.#timer.cancel();
      this.#timer = this.#time.after(this.#idleMs, this.#silent);
      yield chunk;
    }
  }

  stop(): void {
    this.#timer.cancel();
  }
}

function silence(what: { readonly method: string; readonly path: string }): KubeError {
  return new KubeError(`${named(what)}: the watch has been silent for longer than it may be: its connection is dead`);
}

function eventOf<T extends KubeObject>(
  resource: Resource,
  what: { readonly method: string; readonly path: string },
  line: string,
): WatchEvent<T> {
  let event: { readonly type?: string; readonly object?: T };
  try {
    event = JSON.parse(line);
  } catch {
    throw new KubeError(`${named(what)}: a line of the watch is no JSON: ${line.slice(0, 200)}`);
  }
  const { type, object } = event;
  if (type === "ERROR") throw failureInStream(named(what), object);
  const resourceVersion = object?.metadata?.resourceVersion;
  if (object === undefined || resourceVersion === undefined)
    throw new KubeError(`${named(what)}: an event of type "${type}" has no object with a version`);
  if (type === "BOOKMARK") return { type, resourceVersion };
  if (type === "ADDED" || type === "MODIFIED" || type === "DELETED")
    return { type, object: withKind(resource, object) };
  throw new KubeError(`${named(what)}: an event of unknown type "${type}"`);
}

/** Items of lists come without what they are. */
function withKind<T extends KubeObject>({ group, version, kind }: Resource, object: T): T {
  if (object.kind !== undefined && object.apiVersion !== undefined) return object;
  return { ...object, apiVersion: group === "" ? version : `${group}/${version}`, kind };
}

function parsed(call: Call, body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    throw new KubeError(`${named(call)}: the answer is no JSON: ${body.slice(0, 200)}`);
  }
}

import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, createServer as createTcpServer, type Socket } from "node:net";
import { describe, it, type TestContext } from "node:test";
import { plainConnections } from "../../test/operator/plain-connections.ts";
import { VirtualTime } from "../../test/operator/virtual-time.ts";
import { isGone, isNotFound, KubeError, type KubeObject, type Resource, type WatchEvent } from "./kube.ts";
import { RestClient } from "./rest-client.ts";

const PODS: Resource = { group: "", version: "v1", plural: "pods", kind: "Pod", isNamespaced: true };
const KEY = { namespace: "n", name: "a" };
const POD: KubeObject = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "a", namespace: "n", resourceVersion: "5" },
};

interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = "";
  for await (const part of request.setEncoding("utf8")) body += part;
  return body;
}

async function listening(context: TestContext, server: Server | ReturnType<typeof createTcpServer>): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => void sockets.add(socket));
  context.after(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function clientOf(context: TestContext, url: string, token?: () => string) {
  const time = new VirtualTime();
  const { connections, renewals, close } = plainConnections(url, token);
  context.after(close);
  const calls: string[] = [];
  const metrics = {
    called: (...[verb, resource, code]: readonly unknown[]) => void calls.push(`${verb} ${resource} ${code}`),
  };
  const kube = new RestClient({ connections, time, userAgent: "tester/1", metrics });
  return { kube, time, renewals, calls };
}

/** A server that answers as `answer` says, and a client of it. */
async function opened(
  context: TestContext,
  answer: (seen: Seen, response: ServerResponse, count: number) => void,
  token?: () => string,
) {
  const seen: Seen[] = [];
  let arrived = () => {};
  const first = new Promise<void>((resolve) => {
    arrived = resolve;
  });
  const listener: RequestListener = (request, response) => {
    void bodyOf(request).then((body) => {
      const { method = "", url = "", headers } = request;
      seen.push({ method, url, headers, body });
      answer(seen.at(-1) as Seen, response, seen.length);
      arrived();
    });
  };
  const url = await listening(context, createServer(listener));
  return { seen, arrived: first, url, ...clientOf(context, url, token) };
}

function json(response: ServerResponse, value: unknown, code = 200, headers: Record<string, string> = {}): void {
  response.writeHead(code, { "Content-Type": "application/json", ...headers }).end(JSON.stringify(value));
}

function failure(code: number, reason: string, name?: string): object {
  return {
    kind: "Status",
    status: "Failure",
    message: reason,
    reason,
    code,
    details: name === undefined ? {} : { name },
  };
}

function unknownOutcome(error: unknown): boolean {
  return error instanceof KubeError && error.status === undefined;
}

describe("RestClient", () => {
  it("speaks to the paths, with the verbs and the types that the API knows", async (context) => {
    const { kube, seen } = await opened(context, (_, response) => json(response, POD));
    await kube.get(PODS, KEY);
    await kube.create(PODS, POD);
    await kube.apply(PODS, POD, { fieldManager: "m/x", force: true, subresource: "status" });
    await kube.patch(
      PODS,
      KEY,
      { metadata: { labels: { a: "b" } }, spec: 1 },
      { resourceVersion: "7", subresource: "status" },
    );
    await kube.delete(PODS, KEY, { uid: "u", resourceVersion: "9", gracePeriodSeconds: 0 });
    const lines = seen.map(({ method, url, headers, body }) => [
      method,
      url,
      headers["content-type"],
      body && JSON.parse(body),
    ]);
    const path = "/api/v1/namespaces/n/pods";
    assert.deepEqual(lines, [
      ["GET", `${path}/a`, undefined, ""],
      ["POST", path, "application/json", POD],
      ["PATCH", `${path}/a/status?fieldManager=m%2Fx&force=true`, "application/apply-patch+yaml", POD],
      [
        "PATCH",
        `${path}/a/status`,
        "application/merge-patch+json",
        { metadata: { labels: { a: "b" }, resourceVersion: "7" }, spec: 1 },
      ],
      [
        "DELETE",
        `${path}/a`,
        "application/json",
        {
          apiVersion: "v1",
          kind: "DeleteOptions",
          propagationPolicy: "Background",
          preconditions: { uid: "u", resourceVersion: "9" },
          gracePeriodSeconds: 0,
        },
      ],
    ]);
    assert.equal(seen[0]?.headers["user-agent"], "tester/1");
    assert.equal(seen[0]?.headers.accept, "application/json");
  });

  it("fields that nobody knows pass through in both directions", async (context) => {
    const strange = { ...POD, spec: { brandNew: [{ deep: "\u20ac" }] }, metadata: { ...POD.metadata, odd: 1 } };
    const { kube, seen } = await opened(context, ({ body }, response) => json(response, JSON.parse(body)));
    assert.deepEqual(await kube.create(PODS, strange), strange);
    assert.deepEqual(JSON.parse(seen[0]?.body ?? ""), strange);
  });

  it("lists by page and selector, and says of items what they are", async (context) => {
    const { kube, seen } = await opened(context, (_, response) =>
      json(response, { metadata: { resourceVersion: "9", continue: "more" }, items: [{ metadata: { name: "a" } }] }),
    );
    const page = await kube.list(PODS, {
      namespace: "n",
      labelSelector: "a=b",
      fieldSelector: "c=d",
      limit: 2,
      continueToken: "t",
      resourceVersion: "0",
    });
    assert.deepEqual(page, {
      items: [{ metadata: { name: "a" }, apiVersion: "v1", kind: "Pod" }],
      resourceVersion: "9",
      continueToken: "more",
    });
    const { searchParams } = new URL(seen[0]?.url ?? "", "http://x");
    assert.deepEqual(Object.fromEntries(searchParams), {
      labelSelector: "a=b",
      fieldSelector: "c=d",
      limit: "2",
      continue: "t",
      resourceVersion: "0",
    });
  });

  it("an empty list may come as null, and what is no list is an error", async (context) => {
    const { kube } = await opened(context, (_, response, count) =>
      json(response, count === 1 ? { metadata: { resourceVersion: "9" }, items: null } : {}),
    );
    assert.deepEqual(await kube.list(PODS, {}), { items: [], resourceVersion: "9" });
    await assert.rejects(kube.list(PODS, {}), unknownOutcome);
  });

  it("get: an object that is not there is nothing; a path that is not there is an error", async (context) => {
    const { kube } = await opened(context, (_, response, count) => {
      if (count === 1) json(response, failure(404, "NotFound", "a"), 404);
      else if (count === 2) json(response, failure(404, "NotFound"), 404);
      else response.writeHead(404, { "Content-Type": "text/plain" }).end("404 page not found\n");
    });
    assert.equal(await kube.get(PODS, KEY), undefined);
    for (let count = 0; count < 2; count++)
      await assert.rejects(kube.get(PODS, KEY), (error: KubeError) => error.status === 404 && !isNotFound(error));
  });

  it("refusals carry their status, reason and pause, and are counted", async (context) => {
    const { kube, calls } = await opened(context, (_, response) =>
      json(response, failure(429, "TooManyRequests"), 429, { "Retry-After": "3" }),
    );
    await assert.rejects(
      kube.get(PODS, KEY),
      (error: KubeError) => error.status === 429 && error.retryAfterMs === 3000,
    );
    assert.deepEqual(calls, ["get pods 429"]);
  });

  it("no answer within the limit: nobody knows, and the connection is not used again", async (context) => {
    for (const begins of [false, true]) {
      const { kube, time, arrived, calls } = await opened(context, (_, response) => {
        if (begins) response.writeHead(200).write('{"half":');
      });
      const call = kube.create(PODS, POD);
      call.catch(() => undefined);
      await arrived;
      await time.advance(29_999);
      await time.advance(1);
      await assert.rejects(call, unknownOutcome);
      assert.deepEqual(calls, ["create pods none"]);
    }
  });

  it("a connection that breaks within the answer, and an answer that is no JSON: nobody knows", async (context) => {
    const { kube } = await opened(context, (_, response, count) => {
      if (count > 1) return void response.writeHead(200).end("<html>");
      response.writeHead(200, { "Content-Length": "100" }).write('{"half":');
      setImmediate(() => response.destroy());
    });
    await assert.rejects(kube.create(PODS, POD), unknownOutcome);
    await assert.rejects(kube.create(PODS, POD), unknownOutcome);
  });

  it("nobody listens: nobody knows", async (context) => {
    const { kube } = clientOf(context, "http://127.0.0.1:1");
    await assert.rejects(
      kube.get(PODS, KEY),
      (error: KubeError) => unknownOutcome(error) && /GET \/api\/v1/.test(error.message),
    );
  });

  it("credentials that were refused are read anew, once", async (context) => {
    let token = "old";
    const authorized = ({ headers }: Seen, response: ServerResponse) =>
      headers.authorization === "Bearer new" ? json(response, POD) : json(response, failure(401, "Unauthorized"), 401);
    const { kube, renewals, seen } = await opened(
      context,
      (one, response) => authorized(one, response),
      () => token,
    );
    await assert.rejects(kube.get(PODS, KEY), (error: KubeError) => error.status === 401);
    assert.deepEqual([seen.length, renewals()], [2, 1]);
    token = "new";
    assert.deepEqual(await kube.get(PODS, KEY), POD);
  });

  it("calls one after the other share a connection; one gone stale is no error for who reads, and is one for who writes", async (context) => {
    // Answers the first request of each connection, and breaks at the second.
    let connections = 0;
    const body = JSON.stringify(POD);
    const server = createTcpServer((socket) => {
      connections++;
      let requests = 0;
      socket.on("error", () => undefined);
      socket.on("data", (data) => {
        if (!/^(?:GET|POST) /.test(data.toString())) return;
        if (++requests > 1) socket.destroy();
        else
          socket.write(
            `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
          );
      });
    });
    const url = await listening(context, server);
    const { kube } = clientOf(context, url);
    assert.deepEqual(await kube.get(PODS, KEY), POD);
    assert.deepEqual(await kube.get(PODS, KEY), POD);
    assert.equal(connections, 2);
    await assert.rejects(kube.create(PODS, POD), unknownOutcome);
    assert.equal(connections, 2);
  });

  it("keeps its connection", async (context) => {
    let connections = 0;
    const server = createServer((_, response) => json(response, POD));
    server.on("connection", () => connections++);
    const { kube } = clientOf(context, await listening(context, server));
    for (let call = 0; call < 20; call++) await kube.get(PODS, KEY);
    assert.equal(connections, 1);
  });
});

interface Watching {
  readonly events: WatchEvent<KubeObject>[];
  readonly ended: Promise<void>;
  stop(): void;
}

function watching(kube: RestClient, timeoutSeconds = 300, labelSelector?: string): Watching {
  const abort = new AbortController();
  const events: WatchEvent<KubeObject>[] = [];
  const selector = labelSelector === undefined ? {} : { labelSelector };
  const read = async () => {
    for await (const event of kube.watch(PODS, {
      resourceVersion: "5",
      timeoutSeconds,
      signal: abort.signal,
      ...selector,
    }))
      events.push(event);
  };
  const ended = read();
  ended.catch(() => undefined);
  return { events, ended, stop: () => abort.abort() };
}

function line(type: string, object: unknown = POD): string {
  return `${JSON.stringify({ type, object })}\n`;
}

/** Lets I/O on this machine happen until `isSo`. */
async function eventually(isSo: () => boolean): Promise<void> {
  for (let turn = 0; !isSo(); turn++) {
    assert.ok(turn < 100_000, "it did not come to be");
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe("RestClient.watch", () => {
  it("asks for bookmarks, from its version, for its time, by its selector", async (context) => {
    const { kube, seen, calls } = await opened(context, (_, response) => response.writeHead(200).end(line("BOOKMARK")));
    const watch = watching(kube, 321, "a=b");
    await watch.ended;
    assert.deepEqual(watch.events, [{ type: "BOOKMARK", resourceVersion: "5" }]);
    const { searchParams } = new URL(seen[0]?.url ?? "", "http://x");
    const wanted = {
      labelSelector: "a=b",
      watch: "true",
      allowWatchBookmarks: "true",
      resourceVersion: "5",
      timeoutSeconds: "321",
    };
    assert.deepEqual(Object.fromEntries(searchParams), wanted);
    assert.deepEqual(calls, ["watch pods 200"]);
  });

  it("an ERROR in the stream is thrown with its status, after the events before it", async (context) => {
    const gone = failure(410, "Expired");
    const { kube } = await opened(context, (_, response) =>
      response.writeHead(200).end(line("ADDED") + line("ERROR", gone)),
    );
    const watch = watching(kube);
    await assert.rejects(watch.ended, isGone);
    assert.equal(watch.events.length, 1);
  });

  it("a refusal before the stream is thrown with its status and pause", async (context) => {
    const { kube, renewals } = await opened(context, (_, response, count) =>
      json(response, failure(count === 1 ? 429 : 401, "x"), count === 1 ? 429 : 401, { "Retry-After": "2" }),
    );
    await assert.rejects(
      watching(kube).ended,
      (error: KubeError) => error.status === 429 && error.retryAfterMs === 2000,
    );
    await assert.rejects(watching(kube).ended, (error: KubeError) => error.status === 401);
    assert.equal(renewals(), 1);
  });

  it("a line that is no JSON, has no object, no version or a type that nobody knows is an error, not passed over", async (context) => {
    const bad = ["{bad}\n", '{"type":"ADDED"}\n', line("ADDED", { metadata: { name: "a" } }), line("SYNCED"), "null\n"];
    for (const text of bad) {
      const { kube } = await opened(context, (_, response) => response.writeHead(200).end(text));
      const watch = watching(kube);
      await assert.rejects(watch.ended, unknownOutcome, text);
      assert.deepEqual(watch.events, []);
    }
  });

  it("a connection that breaks is an error", async (context) => {
    const { kube } = await opened(context, (_, response) => {
      response.writeHead(200).write(line("ADDED"));
      setImmediate(() => response.destroy());
    });
    await assert.rejects(watching(kube).ended, unknownOutcome);
  });

  it("a watch of which nothing is heard for longer than the server would keep it is an error", async (context) => {
    let write: ((text: string) => void) | undefined;
    const { kube, time, arrived } = await opened(context, (_, response) => {
      response.writeHead(200).flushHeaders();
      write = (text) => void response.write(text);
    });
    const watch = watching(kube, 300);
    let isOver = false;
    watch.ended.catch(() => {
      isOver = true;
    });
    await arrived;
    write?.(line("ADDED"));
    await eventually(() => watch.events.length === 1);
    await time.advance(200_000);
    write?.(line("MODIFIED"));
    await eventually(() => watch.events.length === 2);
    await time.advance(329_999);
    assert.equal(isOver, false);
    await time.advance(1);
    await assert.rejects(watch.ended, (error: KubeError) => unknownOutcome(error) && /silent/.test(error.message));
  });

  it("a watch that does not begin within the limit of a call is an error", async (context) => {
    const { kube, time, arrived } = await opened(context, () => undefined);
    const watch = watching(kube);
    await arrived;
    await time.advance(30_000);
    await assert.rejects(watch.ended, (error: KubeError) => unknownOutcome(error) && /not begun/.test(error.message));
  });

  it("ends quietly when its signal fires, before the answer and within it, and gives its connection up", async (context) => {
    for (const begins of [false, true]) {
      let isClosed = false;
      const { kube, arrived } = await opened(context, (_, response) => {
        response.once("close", () => {
          isClosed = true;
        });
        if (begins) response.writeHead(200).write(line("ADDED"));
      });
      const watch = watching(kube);
      await arrived;
      if (begins) await eventually(() => watch.events.length === 1);
      watch.stop();
      await watch.ended;
      await eventually(() => isClosed);
    }
  });

  it("whoever leaves the loop gives the connection up", async (context) => {
    let isClosed = false;
    const { kube } = await opened(context, (_, response) => {
      response.once("close", () => {
        isClosed = true;
      });
      response.writeHead(200).write(line("ADDED"));
    });
    for await (const event of kube.watch(PODS, {
      resourceVersion: "5",
      timeoutSeconds: 300,
      signal: new AbortController().signal,
    })) {
      assert.equal(event.type, "ADDED");
      break;
    }
    await eventually(() => isClosed);
  });
});

import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer as createNetServer } from "node:net";
import { test } from "node:test";
import { Registry } from "../metrics/registry.ts";
import { createSeries } from "../metrics/series.ts";
import type { Access } from "./access.ts";
import { createHttp1Server, type Http1Options } from "./http1.ts";
import type { OpsFacts } from "./ops.ts";

const FACTS: OpsFacts = {
  alarms: () => [],
  leaderId: () => 7n,
  isLearner: () => false,
  serializableRead: async () => undefined,
  linearizableRead: async () => undefined,
  errorText: String,
  versions: () => ({ server: "3.7.3", cluster: "3.7.0", storage: "3.7.0", kvorum: "0.1.0" }),
  metricsText: async () => ({ contentType: "text/plain; version=0.0.4", body: "a 1\n" }),
  series: createSeries(new Registry()),
  log: { debug: () => undefined, warn: () => undefined, error: () => undefined },
};

const OPEN: Access = { hosts: ["*"], origins: ["*"] };

/** Sends `request` as it is and answers all that comes until the server closes, without the Date. */
async function raw(options: Http1Options, request: string): Promise<string> {
  const server = createHttp1Server(options).listen(0, "127.0.0.1");
  await once(server, "listening");
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  let text = "";
  socket.setEncoding("utf8").on("data", (chunk) => {
    text += String(chunk);
  });
  socket.on("error", () => undefined); // the server may close before all is sent
  socket.write(request);
  await once(socket, "close");
  server.close();
  server.closeAllConnections();
  return text.replaceAll(/\r\nDate: [^\r]+/g, "");
}

const metrics: Http1Options = { facts: FACTS, place: "metrics" };
const client: Http1Options = { facts: FACTS, place: "client", access: OPEN };
const CORS = [
  "Access-Control-Allow-Headers: accept, content-type, authorization",
  "Access-Control-Allow-Methods: POST, GET, OPTIONS, PUT, DELETE",
  "Access-Control-Allow-Origin: *",
];

function response(status: string, headers: readonly string[], body: string): string {
  return `HTTP/1.1 ${status}\r\n${headers.map((header) => `${header}\r\n`).join("")}\r\n${body}`;
}

test("answers of the metrics listener are etcd's, byte for byte but for the order of headers", async () => {
  const headers = ["Content-Type: text/plain; charset=utf-8", "Content-Length: 29", "Connection: close"];
  assert.equal(
    await raw(metrics, "GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
    response("200 OK", headers, '{"health":"true","reason":""}'),
  );
  assert.equal(
    await raw(metrics, "HEAD /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
    response(
      "405 Method Not Allowed",
      [
        "Allow: GET",
        headers[0] as string,
        "X-Content-Type-Options: nosniff",
        "Content-Length: 19",
        "Connection: close",
      ],
      "",
    ),
  );
});

test("a connection is kept without a word about it, as Go keeps it", async () => {
  const text = await raw(
    metrics,
    "GET /livez HTTP/1.1\r\nHost: x\r\n\r\nGET /livez?verbose HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
  );
  const headers = ["Content-Type: text/plain; charset=utf-8", "X-Content-Type-Options: nosniff"];
  assert.equal(
    text,
    response("200 OK", [...headers, "Content-Length: 3"], "ok\n") +
      response("200 OK", [...headers, "Content-Length: 27", "Connection: close"], "[+]serializable_read ok\nok\n"),
  );
});

test("client listeners say which pages may read the answer, and answer OPTIONS themselves", async () => {
  const get = (path: string, more = "") => `GET ${path} HTTP/1.1\r\nHost: x\r\n${more}Connection: close\r\n\r\n`;
  assert.equal(
    await raw(client, get("/version")),
    response(
      "200 OK",
      [...CORS, "Content-Type: application/json", "Content-Length: 79", "Connection: close"],
      '{"etcdserver":"3.7.3","etcdcluster":"3.7.0","storage":"3.7.0","kvorum":"0.1.0"}',
    ),
  );
  assert.equal(
    await raw(client, "OPTIONS /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
    response("200 OK", [...CORS, "Content-Length: 0", "Connection: close"], ""),
  );
  const some: Http1Options = { ...client, access: { hosts: [], origins: ["http://a:1"] } };
  assert.match(
    await raw(some, get("/livez", "Origin: http://a:1\r\n")),
    /Access-Control-Allow-Origin: http:\/\/a:1\r\n/,
  );
  assert.equal((await raw(some, get("/livez", "Origin: http://b:1\r\n"))).includes("Access-Control"), false);
});

test("plain HTTP is answered only under the host names given", async () => {
  const some: Http1Options = { ...client, access: { hosts: ["localhost", "::1"], origins: ["*"] } };
  const status = async (host: string, target = "/livez") => {
    const text = await raw(some, `GET ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
    return text.slice(9, 12);
  };
  assert.equal(await status("localhost:2379"), "200");
  assert.equal(await status("[::1]:2379"), "200");
  assert.equal(await status("evil.example"), "421");
  assert.equal(await status("localhost", "http://evil.example/livez"), "421");
});

test("what cannot be read is refused in Go's words, and the connection ends", async () => {
  const plain = ["Content-Type: text/plain; charset=utf-8", "Connection: close"];
  assert.equal(await raw(metrics, "BAD\r\n\r\n"), response("400 Bad Request", plain, "400 Bad Request"));
  const tooLong = `GET /health HTTP/1.1\r\nHost: x\r\nX: ${"a".repeat(2_000_000)}\r\n\r\n`;
  assert.equal(
    await raw(metrics, tooLong),
    response("431 Request Header Fields Too Large", plain, "431 Request Header Fields Too Large"),
  );
  assert.match(await raw(metrics, "GET /health HTTP/1.1\r\n\r\n"), /^HTTP\/1.1 400 .*missing required Host header$/s);
  assert.match(
    await raw(metrics, "GET /health HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n"),
    /^HTTP\/1.1 400 .*400 Bad Request$/s,
  );
  assert.match(await raw(metrics, "GET /health HTTP/2.0\r\nHost: x\r\n\r\n"), /^HTTP\/1.1 505 /);
  assert.match(await raw(metrics, "GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n"), /^HTTP\/1.1 400 .*400 Bad Request$/s);
});

test("a request with a body is answered without reading it, and the connection ends", async () => {
  const endless = "POST /health HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfff\r\nabc";
  assert.match(await raw(metrics, endless), /^HTTP\/1.1 405 Method Not Allowed\r\n.*Connection: close\r\n/s);
});

test("encoded paths, absolute targets and pairs with a semicolon are read as Go reads them", async () => {
  const status = async (target: string) =>
    (await raw(metrics, `GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)).slice(9, 12);
  assert.equal(await status("/%68ealth"), "200");
  assert.equal(await status("http://y/health"), "200");
  assert.equal(await status("/health?exclude=a;b"), "200");
  assert.equal(await status("//health"), "307");
  assert.equal(await status("/health#x"), "404");
  assert.equal(
    await raw(metrics, "OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
    await raw(client, "OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
  );
  assert.equal(
    await raw(metrics, "HEAD //health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
    response(
      "307 Temporary Redirect",
      ["Content-Type: text/html; charset=utf-8", "Location: /health", "Connection: close"],
      "",
    ),
  );
});

test("a head that does not come to its end ends the connection, on connections handed in too", async () => {
  const server = createHttp1Server({ ...metrics, shared: true, headersTimeoutMs: 50 });
  const listener = createNetServer((socket) => void server.emit("connection", socket)).listen(0, "127.0.0.1");
  await once(listener, "listening");
  const socket = connect((listener.address() as AddressInfo).port, "127.0.0.1");
  socket.write("GET /health HTTP/1.1\r\nHo");
  const [chunk] = (await once(socket, "data")) as [Buffer];
  assert.match(chunk.toString(), /^HTTP\/1.1 408 Request Timeout\r\n/);
  socket.destroy();
  server.close();
  server.closeAllConnections();
  listener.close();
});

test("a mistake of ours ends the connection, not the process", async () => {
  const errors: string[] = [];
  const broken: OpsFacts = {
    ...FACTS,
    metricsText: () => Promise.reject(new Error("broken")),
    log: { ...FACTS.log, error: (message) => void errors.push(message) },
  };
  assert.equal(await raw({ facts: broken, place: "metrics" }, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"), "");
  assert.deepEqual(errors, ["answering an HTTP request failed"]);
});

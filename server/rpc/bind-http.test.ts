/** Where gRPC meets HTTP: requests that are no calls, pings, and the bound of calls at a time; on both engines. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type ClientHttp2Session, constants } from "node:http2";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { CA, SERVER } from "../../test/support/certificates.ts";
import { frame, onBothEngines, rawCall, rawSession, start, statusText } from "../../test/support/raw-grpc.ts";
import { NO_TLS } from "../../test/support/rpc-server.ts";
import { utf8Bytes } from "../base/bytes.ts";
import { RangeRequest } from "../proto/etcdserverpb.ts";
import { SERVICES } from "../proto/services.ts";

const { kv } = SERVICES;
const KEY_A = RangeRequest.encode(RangeRequest.create({ key: utf8Bytes("a"), serializable: true }));
const RANGE = kv.methods.range.path;
const paths = (method: string, target: string) => ({ status: 404, body: method === "HEAD" ? "" : `no ${target}\n` });

/** A server that speaks TLS, and how to reach it. */
function secure(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), "kvorum-bind-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const [certFile, keyFile] = [join(folder, "cert.pem"), join(folder, "key.pem")];
  writeFileSync(certFile, SERVER.cert);
  writeFileSync(keyFile, SERVER.key);
  return { urls: ["https://127.0.0.1:0"], tls: { ...NO_TLS, certFile, keyFile } };
}

/** What requests with these heads come back with: status of HTTP, of gRPC, and the body. */
async function turnedAway(session: ClientHttp2Session, heads: readonly Record<string, string>[]): Promise<string[]> {
  const answers: string[] = [];
  for (const head of heads) {
    const answer = await rawCall(session, head[":path"] ?? RANGE, head[":method"] === "GET" ? [] : frame(KEY_A), head);
    const { headers, data } = answer;
    const grpc = headers["grpc-status"] === undefined ? "" : statusText(answer);
    answers.push([headers[":status"], grpc, data.toString().trim(), headers["allow"] ?? ""].join("|"));
  }
  return answers;
}

const HEADS = [
  { "content-type": "application/grpcx" },
  { "content-type": "text/application/grpc" },
  { ":method": "GET" },
  { ":method": "PUT" },
  { "grpc-timeout": "1x" },
  { "grpc-timeout": "abS" },
];

onBothEngines(
  "heads that make no call are turned away in gRPC's manner, as etcd does on a plain port",
  async (t, engine) => {
    const { url, server } = await start(t, engine, { paths });
    const session = rawSession(t, url);
    assert.deepEqual(await turnedAway(session, [...HEADS, { "content-type": "text/plain" }, { "content-type": "" }]), [
      '415|3 invalid gRPC request content-type "application/grpcx"||',
      '415|3 invalid gRPC request content-type "text/application/grpc"||',
      '405|13 Received a HEADERS frame with :method "GET" which should be POST||',
      '405|13 Received a HEADERS frame with :method "PUT" which should be POST||',
      '400|13 malformed grpc-timeout: transport: timeout unit is not recognized: "1x"||',
      '400|13 malformed grpc-timeout: strconv.ParseUint: parsing "ab": invalid syntax||',
      '415|3 invalid gRPC request content-type "text/plain"||',
      '415|3 invalid gRPC request content-type ""||',
    ]);
    for (const type of ["application/grpc+proto", "application/grpc;x"]) {
      assert.equal(statusText(await rawCall(session, RANGE, frame(KEY_A), { "content-type": type })), "0 ");
    }
    assert.equal(server.dispatcher.size, 0);
  },
);

onBothEngines("over TLS they get the text of an HTTP server, and the rest goes to the paths", async (t, engine) => {
  const { url } = await start(t, engine, { ...secure(t), paths });
  const session = rawSession(t, url, CA);
  assert.deepEqual(await turnedAway(session, [...HEADS, { "content-type": "text/plain" }]), [
    '415||invalid gRPC request content-type "application/grpcx"|',
    '415||invalid gRPC request content-type "text/application/grpc"|',
    '405||invalid gRPC request method "GET"|POST',
    '405||invalid gRPC request method "PUT"|POST',
    '400||malformed grpc-timeout: transport: timeout unit is not recognized: "1x"|',
    '400||malformed grpc-timeout: strconv.ParseUint: parsing "ab": invalid syntax|',
    `404||no ${RANGE}|`,
  ]);
  assert.equal(statusText(await rawCall(session, RANGE, frame(KEY_A))), "0 ");
});

onBothEngines("what is no gRPC goes to the HTTP paths, with its body or without", async (t, engine) => {
  const { url } = await start(t, engine, { paths });
  const session = rawSession(t, url);
  const got = await rawCall(session, "/health?x=1", [], { ":method": "GET", "content-type": "text/plain" });
  assert.deepEqual(
    [got.headers[":status"], got.headers["x-sign"], got.data.toString()],
    [404, "of life", "no /health?x=1\n"],
  );
  const json = { "content-type": "application/json" };
  const posted = await rawCall(session, "/v3/kv/put", new Uint8Array(100_000), json);
  assert.equal(posted.data.toString(), "no /v3/kv/put\n");
});

onBothEngines("where there are no HTTP paths, everything is to be gRPC, over TLS too", async (t, engine) => {
  const get = { ":method": "GET", "content-type": "text/plain", ":path": "/health" };
  for (const options of [{}, secure(t)]) {
    const { url } = await start(t, engine, options);
    const session = rawSession(t, url, CA);
    assert.deepEqual(await turnedAway(session, [get]), ['415|3 invalid gRPC request content-type "text/plain"||']);
  }
});

test("a peer that pings while answers flow is not sent away", async (t) => {
  const { url } = await start(t, "own");
  const session = rawSession(t, url);
  const ping = () => new Promise<void>((resolve) => session.ping(() => resolve()) || resolve());
  for (let round = 0; round < 20; round++) {
    await rawCall(session, RANGE, frame(KEY_A));
    await ping();
  }
  assert.equal(session.closed, false);
  let code: number | undefined;
  session.on("goaway", (given) => {
    code = given;
  });
  for (let round = 0; round < 6 && code === undefined; round++) {
    await ping();
    await sleep(5);
  }
  assert.equal(code, constants.NGHTTP2_ENHANCE_YOUR_CALM);
});

onBothEngines("a peer may ping as often as the flag says, and always when it says 0", async (t, engine) => {
  const keepalive = (minTimeMs: number) => ({
    engine: { keepalive: { minTimeMs, intervalMs: 7_200_000, timeoutMs: 20_000 } },
  });
  for (const [minTimeMs, survives] of [
    [0, true],
    [3_600_000, false],
  ] as const) {
    const { url } = await start(t, engine, keepalive(minTimeMs));
    const session = rawSession(t, url);
    const watching = session.request({
      ":method": "POST",
      ":path": SERVICES.watch.methods.watch.path,
      "content-type": "application/grpc",
    });
    watching.on("error", () => undefined);
    let away = false;
    session.on("goaway", () => {
      away = true;
    });
    for (let round = 0; round < 8 && !away; round++) {
      await new Promise<void>((resolve) => session.ping(() => resolve()) || resolve());
      await sleep(5);
    }
    assert.equal(away, !survives, `${minTimeMs}`);
  }
});

onBothEngines("a peer that pings without end is sent away", async (t, engine) => {
  const { url } = await start(t, engine);
  const session = rawSession(t, url);
  await rawCall(session, RANGE, frame(KEY_A));
  const goaway = new Promise<[number, string]>((resolve) =>
    session.once("goaway", (code, _last, data) => resolve([code, Buffer.from(data as Uint8Array).toString()])),
  );
  const pings = setInterval(() => !session.destroyed && session.ping(() => undefined), 10);
  t.after(() => clearInterval(pings));
  assert.deepEqual(await goaway, [constants.NGHTTP2_ENHANCE_YOUR_CALM, "too_many_pings"]);
  clearInterval(pings);
  await new Promise((resolve) => session.once("close", resolve));
});

onBothEngines("no more calls at a time than allowed run on one connection", async (t, engine) => {
  const { url } = await start(t, engine, { engine: { maxConcurrentStreams: 3 } });
  const session = rawSession(t, url);
  await rawCall(session, RANGE, frame(KEY_A));
  assert.equal(session.remoteSettings.maxConcurrentStreams, 3);
});

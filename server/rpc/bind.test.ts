import assert from "node:assert/strict";
import { type ClientHttp2Session, connect as connectHttp2, type IncomingHttpHeaders } from "node:http2";
import { connect as connectSocket } from "node:net";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { gunzipSync, gzipSync } from "node:zlib";
import { FakeMember } from "../../test/support/fake-member.ts";
import { MAX_RECEIVE_BYTES, type RpcServer, startRpcServer } from "../../test/support/rpc-server.ts";
import { utf8Bytes } from "../base/bytes.ts";
import { EtcdError } from "../base/error.ts";
import { type Client, connect } from "../client/client.ts";
import { PutRequest, RangeRequest, RangeResponse, RangeStreamResponse } from "../proto/etcdserverpb.ts";
import { SERVICES } from "../proto/services.ts";
import type { Call, Outlet } from "../services/call.ts";

const { kv, watch, maintenance } = SERVICES;

type Options = NonNullable<Parameters<typeof startRpcServer>[1]>;

async function start(
  t: TestContext,
  options: Options = {},
): Promise<{ server: RpcServer; client: Client; member: FakeMember; url: string }> {
  const member = new FakeMember();
  const server = await startRpcServer(member, { own: {}, ...options });
  const url = server.urls[0] as string;
  const client = connect(url);
  t.after(async () => {
    client.close();
    await server.stop(0);
  });
  return { server, client, member, url };
}

interface RawAnswer {
  readonly headers: IncomingHttpHeaders;
  readonly trailers: IncomingHttpHeaders;
  readonly data: Buffer;
}

function session(t: TestContext, url: string): ClientHttp2Session {
  const opened = connectHttp2(url);
  opened.on("error", () => undefined);
  t.after(() => opened.destroy());
  return opened;
}

function message(bytes: Uint8Array, flag = 0): Buffer {
  const head = Buffer.alloc(5);
  head[0] = flag;
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

/** A call whose body goes out in the pieces given, each in a frame of its own. */
function call(
  from: ClientHttp2Session,
  path: string,
  pieces: readonly Uint8Array[],
  headers: Record<string, string> = {},
): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const stream = from.request({
      ":method": "POST",
      ":path": path,
      "content-type": "application/grpc",
      te: "trailers",
      ...headers,
    });
    let answer: IncomingHttpHeaders = {};
    let trailers: IncomingHttpHeaders = {};
    const chunks: Buffer[] = [];
    stream.on("response", (got) => {
      answer = got;
    });
    stream.on("trailers", (got) => {
      trailers = got;
    });
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("end", () => resolve({ headers: answer, trailers, data: Buffer.concat(chunks) }));
    stream.on("error", reject);
    for (const piece of pieces) stream.write(piece);
    stream.end();
  });
}

function statusOf({ headers, trailers }: RawAnswer): string {
  const from = trailers["grpc-status"] === undefined ? headers : trailers;
  return `${from["grpc-status"]} ${decodeURIComponent(String(from["grpc-message"] ?? ""))}`;
}

const PUT = message(PutRequest.encode(PutRequest.create({ key: utf8Bytes("key"), value: utf8Bytes("v".repeat(20)) })));
const READ = message(RangeRequest.encode(RangeRequest.create({ key: utf8Bytes("key"), serializable: true })));

test("unary calls and their refusals go there and back", async (t) => {
  const handlers = () => ({ kv: { put: () => Promise.reject(new EtcdError("NoSpace")) } });
  const { client, url } = await start(t, { handlers });
  const { response, status } = await client.call(kv.methods.range, { key: utf8Bytes("k") });
  assert.deepEqual([response?.count, status.code], [0, 0]);
  const raw = session(t, url);
  assert.equal(statusOf(await call(raw, kv.methods.put.path, [PUT])), "8 etcdserver: mvcc: database space exceeded");
  const unknown = await call(raw, "/etcdserverpb.KV/Nothing", [PUT]);
  assert.equal(statusOf(unknown), "12 unknown method Nothing for service etcdserverpb.KV");
  assert.deepEqual([unknown.headers[":status"], unknown.headers["content-type"]], [200, "application/grpc"]);
});

test("a message may be cut anywhere", async (t) => {
  const { url, member } = await start(t);
  const raw = session(t, url);
  for (let cut = 1; cut < PUT.length; cut++) {
    const answer = await call(raw, kv.methods.put.path, [PUT.subarray(0, cut), PUT.subarray(cut)]);
    assert.equal(statusOf(answer), "0 ", `cut at ${cut}`);
  }
  const bytes = Array.from(PUT, (byte) => Uint8Array.of(byte));
  assert.equal(statusOf(await call(raw, kv.methods.put.path, bytes)), "0 ");
  assert.deepEqual([...member.keys.keys()], ["key"]);
  assert.equal(statusOf(await call(raw, kv.methods.put.path, [PUT.subarray(0, 9)])), "13 unexpected EOF");
  assert.equal(statusOf(await call(raw, kv.methods.put.path, [])), "2 EOF");
});

test("a message at the limit is taken, one beyond it is refused by its length alone", async (t) => {
  const { url } = await start(t);
  const raw = session(t, url);
  const long = PutRequest.encode(PutRequest.create({ key: utf8Bytes("k"), value: new Uint8Array(1_500_000) }));
  assert.equal(statusOf(await call(raw, kv.methods.put.path, [message(long)])), "0 ");
  const claim = Buffer.from([0, 0xff, 0xff, 0xff, 0xff, 1, 2, 3]);
  const refused = statusOf(await call(raw, kv.methods.put.path, [claim]));
  assert.equal(refused, `8 grpc: received message larger than max (${2 ** 32 - 1} vs. ${MAX_RECEIVE_BYTES})`);
});

test("callers that pack are answered packed, and bombs do not go off", async (t) => {
  const kvs = Array.from({ length: 40 }, () => new Uint8Array(100));
  const handlers = () => ({ kv: { range: () => RangeResponse.create({ kvs, count: 40 }) } });
  const { url } = await start(t, { handlers });
  const raw = session(t, url);
  const packs = { "grpc-encoding": "gzip" };
  const answer = await call(raw, kv.methods.range.path, [message(gzipSync(READ.subarray(5)), 1)], packs);
  assert.deepEqual([statusOf(answer), answer.headers["grpc-encoding"], answer.data[0]], ["0 ", "gzip", 1]);
  assert.equal(RangeResponse.decode(gunzipSync(answer.data.subarray(5))).count, 40);
  const bomb = gzipSync(new Uint8Array(MAX_RECEIVE_BYTES + 1));
  assert.equal(
    statusOf(await call(raw, kv.methods.range.path, [message(bomb, 1)], packs)),
    `8 grpc: received message after decompression larger than max ${MAX_RECEIVE_BYTES}`,
  );
  const bare = await call(raw, kv.methods.range.path, [message(READ.subarray(5), 1)]);
  assert.equal(statusOf(bare), "13 grpc: compressed flag set with identity or empty encoding");
  const strange = await call(raw, kv.methods.range.path, [READ], { "grpc-encoding": "snappy" });
  assert.match(statusOf(strange), /^12 grpc: Decompressor is not installed/);
});

test("a client that does not read holds the service back, and then gets everything", async (t) => {
  let outlet: Outlet<RangeStreamResponse> | undefined;
  const handlers = () => ({
    kv: {
      rangeStream: (_request: unknown, _call: unknown, given: Outlet<RangeStreamResponse>) => {
        outlet = given;
      },
    },
  });
  const { url } = await start(t, { handlers });
  const raw = session(t, url);
  const stream = raw.request({
    ":method": "POST",
    ":path": kv.methods.rangeStream.path,
    "content-type": "application/grpc",
  });
  stream.end(READ);
  while (outlet === undefined) await sleep(1);
  const piece = RangeStreamResponse.create({ rangeResponse: RangeResponse.create({ kvs: [new Uint8Array(10_000)] }) });
  const size = RangeStreamResponse.encode(piece).length + 5;
  let sent = 1;
  while (outlet.write(piece) && sent < 10_000) sent++;
  assert.ok(sent < 100, `${sent} messages of 10 kB before the caller read any`);
  let drained = 0;
  outlet.onDrain(() => {
    drained++;
    outlet?.end();
  });
  let bytes = 0;
  for await (const chunk of stream) bytes += (chunk as Buffer).length;
  assert.equal(bytes, sent * size);
  assert.equal(drained, 1);
});

test("a reset cancels the call, and its late answer goes nowhere", async (t) => {
  let answer: ((response: RangeResponse) => void) | undefined;
  let canceled = 0;
  const range = (_request: unknown, asked: Call) => {
    asked.onCanceled(() => canceled++);
    return new Promise<RangeResponse>((resolve) => {
      answer = resolve;
    });
  };
  const { url, server } = await start(t, { handlers: () => ({ kv: { range } }) });
  const raw = session(t, url);
  const stream = raw.request({ ":method": "POST", ":path": kv.methods.range.path, "content-type": "application/grpc" });
  stream.on("error", () => undefined);
  stream.end(READ);
  while (answer === undefined) await sleep(1);
  stream.close(8);
  while (server.dispatcher.size > 0) await sleep(1);
  assert.equal(canceled, 1);
  answer(RangeResponse.create());
  assert.equal(statusOf(await call(raw, maintenance.methods.status.path, [message(new Uint8Array(0))])), "0 ");
});

test("what is no gRPC goes to the HTTP handler, with its body or without, or is refused", async (t) => {
  const seen: string[] = [];
  const http = async (request: { method: string; target: string; host: string }) => {
    seen.push(`${request.method} ${request.target} ${request.host !== ""}`);
    return {
      status: 404,
      headers: [["X-Sign", "of life"]] as const,
      body: request.method === "HEAD" ? "" : "nothing\n",
    };
  };
  const withPaths = await start(t, { own: { http } });
  const raw = session(t, withPaths.url);
  const got = await call(raw, "/health?x=1", [], { ":method": "GET", "content-type": "text/plain" });
  assert.deepEqual([got.headers[":status"], got.headers["x-sign"], got.data.toString()], [404, "of life", "nothing\n"]);
  assert.equal(got.headers["content-length"], "8");
  await call(raw, "/v3/kv/put", [new Uint8Array(100_000)], { "content-type": "application/json" });
  assert.deepEqual(seen, ["GET /health?x=1 true", "POST /v3/kv/put true"]);
  const without = await start(t);
  const refused = await call(session(t, without.url), "/x", [], { "content-type": "text/html" });
  assert.deepEqual(
    [refused.headers[":status"], statusOf(refused)],
    [415, '3 invalid gRPC request content-type "text/html"'],
  );
});

test("a peer that pings without end is sent away, one that pings while answers flow is not", async (t) => {
  const { url } = await start(t);
  const raw = session(t, url);
  await call(raw, kv.methods.range.path, [READ]);
  const ping = () => new Promise<void>((resolve) => raw.ping(() => resolve()) || resolve());
  for (let round = 0; round < 20; round++) {
    await call(raw, kv.methods.range.path, [READ]);
    await ping();
  }
  assert.equal(raw.closed, false);
  let code: number | undefined;
  raw.on("goaway", (given) => {
    code = given;
  });
  for (let round = 0; round < 6 && code === undefined; round++) {
    await ping();
    await sleep(5);
  }
  assert.equal(code, 11);
});

test("stopping ends streams in etcd's words, lets a call finish, and closes connections", async (t) => {
  let finish: ((response: RangeResponse) => void) | undefined;
  const handlers = () => ({
    kv: {
      range: () =>
        new Promise<RangeResponse>((resolve) => {
          finish = resolve;
        }),
    },
  });
  const { client, server, url } = await start(t, { handlers });
  const idle = connectSocket(Number(new URL(url).port), "127.0.0.1");
  const stream = client.bidi(watch.methods.watch);
  stream.send({});
  const range = client.call(kv.methods.range, { key: utf8Bytes("k") });
  while (finish === undefined) await sleep(1);
  const stopped = server.stop(2000);
  await stream.all();
  assert.equal((await stream.status).text, "etcdserver: server stopped");
  finish(RangeResponse.create());
  assert.equal((await range).status.code, 0);
  await stopped;
  idle.destroy();
});

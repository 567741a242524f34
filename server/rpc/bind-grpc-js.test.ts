import assert from "node:assert/strict";
import { type ClientHttp2Session, connect as connectHttp2, constants, type IncomingHttpHeaders } from "node:http2";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { FakeMember } from "../../test/support/fake-member.ts";
import { MAX_RECEIVE_BYTES, type Overrides, type RpcServer, startRpcServer } from "../../test/support/rpc-server.ts";
import { utf8Bytes } from "../base/bytes.ts";
import { type ErrorCode, EtcdError } from "../base/error.ts";
import { type Client, connect } from "../client/client.ts";
import {
  LeaseKeepAliveResponse,
  PutRequest,
  RangeRequest,
  RangeStreamResponse,
  StatusResponse,
  WatchCreateRequest,
} from "../proto/etcdserverpb.ts";
import { KeyValue } from "../proto/mvccpb.ts";
import { SERVICES } from "../proto/services.ts";
import type { Call } from "../services/call.ts";
import type { AllServices } from "../services/handlers.ts";
import type { MethodCounters, RpcMethod, UnaryReport } from "./interceptors.ts";
import { STATUS } from "./status.ts";

const { kv, watch, lease, maintenance, health } = SERVICES;

type Options = NonNullable<Parameters<typeof startRpcServer>[1]>;

/** A server with a client, both gone when the test is over. */
async function start(
  t: TestContext,
  options: Options = {},
  member = new FakeMember(),
): Promise<{ server: RpcServer; client: Client; member: FakeMember; url: string }> {
  const server = await startRpcServer(member, options);
  const url = server.urls[0] as string;
  const client = connect(url);
  t.after(async () => {
    client.close();
    await server.stop(0);
  });
  return { server, client, member, url };
}

/** What one call came back with, as it is on the wire. */
interface RawAnswer {
  readonly headers: IncomingHttpHeaders;
  readonly trailers: IncomingHttpHeaders;
  readonly data: Buffer;
}

function frame(message: Uint8Array, flag = 0): Buffer {
  const framed = Buffer.alloc(5 + message.length);
  framed[0] = flag;
  framed.writeUInt32BE(message.length, 1);
  framed.set(message, 5);
  return framed;
}

/** A call made by hand, for what a client library would not do. */
function rawCall(
  session: ClientHttp2Session,
  path: string,
  body: Uint8Array | undefined,
  headers: Record<string, string> = {},
  end = true,
): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const stream = session.request({
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
    stream.on("end", () => {
      resolve({ headers: answer, trailers, data: Buffer.concat(chunks) });
      stream.close();
    });
    stream.on("error", reject);
    stream.on("close", () => reject(new Error("closed without an end")));
    if (body !== undefined) stream.write(body);
    if (end) stream.end();
  });
}

function rawSession(t: TestContext, url: string): ClientHttp2Session {
  const session = connectHttp2(url);
  session.on("error", () => undefined);
  t.after(() => session.destroy());
  return session;
}

/** Code and text, wherever they stand. */
function statusText({ headers, trailers }: RawAnswer): string {
  const from = trailers["grpc-status"] === undefined ? headers : trailers;
  return `${from["grpc-status"]} ${decodeURIComponent(String(from["grpc-message"] ?? ""))}`;
}

const KEY_A = RangeRequest.encode(RangeRequest.create({ key: utf8Bytes("a"), serializable: true }));

test("a unary call goes there and back", async (t) => {
  const { client, member } = await start(t);
  const put = await client.unary(kv.methods.put, { key: utf8Bytes("k"), value: utf8Bytes("v") });
  assert.deepEqual(put.header, { clusterId: 0xc1n, memberId: 0xa1n, revision: 2, raftTerm: 3 });
  const { response, status } = await client.call(kv.methods.range, { key: utf8Bytes("k") });
  assert.equal(response?.count, 1);
  assert.deepEqual([status.code, status.text], [0, ""]);
  assert.deepEqual([...member.keys.keys()], ["k"]);
});

test("every refusal arrives with its code and its text, from unary calls and from streams", async (t) => {
  let code: ErrorCode = "NoLeader";
  const handlers = (): Overrides => ({
    kv: {
      range: () => {
        throw new EtcdError(code);
      },
      put: () => Promise.reject(new EtcdError(code)),
      rangeStream: (_request: unknown, _call: Call, outlet) => {
        outlet.write(RangeStreamResponse.create());
        outlet.fail(new EtcdError(code));
      },
    },
    watch: {
      watch: () => ({
        message: () => Promise.reject(new EtcdError(code)),
        halfClose: () => undefined,
        canceled: () => undefined,
      }),
    },
  });
  const { client } = await start(t, { handlers });
  for (code of Object.keys(STATUS) as ErrorCode[]) {
    const { grpc, text } = STATUS[code];
    const stream = client.serverStream(kv.methods.rangeStream, { key: utf8Bytes("k") });
    const bidi = client.bidi(watch.methods.watch);
    bidi.send({});
    const ends = [
      (await client.call(kv.methods.range, {})).status,
      (await client.call(kv.methods.put, {})).status,
      await stream.all().then(() => stream.status),
      await bidi.all().then(() => bidi.status),
    ];
    for (const end of ends) assert.deepEqual([end.code, end.text], [grpc, text], code);
  }
});

test("an answer that is refused before it began has no body, and one that was begun has trailers", async (t) => {
  const { url } = await start(t);
  const session = rawSession(t, url);
  const refused = await rawCall(session, kv.methods.range.path, frame(new Uint8Array(0)));
  assert.equal(refused.headers["grpc-status"], "3");
  assert.equal(refused.headers["grpc-message"], "etcdserver: key is not provided", "not escaped more than need be");
  assert.equal(refused.data.length, 0);
  const answered = await rawCall(session, kv.methods.range.path, frame(KEY_A));
  assert.equal(answered.headers["grpc-status"], undefined);
  assert.deepEqual([answered.trailers["grpc-status"], answered.trailers["grpc-message"]], ["0", ""]);
});

test("bytes that are no message are refused in grpc-go's words, and the connection lives on", async (t) => {
  const { url, server } = await start(t);
  const session = rawSession(t, url);
  const bad = [[0x0a, 5, 0x61], [0xff], [0x0f], [0, 0], [0x0c], [0x18, ...new Array(11).fill(0xff)]];
  for (const bytes of bad) {
    const message = frame(Uint8Array.from(bytes));
    assert.equal(
      statusText(await rawCall(session, kv.methods.range.path, message)),
      "13 grpc: error unmarshalling request: proto: cannot parse invalid wire-format data",
    );
    for (const { path } of [watch.methods.watch, lease.methods.leaseKeepAlive, kv.methods.rangeStream]) {
      assert.equal(
        statusText(await rawCall(session, path, message)),
        "13 grpc: failed to unmarshal the received message: proto: cannot parse invalid wire-format data",
      );
    }
  }
  const noUtf8 = frame(Uint8Array.of(0x0a, 2, 0xff, 0xfe));
  assert.equal(
    statusText(await rawCall(session, SERVICES.auth.methods.userAdd.path, noUtf8)),
    "13 grpc: error unmarshalling request: string field contains invalid UTF-8",
  );
  assert.equal(statusText(await rawCall(session, kv.methods.range.path, frame(KEY_A))), "0 ");
  assert.deepEqual(server.broken, []);
  assert.equal(server.dispatcher.size, 0);
});

test("unknown paths are refused in grpc-go's words", async (t) => {
  const { url } = await start(t);
  const session = rawSession(t, url);
  const cases: Record<string, string> = {
    "/foo.Bar/Baz": "12 unknown service foo.Bar",
    "/etcdserverpb.KV/Baz": "12 unknown method Baz for service etcdserverpb.KV",
    "/etcdserverpb.KV": '12 malformed method name: "/etcdserverpb.KV"',
    "/": '12 malformed method name: "/"',
    "//x/y": "12 unknown service /x",
    "/grpc.reflection.v1.ServerReflection/Info": "12 unknown service grpc.reflection.v1.ServerReflection",
    "/etcdserverpb.Maintenance/Snapshot": "12 method Snapshot not implemented",
  };
  for (const [path, text] of Object.entries(cases)) {
    assert.equal(statusText(await rawCall(session, path, frame(new Uint8Array(0)))), text);
  }
});

test("a message at the limit is taken, one byte more is refused with both numbers", async (t) => {
  const { client, member } = await start(t);
  const overhead = PutRequest.encode(
    PutRequest.create({ key: utf8Bytes("k"), value: new Uint8Array(2_000_000) }),
  ).length;
  const value = new Uint8Array(MAX_RECEIVE_BYTES - (overhead - 2_000_000));
  const fits = await client.call(kv.methods.put, { key: utf8Bytes("k"), value });
  assert.equal(fits.status.code, 0);
  assert.equal(member.keys.get("k")?.length, value.length);
  const over = await client.call(kv.methods.put, { key: utf8Bytes("kk"), value });
  assert.deepEqual(
    [over.status.code, over.status.text],
    [8, `grpc: received message larger than max (${MAX_RECEIVE_BYTES + 1} vs. ${MAX_RECEIVE_BYTES})`],
  );
  const { response } = await client.call(kv.methods.range, { key: utf8Bytes("k") });
  assert.equal(KeyValue.decode(response?.kvs[0] as Uint8Array).value.length, value.length);
});

test("gzip is unpacked up to the limit, other encodings are refused", async (t) => {
  const { url } = await start(t);
  const session = rawSession(t, url);
  const call = (message: Uint8Array, encoding: string, flag = 1) =>
    rawCall(session, kv.methods.range.path, frame(message, flag), { "grpc-encoding": encoding }).then(statusText);
  assert.equal(await call(gzipSync(KEY_A), "gzip"), "0 ");
  assert.equal(await call(KEY_A, "gzip", 0), "0 ");
  assert.equal(await call(KEY_A, "identity", 0), "0 ");
  assert.equal(
    await call(gzipSync(new Uint8Array(3_000_000)), "gzip"),
    `8 grpc: received message after decompression larger than max ${MAX_RECEIVE_BYTES}`,
  );
  assert.equal(await call(utf8Bytes("garbage"), "gzip"), "13 grpc: failed to decompress the message: unexpected EOF");
  assert.equal(await call(KEY_A, "snappy", 0), '12 grpc: Decompressor is not installed for grpc-encoding "snappy"');
});

test("a unary call is handled when its message has come, and needs one", async (t) => {
  const { url } = await start(t);
  const session = rawSession(t, url);
  const open = rawCall(session, kv.methods.range.path, frame(KEY_A), {}, false);
  assert.equal(statusText(await open), "0 ", "not yet half-closed");
  assert.equal(statusText(await rawCall(session, kv.methods.range.path, undefined)), "2 EOF");
  const twice = Buffer.concat([frame(KEY_A), frame(KEY_A)]);
  assert.equal(statusText(await rawCall(session, kv.methods.range.path, twice)), "0 ");
});

test("metadata reaches the service", async (t) => {
  const calls: Call[] = [];
  const handlers = (real: AllServices): Overrides => ({
    kv: {
      range: (request: RangeRequest, call: Call) => {
        calls.push(call);
        return real.kv.range(request, call);
      },
    },
  });
  const { client } = await start(t, { handlers });
  const headers = { token: "secret", "client-api-version": "3.7", hasleader: "true" };
  await client.unary(kv.methods.range, { key: utf8Bytes("a") }, { headers, timeoutMs: 60_000 });
  const [call] = calls as [Call];
  assert.deepEqual([call.token, call.clientApiVersion, call.requiresLeader], ["secret", "3.7", true]);
  assert.match(call.remoteAddress, /^127\.0\.0\.1:\d+$/);
  assert.equal(call.commonName, undefined);
  const left = (call.deadlineMs as number) - performance.now();
  assert.ok(left > 50_000 && left <= 60_000, `${left}`);
  await client.unary(kv.methods.range, { key: utf8Bytes("a") });
  assert.equal(calls[1]?.deadlineMs, undefined);
});

test("a member without a leader refuses calls that ask for one; a version that is no text is refused", async (t) => {
  const { client, member, url } = await start(t);
  member.leaderId = 0n;
  const headers = { hasleader: "true" };
  const range = await client.call(kv.methods.range, { key: utf8Bytes("a") }, { headers });
  assert.deepEqual([range.status.code, range.status.text], [14, "etcdserver: no leader"]);
  const stream = client.bidi(watch.methods.watch, { headers });
  assert.equal((await stream.status).text, "etcdserver: no leader");
  assert.equal((await client.call(kv.methods.range, { key: utf8Bytes("a") })).status.code, 0);
  const session = rawSession(t, url);
  const version = { "client-api-version": "\u00ff" };
  const refused = await rawCall(session, kv.methods.range.path, frame(KEY_A), version);
  assert.equal(statusText(refused), "3 etcdserver: invalid client api version");
});

test("a stream that asked for a leader ends when there has been none for three elections", async (t) => {
  const { client, member, server } = await start(t, { dispatcher: { electionMs: 20 } });
  const headers = { hasleader: "true" };
  const asked = client.bidi(watch.methods.watch, { headers });
  const not = client.bidi(watch.methods.watch);
  while (server.dispatcher.size < 2) await sleep(5);
  member.leaderId = 0n;
  const { code, text } = await asked.status;
  assert.deepEqual([code, text], [14, "etcdserver: no leader"]);
  assert.equal(server.dispatcher.size, 1);
  assert.equal(member.watchSides.filter(({ closed }) => closed).length, 1);
  not.cancel();
  await not.status;
});

test("a deadline ends the call for both sides, one beyond 24 days does not end it early", async (t) => {
  let canceled = 0;
  const handlers = (): Overrides => ({
    kv: {
      range: (_request: RangeRequest, call: Call) => {
        call.onCanceled(() => canceled++);
        return new Promise(() => undefined);
      },
    },
  });
  const { url, server } = await start(t, { handlers });
  const session = rawSession(t, url);
  const range = (timeout: string) => rawCall(session, kv.methods.range.path, frame(KEY_A), { "grpc-timeout": timeout });
  assert.equal(statusText(await range("30m")), "4 context deadline exceeded");
  assert.equal(canceled, 1);
  assert.equal(statusText(await range("0S")), "4 context deadline exceeded");
  assert.equal(canceled, 1, "over before it came to a handler");
  const put = frame(PutRequest.encode(PutRequest.create({ key: utf8Bytes("k") })));
  const patient = await rawCall(session, kv.methods.put.path, put, { "grpc-timeout": "99999999S" });
  assert.equal(statusText(patient), "0 ");
  assert.equal(server.dispatcher.size, 0);
});

test("a caller that goes away cancels its calls, and their late answers go nowhere", async (t) => {
  let answer: (value: never) => void = () => undefined;
  let canceled = 0;
  const handlers = (): Overrides => ({
    kv: {
      range: (_request: RangeRequest, call: Call) => {
        call.onCanceled(() => canceled++);
        return new Promise((resolve) => {
          answer = resolve;
        });
      },
    },
  });
  const { client, server, member, url } = await start(t, { handlers });
  const abort = new AbortController();
  const call = client.call(kv.methods.range, { key: utf8Bytes("a") }, { signal: abort.signal });
  const session = rawSession(t, url);
  const stream = rawCall(session, watch.methods.watch.path, undefined, {}, false);
  while (server.dispatcher.size < 2) await sleep(5);
  abort.abort();
  assert.equal((await call).status.code, 1);
  while (server.dispatcher.size > 1) await sleep(5);
  assert.equal(canceled, 1);
  answer({} as never);
  session.destroy(); // the whole connection
  await stream.catch(() => undefined);
  while (server.dispatcher.size > 0) await sleep(5);
  assert.ok(member.watchSides[0]?.closed);
  assert.deepEqual(server.broken, []);
});

test("a watch stream lives through half-close, and messages come in order", async (t) => {
  const { client, member } = await start(t);
  const stream = client.bidi(watch.methods.watch);
  stream.send({ requestUnion: { kind: "create", value: WatchCreateRequest.create({ key: utf8Bytes("k") }) } });
  assert.equal((await stream.next())?.created, true);
  stream.halfClose();
  await sleep(20);
  const side = member.watchSides[0];
  for (let revision = 10; revision < 15; revision++) side?.offer({ response: { watchId: 0 }, revision });
  for (let revision = 10; revision < 15; revision++) assert.equal((await stream.next())?.header?.revision, revision);
  stream.cancel();
  assert.equal((await stream.status).code, 1);
});

test("a client that does not read holds the service back, and then gets everything", async (t) => {
  const { client, member } = await start(t);
  const stream = client.bidi(watch.methods.watch);
  stream.send({ requestUnion: { kind: "create", value: WatchCreateRequest.create({ key: utf8Bytes("k") }) } });
  await stream.next();
  const side = member.watchSides[0] as NonNullable<(typeof member.watchSides)[0]>;
  const events = [new Uint8Array(100_000)];
  for (let revision = 1; revision <= 200; revision++) side.offer({ response: { watchId: 0, events }, revision });
  await sleep(50);
  assert.ok(side.waiting > 100, `${side.waiting} of 200 still wait in the hub`);
  for (let revision = 1; revision <= 200; revision++) {
    const message = await stream.next();
    assert.equal(message?.header?.revision, revision);
  }
  assert.equal(side.waiting, 0);
  stream.cancel();
});

test("a client that asks and does not read is not read either", async (t) => {
  const { client, member } = await start(t);
  const stream = client.bidi(watch.methods.watch);
  const create = { kind: "create", value: WatchCreateRequest.create({ key: utf8Bytes("k") }) } as const;
  stream.send({ requestUnion: create });
  await stream.next();
  const side = member.watchSides[0] as NonNullable<(typeof member.watchSides)[0]>;
  side.full = true;
  for (let at = 0; at < 50; at++) stream.send({ requestUnion: create });
  await sleep(50);
  assert.equal(side.created.length, 2, "one more, then no further");
  side.full = false;
  side.offer({ response: { watchId: 9 }, revision: 3 });
  while (side.created.length < 51) await sleep(5);
  stream.cancel();
});

test("keepalives are answered in order; half-close ends their stream", async (t) => {
  const { client, member } = await start(t);
  member.leases.set(5n, { ttlSeconds: 60 });
  const stream = client.bidi(lease.methods.leaseKeepAlive);
  for (const id of [5n, 6n, 5n]) stream.send({ id });
  stream.halfClose();
  const answers = await stream.all();
  assert.deepEqual(
    answers.map(({ id, ttl }) => [id, ttl]),
    [
      [5n, 60],
      [6n, 0],
      [5n, 60],
    ],
  );
  assert.equal((await stream.status).code, 0);
});

test("a range stream of many megabytes arrives whole", async (t) => {
  const { client, member } = await start(t);
  for (let at = 0; at < 300; at++) member.keys.set(`k${String(at).padStart(4, "0")}`, new Uint8Array(100_000));
  const stream = client.serverStream(kv.methods.rangeStream, { key: Uint8Array.of(0), rangeEnd: Uint8Array.of(0) });
  const chunks = await stream.all();
  assert.equal(
    chunks.reduce((sum, { rangeResponse }) => sum + (rangeResponse?.kvs.length ?? 0), 0),
    300,
  );
  assert.equal(chunks.at(-1)?.rangeResponse?.count, 300);
  assert.equal((await stream.status).code, 0);
});

test("health is served", async (t) => {
  const { client, server } = await start(t);
  assert.deepEqual(await client.unary(health.methods.check), { status: 1 });
  assert.deepEqual(await client.unary(health.methods.list), { statuses: [{ key: "", value: { status: 1 } }] });
  const unknown = await client.call(health.methods.check, { service: "x" });
  assert.deepEqual([unknown.status.code, unknown.status.text], [5, "unknown service"]);
  const stream = client.serverStream(health.methods.watch);
  assert.equal((await stream.next())?.status, 1);
  server.health.setServing(false);
  assert.equal((await stream.next())?.status, 2);
  stream.cancel();
});

test("calls, messages, bytes and slow calls are counted", async (t) => {
  const counts = new Map<string, number>();
  const add = (what: string, by = 1) => counts.set(what, (counts.get(what) ?? 0) + by);
  const counters = ({ service, name, kind }: RpcMethod): MethodCounters => ({
    started: { inc: () => add(`${service}/${name} ${kind} started`) },
    received: { inc: () => add(`${name} received`) },
    sent: { inc: () => add(`${name} sent`) },
    handled: (code) => add(`${name} handled ${code}`),
  });
  const metrics = {
    counters,
    clientRequest: (type: string, version: string) => add(`${type} ${version}`),
    bytesReceived: (bytes: number) => add("bytes received", bytes),
    bytesSent: (bytes: number) => add("bytes sent", bytes),
  };
  const reports: UnaryReport[] = [];
  const observer = { slowerThanMs: 0, observe: (report: UnaryReport) => void reports.push(report) };
  const { client, member } = await start(t, { dispatcher: { metrics, observer } });
  await client.unary(maintenance.methods.status);
  await client.call(kv.methods.range, {}, { headers: { "client-api-version": "3.5" } });
  const stream = client.bidi(lease.methods.leaseKeepAlive);
  stream.send({ id: 1n });
  stream.send({ id: 2n });
  stream.halfClose();
  await stream.all();
  const bytes = ["bytes received", "bytes sent"].map((what) => counts.get(what));
  const statusBytes = StatusResponse.encode(member.status()).length;
  const keepAliveBytes = LeaseKeepAliveResponse.encode({ header: member.header(), id: 1n, ttl: 0 }).length;
  assert.deepEqual(bytes, [4, statusBytes + 2 * keepAliveBytes]);
  counts.delete("bytes received");
  counts.delete("bytes sent");
  assert.deepEqual(Object.fromEntries(counts), {
    "etcdserverpb.Maintenance/Status unary started": 1,
    "Status received": 1,
    "Status sent": 1,
    "Status handled 0": 1,
    "etcdserverpb.KV/Range unary started": 1,
    "Range received": 1,
    "Range handled 3": 1,
    "etcdserverpb.Lease/LeaseKeepAlive bidi started": 1,
    "LeaseKeepAlive received": 2,
    "LeaseKeepAlive sent": 2,
    "LeaseKeepAlive handled 0": 1,
    "unary unknown": 1,
    "unary 3.5": 1,
    "stream unknown": 1,
  });
  assert.deepEqual(
    reports.map(({ method, response }) => [method.name, response !== undefined]),
    [
      ["Status", true],
      ["Range", false],
    ],
  );
});

test("a mistake of ours is not the client's: it is told, and the call ends", async (t) => {
  const handlers = (): Overrides => ({
    kv: { put: () => Promise.reject(new TypeError("oops")) },
  });
  const { client, server } = await start(t, { handlers });
  const { status } = await client.call(kv.methods.put, { key: utf8Bytes("k") });
  assert.equal(status.code, 13);
  assert.equal((server.broken[0] as Error).message, "oops");
});

test("a peer that pings without end is sent away", async (t) => {
  const { url } = await start(t);
  const session = rawSession(t, url);
  await rawCall(session, kv.methods.range.path, frame(KEY_A));
  const goaway = new Promise<[number, string]>((resolve) =>
    session.once("goaway", (code, _last, data) => resolve([code, Buffer.from(data as Uint8Array).toString()])),
  );
  const pings = setInterval(() => !session.destroyed && session.ping(() => undefined), 10);
  t.after(() => clearInterval(pings));
  assert.deepEqual(await goaway, [constants.NGHTTP2_ENHANCE_YOUR_CALM, "too_many_pings"]);
  clearInterval(pings);
  await new Promise((resolve) => session.once("close", resolve));
});

test("no more calls at a time than allowed run on one connection", async (t) => {
  const { url } = await start(t, { engine: { maxConcurrentStreams: 3 } });
  const session = rawSession(t, url);
  await rawCall(session, kv.methods.range.path, frame(KEY_A));
  assert.equal(session.remoteSettings.maxConcurrentStreams, 3);
});

test("what is no gRPC goes to the HTTP paths, or is refused where there are none", async (t) => {
  const get = { ":method": "GET", "content-type": "text/plain" };
  const { url } = await start(t);
  const none = await rawCall(rawSession(t, url), "/health", undefined, get);
  assert.equal(none.headers[":status"], 415);
  assert.equal(statusText(none), '3 invalid gRPC request content-type "text/plain"');
  const { url: withPaths } = await start(t, { http: (request, response) => response.end(`path ${request.url}`) });
  const answered = await rawCall(rawSession(t, withPaths), "/health?x=1", undefined, get);
  assert.deepEqual([answered.headers[":status"], answered.data.toString()], [200, "path /health?x=1"]);
});

test("stopping ends streams at once, lets a call finish, and takes no more", async (t) => {
  let answer: () => void = () => undefined;
  const handlers = (real: AllServices): Overrides => ({
    kv: {
      put: async (request: PutRequest, call: Call) => {
        await new Promise<void>((resolve) => {
          answer = resolve;
        });
        return real.kv.put(request, call);
      },
    },
  });
  const { client, server, url } = await start(t, { handlers });
  const put = client.call(kv.methods.put, { key: utf8Bytes("k") });
  const stream = client.bidi(watch.methods.watch);
  while (server.dispatcher.size < 2) await sleep(5);
  const stopped = server.stop(5000);
  const { code, text } = await stream.status;
  assert.deepEqual([code, text], [14, "etcdserver: server stopped"]);
  const other = connect(url);
  t.after(() => other.close());
  assert.equal((await other.call(kv.methods.range, { key: utf8Bytes("k") }, { timeoutMs: 300 })).response, undefined);
  answer();
  assert.equal((await put).status.code, 0);
  await stopped;
});

test("stopping does not wait for a call that never ends", async (t) => {
  const handlers = (): Overrides => ({
    kv: { put: () => new Promise(() => undefined) },
  });
  const { client, server } = await start(t, { handlers });
  const put = client.call(kv.methods.put, { key: utf8Bytes("k") });
  while (server.dispatcher.size < 1) await sleep(5);
  await server.stop(30);
  const { status } = await put;
  assert.deepEqual([status.code, status.text], [14, "etcdserver: server stopped"]);
});

/** Calls from their first header to their status, on both engines. */
import assert from "node:assert/strict";
import { connect as connectSocket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { frame, onBothEngines, rawCall, rawSession, start, statusText } from "../../test/support/raw-grpc.ts";
import type { Overrides } from "../../test/support/rpc-server.ts";
import { utf8Bytes } from "../base/bytes.ts";
import { type ErrorCode, EtcdError } from "../base/error.ts";
import { connect } from "../client/client.ts";
import {
  LeaseKeepAliveResponse,
  PutRequest,
  RangeRequest,
  RangeStreamResponse,
  StatusResponse,
} from "../proto/etcdserverpb.ts";
import { SERVICES } from "../proto/services.ts";
import type { Call } from "../services/call.ts";
import type { AllServices } from "../services/handlers.ts";
import type { MethodCounters, RpcMethod, UnaryReport } from "./interceptors.ts";
import { STATUS } from "./status.ts";

const { kv, watch, lease, maintenance, health } = SERVICES;
const KEY_A = RangeRequest.encode(RangeRequest.create({ key: utf8Bytes("a"), serializable: true }));

onBothEngines("a unary call goes there and back", async (t, engine) => {
  const { client, member } = await start(t, engine);
  const put = await client.unary(kv.methods.put, { key: utf8Bytes("k"), value: utf8Bytes("v") });
  assert.deepEqual(put.header, { clusterId: 0xc1n, memberId: 0xa1n, revision: 2, raftTerm: 3 });
  const { response, status } = await client.call(kv.methods.range, { key: utf8Bytes("k") });
  assert.equal(response?.count, 1);
  assert.deepEqual([status.code, status.text], [0, ""]);
  assert.deepEqual([...member.keys.keys()], ["k"]);
});

onBothEngines(
  "every refusal arrives with its code and its text, from unary calls and from streams",
  async (t, engine) => {
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
    const { client } = await start(t, engine, { handlers });
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
  },
);

onBothEngines(
  "an answer that is refused before it began has no body, and one that was begun has trailers",
  async (t, engine) => {
    const { url } = await start(t, engine);
    const session = rawSession(t, url);
    const refused = await rawCall(session, kv.methods.range.path, frame(new Uint8Array(0)));
    assert.equal(refused.headers["grpc-status"], "3");
    assert.equal(refused.headers["grpc-message"], "etcdserver: key is not provided", "not escaped more than need be");
    assert.equal(refused.data.length, 0);
    const answered = await rawCall(session, kv.methods.range.path, frame(KEY_A));
    assert.equal(answered.headers["grpc-status"], undefined);
    assert.deepEqual([answered.trailers["grpc-status"], answered.trailers["grpc-message"]], ["0", ""]);
  },
);

onBothEngines("a text with more than letters is escaped as grpc-go does it", async (t, engine) => {
  const handlers = (): Overrides => ({
    kv: { range: () => Promise.reject(new EtcdError("MalformedRequest", "100 % f\u00fcr\nnichts: \u{1f600}")) },
  });
  const { url } = await start(t, engine, { handlers });
  const answer = await rawCall(rawSession(t, url), kv.methods.range.path, frame(KEY_A));
  assert.equal(answer.headers["grpc-message"], "100 %25 f%C3%BCr%0Anichts: %F0%9F%98%80");
});

onBothEngines("unknown paths are refused in grpc-go's words", async (t, engine) => {
  const { url } = await start(t, engine);
  const session = rawSession(t, url);
  const cases: Record<string, string> = {
    "/foo.Bar/Baz": "12 unknown service foo.Bar",
    "/etcdserverpb.KV/Baz": "12 unknown method Baz for service etcdserverpb.KV",
    "/etcdserverpb.KV": '12 malformed method name: "/etcdserverpb.KV"',
    "/": '12 malformed method name: "/"',
    "//x/y": "12 unknown service /x",
    "/grpc.reflection.v1.ServerReflection/Info": "12 unknown service grpc.reflection.v1.ServerReflection",
  };
  for (const [path, text] of Object.entries(cases)) {
    assert.equal(statusText(await rawCall(session, path, frame(new Uint8Array(0)))), text);
  }
});

onBothEngines("metadata reaches the service", async (t, engine) => {
  const calls: Call[] = [];
  const handlers = (real: AllServices): Overrides => ({
    kv: {
      range: (request: RangeRequest, call: Call) => {
        calls.push(call);
        return real.kv.range(request, call);
      },
    },
  });
  const { client } = await start(t, engine, { handlers });
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

onBothEngines(
  "a member without a leader refuses calls that ask for one; a version that is no text is refused",
  async (t, engine) => {
    const { client, member, url } = await start(t, engine);
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
  },
);

onBothEngines(
  "a stream that asked for a leader ends when there has been none for three elections",
  async (t, engine) => {
    const { client, member, server } = await start(t, engine, { dispatcher: { electionMs: 20 } });
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
  },
);

onBothEngines(
  "a deadline ends the call for both sides, one beyond 24 days does not end it early",
  async (t, engine) => {
    let canceled = 0;
    const handlers = (): Overrides => ({
      kv: {
        range: (_request: RangeRequest, call: Call) => {
          call.onCanceled(() => canceled++);
          return new Promise(() => undefined);
        },
      },
    });
    const { url, server } = await start(t, engine, { handlers });
    const session = rawSession(t, url);
    const range = (timeout: string) =>
      rawCall(session, kv.methods.range.path, frame(KEY_A), { "grpc-timeout": timeout });
    assert.equal(statusText(await range("30m")), "4 context deadline exceeded");
    assert.equal(canceled, 1);
    assert.equal(statusText(await range("0S")), "4 context deadline exceeded");
    assert.equal(canceled, 1, "over before it came to a handler");
    const put = frame(PutRequest.encode(PutRequest.create({ key: utf8Bytes("k") })));
    const patient = await rawCall(session, kv.methods.put.path, put, { "grpc-timeout": "99999999S" });
    assert.equal(statusText(patient), "0 ");
    assert.equal(server.dispatcher.size, 0);
  },
);

onBothEngines("a caller that goes away cancels its calls, and their late answers go nowhere", async (t, engine) => {
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
  const { client, server, member, url } = await start(t, engine, { handlers });
  const abort = new AbortController();
  const call = client.call(kv.methods.range, { key: utf8Bytes("a") }, { signal: abort.signal });
  const session = rawSession(t, url);
  const stream = rawCall(session, watch.methods.watch.path, [], {}, false);
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

onBothEngines("health is served", async (t, engine) => {
  const { client, server } = await start(t, engine);
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

onBothEngines("calls, messages, bytes and slow calls are counted", async (t, engine) => {
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
  const { client, member } = await start(t, engine, { dispatcher: { metrics, observer } });
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

onBothEngines("a mistake of ours is not the client's: it is told, and the call ends", async (t, engine) => {
  const handlers = (): Overrides => ({
    kv: { put: () => Promise.reject(new TypeError("oops")) },
  });
  const { client, server } = await start(t, engine, { handlers });
  const { status } = await client.call(kv.methods.put, { key: utf8Bytes("k") });
  assert.equal(status.code, 13);
  assert.equal((server.broken[0] as Error).message, "oops");
});

onBothEngines("stopping ends streams at once, lets a call finish, and takes no more", async (t, engine) => {
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
  const { client, server, url } = await start(t, engine, { handlers });
  const idle = connectSocket(Number(new URL(url).port), "127.0.0.1");
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
  idle.destroy();
});

onBothEngines("stopping does not wait for a call that never ends", async (t, engine) => {
  const handlers = (): Overrides => ({
    kv: { put: () => new Promise(() => undefined) },
  });
  const { client, server } = await start(t, engine, { handlers });
  const put = client.call(kv.methods.put, { key: utf8Bytes("k") });
  while (server.dispatcher.size < 1) await sleep(5);
  await server.stop(30);
  const { status } = await put;
  assert.deepEqual([status.code, status.text], [14, "etcdserver: server stopped"]);
});

/** Messages: cut, packed, unreadable, too long, too many, too fast; on both engines. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { gunzipSync, gzipSync } from "node:zlib";
import { frame, onBothEngines, rawCall, rawSession, start, statusText } from "../../test/support/raw-grpc.ts";
import { MAX_RECEIVE_BYTES, type Overrides } from "../../test/support/rpc-server.ts";
import { utf8Bytes } from "../base/bytes.ts";
import {
  PutRequest,
  RangeRequest,
  RangeResponse,
  RangeStreamResponse,
  WatchCreateRequest,
} from "../proto/etcdserverpb.ts";
import { KeyValue } from "../proto/mvccpb.ts";
import { SERVICES } from "../proto/services.ts";
import type { Outlet } from "../services/call.ts";
import type { AllServices } from "../services/handlers.ts";

const { kv, watch, lease } = SERVICES;
const KEY_A = RangeRequest.encode(RangeRequest.create({ key: utf8Bytes("a"), serializable: true }));
const PUT = frame(PutRequest.encode(PutRequest.create({ key: utf8Bytes("key"), value: utf8Bytes("v".repeat(20)) })));

onBothEngines(
  "bytes that are no message are refused in grpc-go's words, and the connection lives on",
  async (t, engine) => {
    const { url, server } = await start(t, engine);
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
  },
);

onBothEngines("a message at the limit is taken, one byte more is refused with both numbers", async (t, engine) => {
  const { client, member } = await start(t, engine);
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

onBothEngines("a message may be cut anywhere", async (t, engine) => {
  const { url, member } = await start(t, engine);
  const session = rawSession(t, url);
  for (let cut = 1; cut < PUT.length; cut += engine === "own" ? 1 : 5) {
    const answer = await rawCall(session, kv.methods.put.path, [PUT.subarray(0, cut), PUT.subarray(cut)]);
    assert.equal(statusText(answer), "0 ", `cut at ${cut}`);
  }
  const bytes = Array.from(PUT, (byte) => Uint8Array.of(byte));
  assert.equal(statusText(await rawCall(session, kv.methods.put.path, bytes)), "0 ");
  assert.deepEqual([...member.keys.keys()], ["key"]);
});

onBothEngines(
  "a message too long is refused by its length alone, whatever it says of its packing",
  async (t, engine) => {
    const { url } = await start(t, engine);
    const session = rawSession(t, url);
    for (const flag of [0, 1]) {
      const claim = Buffer.from([flag, 0xff, 0xff, 0xff, 0xff, 1, 2, 3]);
      const refused = statusText(await rawCall(session, kv.methods.put.path, claim));
      assert.equal(refused, `8 grpc: received message larger than max (${2 ** 32 - 1} vs. ${MAX_RECEIVE_BYTES})`);
    }
  },
);

onBothEngines("gzip is unpacked up to the limit, other encodings are refused", async (t, engine) => {
  const { url } = await start(t, engine);
  const session = rawSession(t, url);
  const call = (message: Uint8Array, encoding: string, flag = 1) =>
    rawCall(session, kv.methods.range.path, frame(message, flag), { "grpc-encoding": encoding }).then(statusText);
  const packed = gzipSync(KEY_A);
  assert.equal(await call(packed, "gzip"), "0 ");
  assert.equal(await call(Buffer.concat([gzipSync(KEY_A.subarray(0, 2)), gzipSync(KEY_A.subarray(2))]), "gzip"), "0 ");
  assert.equal(await call(KEY_A, "gzip", 0), "0 ");
  assert.equal(await call(KEY_A, "identity", 0), "0 ");
  assert.equal(
    await call(gzipSync(new Uint8Array(3_000_000)), "gzip"),
    `8 grpc: received message after decompression larger than max ${MAX_RECEIVE_BYTES}`,
  );
  assert.equal(await call(utf8Bytes("garbage"), "gzip"), "13 grpc: failed to decompress the message: unexpected EOF");
  assert.equal(await call(KEY_A, "snappy", 0), '12 grpc: Decompressor is not installed for grpc-encoding "snappy"');
});

/** What our engine can tell and grpc-js does not: it hides what it unpacks, and passes over what it does not know. */
test("what is wrong with packed messages is told in grpc-go's words", async (t) => {
  const { url } = await start(t, "own");
  const session = rawSession(t, url);
  const call = (message: Uint8Array, encoding = "gzip", flag = 1) =>
    rawCall(session, kv.methods.range.path, frame(message, flag), { "grpc-encoding": encoding }).then(statusText);
  const packed = gzipSync(KEY_A);
  const badSum = Uint8Array.from(packed, (byte, at) => (at === packed.length - 6 ? byte ^ 1 : byte));
  const cases: readonly (readonly [bytes: Uint8Array, text: string])[] = [
    [new Uint8Array(0), "failed to decompress the message: EOF"],
    [utf8Bytes("no gzip at all"), "failed to decompress the message: gzip: invalid header"],
    [packed.subarray(0, -3), "failed to read decompressed data: unexpected EOF"],
    [badSum, "failed to read decompressed data: gzip: invalid checksum"],
    [
      Buffer.concat([gzipSync(new Uint8Array(9000).fill(7), { level: 0 }).subarray(0, 8000)]),
      "failed to read decompressed data: unexpected EOF",
    ],
  ];
  for (const [bytes, text] of cases) assert.equal(await call(bytes), `13 grpc: ${text}`);
  const flagAlone = "13 grpc: compressed flag set with identity or empty encoding";
  assert.equal(await call(packed, "identity"), flagAlone);
  assert.equal(statusText(await rawCall(session, kv.methods.range.path, frame(packed, 1))), flagAlone);
  assert.equal(await call(KEY_A, "gzip", 2), "13 grpc: received unexpected payload format 2");
});

test("callers that pack are answered packed, whatever the answer's size", async (t) => {
  const kvs = Array.from({ length: 40 }, () => new Uint8Array(100));
  const handlers = (real: AllServices): Overrides => ({
    kv: {
      range: (request: RangeRequest, call) =>
        request.limit === 40 ? RangeResponse.create({ kvs }) : real.kv.range(request, call),
    },
  });
  const { url } = await start(t, "own", { handlers });
  const session = rawSession(t, url);
  const packs = { "grpc-encoding": "gzip" };
  const long = RangeRequest.encode(RangeRequest.create({ limit: 40 }));
  for (const [request, count] of [
    [KEY_A, 0],
    [long, 40],
  ] as const) {
    const answer = await rawCall(session, kv.methods.range.path, frame(gzipSync(request), 1), packs);
    assert.deepEqual([statusText(answer), answer.headers["grpc-encoding"], answer.data[0]], ["0 ", "gzip", 1]);
    assert.equal(answer.data.readUInt32BE(1), answer.data.length - 5);
    assert.equal(RangeResponse.decode(gunzipSync(answer.data.subarray(5))).kvs.length, count);
  }
  const refused = await rawCall(session, kv.methods.range.path, frame(gzipSync(new Uint8Array(0)), 1), packs);
  assert.deepEqual(
    [statusText(refused), refused.headers["grpc-encoding"]],
    ["3 etcdserver: key is not provided", undefined],
  );
});

test("a request that ends in the middle of a message", async (t) => {
  const { url } = await start(t, "own");
  const session = rawSession(t, url);
  const cut = (path: string, bytes: number) => rawCall(session, path, PUT.subarray(0, bytes)).then(statusText);
  for (const bytes of [5, 9, PUT.length - 1]) {
    assert.equal(await cut(kv.methods.put.path, bytes), "2 unexpected EOF");
    for (const { path } of [watch.methods.watch, lease.methods.leaseKeepAlive, kv.methods.rangeStream]) {
      assert.equal(await cut(path, bytes), "13 unexpected EOF");
    }
  }
  // A piece of a prefix is no message: the call ends as if it had not come.
  assert.equal(await cut(kv.methods.put.path, 3), "2 EOF");
  assert.equal(await cut(lease.methods.leaseKeepAlive.path, 3), "0 ");
});

onBothEngines("a unary call is handled when its message has come, and needs one", async (t, engine) => {
  const { url } = await start(t, engine);
  const session = rawSession(t, url);
  const open = rawCall(session, kv.methods.range.path, frame(KEY_A), {}, false);
  assert.equal(statusText(await open), "0 ", "not yet half-closed");
  assert.equal(statusText(await rawCall(session, kv.methods.range.path)), "2 EOF");
  assert.equal(
    statusText(await rawCall(session, kv.methods.rangeStream.path)),
    "13 cardinality violation: received no request message from non-client-streaming RPC",
  );
  const twice = Buffer.concat([frame(KEY_A), frame(KEY_A)]);
  assert.equal(statusText(await rawCall(session, kv.methods.range.path, twice)), "0 ");
});

onBothEngines("a watch stream lives through half-close, and messages come in order", async (t, engine) => {
  const { client, member } = await start(t, engine);
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

onBothEngines("a client that does not read holds the service back, and then gets everything", async (t, engine) => {
  const { client, member } = await start(t, engine);
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

onBothEngines("a client that asks and does not read is not read either", async (t, engine) => {
  const { client, member } = await start(t, engine);
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

onBothEngines("keepalives are answered in order; half-close ends their stream", async (t, engine) => {
  const { client, member } = await start(t, engine);
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

onBothEngines("a range stream of many megabytes arrives whole", async (t, engine) => {
  const { client, member } = await start(t, engine);
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

test("a client that reads nothing gets little before the service hears of it", async (t) => {
  let outlet: Outlet<RangeStreamResponse> | undefined;
  const handlers = (): Overrides => ({
    kv: {
      rangeStream: (_request: unknown, _call: unknown, given: Outlet<RangeStreamResponse>) => {
        outlet = given;
      },
    },
  });
  const { url } = await start(t, "own", { handlers });
  const stream = rawSession(t, url).request({
    ":method": "POST",
    ":path": kv.methods.rangeStream.path,
    "content-type": "application/grpc",
  });
  stream.end(frame(KEY_A));
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

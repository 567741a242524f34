/** What no good client sends: each gets an answer that says why, and the server goes on. */
import assert from "node:assert/strict";
import { connect as connectTcp } from "node:net";
import { after, before, test } from "node:test";
import { gunzipSync, gzipSync } from "node:zlib";
import { concatBytes, EMPTY_BYTES, utf8Bytes } from "../../server/base/bytes.ts";
import {
  LeaseGrantRequest,
  PutRequest,
  RangeRequest,
  RangeResponse,
  type WatchRequest,
} from "../../server/proto/etcdserverpb.ts";
import { type AnyMethod, SERVICES } from "../../server/proto/services.ts";
import { framed, RawConnection } from "./raw-call.ts";
import { made, refusal, statusText } from "./store.ts";
import { suite } from "./target.ts";
import { Watching } from "./watching.ts";

const { kv, watch, lease, maintenance, cluster, health } = SERVICES;
const MALFORMED = "Internal grpc: error unmarshalling request: proto: cannot parse invalid wire-format data";
/** As streams say it. */
const MALFORMED_IN_STREAM =
  "Internal grpc: failed to unmarshal the received message: proto: cannot parse invalid wire-format data";

/** The bytes of a protobuf field of int64 in its widest form: ten bytes, the largest positive number. */
const INT64_MAX = "ffffffffffffffff7f";

export const badInputSuite = suite("Bad input", [], (store) => {
  let raw: RawConnection;
  before(() => {
    raw = new RawConnection(store.server.url);
  });
  after(() => raw.close());
  const sent = async (path: string, hex: string) => (await raw.call(path, framed(Buffer.from(hex, "hex")))).status;

  test("bytes that are no message are refused as such by every call", async () => {
    const others = [maintenance.methods.alarm, cluster.methods.memberList, lease.methods.leaseGrant];
    const methods: AnyMethod[] = [
      ...Object.values(kv.methods),
      ...others,
      maintenance.methods.status,
      health.methods.check,
    ];
    for (const { path, kind } of methods) {
      const text = kind === "unary" ? MALFORMED : MALFORMED_IN_STREAM;
      assert.equal(await sent(path, "0a"), text, `${path}: a length is missing`);
      assert.equal(await sent(path, "0a05ff"), text, `${path}: cut short`);
      assert.equal(await sent(path, "0f00"), text, `${path}: a wire type that does not exist`);
      assert.equal(await sent(path, "00"), text, `${path}: field zero`);
      assert.equal(await sent(path, "ffffffffffffffffffffff01"), text, `${path}: a tag without end`);
    }
  });

  test("fields that are not known are passed over", async () => {
    // One field of each wire type, the group (with a field inside) among them.
    const unknown = ["a2060178", "a8068001", "b50601020304", "b1060102030405060708", "bb060801bc06"].join("");
    const [put, range] = [kv.methods.put.path, kv.methods.range.path];
    assert.equal(await sent(put, `0a0175${unknown}120176`), "OK");
    assert.equal((await store.get("u"))?.value, "v");
    assert.equal(await sent(range, `${unknown}0a0175`), "OK");
  });

  test("a stream that sends no message ends, and its neighbours live on", async () => {
    const neighbour = new Watching(store.client);
    await neighbour.create("n");
    for (const method of [watch.methods.watch, lease.methods.leaseKeepAlive]) {
      const stream = store.client.bidi<WatchRequest, object>(method as unknown as typeof watch.methods.watch);
      stream.sendBytes(Uint8Array.of(0x0a, 0x05, 0xff));
      assert.equal(statusText(await stream.status), MALFORMED_IN_STREAM);
    }
    const revision = await store.write("n");
    assert.deepEqual(await neighbour.events(1), [`put n= @${revision}`]);
    await neighbour.close();
  });

  test("a watch request without content is passed over", async () => {
    const watching = new Watching(store.client);
    watching.send(undefined);
    assert.equal((await watching.create("k")).created, true);
    await watching.close();
  });

  test("text that is not UTF-8 is refused, keys are not text", async () => {
    const text = "Internal grpc: error unmarshalling request: string field contains invalid UTF-8";
    assert.equal(await sent(health.methods.check.path, "0a02c328"), text);
    assert.equal(await sent(kv.methods.put.path, "0a02c328"), "OK");
  });

  test("a message larger than the server takes is refused before it is read", async () => {
    const request = PutRequest.encode(made(PutRequest, { key: "k", value: new Uint8Array(2_200_000) }));
    const text = `ResourceExhausted grpc: received message larger than max (${request.length} vs. 2097152)`;
    assert.equal(await refusal(store.put("k", new Uint8Array(2_200_000))), text);
    const announced = Buffer.from("00ffffffff", "hex");
    const { status } = await raw.call(kv.methods.put.path, announced);
    assert.equal(status, "ResourceExhausted grpc: received message larger than max (4294967295 vs. 2097152)");
  });

  test("services, methods and paths that do not exist are named", async () => {
    const status = async (path: string) => (await raw.call(path, framed(EMPTY_BYTES))).status;
    assert.equal(
      await status("/etcdserverpb.KV/Nothing"),
      "Unimplemented unknown method Nothing for service etcdserverpb.KV",
    );
    assert.equal(await status("/no.Service/Range"), "Unimplemented unknown service no.Service");
    const reflection = "grpc.reflection.v1.ServerReflection";
    assert.equal(await status(`/${reflection}/ServerReflectionInfo`), `Unimplemented unknown service ${reflection}`);
    assert.equal(await status("/Range"), 'Unimplemented malformed method name: "/Range"');
  });

  test("a call that brings no message, or half of one, is refused", async () => {
    const { path } = kv.methods.range;
    const whole = framed(RangeRequest.encode(made(RangeRequest, { key: "k" })));
    for (const body of [EMPTY_BYTES, whole.subarray(0, 3), whole.subarray(0, 6)]) {
      const { status } = await raw.call(path, body);
      assert.match(status, /^(Internal|Unknown) /, `${body.length} bytes`);
    }
  });

  test("numbers at the ends of their range are taken as they are", async () => {
    const { path } = kv.methods.range;
    await store.put("k", "v");
    const key = "0a016b";
    const future = "OutOfRange etcdserver: mvcc: required revision is a future revision";
    assert.equal(await sent(path, `${key}18${INT64_MAX}`), "OK", "limit");
    assert.equal(await sent(path, `${key}1880808080808080808001`), "OK", "the least limit");
    assert.equal(await sent(path, `${key}20${INT64_MAX}`), future);
    assert.equal(await sent(path, `${key}2080808080808080808001`), "OK", "the least revision is the present one");
    assert.equal(await sent(path, `${key}50${INT64_MAX}`), "OK", "no revision is that high");
    assert.equal(await sent(path, `${key}28${INT64_MAX}`), "InvalidArgument etcdserver: invalid sort option");
    assert.equal(await sent(kv.methods.compact.path, `08${INT64_MAX}`), future);
    const grant = lease.methods.leaseGrant.path;
    assert.equal(await sent(grant, `08${INT64_MAX}`), "OutOfRange etcdserver: too large lease TTL");
  });

  test("gzip is understood, another packing is refused", async () => {
    const { path } = kv.methods.range;
    await store.put("zipped", "v".repeat(2000));
    const message = RangeRequest.encode(made(RangeRequest, { key: "zipped" }));
    const packed = await raw.call(path, framed(gzipSync(message), 1), { "grpc-encoding": "gzip" });
    assert.equal(packed.status, "OK");
    const answer = packed.data.subarray(5);
    const bytes = packed.data[0] === 1 ? gunzipSync(answer) : answer; // the server's choice
    const plain = await raw.call(path, framed(message));
    assert.equal(plain.data[0], 0);
    assert.deepEqual(
      RangeResponse.decode(bytes).kvs.map(hex),
      RangeResponse.decode(plain.data.subarray(5)).kvs.map(hex),
    );
    const other = await raw.call(path, framed(message, 1), { "grpc-encoding": "snappy" });
    assert.equal(other.status, 'Unimplemented grpc: Decompressor is not installed for grpc-encoding "snappy"');
  });

  test("what cannot be unpacked, or is too large then, is refused", async () => {
    const { path } = kv.methods.range;
    const broken = await raw.call(path, framed(Buffer.from("not gzip"), 1), { "grpc-encoding": "gzip" });
    assert.match(broken.status, /^Internal grpc: failed to decompress the message: unexpected EOF$/);
    const bomb = await raw.call(path, framed(gzipSync(Buffer.alloc(50_000_000)), 1), { "grpc-encoding": "gzip" });
    assert.match(bomb.status, /^ResourceExhausted grpc: received message after decompression larger than max/);
  });

  test("a deadline that has passed ends the call, one that cannot be read is refused", async () => {
    const message = framed(RangeRequest.encode(made(RangeRequest, { key: "k" })));
    const { path } = kv.methods.range;
    const over = await raw.call(path, message, { "grpc-timeout": "1n" });
    assert.match(over.status, /^DeadlineExceeded /);
    const unreadable = await raw.call(path, message, { "grpc-timeout": "soon" });
    assert.match(unreadable.status, /^Internal malformed grpc-timeout/);
  });

  test("a client's version that is no text is refused; hasleader asks for one that is there", async () => {
    const message = framed(RangeRequest.encode(made(RangeRequest, { key: "k" })));
    const { path } = kv.methods.range;
    const odd = await raw.call(path, message, { "client-api-version": "\u00ff" });
    assert.equal(odd.status, "InvalidArgument etcdserver: invalid client api version");
    const good = await raw.call(path, message, { "client-api-version": "3.7", hasleader: "true", token: "none" });
    assert.equal(good.status, "OK");
  });

  test("what is no gRPC is told so", async () => {
    const message = framed(EMPTY_BYTES);
    const wrong = await raw.call("/etcdserverpb.KV/Range", message, { "content-type": "text/plain" });
    assert.notEqual(wrong.headers[":status"], 200);
    assert.notEqual((await raw.call("/etcdserverpb.KV/Range", message, { ":method": "PUT" })).status, "OK");
  });

  test("a connection that speaks nothing known is closed or told so, and harms nobody", async () => {
    for (const bytes of ["\0\u0001\u0002\u0003\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\ngarbage garbage garbage"]) {
      await new Promise<void>((resolve, reject) => {
        const socket = connectTcp(store.server.clientPort, "127.0.0.1", () => socket.end(bytes));
        socket.on("error", () => undefined);
        socket.on("data", () => undefined);
        socket.on("close", () => resolve());
        socket.setTimeout(5000, () => reject(new Error("the connection stays open")));
      });
    }
    assert.equal((await store.put("k")).header !== undefined, true);
  });

  test("random bytes do no harm", async () => {
    const random = lcg(7);
    const paths = [
      kv.methods.txn,
      kv.methods.put,
      kv.methods.range,
      lease.methods.leaseGrant,
      maintenance.methods.alarm,
    ];
    for (let round = 0; round < 200; round++) {
      const bytes = Uint8Array.from({ length: random(60) }, () => random(256));
      const path = paths[round % paths.length]?.path as string;
      const { status } = await raw.call(path, framed(bytes));
      assert.notEqual(status, "", `${path} ${hex(bytes)}`);
    }
    const whole = LeaseGrantRequest.encode(LeaseGrantRequest.create({ id: 77n, ttl: 600 }));
    const twice = await raw.call(lease.methods.leaseGrant.path, framed(concatBytes([whole, whole])));
    assert.equal(twice.status, "OK", "the last of two equal fields counts");
    assert.equal((await store.put(utf8Bytes("k"))).header !== undefined, true);
  });
});

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

/** Numbers below a bound, the same in every run. */
function lcg(seed: number): (bound: number) => number {
  let state = seed;
  return (bound) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * bound);
  };
}

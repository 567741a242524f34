import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type Frame,
  frameOf,
  GREETING,
  POST,
  RawPeer,
  settingsOf,
  settled,
  uint32,
} from "../../test/support/raw-peer.ts";
import { Prng } from "../base/prng.ts";
import { Shared } from "./connection.ts";
import { Http2Code } from "./errors.ts";
import { Flag, FrameType, PREFACE } from "./frame.ts";
import { SharedField } from "./hpack.ts";
import {
  CONNECTION_WINDOW_BYTES,
  MAX_CONTINUATIONS,
  OUTPUT_AHEAD_BYTES,
  PREFACE_MS,
  RATES,
  READ_TURN_MS,
  STALL_MS,
  STREAM_WINDOW_BYTES,
} from "./limits.ts";
import type { Stream } from "./stream.ts";

const { DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION, PRIORITY } = FrameType;
const { END_STREAM, END_HEADERS, PADDED, ACK } = Flag;
const OK = [new SharedField(":status", "200")];
const DONE = [new SharedField("grpc-status", "0")];
const NOTHING = new Uint8Array(0);

function ofType(frames: readonly Frame[], type: number): Frame[] {
  return frames.filter((frame) => frame.type === type);
}

/** Answers each request when its body has ended: its own body. */
function echo(stream: Stream, bodies = new Map<Stream, Buffer[]>()) {
  bodies.set(stream, []);
  return {
    data: (bytes: Uint8Array) => {
      bodies.get(stream)?.push(Buffer.from(bytes));
      stream.consumed(bytes.length);
    },
    end: () => {
      stream.respond(OK, false);
      stream.send(NOTHING, Buffer.concat(bodies.get(stream) ?? []), false);
      stream.finish(DONE);
    },
  };
}

test("a connection begins with our settings, and the peer's are acknowledged", () => {
  const peer = new RawPeer({ maxConcurrentStreams: 100 });
  const [settings, window] = peer.frames();
  assert.equal(settings?.type, SETTINGS);
  assert.equal(window?.payload.readUInt32BE(0), CONNECTION_WINDOW_BYTES - 65_535);
  peer.send(GREETING);
  assert.deepEqual(
    peer.frames().map(({ type, flags }) => [type, flags]),
    [[SETTINGS, ACK]],
  );
});

test("a request and its answer, however the bytes are cut", async () => {
  const body = Buffer.from("hello over there");
  for (let piece = 1; piece < 120; piece++) {
    const peer = new RawPeer({ request: (stream) => echo(stream) });
    const bytes = Buffer.concat([
      PREFACE,
      settingsOf([[4, 65_535]]),
      peer.headers(1, [...POST, { name: "x", value: "y" }]),
      frameOf(DATA, PADDED, 1, Buffer.concat([Buffer.of(3), body.subarray(0, 5), Buffer.alloc(3)])),
      frameOf(DATA, END_STREAM, 1, body.subarray(5)),
      frameOf(PING, 0, 0, Buffer.from("12345678")),
    ]);
    for (let at = 0; at < bytes.length; at += piece) peer.send(bytes.subarray(at, at + piece));
    await settled();
    const frames = peer.frames();
    const [head, data, trailers] = frames.filter(({ id }) => id === 1);
    assert.deepEqual(peer.fields(head as Frame), [":status: 200"]);
    assert.deepEqual(data?.payload, body, `in pieces of ${piece}`);
    assert.deepEqual(peer.fields(trailers as Frame), ["grpc-status: 0"]);
    assert.equal(trailers?.flags, END_STREAM | END_HEADERS);
    assert.equal(ofType(frames, PING)[0]?.payload.toString(), "12345678");
    assert.equal(peer.connection.streamCount, 0);
  }
});

test("all answers of one turn leave in one write, those of a later turn in another", async () => {
  const streams: Stream[] = [];
  const peer = new RawPeer({
    request: (stream) => {
      streams.push(stream);
      return {};
    },
  });
  peer.greet();
  await settled();
  peer.socket.writes = 0;
  const requests = Array.from({ length: 50 }, (_, index) => peer.headers(index * 2 + 1, POST, true));
  peer.send(...requests, frameOf(PING, 0, 0, Buffer.alloc(8)));
  assert.equal(peer.socket.writes, 1);
  await Promise.resolve();
  for (const stream of streams) {
    stream.respond(OK, false);
    stream.send(NOTHING, Buffer.from("x"), false);
    await Promise.resolve();
    stream.finish(DONE);
  }
  await settled();
  assert.equal(peer.socket.writes, 2);
  assert.equal(ofType(peer.frames(), DATA).length, 50);
});

test("who brings much is cut off after some milliseconds, and goes on in its turns behind the others, in order", async () => {
  const shared = new Shared();
  let nowMs = 0;
  const begun: string[] = [];
  const peerOf = (name: string) =>
    new RawPeer({
      shared,
      monotonicMs: () => nowMs,
      request: (stream) => {
        begun.push(`${name}${stream.id}`);
        nowMs += 0.1;
        return {};
      },
    });
  const [greedy, modest] = [peerOf("g"), peerOf("m")];
  for (const peer of [greedy, modest]) peer.greet();
  await settled();
  const requests = Array.from({ length: 500 }, (_, index) => greedy.headers(index * 2 + 1, POST, true));
  const bytes = Buffer.concat(requests);
  greedy.send(bytes.subarray(0, bytes.length - 3));
  const first = begun.length;
  assert.ok(first > 0 && first * 0.1 < READ_TURN_MS + 2, `${first} at once`);
  assert.ok(greedy.socket.paused);
  modest.send(modest.headers(1, POST, true));
  assert.equal(begun.at(-1), "m1");
  for (let turn = 0; turn < 30 && greedy.socket.paused; turn++) await settled();
  assert.ok(!greedy.socket.paused);
  greedy.send(bytes.subarray(bytes.length - 3)); // a frame that was cut
  assert.deepEqual(
    begun.filter((name) => name.startsWith("g")),
    Array.from({ length: 500 }, (_, index) => `g${index * 2 + 1}`),
  );
});

test("a connection that ends while it waits for its turn takes nothing more in", async () => {
  let nowMs = 0;
  const peer = new RawPeer({
    monotonicMs: () => nowMs,
    request: () => {
      nowMs += 1;
      return {};
    },
  });
  peer.greet();
  peer.send(...Array.from({ length: 100 }, (_, index) => peer.headers(index * 2 + 1, POST, true)));
  assert.ok(peer.socket.paused);
  const before = peer.heard.length;
  peer.connection.destroy();
  for (let turn = 0; turn < 20; turn++) await settled();
  assert.equal(peer.heard.length, before);
});

test("faults of a connection end it with their code", () => {
  const long = Buffer.alloc(16_385);
  const faults: readonly (readonly [what: string, code: number, bytes: (peer: RawPeer) => Buffer])[] = [
    ["DATA on stream 0", Http2Code.PROTOCOL_ERROR, () => frameOf(DATA, 0, 0, Buffer.of(1))],
    ["DATA on an idle stream", Http2Code.PROTOCOL_ERROR, () => frameOf(DATA, 0, 5, Buffer.of(1))],
    ["HEADERS on stream 0", Http2Code.PROTOCOL_ERROR, (peer) => peer.headers(0)],
    ["an even stream", Http2Code.PROTOCOL_ERROR, (peer) => peer.headers(2)],
    ["a push", Http2Code.PROTOCOL_ERROR, () => frameOf(5, END_HEADERS, 1, Buffer.alloc(4))],
    ["SETTINGS of a stream", Http2Code.PROTOCOL_ERROR, () => frameOf(SETTINGS, 0, 1)],
    ["SETTINGS cut short", Http2Code.FRAME_SIZE_ERROR, () => frameOf(SETTINGS, 0, 0, Buffer.alloc(5))],
    ["ENABLE_PUSH 2", Http2Code.PROTOCOL_ERROR, () => settingsOf([[2, 2]])],
    ["a window of 2^31", Http2Code.FLOW_CONTROL_ERROR, () => settingsOf([[4, 2 ** 31]])],
    ["MAX_FRAME_SIZE 1", Http2Code.PROTOCOL_ERROR, () => settingsOf([[5, 1]])],
    ["PING of 7 bytes", Http2Code.FRAME_SIZE_ERROR, () => frameOf(PING, 0, 0, Buffer.alloc(7))],
    ["a window update of 0", Http2Code.PROTOCOL_ERROR, () => frameOf(WINDOW_UPDATE, 0, 0, uint32(0))],
    ["too large a window", Http2Code.FLOW_CONTROL_ERROR, () => frameOf(WINDOW_UPDATE, 0, 0, uint32(2 ** 31 - 1))],
    ["a frame too long", Http2Code.FRAME_SIZE_ERROR, () => frameOf(DATA, 0, 1, long)],
    ["CONTINUATION of nothing", Http2Code.PROTOCOL_ERROR, () => frameOf(CONTINUATION, END_HEADERS, 1)],
    ["padding beyond the frame", Http2Code.PROTOCOL_ERROR, () => frameOf(DATA, PADDED, 1, Buffer.of(9, 1))],
    [
      "a header block that is none",
      Http2Code.COMPRESSION_ERROR,
      () => frameOf(HEADERS, END_HEADERS, 1, Buffer.of(0xff)),
    ],
    ["RST_STREAM of an idle stream", Http2Code.PROTOCOL_ERROR, () => frameOf(RST_STREAM, 0, 7, uint32(8))],
    [
      "something inside of a header block",
      Http2Code.PROTOCOL_ERROR,
      () => Buffer.concat([frameOf(HEADERS, 0, 1), frameOf(PING, 0, 0, Buffer.alloc(8))]),
    ],
  ];
  for (const [what, code, bytes] of faults) {
    const peer = new RawPeer();
    peer.greet();
    peer.send(bytes(peer), peer.headers(9));
    assert.equal(RawPeer.goAway(peer.frames()), code, what);
    assert.equal(peer.socket.ended, true, what);
    assert.equal(peer.heard.length, 0, `${what}: nothing is heard afterwards`);
  }
});

test("faults of a stream reset it alone", () => {
  const without = (name: string) => POST.filter((field) => field.name !== name);
  const heads: readonly (readonly [what: string, fields: readonly { name: string; value: string }[]])[] = [
    ["no path", without(":path")],
    ["two paths", [...POST, { name: ":path", value: "/b" }]],
    ["a pseudo field behind a regular one", [{ name: "a", value: "b" }, ...POST]],
    ["an upper case name", [...POST, { name: "X-a", value: "b" }]],
    ["a connection field", [...POST, { name: "connection", value: "close" }]],
    ["another te", [...POST, { name: "te", value: "gzip" }]],
    ["a line break", [...POST, { name: "a", value: "b\nc" }]],
    ["an empty path", [...without(":path"), { name: ":path", value: "" }]],
    ["a response's field", [...POST, { name: ":status", value: "200" }]],
    ["a length of words", [...POST, { name: "content-length", value: "ten" }]],
  ];
  const peer = new RawPeer();
  peer.greet();
  for (const [index, [what, fields]] of heads.entries()) {
    const id = index * 2 + 1;
    peer.send(peer.headers(id, fields, true));
    assert.equal(RawPeer.reset(peer.frames(), id), Http2Code.PROTOCOL_ERROR, what);
  }
  assert.equal(peer.heard.length, 0);
  const ids = [101, 103, 105, 107];
  const length = (value: string) => [...POST, { name: "content-length", value }];
  peer.send(peer.headers(101, length("3")), frameOf(DATA, END_STREAM, 101, Buffer.of(1, 2)));
  peer.send(peer.headers(103, length("1")), frameOf(DATA, 0, 103, Buffer.of(1, 2)));
  peer.send(peer.headers(105), peer.headers(105));
  peer.send(peer.headers(107), frameOf(WINDOW_UPDATE, 0, 107, uint32(0)));
  const frames = peer.frames();
  for (const id of ids) assert.equal(RawPeer.reset(frames, id), Http2Code.PROTOCOL_ERROR, `stream ${id}`);
  assert.deepEqual(
    peer.heard.map(({ gone }) => gone),
    [true, true, true, true],
  );
  peer.send(frameOf(DATA, 0, 107, Buffer.of(1)), peer.headers(109));
  assert.equal(peer.heard.length, 5, "what was on its way for a stream that we reset is no fault");
});

test("headers come in CONTINUATION frames too, and trailers end a request", () => {
  const peer = new RawPeer();
  peer.greet();
  const block = peer.block([...POST, { name: "long", value: "x".repeat(300) }]);
  peer.send(frameOf(HEADERS, 0, 1, block.subarray(0, 3)), frameOf(CONTINUATION, 0, 1, block.subarray(3, 90)));
  peer.send(frameOf(CONTINUATION, END_HEADERS, 1, block.subarray(90)));
  assert.equal(peer.heard[0]?.head.get("long")?.length, 300);
  peer.send(frameOf(DATA, 0, 1, Buffer.from("abc")), peer.headers(1, [{ name: "after", value: "all" }], true));
  assert.deepEqual([peer.heard[0]?.ended, peer.heard[0]?.body.toString()], [true, "abc"]);
});

test("floods end the connection: ENHANCE_YOUR_CALM", () => {
  const many = (count: number, make: (index: number) => Buffer) =>
    Array.from({ length: count }, (_, index) => make(index));
  const floods: readonly (readonly [what: string, bytes: (peer: RawPeer) => Buffer[]])[] = [
    ["settings", () => many(RATES.settings.burst + 1, () => settingsOf([]))],
    ["pings", () => many(RATES.pings.burst + 1, () => frameOf(PING, 0, 0, Buffer.alloc(8)))],
    ["unknown frames", () => many(RATES.idle.burst + 1, () => frameOf(77, 0, 0))],
    ["priorities", () => many(RATES.idle.burst + 1, () => frameOf(PRIORITY, 0, 1, Buffer.from([0, 0, 0, 3, 1])))],
    ["empty data", (peer) => [peer.headers(1), ...many(RATES.idle.burst + 1, () => frameOf(DATA, 0, 1))]],
    [
      "rapid reset",
      (peer) =>
        many(RATES.resets.burst + 1, (index) =>
          Buffer.concat([peer.headers(index * 2 + 1, POST, true), frameOf(RST_STREAM, 0, index * 2 + 1, uint32(8))]),
        ),
    ],
    [
      "resets that they make us send",
      (peer) =>
        many(RATES.faults.burst + 1, (index) =>
          Buffer.concat([peer.headers(index * 2 + 1), frameOf(WINDOW_UPDATE, 0, index * 2 + 1, uint32(0))]),
        ),
    ],
    [
      "continuations",
      () => [frameOf(HEADERS, 0, 1), ...many(MAX_CONTINUATIONS + 1, () => frameOf(CONTINUATION, 0, 1))],
    ],
    [
      "a header block without an end",
      () => [frameOf(HEADERS, 0, 1), ...many(10, () => frameOf(CONTINUATION, 0, 1, Buffer.alloc(16_000)))],
    ],
    ["more settings in a frame than there are", () => [settingsOf(many(65, () => Buffer.alloc(0)).map(() => [77, 1]))]],
  ];
  for (const [what, bytes] of floods) {
    const peer = new RawPeer();
    peer.greet();
    peer.send(...bytes(peer));
    assert.equal(RawPeer.goAway(peer.frames()), Http2Code.ENHANCE_YOUR_CALM, what);
    assert.equal(peer.connection.streamCount, 0, what);
  }
});

test("what is done at a bearable pace goes on for ever", () => {
  const peer = new RawPeer();
  peer.greet();
  for (let second = 0; second < 100; second++) {
    peer.nowMs += 1000;
    for (let index = 0; index < 100; index++) {
      const id = (second * 100 + index) * 2 + 1;
      peer.send(peer.headers(id), frameOf(RST_STREAM, 0, id, uint32(8)), frameOf(PING, 0, 0, Buffer.alloc(8)));
    }
  }
  assert.equal(RawPeer.goAway(peer.frames()), undefined);
  assert.equal(peer.heard.length, 10_000);
});

test("a peer that asks too many pings of the owner is sent away", () => {
  const peer = new RawPeer({ pinged: () => false });
  peer.greet();
  peer.send(frameOf(PING, 0, 0, Buffer.alloc(8)));
  const goAway = ofType(peer.frames(), GOAWAY)[0];
  assert.equal(goAway?.payload.subarray(8).toString(), "too_many_pings");
});

test("answers obey both windows; a window that went negative must be filled first", async () => {
  const peer = new RawPeer();
  peer.greet([4, 10]);
  peer.send(peer.headers(1, POST, true));
  const stream = peer.heard[0]?.stream as Stream;
  stream.respond(OK, false);
  stream.send(Buffer.from("01234"), Buffer.from("56789abcdef"), true);
  stream.finish(DONE);
  await settled();
  const sent = () => ofType(peer.frames(), DATA).map(({ payload }) => payload.toString());
  assert.deepEqual(sent(), ["0123456789"]);
  peer.send(settingsOf([[4, 7]])); // now at -3
  peer.send(frameOf(WINDOW_UPDATE, 0, 1, uint32(3)));
  await settled();
  assert.deepEqual(sent(), []);
  peer.send(frameOf(WINDOW_UPDATE, 0, 1, uint32(1)));
  await settled();
  assert.deepEqual(sent(), ["a"]);
  peer.send(settingsOf([[4, 8]]));
  await settled();
  assert.deepEqual(sent(), ["b"]);
  peer.send(frameOf(WINDOW_UPDATE, 0, 1, uint32(100)));
  await settled();
  const frames = peer.frames();
  assert.deepEqual(
    frames.map(({ type, payload }) => (type === DATA ? payload.toString() : type)),
    ["cdef", HEADERS],
  );
});

test("new requests wait while a peer leaves its answers unread, and go on when it reads or gives up", async () => {
  const peer = new RawPeer();
  peer.greet([4, 0]);
  peer.send(peer.headers(1, POST, true), peer.headers(3, POST, true));
  for (const { stream } of peer.heard) {
    stream.respond(OK, false);
    stream.send(NOTHING, Buffer.alloc(9 * 1024 * 1024), false);
  }
  peer.send(peer.headers(5), frameOf(DATA, 0, 5, Buffer.from("ab")), frameOf(DATA, END_STREAM, 5, Buffer.from("c")));
  assert.equal(peer.heard[2]?.body.length, 0);
  peer.send(frameOf(RST_STREAM, 0, 1, uint32(8)));
  assert.deepEqual([peer.heard[2]?.body.toString(), peer.heard[2]?.ended], ["abc", true]);
});

test("a long answer leaves room for the others: frames of streams take turns", async () => {
  const peer = new RawPeer();
  peer.greet([4, 1_000_000]);
  peer.send(peer.headers(1, POST, true), peer.headers(3, POST, true));
  const [long, short] = peer.heard.map(({ stream }) => stream) as [Stream, Stream];
  for (const stream of [long, short]) stream.respond(OK, false);
  long.send(NOTHING, Buffer.alloc(500_000), false);
  short.send(NOTHING, Buffer.from("event"), false); // the connection's window is used up
  await settled();
  peer.frames();
  peer.send(frameOf(WINDOW_UPDATE, 0, 0, uint32(20_000)));
  await settled();
  assert.deepEqual(
    ofType(peer.frames(), DATA).map(({ id }) => id),
    [1, 3, 1],
  );
});

test("an owner is held back while its peer reads slowly, and hears when there is room", async () => {
  const peer = new RawPeer();
  peer.greet();
  peer.send(peer.headers(1, POST, true));
  const { stream } = peer.heard[0] as { stream: Stream };
  stream.respond(OK, false);
  let room = true;
  let sent = 0;
  for (; room && sent < 1000; sent++) room = stream.send(NOTHING, Buffer.alloc(10_000), false);
  assert.ok(sent < 20, `${sent} messages`);
  assert.equal(peer.heard[0]?.drained, 0);
  peer.send(frameOf(WINDOW_UPDATE, 0, 0, uint32(1_000_000)), frameOf(WINDOW_UPDATE, 0, 1, uint32(1_000_000)));
  await settled();
  assert.equal(peer.heard[0]?.drained, 1);
});

test("while the socket takes nothing, data wait in their streams and no more is framed", async () => {
  const peer = new RawPeer();
  peer.greet([4, 2 ** 31 - 1]);
  peer.send(frameOf(WINDOW_UPDATE, 0, 0, uint32(2 ** 30)));
  await settled();
  peer.socket.slow = true;
  peer.send(peer.headers(1, POST, true));
  const { stream } = peer.heard[0] as { stream: Stream };
  stream.respond(OK, false);
  stream.send(NOTHING, Buffer.alloc(5_000_000, 7), false);
  stream.finish(DONE);
  await settled();
  assert.ok(stream.queuedBytes > 5_000_000 - OUTPUT_AHEAD_BYTES - 70_000, `${stream.queuedBytes}`);
  for (let round = 0; round < 50 && peer.connection.streamCount > 0; round++) {
    peer.socket.take();
    await settled();
  }
  peer.socket.take();
  const frames = peer.frames();
  assert.equal(
    ofType(frames, DATA).reduce((sum, { payload }) => sum + payload.length, 0),
    5_000_000,
  );
  assert.equal(frames.at(-1)?.type, HEADERS);
});

test("a peer that reads nothing is let go: control frames are bounded, and a stall is", async () => {
  const flooded = new RawPeer();
  flooded.greet();
  flooded.socket.slow = true;
  for (let round = 0; round < 400 && !flooded.socket.destroyed; round++) {
    flooded.nowMs += 1000;
    flooded.send(...Array.from({ length: 2000 }, () => frameOf(PING, 0, 0, Buffer.alloc(8))));
  }
  assert.equal(flooded.socket.destroyed, true);

  const shared = new Shared();
  const stalled = new RawPeer({ shared });
  stalled.greet();
  stalled.send(stalled.headers(1, POST, true));
  stalled.heard[0]?.stream.respond(OK, false);
  stalled.heard[0]?.stream.send(NOTHING, Buffer.alloc(1_000_000), false);
  await settled();
  stalled.connection.tick(1000);
  assert.equal(stalled.socket.ended, false);
  stalled.connection.tick(2000 + STALL_MS);
  assert.equal(stalled.socket.ended, true);
  assert.equal(shared.unsentBytes, 0, "what waited has been let go");
});

test("a preface must come in time", () => {
  const silent = new RawPeer();
  silent.send(PREFACE.subarray(0, 10));
  silent.connection.tick(PREFACE_MS);
  assert.equal(silent.socket.destroyed, false);
  silent.connection.tick(PREFACE_MS + 1);
  assert.equal(silent.socket.destroyed, true);
  const other = new RawPeer();
  other.send(Buffer.from("GET / HTTP/1.1\r\n\r\n"));
  assert.equal(RawPeer.goAway(other.frames()), Http2Code.PROTOCOL_ERROR);
  const first = new RawPeer();
  first.send(PREFACE, frameOf(PING, 0, 0, Buffer.alloc(8)));
  assert.equal(RawPeer.goAway(first.frames()), Http2Code.PROTOCOL_ERROR);
});

test("what the peer may send is told as it is dealt with, and no more is taken", () => {
  const peer = new RawPeer({ request: () => ({ data: () => undefined }) });
  peer.greet();
  peer.send(peer.headers(1));
  const piece = Buffer.alloc(16_384);
  const fits = STREAM_WINDOW_BYTES / piece.length;
  for (let index = 0; index < fits; index++) peer.send(frameOf(DATA, 0, 1, piece));
  assert.deepEqual(peer.frames(), []);
  peer.heard[0]?.stream.consumed(STREAM_WINDOW_BYTES / 2);
  peer.send(frameOf(PING, ACK, 0, Buffer.alloc(8)));
  const [update] = ofType(peer.frames(), WINDOW_UPDATE);
  assert.deepEqual([update?.id, update?.payload.readUInt32BE(0)], [1, STREAM_WINDOW_BYTES / 2]);
  for (let index = 0; index <= fits / 2; index++) peer.send(frameOf(DATA, 0, 1, piece));
  assert.equal(RawPeer.reset(peer.frames(), 1), Http2Code.FLOW_CONTROL_ERROR);
});

test("streams beyond the bound are refused; those under way are not touched", () => {
  const peer = new RawPeer({ maxConcurrentStreams: 2 });
  peer.greet();
  peer.send(peer.headers(1), peer.headers(3), peer.headers(5));
  assert.equal(RawPeer.reset(peer.frames(), 5), Http2Code.REFUSED_STREAM);
  assert.equal(peer.connection.streamCount, 2);
});

test("draining says GOAWAY, finishes what is under way, and closes", async () => {
  const peer = new RawPeer();
  peer.greet();
  peer.send(peer.headers(1, POST, true));
  peer.connection.drain();
  const goAway = ofType(peer.frames(), GOAWAY)[0];
  assert.deepEqual([goAway?.payload.readUInt32BE(0), goAway?.payload.readUInt32BE(4)], [1, 0]);
  peer.send(peer.headers(3));
  assert.equal(RawPeer.reset(peer.frames(), 3), Http2Code.REFUSED_STREAM);
  assert.equal(peer.socket.ended, false);
  peer.heard[0]?.stream.respond(OK, true);
  await settled();
  assert.equal(peer.socket.ended, true);
  assert.equal(ofType(peer.frames(), HEADERS).length, 1);
});

test("an answer that is complete before its request resets the rest a while later", async () => {
  const peer = new RawPeer({
    request: (stream) => {
      stream.respond(OK, true);
      return {};
    },
  });
  peer.greet();
  peer.send(peer.headers(1), peer.headers(3), frameOf(DATA, END_STREAM, 3, Buffer.of(1)));
  await settled();
  assert.equal(RawPeer.reset(peer.frames(), 1), undefined);
  peer.connection.tick(1000);
  peer.connection.tick(2000);
  await settled();
  const frames = peer.frames();
  assert.equal(RawPeer.reset(frames, 1), Http2Code.NO_ERROR);
  assert.equal(RawPeer.reset(frames, 3), undefined);
  assert.equal(peer.connection.streamCount, 0);
});

test("a silent peer is asked whether it is there, and let go when it does not answer", () => {
  const peer = new RawPeer({ pingIntervalMs: 5000, pingTimeoutMs: 1000 });
  peer.greet();
  peer.connection.tick(5001);
  assert.equal(ofType(peer.frames(), PING).length, 1);
  peer.nowMs = 5500;
  peer.send(frameOf(PING, ACK, 0, Buffer.alloc(8)));
  peer.connection.tick(7000);
  assert.equal(peer.socket.destroyed, false);
  peer.connection.tick(11_000);
  peer.connection.tick(12_001);
  assert.equal(peer.socket.destroyed, true);
});

test("everything arrives once and in order, whatever windows and sockets do", async () => {
  for (let seed = 1; seed <= 30; seed++) {
    const prng = new Prng(seed);
    const peer = new RawPeer({ request: (stream) => echo(stream) });
    peer.greet([4, prng.below(3000)]);
    const bodies = new Map<number, Buffer>();
    const got = new Map<number, Buffer[]>();
    let windows = 0;
    for (let index = 0; index < 12; index++) {
      const id = index * 2 + 1;
      const body = Buffer.from(prng.bytes(prng.below(20_000)));
      bodies.set(id, body);
      const cut = prng.below(body.length + 1);
      const pieces = [body.subarray(0, cut), body.subarray(cut)].filter((piece) => piece.length <= 16_384);
      if (pieces.length < 2) bodies.set(id, Buffer.concat(pieces));
      peer.send(peer.headers(id));
      for (const piece of pieces) peer.send(frameOf(DATA, 0, id, piece));
      peer.send(frameOf(DATA, END_STREAM, id));
    }
    const ended = new Set<number>();
    for (let round = 0; round < 20_000 && ended.size < bodies.size; round++) {
      peer.socket.slow = prng.chance(0.5);
      if (prng.chance(0.7)) peer.socket.take();
      if (prng.chance(0.1)) peer.send(settingsOf([[4, prng.below(5000)]]));
      if (prng.chance(0.6)) peer.send(frameOf(WINDOW_UPDATE, 0, 0, uint32(1 + prng.below(4000))));
      const id = prng.below(12) * 2 + 1;
      if (!ended.has(id)) peer.send(frameOf(WINDOW_UPDATE, 0, id, uint32(1 + prng.below(4000))));
      if (prng.chance(0.3)) await settled();
      peer.nowMs += 100;
      for (const { type, flags, id: of, payload } of peer.frames()) {
        assert.notEqual(type, GOAWAY, payload.subarray(8).toString());
        assert.notEqual(type, RST_STREAM);
        if (type === DATA) got.set(of, [...(got.get(of) ?? []), payload]);
        if (type === DATA) windows += payload.length;
        if ((type === DATA || type === HEADERS) && (flags & END_STREAM) !== 0) ended.add(of);
      }
    }
    assert.equal(ended.size, bodies.size, `seed ${seed}: after ${windows} bytes`);
    for (const [id, body] of bodies) {
      assert.deepEqual(Buffer.concat(got.get(id) ?? []), body, `seed ${seed}, stream ${id}`);
    }
  }
});

test("random and damaged frames never break more than their own connection", async () => {
  const rounds = Number(process.env["HTTP2_FUZZ_ROUNDS"] ?? 3000);
  const prng = new Prng(Number(process.env["HTTP2_FUZZ_SEED"] ?? 5));
  const codes = new Map<number, number>();
  const shared = new Shared();
  for (let round = 0; round < rounds; round++) {
    const peer = new RawPeer({ shared, request: (stream) => echo(stream), maxConcurrentStreams: 50 });
    peer.socket.slow = prng.chance(0.2);
    peer.greet([4, prng.pick([0, 1, 65_535, 2 ** 31 - 1])]);
    const frames = Array.from({ length: 1 + prng.below(12) }, () => randomFrame(prng, peer));
    const bytes = Buffer.concat(frames);
    for (let flips = prng.chance(0.5) ? 0 : prng.below(4); flips > 0; flips--) {
      bytes[prng.below(bytes.length)] = prng.below(256);
    }
    for (let at = 0; at < bytes.length; ) {
      const length = 1 + prng.below(bytes.length);
      peer.send(bytes.subarray(at, at + length));
      at += length;
    }
    if (round % 50 === 0) await settled();
    const code = RawPeer.goAway(peer.frames());
    if (code !== undefined) {
      codes.set(code, (codes.get(code) ?? 0) + 1);
      assert.ok(code <= Http2Code.ENHANCE_YOUR_CALM && code !== Http2Code.INTERNAL_ERROR, `code ${code}`);
    }
    assert.ok(peer.connection.streamCount <= 50);
    peer.connection.destroy();
    assert.equal(peer.connection.streamCount, 0);
    for (const heard of peer.heard) assert.ok(heard.gone || heard.stream.gone);
  }
  assert.equal(shared.unsentBytes, 0, "nothing is left of any of them");
  await settled();
  assert.ok(codes.size >= 4, [...codes.keys()].join());
});

function randomFrame(prng: Prng, peer: RawPeer): Buffer {
  const id = prng.chance(0.9) ? prng.below(6) * 2 + 1 : prng.below(2 ** 31);
  const flags = prng.chance(0.7)
    ? prng.pick([0, END_STREAM, PADDED, END_HEADERS, END_STREAM | END_HEADERS])
    : prng.below(256);
  switch (prng.below(10)) {
    case 0:
    case 1:
    case 2:
      return peer.headers(id, POST, prng.chance(0.3));
    case 3:
    case 4:
      return frameOf(DATA, flags, id, prng.bytes(prng.below(300)));
    case 5:
      return frameOf(WINDOW_UPDATE, 0, prng.chance(0.5) ? 0 : id, uint32(prng.pick([0, 1, 1000, 2 ** 31 - 1])));
    case 6:
      return frameOf(RST_STREAM, 0, id, uint32(prng.below(14)));
    case 7:
      return settingsOf([[1 + prng.below(7), prng.pick([0, 1, 100, 16_384, 65_535, 2 ** 31 - 1, 2 ** 32 - 1])]]);
    case 8:
      return frameOf(HEADERS, flags, id, prng.bytes(prng.below(60)));
    default:
      return frameOf(prng.below(12), flags, prng.chance(0.5) ? 0 : id, prng.bytes(prng.below(40)));
  }
}

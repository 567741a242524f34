/** Bounds that take time, memory or more than one connection to reach. Floods of frames are in connection.test.ts. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Frame, frameOf, POST, RawPeer, settingsOf, settled, uint32 } from "../../test/support/raw-peer.ts";
import { Shared } from "./connection.ts";
import { Http2Code } from "./errors.ts";
import { Flag, FrameType } from "./frame.ts";
import { SharedField } from "./hpack.ts";
import {
  Bucket,
  CONNECTION_PARTIAL_BYTES,
  CONNECTION_QUEUE_BYTES,
  CROWDED_STALL_MS,
  ENGINE_PARTIAL_BYTES,
  ENGINE_UNSENT_BYTES,
  HEADER_BLOCK_MS,
  RATES,
  SHARE_PARTIAL_BYTES,
  STALL_MS,
  STALL_PROGRESS_BYTES,
} from "./limits.ts";
import type { Stream } from "./stream.ts";

const { DATA, HEADERS, PING, WINDOW_UPDATE, SETTINGS, CONTINUATION } = FrameType;
const INITIAL_WINDOW = 4;
const OK = [new SharedField(":status", "200")];
const NOTHING = new Uint8Array(0);
const MIB = 1024 * 1024;
const SECOND = 1000;

function streamsOf(peer: RawPeer): Stream[] {
  return peer.heard.map(({ stream }) => stream);
}

/** Opens calls and begins the answer of each. */
function answered(peer: RawPeer, count: number): Stream[] {
  for (let at = 0; at < count; at++) peer.send(peer.headers(at * 2 + 1, POST, true));
  for (const stream of streamsOf(peer)) stream.respond(OK, false);
  return streamsOf(peer);
}

function dataBytes(frames: readonly Frame[]): number {
  return frames.reduce((sum, { type, payload }) => sum + (type === DATA ? payload.length : 0), 0);
}

test("a bucket gives its burst at once, and then so many a second", () => {
  const bucket = new Bucket({ burst: 3, perSecond: 2, why: "too many" }, 0);
  const takes = (count: number, nowMs: number) => Array.from({ length: count }, () => bucket.take(nowMs));
  assert.deepEqual(takes(4, 0), [undefined, undefined, undefined, "too many"]);
  assert.deepEqual(takes(2, 500), [undefined, "too many"]);
  assert.deepEqual(takes(4, 60_000), [undefined, undefined, undefined, "too many"]);
});

test("a header block that is begun must end in time, however often a piece of it comes", () => {
  const peer = new RawPeer();
  peer.greet();
  peer.nowMs = SECOND;
  peer.send(frameOf(HEADERS, 0, 1, peer.block(POST)));
  peer.nowMs += HEADER_BLOCK_MS;
  peer.send(frameOf(CONTINUATION, 0, 1));
  peer.connection.tick(peer.nowMs);
  assert.equal(RawPeer.goAway(peer.frames()), undefined);
  peer.connection.tick(peer.nowMs + 1);
  assert.equal(RawPeer.goAway(peer.frames()), Http2Code.ENHANCE_YOUR_CALM);
});

test("pings, and a byte now and then, are no progress for a peer whose answers wait", async () => {
  const peer = new RawPeer();
  peer.greet([INITIAL_WINDOW, 0]);
  const [stream] = answered(peer, 1) as [Stream];
  stream.send(NOTHING, Buffer.alloc(MIB), false);
  for (let ms = SECOND; ms <= STALL_MS; ms += SECOND) {
    peer.nowMs = ms;
    peer.send(frameOf(PING, 0, 0, Buffer.alloc(8)), frameOf(WINDOW_UPDATE, 0, 1, uint32(1)));
    peer.connection.tick(ms);
  }
  await settled();
  assert.equal(RawPeer.goAway(peer.frames()), undefined);
  peer.connection.tick(STALL_MS + 1);
  assert.equal(RawPeer.goAway(peer.frames()), Http2Code.ENHANCE_YOUR_CALM);
});

test("a slow peer that goes on reading keeps its connection", async () => {
  const peer = new RawPeer();
  peer.greet([INITIAL_WINDOW, 0]);
  peer.send(frameOf(WINDOW_UPDATE, 0, 0, uint32(8 * MIB)));
  const [stream] = answered(peer, 1) as [Stream];
  stream.send(NOTHING, Buffer.alloc(2 * MIB), false);
  for (let round = 1; round <= 10; round++) {
    peer.send(frameOf(WINDOW_UPDATE, 0, 1, uint32(STALL_PROGRESS_BYTES)));
    await settled();
    peer.connection.tick(round * (STALL_MS - SECOND));
  }
  const frames = peer.frames();
  assert.equal(RawPeer.goAway(frames), undefined);
  assert.equal(dataBytes(frames), 10 * STALL_PROGRESS_BYTES);
});

test("while the engine is crowded whoever does not read is let go sooner", () => {
  const shared = new Shared();
  const peer = new RawPeer({ shared });
  peer.greet([INITIAL_WINDOW, 0]);
  const [stream] = answered(peer, 1) as [Stream];
  stream.send(NOTHING, Buffer.alloc(MIB), false);
  peer.connection.tick(CROWDED_STALL_MS + 1);
  assert.equal(RawPeer.goAway(peer.frames()), undefined);
  shared.unsentBytes += ENGINE_UNSENT_BYTES;
  peer.connection.tick(CROWDED_STALL_MS + 2);
  assert.equal(RawPeer.goAway(peer.frames()), Http2Code.ENHANCE_YOUR_CALM);
});

test("one answer of any size waits for its reader; beyond the bound of a connection further ones are dropped", async () => {
  const shared = new Shared();
  const peer = new RawPeer({ shared });
  peer.greet([INITIAL_WINDOW, 0]);
  const [large, second, third] = answered(peer, 3) as [Stream, Stream, Stream];
  const body = Buffer.alloc(CONNECTION_QUEUE_BYTES);
  large.send(NOTHING, body, false);
  assert.equal(large.gone, false);
  second.send(NOTHING, Buffer.alloc(1), false);
  third.finish(OK);
  await settled();
  const frames = peer.frames();
  assert.equal(RawPeer.reset(frames, second.id), Http2Code.ENHANCE_YOUR_CALM);
  assert.equal(peer.heard[1]?.gone, true);
  assert.equal(third.gone, true, "an answer without a body goes its way");
  assert.equal(shared.unsentBytes, body.length);
  assert.equal(RawPeer.goAway(frames), undefined);
});

test("on a connection with much unread every owner with something queued is held back", () => {
  const peer = new RawPeer();
  peer.greet([INITIAL_WINDOW, 0]);
  const [large, small] = answered(peer, 2) as [Stream, Stream];
  assert.equal(small.send(NOTHING, Buffer.alloc(100), false), true);
  large.send(NOTHING, Buffer.alloc(17 * MIB), false);
  assert.equal(small.send(NOTHING, Buffer.alloc(100), false), false);
});

test("messages in part are bounded on a connection and on all; a share is everyone's", () => {
  const shared = new Shared();
  const one = new RawPeer({ shared });
  const other = new RawPeer({ shared });
  for (const peer of [one, other]) {
    peer.greet();
    peer.send(peer.headers(1), peer.headers(3));
  }
  const [first, second] = streamsOf(one) as [Stream, Stream];
  const [third] = streamsOf(other) as [Stream];
  assert.equal(first.partial(CONNECTION_PARTIAL_BYTES), true);
  assert.equal(second.partial(1), false);
  second.partial(-1);
  shared.partialBytes = ENGINE_PARTIAL_BYTES;
  assert.equal(third.partial(SHARE_PARTIAL_BYTES), true);
  assert.equal(third.partial(1), false);
  const before = shared.partialBytes;
  first.reset(Http2Code.CANCEL);
  assert.equal(shared.partialBytes, before - CONNECTION_PARTIAL_BYTES, "given back with the stream");
});

test("what needs no answer is counted: acknowledgements, answers to pings, updates that nobody waits for", () => {
  const floods: readonly (readonly [what: string, count: number, frame: Buffer])[] = [
    ["acknowledgements", RATES.idle.burst + 2, frameOf(SETTINGS, Flag.ACK, 0)],
    ["answers to pings", RATES.idle.burst + 1, frameOf(PING, Flag.ACK, 0, Buffer.alloc(8))],
    ["window updates", RATES.updates.burst + 1, frameOf(WINDOW_UPDATE, 0, 0, uint32(1))],
  ];
  for (const [what, count, frame] of floods) {
    const peer = new RawPeer();
    peer.greet();
    peer.send(...Array.from({ length: count }, () => frame));
    assert.equal(RawPeer.goAway(peer.frames()), Http2Code.ENHANCE_YOUR_CALM, what);
  }
});

test("a window opened byte by byte ends the connection; two updates for each full frame never do", async () => {
  const dribbling = new RawPeer();
  dribbling.greet([INITIAL_WINDOW, 0]);
  const [slow] = answered(dribbling, 1) as [Stream];
  slow.send(NOTHING, Buffer.alloc(MIB), false);
  const byte = frameOf(WINDOW_UPDATE, 0, 1, uint32(1));
  dribbling.send(...Array.from({ length: RATES.dribbles.burst + 1 }, () => byte));
  assert.equal(RawPeer.goAway(dribbling.frames()), Http2Code.ENHANCE_YOUR_CALM);

  const reading = new RawPeer();
  reading.greet();
  const [fast] = answered(reading, 1) as [Stream];
  const rounds = RATES.updates.burst;
  const full = uint32(16_384);
  for (let round = 0; round < rounds; round++) {
    fast.send(NOTHING, Buffer.alloc(16_384), false);
    reading.send(frameOf(WINDOW_UPDATE, 0, 0, full), frameOf(WINDOW_UPDATE, 0, 1, full));
    reading.socket.written = [];
  }
  await settled();
  assert.equal(reading.socket.ended, false);
});

test("a SETTINGS frame moves windows once, to what it says last", async () => {
  const peer = new RawPeer();
  peer.greet();
  const [stream] = answered(peer, 1) as [Stream];
  peer.send(
    settingsOf([
      [INITIAL_WINDOW, 0],
      [INITIAL_WINDOW, 2 ** 31 - 1],
      [INITIAL_WINDOW, 10],
    ]),
  );
  assert.equal(stream.sendWindow, 10);
  peer.send(peer.headers(3, POST, true));
  assert.equal(streamsOf(peer)[1]?.sendWindow, 10);
});

/** Answers in parts: whole under any window, one frame of each stream in turn, and gone with their stream. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Frame, frameOf, POST, RawPeer, settled, uint32 } from "../../test/support/raw-peer.ts";
import { Prng } from "../base/prng.ts";
import { Shared } from "./connection.ts";
import { FrameType } from "./frame.ts";
import { SharedField } from "./hpack.ts";
import { CONNECTION_TURN_BYTES, CONNECTION_UNSENT_BYTES, ENGINE_TURN_BYTES } from "./limits.ts";
import type { BodySource, Stream } from "./stream.ts";

const { DATA, HEADERS, RST_STREAM, WINDOW_UPDATE } = FrameType;
const OK = [new SharedField(":status", "200")];
const DONE = [new SharedField("grpc-status", "0")];
const NOTHING = new Uint8Array(0);
const INITIAL_WINDOW = 4;

/** The bytes 0, 1, 2, ... 250, 0, ... */
class Count implements BodySource {
  readonly length: number;
  at = 0;

  constructor(length: number) {
    this.length = length;
  }

  copyTo(into: Uint8Array, from: number, count: number): void {
    assert.ok(this.at + count <= this.length && from + count <= into.length);
    for (let index = 0; index < count; index++) into[from + index] = (this.at + index) % 251;
    this.at += count;
  }
}

function bytesOf(frames: readonly Frame[], id: number): Buffer {
  return Buffer.concat(frames.filter((one) => one.type === DATA && one.id === id).map(({ payload }) => payload));
}

function whole(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  new Count(length).copyTo(bytes, 0, length);
  return bytes;
}

/** A peer whose stream `id` has been opened. */
function open(peer: RawPeer, id: number): Stream {
  peer.send(peer.headers(id, POST, true));
  return peer.heard.at(-1)?.stream as Stream;
}

function answer(stream: Stream, source: BodySource): boolean {
  stream.respond(OK, false);
  const room = stream.sendFrom(source);
  stream.finish(DONE);
  return room;
}

function update(id: number, bytes: number): Buffer {
  return frameOf(WINDOW_UPDATE, 0, id, uint32(bytes));
}

/** A peer with a connection window beyond all that is sent here. */
function peerWith(window: number, shared = new Shared()): RawPeer {
  const peer = new RawPeer({ shared });
  peer.greet([INITIAL_WINDOW, window]);
  peer.send(update(0, 1 << 30));
  return peer;
}

test("an answer in parts is whole, whatever windows it meets", async () => {
  for (let seed = 1; seed <= 30; seed++) {
    const prng = new Prng(seed);
    const length = prng.below(200_000) + 1;
    const shared = new Shared();
    const peer = peerWith(prng.below(3) * 300, shared);
    const frames: Frame[] = [];
    answer(open(peer, 1), new Count(length));
    for (let turn = 0; turn < 5000 && peer.connection.streamCount > 0; turn++) {
      frames.push(...peer.frames());
      peer.send(update(1, 1 + prng.below(seed % 3 === 0 ? 40_000 : 4000)));
      if (turn % 20 === 0) await settled();
    }
    await settled();
    frames.push(...peer.frames());
    assert.ok(bytesOf(frames, 1).equals(whole(length)), `seed ${seed}`);
    assert.equal(frames.filter(({ id, type }) => id === 1 && type === HEADERS).length, 2, "head and trailers");
    assert.equal(shared.unsentBytes, 0);
  }
});

test("a turn of the loop takes a bounded part of an answer, though the system takes everything at once", async () => {
  const length = CONNECTION_TURN_BYTES * 5;
  const peer = peerWith(1 << 30);
  const source = new Count(length);
  answer(open(peer, 1), source);
  const after: number[] = [source.at];
  while (source.at < length) {
    await settled();
    after.push(source.at);
  }
  let before = 0;
  for (const at of after) {
    assert.ok(at - before <= CONNECTION_TURN_BYTES + 16_384, `${at - before} bytes in a turn`);
    before = at;
  }
  assert.ok(bytesOf(peer.frames(), 1).equals(whole(length)));
});

test("all connections together have a bounded part of a turn, and each comes to it", async () => {
  const shared = new Shared();
  const length = ENGINE_TURN_BYTES;
  const sources = Array.from({ length: 12 }, () => new Count(length));
  const peers = sources.map(() => peerWith(1 << 30, shared));
  for (const [index, source] of sources.entries()) answer(open(peers[index] as RawPeer, 1), source);
  const total = () => sources.reduce((sum, { at }) => sum + at, 0);
  for (let before = 0; total() < length * 12; ) {
    const now = total();
    assert.ok(now - before <= ENGINE_TURN_BYTES + CONNECTION_TURN_BYTES, `${now - before} bytes in a turn`);
    before = now;
    const least = Math.min(...sources.map(({ at }) => at));
    const most = Math.max(...sources.map(({ at }) => at));
    assert.ok(most - least <= CONNECTION_TURN_BYTES * 2 + 32_768, "none is far ahead");
    await settled();
  }
  assert.equal(shared.unsentBytes, 0);
});

test("an answer that nobody reads keeps no other one back, be it as long as it may", async () => {
  const peer = peerWith(1000);
  const room = answer(open(peer, 1), new Count(CONNECTION_UNSENT_BYTES * 4));
  assert.equal(room, false);
  for (let id = 3; id < 203; id += 2) {
    const stream = open(peer, id);
    stream.respond(OK, false);
    stream.send(NOTHING, Buffer.alloc(100, id), false);
    stream.finish(DONE);
  }
  peer.send(peer.headers(203, POST), frameOf(DATA, 1, 203, Buffer.from("is taken too")));
  await settled();
  const frames = peer.frames();
  for (let id = 3; id < 203; id += 2) assert.equal(bytesOf(frames, id).length, 100);
  assert.equal(peer.heard.at(-1)?.body.toString(), "is taken too");
  assert.equal(bytesOf(frames, 1).length, 1000);
});

test("two long answers go frame by frame in turn", async () => {
  const peer = peerWith(0);
  const [one, two] = [new Count(500_000), new Count(500_000)];
  answer(open(peer, 1), one);
  answer(open(peer, 3), two);
  peer.send(update(1, 1 << 20), update(3, 1 << 20));
  await settled();
  assert.ok(one.at > 0 && one.at < one.length);
  while (one.at < one.length) {
    assert.ok(Math.abs(one.at - two.at) <= 20 * 16_384, `${one.at} and ${two.at}`);
    await settled();
  }
  await settled();
  const frames = peer.frames();
  assert.ok(bytesOf(frames, 1).equals(whole(500_000)) && bytesOf(frames, 3).equals(whole(500_000)));
});

test("a reset or the end of the connection lets go of what is left of an answer", async () => {
  for (const end of ["reset", "close"]) {
    const shared = new Shared();
    const peer = peerWith(5000, shared);
    const source = new Count(1_000_000);
    const stream = open(peer, 1);
    answer(stream, source);
    await settled();
    assert.equal(stream.unsentBytes, 1_000_000 - 5000);
    if (end === "reset") peer.send(frameOf(RST_STREAM, 0, 1, uint32(8)));
    else peer.socket.emit("close");
    assert.equal(shared.unsentBytes, 0);
    assert.equal(stream.queuedBytes, 0);
    peer.send(update(1, 100_000));
    await settled();
    assert.equal(source.at, 5000, "nothing more is asked of it");
  }
});

test("a connection that drains ends when its long answer has been sent", async () => {
  const peer = peerWith(5000);
  answer(open(peer, 1), new Count(900_000));
  peer.connection.drain();
  await settled();
  assert.equal(peer.socket.ended, false);
  peer.send(update(1, 1_000_000));
  for (let turn = 0; turn < 20 && !peer.socket.ended; turn++) await settled();
  assert.ok(peer.socket.ended);
  assert.ok(bytesOf(peer.frames(), 1).equals(whole(900_000)));
});

test("what is sent behind an answer in parts comes behind it", async () => {
  const peer = peerWith(100);
  const stream = open(peer, 1);
  stream.respond(OK, false);
  stream.sendFrom(new Count(1000));
  stream.send(Buffer.from("<"), Buffer.from(">"), false);
  stream.sendFrom(new Count(1000));
  stream.finish(undefined);
  peer.send(update(1, 10_000));
  await settled();
  const expected = Buffer.concat([whole(1000), Buffer.from("<>"), whole(1000)]);
  assert.ok(bytesOf(peer.frames(), 1).equals(expected));
});

/**
 * Our HTTP/2 engine against chance: lawful clients, clients with one fault, and bytes that were damaged.
 *   COUNT   sequences of each of the three kinds (600)
 *   SEED    of the first
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "../../server/base/prng.ts";
import { Shared } from "../../server/http2/connection.ts";
import { ConnectionFailure, Http2Code } from "../../server/http2/errors.ts";
import { Flag, FrameType } from "../../server/http2/frame.ts";
import { type HeaderList, HpackDecoder } from "../../server/http2/hpack.ts";
import { HEADER_TABLE_BYTES, MAX_HEADER_LIST_BYTES } from "../../server/http2/limits.ts";
import { type Frame, frameOf, RawPeer, settled } from "../support/raw-peer.ts";
import { type Field, HeaderBlocks, integer } from "./header-blocks.ts";
import { FAULTS } from "./http2-faults.ts";
import { echo, LawfulClient } from "./lawful-client.ts";

const COUNT = Number(process.env["COUNT"] ?? 600);
const SEED = Number(process.env["SEED"] ?? 20_261_124);
/** After so many sequences promise jobs and timers get their turn. */
const REST_EVERY = 200;
const STEPS_MAX = 30;

/** Hands bytes over cut at random; sometimes byte by byte. */
function sendCut(peer: RawPeer, bytes: Buffer, prng: Prng): void {
  const most = prng.chance(0.3) ? 3 : prng.chance(0.5) ? 40 : bytes.length;
  for (let at = 0; at < bytes.length; ) {
    const length = 1 + prng.below(most);
    peer.send(bytes.subarray(at, at + length));
    at += length;
  }
}

function beginning(prng: Prng, steps: number): LawfulClient {
  const client = new LawfulClient(prng);
  for (let step = prng.below(steps * (client.heavy ? 5 : 1)); step > 0; step--) client.step();
  return client;
}

/** Runs `one` for each seed; what it throws is told with its seed. */
async function each(t: { diagnostic(text: string): void }, one: (prng: Prng, shared: Shared) => void): Promise<void> {
  const shared = new Shared();
  const heapBefore = process.memoryUsage().rss;
  for (let index = 0; index < COUNT; index++) {
    const seed = SEED + index;
    try {
      one(new Prng(seed), shared);
    } catch (error) {
      throw new Error(`COUNT=1 SEED=${seed} shows it: ${(error as Error).message}`, { cause: error });
    }
    if (index % REST_EVERY === 0) await settled();
  }
  await settled();
  assert.equal(shared.unsentBytes, 0, "nothing is left of any connection");
  const grownMebibytes = Math.round((process.memoryUsage().rss - heapBefore) / 2 ** 20);
  t.diagnostic(`${COUNT} sequences from seed ${SEED} on; resident memory ${grownMebibytes} MiB more than before`);
  assert.ok(grownMebibytes < 512, `${grownMebibytes} MiB`);
}

function end(peer: RawPeer): void {
  peer.connection.destroy();
  assert.equal(peer.connection.streamCount, 0);
}

test("what a client may do is never refused, and is answered", async (t) => {
  let requests = 0;
  await each(t, (prng, shared) => {
    const peer = new RawPeer({ shared, request: echo });
    peer.greet();
    const client = beginning(prng, STEPS_MAX);
    sendCut(peer, client.take(), prng);
    const frames = peer.frames();
    client.judgeWindows(frames);
    client.finish();
    peer.send(client.take());
    client.judge(peer, [...frames, ...peer.frames()]);
    requests += client.requests.length;
    end(peer);
  });
  assert.ok(requests > COUNT, `${requests} requests`);
});

test("what a client must not do has the RFC's code, and harms no more than it must", async (t) => {
  const seen = new Set<string>();
  await each(t, (prng, shared) => {
    const peer = new RawPeer({ shared, request: echo });
    peer.greet();
    const client = beginning(prng, STEPS_MAX / 2);
    const fault = FAULTS[prng.below(FAULTS.length)] as (typeof FAULTS)[number];
    const before = client.take();
    const wrong = fault.make(client);
    sendCut(peer, Buffer.concat([before, wrong.bytes]), prng);
    const frames = peer.frames();
    seen.add(fault.what);
    const code = wrong.stream === undefined ? RawPeer.goAway(frames) : RawPeer.reset(frames, wrong.stream);
    assert.ok(fault.codes.includes(code as number), `${fault.what}: ${code}, not ${fault.codes}`);
    if (wrong.stream === undefined) judgeDead(peer, client);
    else judgeAlive(peer, frames);
    end(peer);
  });
  if (COUNT >= 600) assert.equal(seen.size, new Set(FAULTS.map(({ what }) => what)).size, "all of them came up");
});

function judgeDead(peer: RawPeer, client: LawfulClient): void {
  const heard = peer.heard.length;
  client.request({ end: true });
  peer.send(client.take());
  assert.equal(peer.heard.length, heard, "nothing is heard after the GOAWAY");
  assert.ok(peer.socket.ended && peer.heard.every(({ stream }) => stream.gone), "and every stream is gone");
}

function judgeAlive(peer: RawPeer, frames: readonly Frame[]): void {
  assert.equal(RawPeer.goAway(frames), undefined);
  peer.send(frameOf(FrameType.PING, 0, 0, Buffer.alloc(8)));
  assert.ok(peer.frames().some(({ type, flags }) => type === FrameType.PING && flags === Flag.ACK));
}

test("damaged bytes end their connection at most, and mean the same however they are cut", async (t) => {
  const codes = new Map<number, number>();
  await each(t, (prng, shared) => {
    const client = beginning(prng, STEPS_MAX);
    const bytes = damaged(client.take(), prng);
    const [whole, cut] = [bytes.length, 0].map(() => new RawPeer({ shared, request: echo })) as [RawPeer, RawPeer];
    whole.greet();
    cut.greet();
    whole.send(bytes);
    sendCut(cut, bytes, prng);
    const outputs = [whole, cut].map(({ socket }) => Buffer.concat(socket.written)) as [Buffer, Buffer];
    assert.ok(outputs[0].equals(outputs[1]), "both are answered alike, byte for byte");
    assert.equal(whole.heard.length, cut.heard.length);
    const code = RawPeer.goAway(whole.frames());
    if (code !== undefined) {
      codes.set(code, (codes.get(code) ?? 0) + 1);
      assert.ok(code <= Http2Code.HTTP_1_1_REQUIRED && code !== Http2Code.INTERNAL_ERROR, `code ${code}`);
    }
    end(whole);
    end(cut);
  });
  t.diagnostic(`GOAWAY by code: ${JSON.stringify([...codes].sort(([left], [right]) => left - right))}`);
  if (COUNT >= 600) assert.ok(codes.size >= 3);
});

/** Bytes changed, taken out, put in, repeated or moved. */
function damaged(bytes: Buffer, prng: Prng): Buffer {
  let result = bytes;
  for (let more = 1 + prng.below(5); more > 0; more--) {
    const at = prng.below(result.length + 1);
    const to = Math.min(result.length, at + prng.below(20));
    const piece = result.subarray(at, to);
    const [before, after] = [result.subarray(0, at), result.subarray(to)];
    const instead = prng.pick([NOTHING, prng.bytes(prng.below(20)), Buffer.concat([piece, piece])]);
    if (prng.chance(0.5)) {
      result = Buffer.from(result);
      if (at < result.length) result[at] = prng.pick([prng.below(256), 0, 0xff, (result[at] as number) ^ 1]);
    } else result = Buffer.concat([before, instead, after]);
  }
  return result;
}

const NOTHING = new Uint8Array(0);

test("header blocks: lawful ones say what they say, damaged ones are lists or refusals", async (t) => {
  let refused = 0;
  await each(t, (prng) => {
    const blocks = new HeaderBlocks(prng);
    const decoder = new HpackDecoder((list) => list);
    for (let round = 1 + prng.below(6); round > 0; round--) {
      const fields = Array.from({ length: prng.below(12) }, () => anyField(prng));
      const block = blocks.block(fields);
      const list = decoder.decode(block, 0, block.length);
      const got = list.fields.map(({ name, value }) => `${name}\n${value}`);
      assert.deepEqual(
        got,
        fields.map(([name, value]) => `${name}\n${value}`),
      );
      if (round === 1 && !survives(decoder, damaged(block, prng))) refused++;
    }
  });
  if (COUNT >= 600) assert.ok(refused > 0 && refused < COUNT, `${refused} of ${COUNT} refused`);
});

function anyField(prng: Prng): Field {
  const name = prng.pick([":path", "content-type", "x", `x-${prng.below(40)}`, "accept-encoding"]);
  if (name === "accept-encoding" && prng.chance(0.5)) return [name, "gzip, deflate"];
  return [name, Buffer.from(prng.bytes(prng.below(prng.chance(0.03) ? 5000 : 40))).toString("latin1")];
}

/** False: refused, as it must be when it is no block. */
function survives(decoder: HpackDecoder<HeaderList>, block: Buffer): boolean {
  try {
    const { fields } = decoder.decode(block, 0, block.length);
    assert.ok(fields.reduce((sum, { size }) => sum + size, 0) <= MAX_HEADER_LIST_BYTES);
    return true;
  } catch (error) {
    assert.ok(error instanceof ConnectionFailure && error.code === Http2Code.COMPRESSION_ERROR, String(error));
    return false;
  }
}

test("a table holds no more than its capacity, whatever comes", () => {
  // A block of few bytes that names one long field again and again: the list is cut, the table stays what it is.
  const decoder = new HpackDecoder((list) => list);
  const value = "v".repeat(HEADER_TABLE_BYTES - 64);
  const first = Buffer.concat([Buffer.of(0x40, 1, 0x78), integer(0, 7, value.length), Buffer.from(value)]);
  decoder.decode(first, 0, first.length);
  const bomb = Buffer.alloc(16_000, 0x80 | 62);
  const { tooLarge, fields } = decoder.decode(bomb, 0, bomb.length);
  assert.ok(tooLarge && fields.length <= MAX_HEADER_LIST_BYTES / HEADER_TABLE_BYTES + 1, `${fields.length}`);
});

/**
 * A client of HTTP/2 that does by chance whatever RFC 9113 lets it do, and knows what the server must make of it. What it
 * sends is collected, so that the caller cuts it as it likes; what the server answers is judged at the end.
 */
import assert from "node:assert/strict";
import type { Prng } from "../../server/base/prng.ts";
import { Flag, FrameType } from "../../server/http2/frame.ts";
import { SharedField } from "../../server/http2/hpack.ts";
import type { RequestHead } from "../../server/http2/request-head.ts";
import type { Stream, StreamOwner } from "../../server/http2/stream.ts";
import { type Frame, frameOf, RawPeer, settingsOf, uint32 } from "../support/raw-peer.ts";
import { type Field, HeaderBlocks } from "./header-blocks.ts";

const { END_STREAM, END_HEADERS, PADDED, PRIORITY } = Flag;
const OK = [new SharedField(":status", "200")];
const DONE = [new SharedField("grpc-status", "0")];
const NO_BYTES = new Uint8Array(0);
/** What a window is before anybody says more. */
const DEFAULT_WINDOW = 65_535;
/** A request for this path is not answered. */
export const HOLD = "/hold";

/** Answers each request, when its body has ended, with that body. */
export function echo(stream: Stream, head: RequestHead): Partial<StreamOwner> {
  const body: Uint8Array[] = [];
  return {
    data: (bytes) => {
      body.push(Uint8Array.from(bytes));
      stream.consumed(bytes.length);
    },
    end: () => {
      if (head.path === HOLD) return;
      stream.respond(OK, false);
      stream.send(NO_BYTES, Buffer.concat(body), false);
      stream.finish(DONE);
    },
  };
}

export interface Request {
  readonly id: number;
  readonly fields: readonly Field[];
  body: Buffer;
  /** What "content-length" promised and has not come; undefined: nothing was promised. */
  owed: number | undefined;
  ended: boolean;
  reset: boolean;
}

export class LawfulClient {
  readonly prng: Prng;
  readonly blocks: HeaderBlocks;
  readonly requests: Request[] = [];
  #out: Buffer[] = [];
  #pings = 0;
  /** What the server may send at most: on the connection, and on each stream more than its first window. */
  #room = DEFAULT_WINDOW;
  readonly #rooms = new Map<number, number>();
  #firstWindow = DEFAULT_WINDOW;
  /** Sends long bodies, so that windows are used up. */
  readonly heavy: boolean;
  #nextId = 1;

  constructor(prng: Prng) {
    this.prng = prng;
    this.blocks = new HeaderBlocks(prng);
    this.heavy = prng.chance(0.05);
  }

  /** What has been sent since this was last asked. */
  take(): Buffer {
    const out = Buffer.concat(this.#out);
    this.#out = [];
    return out;
  }

  /** The next stream to be opened, and whatever comes after it. */
  get idleId(): number {
    return this.#nextId + 2 * this.prng.below(50);
  }

  /** Does one lawful thing. */
  step(): void {
    const { prng } = this;
    switch (prng.below(14)) {
      case 0:
      case 1:
      case 2:
        this.request({ end: prng.chance(0.3) });
        return;
      case 3:
      case 4:
      case 5:
        this.#withOpen((request) => this.data(request, prng.chance(0.4)));
        return;
      case 6:
        this.#withOpen((request) => this.#trailers(request));
        return;
      case 7:
        this.#send(FrameType.PING, 0, 0, this.#ping());
        return;
      case 8:
        this.#settings();
        return;
      case 9:
        this.#windowUpdate();
        return;
      case 10:
        this.#priority();
        return;
      case 11:
        this.#odd();
        return;
      case 12:
        if (prng.chance(0.3)) this.#reset();
        return;
      default:
        this.#send(FrameType.PING, Flag.ACK, 0, prng.bytes(8));
    }
  }

  /** Opens a stream; `announced`: the length of its body may be said before. */
  request({ end = false, path = "", announced = true } = {}): Request {
    const { prng } = this;
    const length = announced && prng.chance(0.2) ? (end ? 0 : prng.below(500)) : undefined;
    const fields: Field[] = shuffled(prng, [
      [":method", prng.pick(["POST", "GET", "PUT"])],
      [":scheme", prng.pick(["http", "https"])],
      [":path", path || prng.pick(["/", "/s/m", `/${"p".repeat(prng.below(40))}`])],
      ...(prng.chance(0.8) ? [[":authority", prng.pick(["a", "localhost:2379"])] as const] : []),
    ]);
    if (length !== undefined) fields.push(["content-length", String(length)]);
    for (let more = prng.below(4); more > 0; more--) fields.push(this.#anyField());
    const id = this.#nextId;
    this.#nextId += 2 * (prng.chance(0.8) ? 1 : 1 + prng.below(20));
    const request = { id, fields, body: Buffer.alloc(0), owed: length, ended: end, reset: false };
    this.requests.push(request);
    this.headers(id, fields, end);
    return request;
  }

  #anyField(): Field {
    const { prng } = this;
    const name = prng.pick(["x", "te", "cookie", "user-agent", "grpc-timeout", `x-${prng.below(30)}`]);
    if (name === "te") return [name, "trailers"];
    const value = Array.from(prng.bytes(prng.below(prng.chance(0.05) ? 400 : 30)), (byte) => 0x21 + (byte % 0x5e));
    return [name, String.fromCharCode(...value, ...(prng.chance(0.1) ? [0xe9] : []))];
  }

  /** A header block, over as many frames as it comes to. */
  headers(id: number, fields: readonly Field[], end: boolean): void {
    this.headerBlock(id, this.blocks.block(fields), end);
  }

  headerBlock(id: number, block: Buffer, end: boolean): void {
    const { prng } = this;
    const cuts = Array.from({ length: prng.chance(0.25) ? prng.below(5) : 0 }, () => prng.below(block.length + 1));
    const ends = [...cuts.sort((left, right) => left - right), block.length];
    let from = 0;
    for (const [index, to] of ends.entries()) {
      const last = index === ends.length - 1 ? END_HEADERS : 0;
      const piece = block.subarray(from, to);
      if (index > 0) this.#send(FrameType.CONTINUATION, last, id, piece);
      else this.#padded(FrameType.HEADERS, last | (end ? END_STREAM : 0), id, piece, prng.chance(0.1));
      from = to;
    }
  }

  #padded(type: number, flags: number, id: number, payload: Uint8Array, priority: boolean): void {
    const inner = priority ? Buffer.concat([uint32(id + 2), Buffer.of(this.prng.below(256)), payload]) : payload;
    const more = priority ? PRIORITY : 0;
    if (this.prng.chance(0.8)) this.#send(type, flags | more, id, inner);
    else {
      const padding = this.prng.below(256);
      const bytes = Buffer.concat([Buffer.of(padding), inner, Buffer.alloc(padding)]);
      this.#send(type, flags | more | PADDED, id, bytes);
    }
  }

  data(request: Request, end: boolean): void {
    const { prng } = this;
    let length = this.heavy ? prng.below(16_000) : prng.below(prng.chance(0.03) ? 16_000 : 300);
    if (request.owed !== undefined) length = end ? request.owed : prng.below(request.owed + 1);
    const bytes = Buffer.from(prng.bytes(length));
    request.body = Buffer.concat([request.body, bytes]);
    if (request.owed !== undefined) request.owed -= length;
    request.ended = end;
    this.#padded(FrameType.DATA, end ? END_STREAM : 0, request.id, bytes, false);
  }

  #trailers(request: Request): void {
    if ((request.owed ?? 0) > 0) return;
    request.ended = true;
    this.headers(request.id, [["x-trailer", "1"], this.#anyField()], true);
  }

  get open(): readonly Request[] {
    return this.requests.filter(({ ended, reset }) => !ended && !reset);
  }

  #withOpen(action: (request: Request) => void): void {
    const { open } = this;
    if (open.length > 0) action(this.prng.pick(open));
  }

  #ping(): Uint8Array {
    this.#pings++;
    return this.prng.bytes(8);
  }

  #settings(): void {
    const { prng } = this;
    const pairs = Array.from({ length: prng.below(4) }, () =>
      prng.pick<[number, number]>([
        [1, prng.pick([0, 100, 4096, 65_536])],
        [2, 0],
        [3, prng.below(1000)],
        [4, prng.pick([0, 1, 100, 65_535, 1_000_000])],
        [5, 16_384 + prng.below(1000)],
        [6, prng.uint32()],
        [7 + prng.below(1000), prng.uint32()],
      ]),
    );
    for (const [name, value] of pairs) if (name === 4) this.#firstWindow = Math.max(this.#firstWindow, value);
    this.#out.push(settingsOf(pairs));
    if (prng.chance(0.3)) this.#send(FrameType.SETTINGS, Flag.ACK, 0, NO_BYTES);
  }

  #windowUpdate(): void {
    const { prng, requests } = this;
    const ids = [0, ...requests.map(({ id }) => id)];
    this.#widen(prng.pick(ids), 1 + prng.below(10_000));
  }

  #widen(id: number, more: number): void {
    if (id === 0) this.#room += more;
    else this.#rooms.set(id, (this.#rooms.get(id) ?? 0) + more);
    this.#send(FrameType.WINDOW_UPDATE, 0, id, uint32(more));
  }

  #priority(): void {
    const id = 1 + this.prng.below(100);
    this.#send(FrameType.PRIORITY, 0, id, Buffer.concat([uint32(id + 1), Buffer.of(7)]));
  }

  /** Frames that nobody knows, and the news that we will take no pushes. */
  #odd(): void {
    const { prng } = this;
    if (prng.chance(0.2)) this.#send(FrameType.GOAWAY, 0, 0, Buffer.concat([uint32(0), uint32(0), Buffer.from("bye")]));
    else this.#send(10 + prng.below(246), prng.below(256), prng.below(2 ** 31), prng.bytes(prng.below(60)));
  }

  #reset(): void {
    if (this.requests.length === 0) return;
    const request = this.prng.pick(this.requests);
    request.reset = true;
    this.#send(FrameType.RST_STREAM, 0, request.id, uint32(this.prng.below(14)));
  }

  /** Ends what is open, and lets the server send whatever it still has. */
  finish(): void {
    for (const request of this.open) this.data(request, true);
    this.#widen(0, 20_000_000);
    for (const { id } of this.requests) this.#widen(id, 1_000_000);
  }

  /** Whether the server has sent no more than the windows so far allow. */
  judgeWindows(frames: readonly Frame[]): void {
    const sent = new Map<number, number>();
    for (const { type, id, payload } of frames) {
      if (type !== FrameType.DATA) continue;
      for (const whole of [0, id]) sent.set(whole, (sent.get(whole) ?? 0) + payload.length);
    }
    for (const [id, bytes] of sent) {
      const most = id === 0 ? this.#room : this.#firstWindow + (this.#rooms.get(id) ?? 0);
      assert.ok(bytes <= most, `${bytes} bytes on stream ${id}, which has room for ${most}`);
    }
  }

  #send(type: number, flags: number, id: number, payload: Uint8Array): void {
    this.#out.push(frameOf(type, flags, id, payload));
  }

  /** Whether the server has understood everything, and answered everything. */
  judge(peer: RawPeer, frames: readonly Frame[]): void {
    assert.equal(RawPeer.goAway(frames), undefined, "no GOAWAY");
    assert.equal(peer.heard.length, this.requests.length, "every request is heard");
    for (const [index, request] of this.requests.entries()) {
      const heard = peer.heard[index] as RawPeer["heard"][number];
      const fields = heard.head.fields.map(({ name, value }) => `${name}: ${value}`);
      assert.deepEqual(
        fields,
        request.fields.map(([name, value]) => `${name}: ${value}`),
      );
      if (request.ended && !request.reset) assert.ok(heard.ended && heard.body.equals(request.body), "body");
    }
    const pongs = frames.filter(({ type, flags }) => type === FrameType.PING && flags === Flag.ACK).length;
    assert.equal(pongs, this.#pings, "every ping is answered");
    this.#judgeAnswers(peer, frames);
  }

  #judgeAnswers(peer: RawPeer, frames: readonly Frame[]): void {
    const bodies = new Map<number, Buffer[]>();
    const ended = new Set<number>();
    for (const frame of frames) {
      assert.notEqual(frame.type, FrameType.RST_STREAM, `no stream is reset: ${frame.id}`);
      if (frame.type === FrameType.HEADERS) {
        const expected = bodies.has(frame.id) ? "grpc-status: 0" : ":status: 200";
        assert.deepEqual(peer.fields(frame), [expected]);
        if (!bodies.has(frame.id)) bodies.set(frame.id, []);
      } else if (frame.type === FrameType.DATA) bodies.get(frame.id)?.push(frame.payload);
      else continue;
      if ((frame.flags & END_STREAM) !== 0) ended.add(frame.id);
    }
    for (const { id, body, reset, fields } of this.requests) {
      if (reset || fields.some(([name, value]) => name === ":path" && value === HOLD)) continue;
      assert.ok(ended.has(id), `stream ${id} is answered to its end`);
      assert.ok(Buffer.concat(bodies.get(id) ?? []).equals(body), `stream ${id} is answered with its body`);
    }
  }
}

function shuffled<T>(prng: Prng, items: T[]): T[] {
  for (let at = items.length - 1; at > 0; at--) {
    const other = prng.below(at + 1);
    [items[at], items[other]] = [items[other] as T, items[at] as T];
  }
  return items;
}

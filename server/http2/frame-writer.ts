/** The frames that go, written where they leave: straight into the connection's output. */
import { Flag, FRAME_HEAD_BYTES, FrameType, writeFrameHead } from "./frame.ts";
import { BLOCK_OVERHEAD, encodedMax, type FieldToSend, HpackEncoder } from "./hpack.ts";
import { MAX_FRAME_BYTES } from "./limits.ts";
import type { Output } from "./output.ts";

export class FrameWriter {
  readonly #output: Output;
  readonly #encoder = new HpackEncoder();

  constructor(output: Output) {
    this.#output = output;
  }

  /** The peer's table for header fields is so large: SETTINGS_HEADER_TABLE_SIZE. */
  setPeerCapacity(bytes: number): void {
    this.#encoder.setPeerCapacity(bytes);
  }

  /** Begins a frame; its payload, `length` bytes, belongs into the output's bytes at the answer. */
  begin(type: number, flags: number, id: number, length: number): number {
    const output = this.#output;
    output.reserve(FRAME_HEAD_BYTES + length);
    const { at } = output;
    writeFrameHead(output.bytes, at, length, type, flags, id);
    output.at = at + FRAME_HEAD_BYTES + length;
    return at + FRAME_HEAD_BYTES;
  }

  /** A whole header block. */
  headers(id: number, fields: readonly FieldToSend[], end: boolean): void {
    let most = BLOCK_OVERHEAD;
    for (const field of fields) most += encodedMax(field);
    const flags = end ? Flag.END_STREAM : 0;
    if (most > MAX_FRAME_BYTES) {
      this.#longBlock(id, fields, flags, most);
      return;
    }
    const output = this.#output;
    output.reserve(FRAME_HEAD_BYTES + most);
    const start = output.at + FRAME_HEAD_BYTES;
    const stop = this.#encoder.encode(fields, output.bytes, start);
    writeFrameHead(output.bytes, output.at, stop - start, FrameType.HEADERS, flags | Flag.END_HEADERS, id);
    output.at = stop;
  }

  #longBlock(id: number, fields: readonly FieldToSend[], flags: number, most: number): void {
    const block = Buffer.allocUnsafe(most);
    const end = this.#encoder.encode(fields, block, 0);
    for (let from = 0; from < end; from += MAX_FRAME_BYTES) {
      const length = Math.min(MAX_FRAME_BYTES, end - from);
      const type = from === 0 ? FrameType.HEADERS : FrameType.CONTINUATION;
      const last = from + length === end ? Flag.END_HEADERS : 0;
      const at = this.begin(type, (from === 0 ? flags : 0) | last, id, length);
      block.copy(this.#output.bytes, at, from, from + length);
    }
  }

  /** Each setting's name, as the protocol numbers it, and value. */
  settings(settings: readonly (readonly [number, number])[]): void {
    let at = this.begin(FrameType.SETTINGS, 0, 0, settings.length * 6);
    for (const [name, value] of settings) {
      this.#output.bytes.writeUInt16BE(name, at);
      this.#output.bytes.writeUInt32BE(value, at + 2);
      at += 6;
    }
  }

  settingsAck(): void {
    this.begin(FrameType.SETTINGS, Flag.ACK, 0, 0);
  }

  /** Stream 0: of the connection. */
  windowUpdate(id: number, more: number): void {
    const at = this.begin(FrameType.WINDOW_UPDATE, 0, id, 4);
    this.#output.bytes.writeUInt32BE(more, at);
  }

  reset(id: number, code: number): void {
    const at = this.begin(FrameType.RST_STREAM, 0, id, 4);
    this.#output.bytes.writeUInt32BE(code, at);
  }

  /** `payload` has at most 8 bytes; zeros follow. */
  ping(payload: Uint8Array, flags: number): void {
    const at = this.begin(FrameType.PING, flags, 0, 8);
    this.#output.bytes.fill(0, at, at + 8);
    this.#output.bytes.set(payload, at);
  }

  goAway(lastId: number, code: number, why: string): void {
    const text = Buffer.from(why, "latin1");
    const at = this.begin(FrameType.GOAWAY, 0, 0, 8 + text.length);
    const { bytes } = this.#output;
    bytes.writeUInt32BE(lastId, at);
    bytes.writeUInt32BE(code, at + 4);
    bytes.set(text, at + 8);
  }
}

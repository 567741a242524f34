/** Header blocks that come: what HEADERS carries besides, and blocks cut into CONTINUATION frames put together. */
import { broken, ConnectionFailure, Http2Code } from "./errors.ts";
import { Flag } from "./frame.ts";
import { FLOOD, HEADER_BLOCK_MS, MAX_CONTINUATIONS, MAX_HEADER_BLOCK_BYTES } from "./limits.ts";

/** A header block that is not complete. */
interface OpenBlock {
  readonly streamId: number;
  readonly end: boolean;
  readonly begunMs: number;
  readonly parts: Buffer[];
  bytes: number;
  continuations: number;
}

/** The one block of a connection that may be open. */
export class HeaderBlock {
  #open: OpenBlock | undefined;

  get isOpen(): boolean {
    return this.#open !== undefined;
  }

  /** It has taken too long. */
  isOverdue(nowMs: number): boolean {
    return this.#open !== undefined && nowMs - this.#open.begunMs > HEADER_BLOCK_MS;
  }

  /** Keeps the first part; `end`: no body follows. */
  begin(streamId: number, end: boolean, bytes: Uint8Array, nowMs: number): void {
    const part = Buffer.from(bytes);
    this.#open = { streamId, end, begunMs: nowMs, parts: [part], bytes: part.length, continuations: 0 };
  }

  /** The next part; when it is the last, all of the block. Throws ConnectionFailure when nobody waits for it, or too many come. */
  continue(
    id: number,
    flags: number,
    bytes: Uint8Array,
  ): { readonly end: boolean; readonly whole: Buffer } | undefined {
    const block = this.#open;
    if (block === undefined || block.streamId !== id) throw broken("CONTINUATION of nothing");
    block.bytes += bytes.length;
    if (++block.continuations > MAX_CONTINUATIONS || block.bytes > MAX_HEADER_BLOCK_BYTES) {
      throw new ConnectionFailure(FLOOD, "a header block without an end");
    }
    block.parts.push(Buffer.from(bytes));
    if ((flags & Flag.END_HEADERS) === 0) return undefined;
    this.#open = undefined;
    return { end: block.end, whole: Buffer.concat(block.parts) };
  }
}

/** Where the block begins in a HEADERS frame whose payload, without its padding, is from `from` to `to`. */
export function blockStart(flags: number, id: number, bytes: Buffer, from: number, to: number): number {
  if ((flags & Flag.PRIORITY) === 0) return from;
  if (to - from < 5) throw new ConnectionFailure(Http2Code.FRAME_SIZE_ERROR, "HEADERS cut short");
  checkDependency(id, bytes, from);
  return from + 5;
}

/** The priority at `from` names another stream: a scheme that nobody uses any more (RFC 9113, section 5.3). */
export function checkDependency(id: number, bytes: Buffer, from: number): void {
  if ((bytes.readUInt32BE(from) & 0x7fff_ffff) === id) throw broken("a stream that depends on itself");
}

/** The payload without its padding. */
export function unpadded(flags: number, bytes: Buffer, start: number, stop: number): { from: number; to: number } {
  if ((flags & Flag.PADDED) === 0) return { from: start, to: stop };
  if (stop === start) throw new ConnectionFailure(Http2Code.FRAME_SIZE_ERROR, "a padded frame without a length");
  const padding = bytes[start] as number;
  if (padding >= stop - start) throw broken("more padding than payload");
  return { from: start + 1, to: stop - padding };
}

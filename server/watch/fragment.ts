/**
 * Cutting a large response. A watcher that asked for `fragment` gets a response of `maxResponseBytes` or more in
 * pieces, and puts them together again; all but the last carry fragment=true. Only so is one revision ever split.
 * An event is never cut: one that is too large travels alone.
 */

/** Everything in a WatchResponse but its events, at most: header (46), ids and revisions (24), flags (6). */
const FRAME_BYTES = 80;

/** Bytes of a response with these events, rounded up by less than FRAME_BYTES. */
export function responseBytes(events: readonly Uint8Array[]): number {
  let bytes = FRAME_BYTES;
  for (const event of events) bytes += fieldBytes(event.length);
  return bytes;
}

/** `events` in pieces whose responses stay below `maxBytes`, in order; one piece when nothing need be cut. */
export function cut(events: readonly Uint8Array[], maxBytes: number): Uint8Array[][] {
  const pieces: Uint8Array[][] = [];
  let piece: Uint8Array[] = [];
  let bytes = FRAME_BYTES;
  for (const event of events) {
    const more = fieldBytes(event.length);
    if (piece.length > 0 && bytes + more >= maxBytes) {
      pieces.push(piece);
      piece = [];
      bytes = FRAME_BYTES;
    }
    piece.push(event);
    bytes += more;
  }
  pieces.push(piece);
  return pieces;
}

/** A length-delimited field: one byte of tag, the length as a varint, the bytes. */
function fieldBytes(length: number): number {
  let bytes = 2 + length;
  for (let rest = length; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes++;
  return bytes;
}

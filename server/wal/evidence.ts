/**
 * Was the end of a log lost before or after it had been synced? A torn or missing record is only forgiven because it was
 * never acknowledged. What stands behind it can prove otherwise: a hard state that calls entries committed which the log
 * before the gap does not have, in a *later* save than the one at the gap. A save is written only once the one before it
 * is synced, and a hard state ends its save; so another hard state must lie between (a follower that catches up may
 * write entries and their commit in one save). Etcd does not look; it would lose what was acknowledged without a word.
 */
import { crc32c } from "../base/crc32c.ts";
import { RecordType } from "../proto/walpb.ts";
import { readState } from "./payload.ts";
import { FRAME_BYTES, readFrame, readHeader } from "./record.ts";

/** Where the proof lies in the bytes searched, and the index that it calls committed. */
export interface Evidence {
  readonly at: number;
  readonly commit: number;
}

/** Looks through what follows a gap, `bytes`, which begins at a multiple of 8, for a commit above `lastIndex`. */
export function commitBehindGap(bytes: Uint8Array, lastIndex: number): Evidence | undefined {
  let at = 0;
  while (at + FRAME_BYTES <= bytes.length) {
    const run = readRun(bytes, at, lastIndex);
    if (run.evidence !== undefined) return run.evidence;
    at = run.end;
  }
  return undefined;
}

/** The records that follow one another from `start`; every one but the first is checked against the one before. */
function readRun(bytes: Uint8Array, start: number, lastIndex: number): { end: number; evidence?: Evidence } {
  let crc: number | undefined;
  let states = 0;
  let at = start;
  while (at + FRAME_BYTES <= bytes.length) {
    const frame = readFrame(bytes, at);
    if (frame === "zero" || frame === "damaged") break;
    const from = at + FRAME_BYTES;
    const to = from + frame.recordBytes;
    if (to + frame.paddingBytes > bytes.length) break;
    const header = readHeader(bytes, from, to);
    if (header === undefined || header === "cut" || header.dataFrom === undefined) break;
    if (crc !== undefined && crc32c(bytes, crc, header.dataFrom, to) !== header.crc) break;
    if (header.type === RecordType.STATE) {
      const state = readState(bytes.subarray(header.dataFrom, to));
      if (crc !== undefined && states > 0 && state !== undefined && state.commit > lastIndex)
        return { end: at, evidence: { at, commit: state.commit } };
      states++;
    }
    crc = header.crc;
    at = to + frame.paddingBytes;
  }
  return { end: Math.max(at, start + FRAME_BYTES) };
}

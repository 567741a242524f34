/**
 * Was the end of a log lost before or after it had been synced? A torn or missing record is only forgiven because it was
 * never acknowledged. What stands behind it can prove otherwise: a hard state that calls entries committed which the log
 * before the gap does not have, in a save that was written only once the one at the gap was synced. A hard state ends its
 * save (and a follower that catches up may write entries and their commit in one), so as many hard states must lie
 * between as there may be saves that are not synced: one of a member alone, more of one with others, whose rounds go on
 * while a sync runs, and who may call entries committed that only the others have synced. Etcd does not look; it would
 * lose what was acknowledged without a word.
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

/**
 * Looks through what follows a gap, `bytes`, which begins at a multiple of 8, for a commit above `lastIndex`. `savesOut`:
 * saves that may be written and not yet synced, at least 1.
 */
export function commitBehindGap(bytes: Uint8Array, lastIndex: number, savesOut = 1): Evidence | undefined {
  let at = 0;
  while (at + FRAME_BYTES <= bytes.length) {
    const run = readRun(bytes, at, lastIndex, savesOut);
    if (run.evidence !== undefined) return run.evidence;
    at = run.end;
  }
  return undefined;
}

/** The records that follow one another from `start`; every one but the first is checked against the one before. */
function readRun(
  bytes: Uint8Array,
  start: number,
  lastIndex: number,
  savesOut: number,
): { end: number; evidence?: Evidence } {
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
      if (crc !== undefined && states >= savesOut && state !== undefined && state.commit > lastIndex)
        return { end: at, evidence: { at, commit: state.commit } };
      states++;
    }
    crc = header.crc;
    at = to + frame.paddingBytes;
  }
  return { end: Math.max(at, start + FRAME_BYTES) };
}

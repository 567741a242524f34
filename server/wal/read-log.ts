/** Reads a whole log without changing anything: the files in order, their checksums chained, folded into one log. */
import { WorldError } from "../base/error.ts";
import type { Disk } from "../ports/disk.ts";
import { CorruptLog } from "./corrupt-log.ts";
import { commitBehindGap } from "./evidence.ts";
import { Replay, type Replayed } from "./replay.ts";
import { parseSegmentName, type Remains, readSegment, type SegmentEnd, type SegmentName } from "./segment.ts";

export interface ReadLog extends Replayed {
  /** All files, oldest first; those before a missing number were not read. */
  readonly segments: SegmentName[];
  /** How the last file ends. */
  readonly tail: SegmentEnd;
  readonly lastSavedIndex: number;
}

/** Whether there is a log in `folder`. */
export function logExists(disk: Disk, folder: string): boolean {
  return segmentsIn(disk, folder).length > 0;
}

/** Reads the log in `folder`; `savesOut`: see `commitBehindGap`. Throws `CorruptLog` when it is damaged, `WorldError` when there is none. */
export function readLog(disk: Disk, folder: string, savesOut = 1): ReadLog {
  const segments = segmentsIn(disk, folder);
  const last = segments.at(-1);
  if (last === undefined) throw new WorldError(`open the write-ahead log in "${folder}"`, "there is no .wal file");
  const from = startOfRun(segments);
  const replay = new Replay();
  let tail: SegmentEnd | undefined;
  for (const segment of segments.slice(from))
    tail = readOne(disk, `${folder}/${segment.name}`, replay, { last: segment === last, crc: tail?.crc, savesOut });
  const log = replay.finish();
  if (typeof log === "string") throw new CorruptLog(folder, undefined, log + gapNote(segments, from));
  return { ...log, segments, tail: tail as SegmentEnd, lastSavedIndex: replay.lastSavedIndex };
}

function segmentsIn(disk: Disk, folder: string): SegmentName[] {
  return disk
    .list(folder)
    .map(parseSegmentName)
    .filter((segment) => segment !== undefined);
}

/**
 * Where the files that follow one another begin. Names removed by a release may come back after a crash, any of them;
 * what is left must be a whole log by itself, or it is refused.
 */
function startOfRun(segments: readonly SegmentName[]): number {
  let from = segments.length - 1;
  while (from > 0 && segments[from - 1]?.sequence === (segments[from] as SegmentName).sequence - 1) from--;
  return from;
}

function gapNote(segments: readonly SegmentName[], from: number): string {
  if (from === 0) return "";
  const missing = (segments[from] as SegmentName).sequence - 1;
  return ` (the file with the number ${missing.toString(16).padStart(16, "0")} is missing)`;
}

function readOne(
  disk: Disk,
  path: string,
  replay: Replay,
  options: { readonly last: boolean; readonly crc: number | undefined; readonly savesOut: number },
): SegmentEnd {
  const file = disk.open(path);
  try {
    const end = readSegment(file, options, ({ type, data, offset }) => {
      const problem = replay.record(type, data);
      if (problem !== undefined) throw new CorruptLog(path, offset, problem);
    });
    if (end.remains !== undefined) forgiveOrRefuse(path, end, replay, readRemains(file, end.remains), options.savesOut);
    return end;
  } finally {
    file.close();
  }
}

function readRemains(file: { read(position: number, length: number): Uint8Array }, remains: Remains): Uint8Array {
  return file.read(remains.resumeAt, remains.dirtyTo - remains.resumeAt);
}

function forgiveOrRefuse(path: string, end: SegmentEnd, replay: Replay, remains: Uint8Array, savesOut: number): void {
  const evidence = commitBehindGap(remains, replay.lastIndex, savesOut);
  if (evidence === undefined) return;
  const at = (end.remains as Remains).resumeAt + evidence.at;
  throw new CorruptLog(
    path,
    end.end,
    `a record is missing or damaged here; it is no torn write, as the hard state at byte ${at} says that entry ` +
      `${evidence.commit} is committed, and the last entry before the damage is ${replay.lastIndex}`,
  );
}

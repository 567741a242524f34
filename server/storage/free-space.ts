/**
 * A look at the disk before LMDB writes. LMDB must not be the one to find it full: lmdb-js 3.5.6 puts what it says about
 * a failed write into memory that is too short for it, and the process may then end before anything could be logged (or
 * live on damaged, if the write was that of a defragmentation). A disk that breaks rather than fills up is still found
 * by LMDB itself; the log on it is mostly there first.
 */
import { type StatsFs, statfsSync } from "node:fs";

/** LMDB's pages. Every operation may touch one that has to be copied. */
const PAGE_BYTES = 4096;
/** Branch pages, LMDB's own list of free pages, and what others write at this moment. */
const SLACK_BYTES = 2 ** 20;

/** How much a file may grow by a transaction at most, or nearly so. */
export function growthBytes(operations: number, recordBytes: number): number {
  return operations * PAGE_BYTES + recordBytes + SLACK_BYTES;
}

/** Throws an error with code ENOSPC when the disk of the file at `path` has less than `neededBytes`. Some microseconds. */
export function checkFreeSpace(path: string, neededBytes: number): void {
  if (neededBytes <= 0) return;
  const free = freeBytes(lookAt(path));
  if (free === undefined || free >= neededBytes) return;
  const text = `no space left on its disk: ${free} bytes are free, ${neededBytes} may be needed`;
  throw Object.assign(new Error(text), { code: "ENOSPC" });
}

/** As `df` shows it; undefined where the file system does not say. */
export function freeBytes(stats: Pick<StatsFs, "blocks" | "bavail" | "bsize"> | undefined): number | undefined {
  if (stats === undefined || stats.blocks === 0) return undefined;
  return stats.bavail * stats.bsize;
}

function lookAt(path: string): StatsFs | undefined {
  try {
    return statfsSync(path);
  } catch {
    return undefined; // then LMDB finds out
  }
}

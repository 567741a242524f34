/**
 * Cuts off what an unfinished write left at the end of the log. It never counted; but it must go, and durably, before
 * anything is written: what the next records did not cover of it would be read as damage behind them. The file as it
 * was stays beside it as `….wal.broken`, as with etcd.
 */
import type { Disk, DiskFile } from "../ports/disk.ts";
import type { Remains } from "./segment.ts";

const PIECE_BYTES = 1024 * 1024;

/** Cuts the file at `end`; returns a sentence for the log. */
export function cutRemains(disk: Disk, folder: string, path: string, end: number, remains: Remains): string {
  const broken = `${path}.broken`;
  const file = disk.open(path);
  try {
    keepCopy(disk, folder, file, broken, remains.dirtyTo);
    file.truncate(end);
    file.syncNow();
  } finally {
    file.close();
  }
  const what = remains.torn
    ? "a record that was not written to its end"
    : "parts of a write whose beginning is missing";
  return (
    `${what}, bytes ${end} to ${remains.dirtyTo} of "${path}", was cut off: it was never synced, so nothing that was ` +
    `acknowledged is in it; the file as it was is kept as "${broken}"`
  );
}

function keepCopy(disk: Disk, folder: string, file: DiskFile, path: string, length: number): void {
  if (disk.exists(path)) disk.remove(path);
  const copy = disk.open(path, { create: true });
  try {
    for (let at = 0; at < length; at += PIECE_BYTES) copy.write(at, file.read(at, Math.min(PIECE_BYTES, length - at)));
    copy.syncNow();
  } finally {
    copy.close();
  }
  disk.syncFolder(folder);
}

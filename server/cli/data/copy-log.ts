/** The files of a write-ahead log, copied and then read: only a whole log is handed on. */
import { constants, copyFileSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { WorldError } from "../../base/error.ts";
import { syncPath } from "../../storage/data-dir.ts";
import { SystemDisk } from "../../system/disk.ts";
import { parseSegmentName } from "../../wal/segment.ts";
import { type OpenedWal, Wal } from "../../wal/wal.ts";

/**
 * Copies the log in `from` to the new folder `to`, repairs what a crash left at its end there, and checks it against the
 * store. `savesOut`: see `WalOptions`. `complete` may add to the copy.
 */
export async function copyLog(
  from: string,
  to: string,
  consistentIndex: number,
  savesOut: number,
  complete: (copy: OpenedWal) => void = () => undefined,
): Promise<void> {
  mkdirSync(to, { recursive: true, mode: 0o700 });
  for (const name of readdirSync(from).filter((name) => parseSegmentName(name) !== undefined)) {
    copyFileSync(join(from, name), join(to, name), constants.COPYFILE_FICLONE);
    await syncPath(join(to, name));
  }
  const copy = Wal.open(new SystemDisk(), to, { savesOut });
  try {
    const { snapshot, entries } = copy;
    checkFit(from, consistentIndex, snapshot.index, entries.at(-1)?.index ?? snapshot.index);
    complete(copy);
  } finally {
    copy.wal.close();
  }
}

/** A store may be behind its log, but not behind where the log begins, nor ahead of its end. */
export function checkFit(walFolder: string, consistentIndex: number, firstIndex: number, lastIndex: number): void {
  if (consistentIndex >= firstIndex && consistentIndex <= lastIndex) return;
  throw new WorldError(
    `use the log in "${walFolder}"`,
    `it goes from entry ${firstIndex} to ${lastIndex}, and the data beside it has been applied up to entry ` +
      `${consistentIndex}: they do not belong together`,
  );
}

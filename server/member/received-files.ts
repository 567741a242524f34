/**
 * States that came from other members, as files: one bbolt file at a time, under a name that says of which entry it is.
 *
 *     0000000000000d05.snap.db.part   comes in, or is being loaded; worth nothing to the next start
 *     0000000000000d05.snap.db        is loaded and empty: the store may be of this entry before the log says so
 *
 * The second is what makes a store that is ahead of its log right: it is there before the store is exchanged, and goes once
 * the log has its record.
 */
import type { Disk } from "../ports/disk.ts";

const SUFFIX = ".snap.db";
const PART = ".part";

/** Where the state of entry `index` stands once it is loaded. */
export function receivedPath(folder: string, index: number): string {
  return `${folder}/${index.toString(16).padStart(16, "0")}${SUFFIX}`;
}

/** Where it stands until then. */
export function partPath(folder: string, index: number): string {
  return receivedPath(folder, index) + PART;
}

/** Whether the store was, or was about to be, exchanged for the state of entry `index`. */
export function wasReceived(disk: Disk, folder: string, index: number): boolean {
  return disk.exists(receivedPath(folder, index));
}

/** Removes all there are, durably. Other files stay. */
export function removeReceived(disk: Disk, folder: string): void {
  const names = disk.list(folder).filter((name) => name.endsWith(SUFFIX) || name.endsWith(SUFFIX + PART));
  for (const name of names) disk.remove(`${folder}/${name}`);
  if (names.length > 0) disk.syncFolder(folder);
}

/** A folder that a power cut cannot take away again. */
import type { Disk } from "../ports/disk.ts";

/**
 * Creates the absolute path `folder` and those above it that are missing, and makes their names durable; that of
 * `folder` itself also when it was there, for a process that was killed may have made it without.
 */
export function makeDurableFolder(disk: Disk, folder: string): void {
  const made = [folder];
  for (let above = parentOf(folder); above !== "/" && !disk.exists(above); above = parentOf(above)) made.push(above);
  disk.makeFolder(folder);
  for (const name of made) disk.syncFolder(parentOf(name));
}

function parentOf(folder: string): string {
  return folder.slice(0, folder.lastIndexOf("/")) || "/";
}

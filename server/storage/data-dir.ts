/** What lies where in the store's folder, and how names there become durable. */
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  promises,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { WorldError } from "../base/error.ts";

const FILE = "kvorum.mdb";
/** LMDB's own name for the file with its locks and readers: beside the data file. */
const LOCK_SUFFIX = "-lock";
/** A copy that has not become the file yet. One that is found at start was never finished. */
const COPY_SUFFIX = ".compact";
/** A file that only shows whether the folder takes files. */
const PROBE_SUFFIX = ".probe";
/** As much as LMDB writes for a new store and its locks. */
const PROBE_BYTES = 32 * 1024;
/** The file system's, not ours to judge. */
const TOLERATED = new Set(["lost+found"]);

/** Creates the folder when it is not there, removes what a crash left, and answers the path of the data file. */
export function prepareFolder(folder: string): string {
  const path = join(folder, FILE);
  try {
    if (mkdirSync(folder, { recursive: true, mode: 0o700 }) !== undefined) syncFolder(dirname(folder));
    removeCopy(path);
    probe(path);
    if (!existsSync(path)) {
      const strangers = readdirSync(folder).filter((name) => !TOLERATED.has(name) && name !== FILE + LOCK_SUFFIX);
      if (strangers.length > 0) {
        throw new Error(`it holds "${strangers[0]}" and no "${FILE}", so it is not a folder of Kvorum's`);
      }
    }
  } catch (error) {
    throw new WorldError(`open the store in "${folder}"`, error);
  }
  return path;
}

/**
 * Throws what the disk says when it takes no file beside the one at `path`: lmdb-js 3.5.6 would end the process with a
 * segmentation fault.
 */
function probe(path: string): void {
  try {
    writeFileSync(path + PROBE_SUFFIX, new Uint8Array(PROBE_BYTES), { mode: 0o600 });
  } finally {
    rmSync(path + PROBE_SUFFIX, { force: true });
  }
}

/** Where a copy of the file is made. */
export function copyPath(path: string): string {
  return path + COPY_SUFFIX;
}

export function removeCopy(path: string): void {
  const copy = copyPath(path);
  rmSync(copy, { force: true });
  rmSync(copy + LOCK_SUFFIX, { force: true });
}

/** Gives the copy the name of the file; not durable before the folder is synced. */
export function renameCopy(path: string): void {
  renameSync(copyPath(path), path);
}

/** The lock belongs to the open copy: left under its name it would be taken for the lock of the next copy. */
export function renameCopyLock(path: string): void {
  renameSync(copyPath(path) + LOCK_SUFFIX, path + LOCK_SUFFIX);
}

/** Makes created, renamed and removed names in the folder durable. */
export function syncFolder(folder: string): void {
  const descriptor = openSync(folder, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Makes the content of a file, or the names in a folder, durable without holding the loop. */
export async function syncPath(path: string): Promise<void> {
  const handle = await promises.open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

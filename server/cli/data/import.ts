/**
 * etcd's data directories become ours: copied to a new folder by `import`, or in place when a server starts on one. The
 * log is in etcd's format already; only the file with the data is written anew.
 */
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { WorldError } from "../../base/error.ts";
import type { Logger } from "../../ports/logger.ts";
import { SystemDisk } from "../../system/disk.ts";
import { readLog } from "../../wal/read-log.ts";
import { asWorldError, lockHolder, openBolt } from "./bolt-source.ts";
import { checkFit, copyLog } from "./copy-log.ts";
import { type LoadedStore, loadStore } from "./load-store.ts";
import { makeFolderWhole } from "./new-folder.ts";

export interface ImportOptions {
  /** etcd's data directory; nothing in it is changed. */
  readonly from: string;
  /** Undefined: inside it. */
  readonly fromWalDir: string | undefined;
  readonly dataDir: string;
  /** Undefined: inside that. */
  readonly walDir: string | undefined;
}

/** Answers what was imported. Rejects with an Error for people; there is no data directory then. */
export async function importData({ from, fromWalDir, dataDir, walDir }: ImportOptions): Promise<LoadedStore> {
  if (existsSync(join(from, "member", "kvorum"))) {
    throw new WorldError(`import "${from}"`, "it is a data directory of Kvorum's already: start the server on it");
  }
  let loaded: LoadedStore | undefined;
  await makeFolderWhole(dataDir, async (partial) => {
    const found = await convert(from, join(partial, "member", "kvorum"));
    loaded = found;
    const copy = (folder: string) =>
      copyLog(fromWalDir ?? join(from, "member", "wal"), folder, found.consistentIndex, 1);
    if (walDir === undefined) await copy(join(partial, "member", "wal"));
    else await makeFolderWhole(walDir, copy);
  });
  return loaded as LoadedStore;
}

/** Whether `dataDir` is one of etcd's that no server of ours has taken over yet. */
export function isForeign(dataDir: string): boolean {
  return existsSync(join(dataDir, "member", "snap", "db")) && !existsSync(join(dataDir, "member", "kvorum"));
}

/**
 * Takes an etcd data directory over where it lies. etcd's own file stays beside ours, and is removed by the first start
 * that finds something committed in ours; until then the directory is still etcd's.
 */
export async function takeOver(dataDir: string, walFolder: string, logger: Logger): Promise<void> {
  logger.info("taking over a data directory of etcd; its file stays until the new store has its first commit", {
    "data-dir": dataDir,
    from: databasePath(dataDir),
    to: join(dataDir, "member", "kvorum"),
  });
  const found = await makeStore(dataDir, walFolder);
  logger.info("took over the data directory", {
    revision: found.revision,
    records: found.records,
    "storage-version": found.storageVersion,
    "consistent-index": found.consistentIndex,
  });
}

async function makeStore(dataDir: string, walFolder: string): Promise<LoadedStore> {
  let found: LoadedStore | undefined;
  const fill = async (partial: string) => {
    found = await convert(dataDir, partial);
    const { snapshot, lastSavedIndex } = readLog(new SystemDisk(), walFolder);
    checkFit(walFolder, found.consistentIndex, snapshot.index, lastSavedIndex);
  };
  // The server that starts has locked the data directory.
  await makeFolderWhole(join(dataDir, "member", "kvorum"), fill, { alone: true });
  return found as LoadedStore;
}

async function convert(dataDir: string, storeFolder: string): Promise<LoadedStore> {
  const path = databasePath(dataDir);
  if (!existsSync(path)) {
    throw new WorldError(`import "${dataDir}"`, `there is no "${path}": it is not a data directory of etcd's`);
  }
  const holder = lockHolder(path);
  if (holder !== undefined)
    throw new WorldError(`import "${dataDir}"`, `process ${holder} is using it: stop that one first`);
  const bolt = openBolt(path, { checkDigest: false });
  try {
    const loaded = await loadStore(bolt.file, storeFolder);
    if (loaded.members > 0) return loaded;
    throw new WorldError(`import "${dataDir}"`, "its data names no members, so etcd 3.5 or later has not run on it");
  } catch (error) {
    throw asWorldError(path, error);
  } finally {
    bolt.close();
  }
}

/** Removes etcd's file once our store has gone on from it; answers whether it did. */
export function dropOriginal(dataDir: string, consistentIndex: number): boolean {
  const path = databasePath(dataDir);
  if (!existsSync(path)) return false;
  const bolt = openBolt(path, { checkDigest: false });
  let original = Number.POSITIVE_INFINITY;
  try {
    const walk = bolt.file.walk();
    const meta = walk.bucket(new TextEncoder().encode("meta"));
    for (const { key, value } of meta === undefined ? [] : walk.rows(meta)) {
      if (Buffer.from(key).equals(Buffer.from("consistent_index")))
        original = Number(Buffer.from(value).readBigUInt64BE());
    }
  } finally {
    bolt.close();
  }
  if (consistentIndex <= original) return false;
  rmSync(path);
  return true;
}

function databasePath(dataDir: string): string {
  return join(dataDir, "member", "snap", "db");
}

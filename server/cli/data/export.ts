/** `export`: a data directory that etcd starts on, out of one of ours; ours is left as it is. */
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { loadConsistentIndex } from "../../apply/consistent-index.ts";
import { WorldError } from "../../base/error.ts";
import { StoreSnapshot } from "../../member/store-snapshot.ts";
import { syncFolder } from "../../storage/data-dir.ts";
import { LmdbBackend } from "../../storage/lmdb-backend.ts";
import { lockFolder } from "../../system/folder-lock.ts";
import { copyLog } from "./copy-log.ts";
import { makeFolderWhole } from "./new-folder.ts";

export interface ExportOptions {
  /** Our data directory, on which no server runs. */
  readonly from: string;
  readonly fromWalDir: string | undefined;
  readonly dataDir: string;
  readonly walDir: string | undefined;
}

/** Answers the size of etcd's file. Rejects with an Error for people; there is no data directory then. */
export async function exportData({ from, fromWalDir, dataDir, walDir }: ExportOptions): Promise<number> {
  const store = join(from, "member", "kvorum");
  if (!existsSync(store))
    throw new WorldError(`export "${from}"`, `there is no "${store}": it is no data directory of Kvorum's`);
  const lock = await lockFolder(from);
  try {
    const backend = LmdbBackend.open(store, { maxSizeBytes: 2 ** 40 });
    try {
      let sizeBytes = 0;
      await makeFolderWhole(dataDir, async (partial) => {
        const snap = join(partial, "member", "snap");
        mkdirSync(snap, { recursive: true, mode: 0o700 });
        sizeBytes = writeDatabase(backend, join(snap, "db"));
        syncFolder(snap);
        const { index } = loadConsistentIndex(backend);
        const copy = (folder: string) => copyLog(fromWalDir ?? join(from, "member", "wal"), folder, index);
        if (walDir === undefined) await copy(join(partial, "member", "wal"));
        else await makeFolderWhole(walDir, copy);
      });
      return sizeBytes;
    } finally {
      await backend.close();
    }
  } finally {
    lock.release();
  }
}

function writeDatabase(backend: LmdbBackend, path: string): number {
  const snapshot = new StoreSnapshot(backend.openReadView());
  const descriptor = openSync(path, "wx", 0o600);
  try {
    while (!snapshot.measure());
    for (let piece = snapshot.next(); piece !== undefined; piece = snapshot.next()) {
      for (let done = 0; done < piece.length; ) done += writeSync(descriptor, piece, done);
    }
    fsyncSync(descriptor);
    return snapshot.sizeBytes;
  } catch (error) {
    throw new WorldError(`write "${path}"`, error);
  } finally {
    closeSync(descriptor);
    snapshot.close();
  }
}

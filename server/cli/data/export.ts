/** `export`: a data directory that etcd starts on, out of one of ours; ours is left as it is. */
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { loadConsistentIndex } from "../../apply/consistent-index.ts";
import { WorldError } from "../../base/error.ts";
import { membersIn, savesOutOf } from "../../member/bootstrap.ts";
import { StoreSnapshot } from "../../member/store-snapshot.ts";
import type { ReadView } from "../../ports/backend.ts";
import { syncFolder } from "../../storage/data-dir.ts";
import { LmdbBackend } from "../../storage/lmdb-backend.ts";
import { lockFolder } from "../../system/folder-lock.ts";
import type { OpenedWal } from "../../wal/wal.ts";
import { copyLog } from "./copy-log.ts";
import { markSnapshot, metadataOf, ViewFor36, writeSnapFile } from "./for-etcd-36.ts";
import { makeFolderWhole } from "./new-folder.ts";

export interface ExportOptions {
  /** Our data directory, on which no server runs. */
  readonly from: string;
  readonly fromWalDir: string | undefined;
  readonly dataDir: string;
  readonly walDir: string | undefined;
  /** Which etcd is to start on it. */
  readonly version: EtcdVersion;
}

export const ETCD_VERSIONS = ["3.6", "3.7"] as const;
export type EtcdVersion = (typeof ETCD_VERSIONS)[number];

/** Answers the size of etcd's file. Rejects with an Error for people; there is no data directory then. */
export async function exportData({ from, fromWalDir, dataDir, walDir, version }: ExportOptions): Promise<number> {
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
        const complete = version === "3.6" ? write36(backend, snap) : undefined;
        const view = backend.openReadView();
        const written = writeDatabase(version === "3.6" ? new ViewFor36(view) : view, join(snap, "db"));
        sizeBytes = written.sizeBytes;
        syncFolder(snap);
        const { index } = loadConsistentIndex(backend);
        const log = fromWalDir ?? join(from, "member", "wal");
        const copy = (folder: string) => copyLog(log, folder, index, savesOutOf(written.members), complete);
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

/** Writes what etcd 3.6 needs beside its file, and answers what it needs in the log. */
function write36(backend: LmdbBackend, folder: string): (copy: OpenedWal) => void {
  const snapshot = new StoreSnapshot(new ViewFor36(backend.openReadView()));
  try {
    writeSnapFile(folder, snapshot);
    const mark = metadataOf(snapshot);
    return (copy) => markSnapshot(copy, mark);
  } finally {
    snapshot.close();
  }
}

function writeDatabase(view: ReadView, path: string): { readonly sizeBytes: number; readonly members: number } {
  const snapshot = new StoreSnapshot(view);
  const descriptor = openSync(path, "wx", 0o600);
  try {
    while (!snapshot.measure());
    for (let piece = snapshot.next(); piece !== undefined; piece = snapshot.next()) {
      for (let done = 0; done < piece.length; ) done += writeSync(descriptor, piece, done);
    }
    fsyncSync(descriptor);
    const { sizeBytes, confState } = snapshot;
    return { sizeBytes, members: confState === undefined ? 1 : membersIn(confState) };
  } catch (error) {
    throw new WorldError(`write "${path}"`, error);
  } finally {
    closeSync(descriptor);
    snapshot.close();
  }
}

/** All records of a bbolt file into a new store of ours. */
import { utf8Bytes } from "../../base/bytes.ts";
import type { BoltFile } from "../../bolt/reader.ts";
import { CLUSTER_VERSION } from "../../config/version.ts";
import { BoltLoader, type LoadedStore } from "../../member/bolt-loader.ts";
import type { Bucket } from "../../ports/buckets.ts";
import { LmdbBackend } from "../../storage/lmdb-backend.ts";

export type { LoadedStore };

/** Of the store while it is written: as a server without a quota has it. */
const STORE_MAX_BYTES = 2 ** 40;
/** Written in one transaction: enough that a sync is not what costs. */
const BATCH_BYTES = 16 * 2 ** 20;
const BATCH_RECORDS = 50_000;

export interface LoadOptions {
  /** Records that are not to be taken. */
  readonly leaveOut?: (bucket: Bucket) => boolean;
  /** Writes what comes on top, once everything is there; the store is committed afterwards. */
  readonly complete?: (backend: LmdbBackend, loaded: LoadedStore) => void;
}

/** Fills a new store in `folder`; every page of the file has then been looked at. Throws `BoltError` for a damaged one. */
export async function loadStore(file: BoltFile, folder: string, options: LoadOptions = {}): Promise<LoadedStore> {
  const backend = LmdbBackend.open(folder, { maxSizeBytes: STORE_MAX_BYTES });
  try {
    const loader = new BoltLoader({
      sink: backend,
      bytesMax: BATCH_BYTES,
      recordsMax: BATCH_RECORDS,
      newestVersion: CLUSTER_VERSION,
      leaveOut: options.leaveOut,
    });
    const steps = loader.steps(file);
    let step = steps.next();
    for (; step.done !== true; step = steps.next()) if (loader.isFull) await backend.commit();
    options.complete?.(backend, step.value);
    await backend.commit();
    return step.value;
  } finally {
    await backend.close();
  }
}

/** The key under which `meta` keeps a mark. */
export const META = {
  consistentIndex: utf8Bytes("consistent_index"),
  term: utf8Bytes("term"),
  confState: utf8Bytes("confState"),
  scheduledCompaction: utf8Bytes("scheduledCompactRev"),
} as const;

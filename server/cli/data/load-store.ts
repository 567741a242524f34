/** All records of a bbolt file into a store of ours, and what the file says of itself. */
import { printableBytes, utf8Bytes, utf8Text } from "../../base/bytes.ts";
import { readUint64 } from "../../base/int64.ts";
import { BoltError } from "../../bolt/format.ts";
import type { BoltFile, Row } from "../../bolt/reader.ts";
import { CLUSTER_VERSION } from "../../config/version.ts";
import { isRevisionKey, mainOf } from "../../mvcc/revision.ts";
import { BUCKETS, type Bucket } from "../../ports/buckets.ts";
import { LmdbBackend } from "../../storage/lmdb-backend.ts";

/** Of the store while it is written: as a server without a quota has it. */
const STORE_MAX_BYTES = 2 ** 40;
/** Written in one transaction: enough that a sync is not what costs. */
const BATCH_BYTES = 16 * 2 ** 20;
const BATCH_RECORDS = 50_000;

export interface LoadedStore {
  readonly records: number;
  /** Main revision of the newest record; 0: there is none. */
  readonly revision: number;
  /** "" when the file does not say: etcd 3.5. */
  readonly storageVersion: string;
  /** Index of the last entry of the log that is in it. */
  readonly consistentIndex: number;
  readonly members: number;
}

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
    const loader = new Loader(backend, options);
    const walk = file.walk();
    for (const { name, ...rest } of walk.buckets) {
      const bucket = knownBucket(name);
      for (const row of walk.rows({ name, ...rest })) {
        loader.add(bucket, row);
        if (loader.isFull) await backend.commit();
      }
    }
    walk.finish();
    const loaded = loader.loaded();
    options.complete?.(backend, loaded);
    await backend.commit();
    return loaded;
  } finally {
    await backend.close();
  }
}

function knownBucket(name: Uint8Array): Bucket {
  const text = utf8Text(name);
  const bucket = BUCKETS.find((known) => known === text);
  if (bucket !== undefined) return bucket;
  throw new BoltError(`it has a bucket "${printableBytes(name)}", which etcd ${CLUSTER_VERSION} does not know`);
}

class Loader {
  readonly #backend: LmdbBackend;
  readonly #leaveOut: (bucket: Bucket) => boolean;
  #records = 0;
  #revision = 0;
  #members = 0;
  readonly #meta = new Map<string, Uint8Array>();

  constructor(backend: LmdbBackend, options: LoadOptions) {
    this.#backend = backend;
    this.#leaveOut = options.leaveOut ?? (() => false);
  }

  get isFull(): boolean {
    return this.#backend.pendingBytes() >= BATCH_BYTES || this.#backend.pendingOperations() >= BATCH_RECORDS;
  }

  add(bucket: Bucket, { key, value }: Row): void {
    if (bucket === "key") this.#revision = revisionOf(key);
    if (bucket === "meta") this.#meta.set(utf8Text(key), Uint8Array.from(value));
    if (bucket === "members") this.#members++;
    this.#records++;
    // Copies: a view of a page would keep the page until the record is written.
    if (!this.#leaveOut(bucket)) this.#backend.put(bucket, Uint8Array.from(key), Uint8Array.from(value));
  }

  loaded(): LoadedStore {
    const storageVersion = this.#meta.get("storageVersion");
    const index = this.#meta.get("consistent_index");
    return {
      records: this.#records,
      revision: this.#revision,
      storageVersion: checkVersion(storageVersion === undefined ? "" : utf8Text(storageVersion)),
      consistentIndex: index?.length === 8 ? readUint64(index, 0) : 0,
      members: this.#members,
    };
  }
}

function revisionOf(key: Uint8Array): number {
  if (isRevisionKey(key)) return mainOf(key);
  throw new BoltError(`bucket "key" holds "${printableBytes(key)}", which is no revision`);
}

/** Older formats are read; one that did not exist when this was written is not guessed at. */
function checkVersion(version: string): string {
  if (version === "") return version;
  const number = (text: string) => {
    const [, major, minor] = /^(\d+)\.(\d+)\./.exec(text) ?? [];
    return Number(major) * 1000 + Number(minor);
  };
  if (number(version) <= number(CLUSTER_VERSION)) return version;
  throw new BoltError(`its storage version is "${version}"; this program reads those up to ${CLUSTER_VERSION}`);
}

/** The key under which `meta` keeps a mark. */
export const META = {
  consistentIndex: utf8Bytes("consistent_index"),
  term: utf8Bytes("term"),
  confState: utf8Bytes("confState"),
  scheduledCompaction: utf8Bytes("scheduledCompactRev"),
} as const;

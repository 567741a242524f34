/** All records of a bbolt file of etcd's into another store, and what the file says of itself. */
import { printableBytes, utf8Text } from "../base/bytes.ts";
import { readUint64 } from "../base/int64.ts";
import { BoltError } from "../bolt/format.ts";
import type { BoltFile, Row } from "../bolt/reader.ts";
import { isRevisionKey, mainOf } from "../mvcc/revision.ts";
import type { Backend } from "../ports/backend.ts";
import { BUCKETS, type Bucket } from "../ports/buckets.ts";

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

export interface BoltLoaderOptions {
  /** Where the records go. */
  readonly sink: Pick<Backend, "put" | "pendingBytes" | "pendingOperations">;
  /** The sink is full at so much, and then to be committed. */
  readonly bytesMax: number;
  readonly recordsMax: number;
  /** The newest storage version that is read, "3.7.0". */
  readonly newestVersion: string;
  /** Buckets whose records are not to be taken. */
  readonly leaveOut?: ((bucket: Bucket) => boolean) | undefined;
}

/** Records between two stops: well below a millisecond. */
const PAUSE_RECORDS = 100;

export class BoltLoader {
  readonly #options: BoltLoaderOptions;
  #records = 0;
  #revision = 0;
  #members = 0;
  readonly #meta = new Map<string, Uint8Array>();

  constructor(options: BoltLoaderOptions) {
    this.#options = options;
  }

  /**
   * Reads the whole file; every page of it has then been looked at. Yields often; whenever the sink `isFull` then, it is to
   * be committed before the next step, and so is what the last one leaves. Throws `BoltError` for a damaged file, or one that is not etcd's.
   */
  *steps(file: BoltFile): Generator<void, LoadedStore> {
    const walk = file.walk();
    for (const bucket of walk.buckets) {
      const known = knownBucket(bucket.name);
      for (const row of walk.rows(bucket)) {
        this.#add(known, row);
        if (this.#records % PAUSE_RECORDS === 0 || this.isFull) yield;
      }
    }
    walk.finish();
    return this.#loaded();
  }

  /** The sink is to be committed. */
  get isFull(): boolean {
    const { sink, bytesMax, recordsMax } = this.#options;
    return sink.pendingBytes() >= bytesMax || sink.pendingOperations() >= recordsMax;
  }

  #add(bucket: Bucket, { key, value }: Row): void {
    if (bucket === "key") this.#revision = revisionOf(key);
    if (bucket === "meta") this.#meta.set(utf8Text(key), Uint8Array.from(value));
    if (bucket === "members") this.#members++;
    this.#records++;
    // Copies: a view of a page would keep the page until the record is written.
    if (this.#options.leaveOut?.(bucket) !== true)
      this.#options.sink.put(bucket, Uint8Array.from(key), Uint8Array.from(value));
  }

  #loaded(): LoadedStore {
    const storageVersion = this.#meta.get("storageVersion");
    const index = this.#meta.get("consistent_index");
    return {
      records: this.#records,
      revision: this.#revision,
      storageVersion: this.#checkVersion(storageVersion === undefined ? "" : utf8Text(storageVersion)),
      consistentIndex: index?.length === 8 ? readUint64(index, 0) : 0,
      members: this.#members,
    };
  }

  /** Older formats are read; one that did not exist when this was written is not guessed at. */
  #checkVersion(version: string): string {
    const { newestVersion } = this.#options;
    if (version === "" || minorOf(version) <= minorOf(newestVersion)) return version;
    throw new BoltError(`its storage version is "${version}"; this program reads those up to ${newestVersion}`);
  }
}

function knownBucket(name: Uint8Array): Bucket {
  const text = utf8Text(name);
  const bucket = BUCKETS.find((known) => known === text);
  if (bucket !== undefined) return bucket;
  throw new BoltError(`it has a bucket "${printableBytes(name)}", which etcd's stores do not have`);
}

function revisionOf(key: Uint8Array): number {
  if (isRevisionKey(key)) return mainOf(key);
  throw new BoltError(`bucket "key" holds "${printableBytes(key)}", which is no revision`);
}

/** As one number that can be compared; NaN, which is below nothing, when it is no version. */
function minorOf(version: string): number {
  const [, major, minor] = /^(\d+)\.(\d+)\./.exec(version) ?? [];
  return Number(major) * 1000 + Number(minor);
}

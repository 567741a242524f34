/**
 * What etcd 3.6 needs of a data directory beyond what 3.7 does:
 *
 *     member/snap/<term>-<index>.snap   who the members are, as its old store has it, for the entry that `db` is of; 3.7
 *                                       takes all of that from `db`
 *     member/wal                        a record that there is this snapshot, and that its entry is committed
 *     member/snap/db                    says that it is of storage version 3.6, and the cluster of version 3.6
 *
 * Everything else that 3.7 writes 3.6 reads. The cluster's version is one for all members: all must be exported.
 */
import { closeSync, fsyncSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { requestOf } from "../../apply/applier.ts";
import { utf8Bytes, utf8Text } from "../../base/bytes.ts";
import { crc32c } from "../../base/crc32c.ts";
import { WorldError } from "../../base/error.ts";
import { encodeV2Store } from "../../cluster/v2-store.ts";
import { compareVersions } from "../../member/cluster-version.ts";
import type { StoreSnapshot } from "../../member/store-snapshot.ts";
import type { ReadView } from "../../ports/backend.ts";
import type { Bucket } from "../../ports/buckets.ts";
import { type Entry, EntryType, Snapshot, type SnapshotMetadata } from "../../proto/raftpb.ts";
import { SnapFile } from "../../proto/walpb.ts";
import type { OpenedWal } from "../../wal/wal.ts";

const VERSION = "3.6.0";

/** Records that say which version the store and the cluster are of. */
const VERSIONS: readonly { readonly bucket: Bucket; readonly name: string }[] = [
  { bucket: "meta", name: "storageVersion" },
  { bucket: "cluster", name: "clusterVersion" },
];

/** The view with versions that etcd 3.6 takes; those that are lower stay. */
export class ViewFor36 implements ReadView {
  readonly #view: ReadView;

  /** The view is this one's from now on. */
  constructor(view: ReadView) {
    this.#view = view;
  }

  get(bucket: Bucket, key: Uint8Array): Uint8Array | undefined {
    const value = this.#view.get(bucket, key);
    return value === undefined ? undefined : lowered(bucket, key, value);
  }

  scanAbove(
    bucket: Bucket,
    after: Uint8Array | undefined,
    visit: (key: Uint8Array, value: Uint8Array) => boolean | undefined,
  ): void {
    this.#view.scanAbove(bucket, after, (key, value) => visit(key, lowered(bucket, key, value)));
  }

  scanSizesAbove(
    bucket: Bucket,
    after: Uint8Array | undefined,
    visit: (key: Uint8Array, valueBytes: number) => boolean | undefined,
  ): void {
    if (!VERSIONS.some((one) => one.bucket === bucket)) this.#view.scanSizesAbove(bucket, after, visit);
    else this.scanAbove(bucket, after, (key, value) => visit(key, value.length)); // few, and small
  }

  close(): void {
    this.#view.close();
  }
}

function lowered(bucket: Bucket, key: Uint8Array, value: Uint8Array): Uint8Array {
  const isVersion = VERSIONS.some((one) => one.bucket === bucket && one.name === utf8Text(key));
  return isVersion && compareVersions(utf8Text(value), VERSION) > 0 ? utf8Bytes(VERSION) : value;
}

/** Whom the snapshot file is of: the entry that the store is of. Throws `WorldError` when the store says too little. */
export function metadataOf(snapshot: StoreSnapshot): SnapshotMetadata {
  const { confState } = snapshot;
  const { index, term } = snapshot.applied;
  if (confState !== undefined && index > 0 && term > 0) return { confState, index, term };
  throw new WorldError(
    "export for etcd 3.6",
    `the store does not say who votes or of which term it is (entry ${index}, term ${term}): ` +
      "start Kvorum on it once, write a key and stop it",
  );
}

/** Writes the `.snap` file into `folder`, durably but for its name. */
export function writeSnapFile(folder: string, snapshot: StoreSnapshot): void {
  const metadata = metadataOf(snapshot);
  const data = Snapshot.encode({ data: encodeV2Store(snapshot.members), metadata });
  const path = join(folder, `${hex(metadata.term)}-${hex(metadata.index)}.snap`);
  const bytes = SnapFile.encode({ crc: crc32c(data), data });
  const descriptor = openSync(path, "wx", 0o600);
  try {
    for (let done = 0; done < bytes.length; ) done += writeSync(descriptor, bytes, done);
    fsyncSync(descriptor);
  } catch (error) {
    throw new WorldError(`write "${path}"`, error);
  } finally {
    closeSync(descriptor);
  }
}

/**
 * Has the log say that there is a snapshot of `mark`. What it holds behind that is applied by etcd 3.6 itself: throws
 * `WorldError` when that raises the cluster's version above what 3.6 takes.
 */
export function markSnapshot({ wal, hardState, entries }: OpenedWal, mark: SnapshotMetadata): void {
  const raises = entries.find((entry) => entry.index > mark.index && raisesVersion(entry));
  if (raises !== undefined) {
    throw new WorldError(
      "export for etcd 3.6",
      `entry ${raises.index} of the log raises the cluster's version above ${VERSION} and the store is of entry ` +
        `${mark.index}: start Kvorum on it once and stop it, then export again`,
    );
  }
  const { index, term, confState } = mark;
  wal.save({ ...hardState, commit: Math.max(hardState.commit, index) }, []);
  wal.saveSnapshot({ index, term, confState });
  wal.syncNow();
}

function raisesVersion(entry: Entry): boolean {
  if (entry.type !== EntryType.NORMAL) return false;
  const request = requestOf(entry);
  return request?.kind === "clusterVersionSet" && compareVersions(request.value.ver, VERSION) > 0;
}

function hex(number: number): string {
  return number.toString(16).padStart(16, "0");
}

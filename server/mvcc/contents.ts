/**
 * What a store keeps in memory of its records, as one piece: it can be read from another store, in slices, while the one
 * in use goes on, and then takes its place at once.
 */
import type { ByteString } from "../base/bytes.ts";
import { ShardedMap, shardOfKey } from "../base/sharded-map.ts";
import { TreeIndex } from "./tree-index.ts";
import { VersionLog } from "./version-log.ts";

export class Contents {
  readonly index = new TreeIndex();
  /** Of all entries of the index. */
  readonly versions = new VersionLog();
  /** Of the last change; 1 in an empty store. */
  currentRevision = 1;
  /** What is older is gone, or about to go; -1 when nothing ever was compacted. Never above `currentRevision`. */
  compactRevision = -1;
  /** The revision of a compaction that was begun and has not come to its end. */
  interrupted: number | undefined;
  /** Living keys with a lease, for the lessor. */
  readonly leases = new ShardedMap<ByteString, bigint>(shardOfKey);
}

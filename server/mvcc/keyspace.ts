/** What the parts of the store work on: the records, the index over them, and how far they have come. */
import type { ByteString } from "../base/bytes.ts";
import type { Backend } from "../ports/backend.ts";
import type { Compaction } from "./compaction.ts";
import { CompactionHashes } from "./hash.ts";
import { PageCounts } from "./page-counts.ts";
import { Records } from "./records.ts";
import { TreeIndex } from "./tree-index.ts";
import { ValueCache } from "./value-cache.ts";
import { VersionLog } from "./version-log.ts";

export class Keyspace {
  readonly backend: Backend;
  readonly records: Records;
  readonly index = new TreeIndex();
  /** Of all entries of the index. */
  versions = new VersionLog();
  readonly values: ValueCache;
  readonly pageCounts = new PageCounts();
  readonly compactionHashes = new CompactionHashes();
  /** Of the last change; 1 in an empty store. */
  currentRevision = 1;
  /** What is older is gone, or about to go; -1 when nothing ever was compacted. Never above `currentRevision`. */
  compactRevision = -1;
  /** Scheduled, the oldest first, which is the one at work. */
  readonly compactions: Compaction[] = [];
  /** Rises when everything above is read anew. */
  generation = 0;
  /** Living keys with a lease, from restore until the lessor has taken them. */
  leases = new Map<ByteString, bigint>();

  constructor(backend: Backend, valueCacheBytes: number) {
    this.backend = backend;
    this.records = new Records(backend);
    this.values = new ValueCache(valueCacheBytes);
  }

  /** As a new store. */
  reset(): void {
    this.index.clear();
    this.versions = new VersionLog();
    this.values.clear();
    this.pageCounts.clear();
    this.compactionHashes.clear();
    this.currentRevision = 1;
    this.compactRevision = -1;
    this.compactions.length = 0;
    this.generation++;
    this.leases = new Map();
  }
}

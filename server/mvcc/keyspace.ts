/** What the parts of the store work on: the records, the index over them, and how far they have come. */
import type { Backend } from "../ports/backend.ts";
import { Compaction } from "./compaction.ts";
import { Contents } from "./contents.ts";
import { CompactionHashes } from "./hash.ts";
import { PageCounts } from "./page-counts.ts";
import { Records } from "./records.ts";
import type { TreeIndex } from "./tree-index.ts";
import { ValueCache } from "./value-cache.ts";
import type { VersionLog } from "./version-log.ts";

export class Keyspace {
  readonly backend: Backend;
  readonly records: Records;
  index: TreeIndex;
  /** Of all entries of the index. */
  versions: VersionLog;
  readonly values: ValueCache;
  readonly pageCounts = new PageCounts();
  readonly compactionHashes = new CompactionHashes();
  /** See `Contents`, as for the next one. */
  currentRevision: number;
  compactRevision: number;
  /** Scheduled, the oldest first, which is the one at work. */
  readonly compactions: Compaction[] = [];
  /** Rises when other contents take the place of everything above. */
  generation = 0;
  /** From restore until the lessor has taken them. */
  leases: Contents["leases"];

  constructor(backend: Backend, valueCacheBytes: number) {
    this.backend = backend;
    this.records = new Records(backend);
    this.values = new ValueCache(valueCacheBytes);
    const { index, versions, currentRevision, compactRevision, leases } = new Contents();
    this.index = index;
    this.versions = versions;
    this.currentRevision = currentRevision;
    this.compactRevision = compactRevision;
    this.leases = leases;
  }

  /** Instead of everything. At once, however much it is: what was there goes to the collector. */
  adopt({ index, versions, currentRevision, compactRevision, interrupted, leases }: Contents): void {
    this.index = index;
    this.versions = versions;
    this.currentRevision = currentRevision;
    this.compactRevision = compactRevision;
    this.leases = leases;
    this.values.clear();
    this.pageCounts.clear();
    this.compactionHashes.clear();
    this.compactions.length = 0;
    // What the interrupted one has deleted is not known: its hash would not be everyone's.
    if (interrupted !== undefined) this.compactions.push(new Compaction(this, interrupted, undefined));
    this.generation++;
  }
}

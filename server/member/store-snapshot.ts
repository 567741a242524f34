/**
 * The store as a bbolt file, out of one read view: what a client saves, and what goes to a member that lags. Everything
 * in it is of one commit, the applied index too. In slices, so that the member goes on meanwhile; the view pins pages of
 * the store until `close`.
 */
import { loadConfState } from "../apply/cluster-requests.ts";
import { type ConsistentIndex, loadConsistentIndex } from "../apply/consistent-index.ts";
import { assert } from "../base/assert.ts";
import { utf8Bytes, utf8Text } from "../base/bytes.ts";
import { EtcdError } from "../base/error.ts";
import { BoltError } from "../bolt/format.ts";
import type { Row } from "../bolt/reader.ts";
import { type BoltContents, type BoltLayout, planBolt, type RowSize, writeBolt } from "../bolt/writer.ts";
import { type V2Members, v2MembersOf } from "../cluster/v2-store.ts";
import type { ReadView } from "../ports/backend.ts";
import { BUCKETS, type Bucket } from "../ports/buckets.ts";
import type { ConfState } from "../proto/raftpb.ts";

const STORAGE_VERSION_KEY = utf8Bytes("storageVersion");
/** One slice: about a millisecond of reading. */
const SLICE_ROWS = 500;
const SLICE_BYTES = 128 * 1024;

export class StoreSnapshot {
  /** The storage version, "3.7.0"; "" when the store has none. */
  readonly version: string;
  readonly #view: ReadView;
  readonly #contents: BoltContents;
  readonly #plan: Generator<void, BoltLayout>;
  #layout: BoltLayout | undefined;
  #pieces: Generator<Uint8Array, void> | undefined;

  /** The view is this snapshot's from now on. */
  constructor(view: ReadView) {
    this.#view = view;
    const version = view.get("meta", STORAGE_VERSION_KEY);
    this.version = version === undefined ? "" : utf8Text(version);
    this.#contents = contentsOf(view);
    this.#plan = planBolt(this.#contents);
  }

  /** How far the log is applied in it. */
  get applied(): ConsistentIndex {
    return loadConsistentIndex(this.#view);
  }

  /** Who votes as of `applied`; undefined: the store does not say. */
  get confState(): ConfState | undefined {
    return loadConfState(this.#view);
  }

  /** The members in it. */
  get members(): V2Members {
    return v2MembersOf(this.#view);
  }

  /** A slice of working out the size; true once it is known. Refuses what no bbolt file can hold, an overlong name. */
  measure(): boolean {
    if (this.#layout === undefined) {
      const step = refusing(() => this.#plan.next());
      if (step.done === true) this.#layout = step.value;
    }
    return this.#layout !== undefined;
  }

  /** Of the whole file, once measured. */
  get sizeBytes(): number {
    assert(this.#layout !== undefined, "a snapshot is measured before it is asked for its size");
    return this.#layout.sizeBytes;
  }

  /** The next bytes of the file, at most 32 KiB; undefined at its end. */
  next(): Uint8Array | undefined {
    assert(this.#layout !== undefined, "a snapshot is measured before it is read");
    this.#pieces ??= writeBolt(this.#contents, this.#layout);
    const step = this.#pieces.next();
    return step.done === true ? undefined : step.value;
  }

  close(): void {
    this.#view.close();
  }
}

function refusing<T>(action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (error instanceof BoltError) throw new EtcdError("Unimplemented", error.message);
    throw error;
  }
}

/** The view as the writer of bbolt files reads it. */
export function contentsOf(view: ReadView): BoltContents {
  return {
    buckets: BUCKETS.map(utf8Bytes),
    sizes: (bucket, after) => {
      const sizes: RowSize[] = [];
      view.scanSizesAbove(BUCKETS[bucket] as Bucket, after, (key, valueBytes) => {
        sizes.push({ key, valueBytes });
        return sizes.length < SLICE_ROWS;
      });
      return sizes;
    },
    rows: (bucket, after) => {
      const rows: Row[] = [];
      let bytes = 0;
      view.scanAbove(BUCKETS[bucket] as Bucket, after, (key, value) => {
        rows.push({ key, value });
        bytes += key.length + value.length;
        return rows.length < SLICE_ROWS && bytes < SLICE_BYTES;
      });
      return rows;
    },
  };
}

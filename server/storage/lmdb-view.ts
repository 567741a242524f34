/** A read view on an LMDB file: what one commit left, whatever is written meanwhile. */
import type { Transaction } from "lmdb";
import { assert } from "../base/assert.ts";
import { concatBytes, EMPTY_BYTES } from "../base/bytes.ts";
import type { ReadView } from "../ports/backend.ts";
import type { Bucket } from "../ports/buckets.ts";
import type { LmdbFile } from "./lmdb-file.ts";

const ZERO = Uint8Array.of(0);

export class LmdbView implements ReadView {
  readonly #file: LmdbFile;
  readonly #closed: () => void;
  #held: Transaction | undefined;

  /** `closed` is called once, when the view has let go. */
  constructor(file: LmdbFile, closed: () => void) {
    this.#file = file;
    this.#closed = closed;
    this.#held = file.hold();
  }

  get(bucket: Bucket, key: Uint8Array): Uint8Array | undefined {
    return this.#file.get(bucket, key, this.#transaction());
  }

  scanAbove(
    bucket: Bucket,
    after: Uint8Array | undefined,
    visit: (key: Uint8Array, value: Uint8Array) => boolean | undefined,
  ): void {
    for (const { key, value } of this.#file.scan(bucket, above(after), undefined, this.#transaction())) {
      if (visit(key, value) === false) return;
    }
  }

  scanSizesAbove(
    bucket: Bucket,
    after: Uint8Array | undefined,
    visit: (key: Uint8Array, valueBytes: number) => boolean | undefined,
  ): void {
    if (bucket !== "key") {
      // Its keys may be long ones, of which LMDB holds only the beginning.
      this.scanAbove(bucket, after, (key, value) => visit(key, value.length));
      return;
    }
    for (const { key, valueBytes } of this.#file.sizes(bucket, above(after), this.#transaction())) {
      if (visit(key, valueBytes) === false) return;
    }
  }

  close(): void {
    if (this.#held === undefined) return;
    this.#file.release(this.#held);
    this.#held = undefined;
    this.#closed();
  }

  #transaction(): Transaction {
    assert(this.#held !== undefined, "a closed view is not read");
    return this.#held;
  }
}

/** The first key above `after`; undefined: the first there is. */
function above(after: Uint8Array | undefined): Uint8Array {
  return after === undefined ? EMPTY_BYTES : concatBytes([after, ZERO]);
}

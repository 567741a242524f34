/**
 * Memory for sealed records until LMDB has copied them: slabs that are used again. A fresh megabyte for every batch
 * would keep V8 busy with full collections.
 */
const SLAB_BYTES = 256 * 1024;
/** Larger records get memory of their own, which is not kept. */
const LARGE_BYTES = SLAB_BYTES / 8;
/** Slabs kept for later: 8 MiB; more are left to the collector. */
const SPARE_SLABS = 32;

export class RecordArena {
  readonly #spare: Uint8Array[] = [];

  /** `length` bytes, content undefined, from the last of `slabs`; a new slab is appended to it when that one is full. */
  allocate(length: number, slabs: Slabs): Uint8Array {
    if (length > LARGE_BYTES) return new Uint8Array(length);
    let slab = slabs.list[slabs.list.length - 1];
    if (slab === undefined || slabs.used + length > SLAB_BYTES) {
      slab = this.#spare.pop() ?? new Uint8Array(SLAB_BYTES);
      slabs.list.push(slab);
      slabs.used = 0;
    }
    const start = slabs.used;
    slabs.used += length;
    return slab.subarray(start, start + length);
  }

  /** Nothing points into `slabs` any more. */
  release(slabs: Slabs): void {
    for (const slab of slabs.list) if (this.#spare.length < SPARE_SLABS) this.#spare.push(slab);
    slabs.list.length = 0;
    slabs.used = 0;
  }
}

/** The slabs of one batch. */
export class Slabs {
  readonly list: Uint8Array[] = [];
  /** Bytes taken from the last one. */
  used = 0;
}

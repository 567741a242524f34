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

  /** Room for `length` bytes, content undefined: `slabs.slab` and `slabs.start` say where. */
  allocate(length: number, slabs: Slabs): void {
    if (length > LARGE_BYTES) {
      slabs.slab = slabs.list.push(new Uint8Array(length)) - 1;
      slabs.start = 0;
      return;
    }
    if (slabs.open === NONE || slabs.used + length > SLAB_BYTES) {
      slabs.open = slabs.list.push(this.#spare.pop() ?? new Uint8Array(SLAB_BYTES)) - 1;
      slabs.used = 0;
    }
    slabs.slab = slabs.open;
    slabs.start = slabs.used;
    slabs.used += length;
  }

  /** Nothing points into `slabs` any more. */
  release(slabs: Slabs): void {
    for (const slab of slabs.list) {
      if (slab.length === SLAB_BYTES && this.#spare.length < SPARE_SLABS) this.#spare.push(slab);
    }
    slabs.list.length = 0;
    slabs.open = NONE;
  }
}

const NONE = -1;

/** The slabs of one batch. */
export class Slabs {
  readonly list: Uint8Array[] = [];
  /** The one that small records go to, and how many of its bytes are taken. */
  open = NONE;
  used = 0;
  /** Where the last allocation lies. */
  slab = 0;
  start = 0;
}

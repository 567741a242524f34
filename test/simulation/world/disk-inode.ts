/** A file of the simulated disk: what a reader sees, what a crash would leave of it, and by which sectors they differ. */
import type { Prng } from "../../../server/base/prng.ts";

/** What a disk writes whole. */
export const SECTOR_BYTES = 512;

/** A file: what a reader sees, what a crash would leave, and which sectors differ. */
export class Inode {
  now: Uint8Array = new Uint8Array(0);
  #durable: Uint8Array = new Uint8Array(0);
  #changed = new Set<number>();
  #settled = 0;

  write(position: number, bytes: Uint8Array): void {
    const end = position + bytes.length;
    if (end > this.now.length) this.now = resized(this.now, end);
    this.now.set(bytes, position);
    for (let sector = sectorOf(position); sector * SECTOR_BYTES < end; sector++) this.#changed.add(sector);
  }

  truncate(sizeBytes: number): void {
    for (let sector = sectorOf(sizeBytes); sector * SECTOR_BYTES < this.now.length; sector++) this.#changed.add(sector);
    this.now = resized(this.now, sizeBytes);
  }

  /** Everything is durable. */
  settle(): void {
    this.#durable = resized(this.#durable, this.now.length);
    for (const sector of this.#changed) copySector(this.now, this.#durable, sector);
    this.#changed.clear();
    this.#settled++;
  }

  /** A sync beside the loop begins; what is returned makes durable what was there now. */
  beginSync(): () => void {
    const size = this.now.length;
    const taken = new Map<number, Uint8Array>();
    for (const sector of this.#changed)
      taken.set(sector, this.now.slice(sector * SECTOR_BYTES, sectorEnd(sector, size)));
    const settled = this.#settled;
    return () => {
      if (this.#settled !== settled) return; // another sync has made more durable meanwhile
      this.#durable = resized(this.#durable, size);
      for (const [sector, bytes] of taken) {
        this.#durable.set(bytes, Math.min(sector * SECTOR_BYTES, size));
        if (holds(this.now, sector, bytes)) this.#changed.delete(sector);
      }
      this.#settled++;
    };
  }

  /** The kernel writes a sector back by itself. */
  writeBack(prng: Prng): void {
    const changed = [...this.#changed];
    if (changed.length === 0) return;
    const sector = prng.pick(changed);
    if (sectorEnd(sector, this.now.length) > this.#durable.length) return; // with the size, not before it
    copySector(this.now, this.#durable, sector);
  }

  /** What a crash leaves of it. */
  afterCrash(prng: Prng): Inode {
    const left = new Inode();
    const size = sizeAfterCrash(prng, this.#durable.length, this.now.length);
    const bytes = resized(this.#durable.slice(), size);
    for (const sector of this.#changed) if (prng.chance(0.5)) copySector(this.now, bytes, sector);
    left.now = bytes;
    left.#durable = bytes.slice();
    return left;
  }
}

function sizeAfterCrash(prng: Prng, before: number, now: number): number {
  if (now <= before) return prng.chance(0.5) ? now : before;
  const choice = prng.below(4);
  if (choice === 0) return before;
  if (choice === 1) return now;
  const between = before + prng.below(now - before + 1);
  return choice === 2 ? between : Math.max(before, between - (between % SECTOR_BYTES));
}

function sectorOf(position: number): number {
  return Math.floor(position / SECTOR_BYTES);
}

function sectorEnd(sector: number, size: number): number {
  return Math.min(size, (sector + 1) * SECTOR_BYTES);
}

function copySector(from: Uint8Array, to: Uint8Array, sector: number): void {
  const start = sector * SECTOR_BYTES;
  const end = Math.min(sectorEnd(sector, from.length), to.length);
  if (end > start) to.set(from.subarray(start, end), start);
}

/** Whether `bytes` are the whole of a sector. */
function holds(file: Uint8Array, sector: number, bytes: Uint8Array): boolean {
  const start = sector * SECTOR_BYTES;
  if (Math.max(0, sectorEnd(sector, file.length) - start) !== bytes.length) return false;
  for (let at = 0; at < bytes.length; at++) if (file[start + at] !== bytes[at]) return false;
  return true;
}

/** Itself when it has that size already. */
function resized(bytes: Uint8Array, size: number): Uint8Array {
  if (bytes.length === size) return bytes;
  const result = new Uint8Array(size);
  result.set(bytes.subarray(0, size));
  return result;
}

/**
 * The simulated disk: files in memory, with a crash that loses what a real one may lose. Everything random comes from a
 * seed, so a run is a function of it.
 *
 * What a crash does to
 *   - data written and not synced: each 512-byte sector is the new or the old one, by lot;
 *   - a file's size that was not synced: the new, the old, or (grown) one between;
 *   - names created, renamed and removed in a folder that was not synced: each is done or not, by lot, each by itself.
 * Now and then the disk writes a sector back by itself before it is asked to, as the kernel does.
 *
 * Faults on order: crash at the n-th operation, fail the n-th operation (EIO, ENOSPC) or the next sync, fill up, flip bits, lie about
 * syncs (a planted mistake that the tests of a log must notice).
 */
import { assert } from "../../../server/base/assert.ts";
import type { Prng } from "../../../server/base/prng.ts";
import type { Disk, DiskFile } from "../../../server/ports/disk.ts";
import { Inode, SECTOR_BYTES } from "./disk-inode.ts";
import { errno, isRoot, Names, withAncestors } from "./disk-names.ts";

/** Share of the writes after which the kernel writes something back unasked. */
const WRITEBACK_SHARE = 0.05;

/** The power went out: thrown by the operation at which it did, and by all that come before `restart`. */
export class PowerCut extends Error {
  override readonly name = "PowerCut";
}

/** Operations that change something, as counted and as failures are ordered by. */
export type Operation = "create" | "write" | "truncate" | "sync" | "rename" | "remove" | "makeFolder" | "syncFolder";

export interface SimDiskOptions {
  readonly prng: Prng;
  /** How async syncs come to their end; at once (in a microtask) when absent. */
  readonly later?: (action: () => void) => void;
  /** Told of each operation before it is done. */
  readonly told?: (operation: Operation, what: string) => void;
  /** Told that the power has gone out in an operation: whoever asked for it may take the error for one of the disk's own. */
  readonly cut?: (error: Error) => void;
}

export class SimDisk implements Disk {
  readonly #prng: Prng;
  readonly #later: (action: () => void) => void;
  readonly #told: ((operation: Operation, what: string) => void) | undefined;
  readonly #cut: ((error: Error) => void) | undefined;
  #names = new Names();
  /** Raised by a crash: handles of before are dead. */
  #epoch = 0;
  #down = false;
  #operations = 0;
  #crashAt = Number.POSITIVE_INFINITY;
  #failsSync = false;
  #failure: { at: number; code: string; lasting: boolean } | undefined;
  /** Every operation so far, for messages and for tests that want to know the order. */
  readonly journal: string[] = [];
  /** Bytes that all files together may have; writes beyond fail with ENOSPC, in the middle if need be. */
  capacityBytes = Number.POSITIVE_INFINITY;
  /** The planted mistake: syncs return without having done anything. */
  liesAboutSync = false;

  constructor(options: SimDiskOptions) {
    this.#prng = options.prng;
    this.#later = options.later ?? ((action) => void Promise.resolve().then(action));
    this.#told = options.told;
    this.#cut = options.cut;
  }

  /** Operations so far that change something. */
  get operations(): number {
    return this.#operations;
  }

  /** Of all files together. */
  get usedBytes(): number {
    return this.#names.totalBytes();
  }

  /** The power goes out at the n-th operation from now (1: the next one), which is done, not done, or half done. */
  crashAtOperation(n: number): void {
    this.#crashAt = this.#operations + n;
  }

  /** What was ordered for a later operation does not happen. */
  callOff(): void {
    this.#crashAt = Number.POSITIVE_INFINITY;
    this.#failure = undefined;
    this.#failsSync = false;
  }

  /** The n-th operation from now fails, once or (as a dead disk) with all after it. */
  failOperation(n: number, code: "EIO" | "ENOSPC", options: { readonly lasting?: boolean } = {}): void {
    this.#failure = { at: this.#operations + n, code, lasting: options.lasting ?? false };
  }

  /** The next sync of a file fails, and what it should have made durable is lost with the power at the latest. */
  failNextSync(): void {
    this.#failsSync = true;
  }

  /** The power goes out and comes back: what was not durable is lost, by lot. Open files are gone. */
  crash(): void {
    this.#names = this.#names.afterCrash(this.#prng);
    this.kill();
  }

  /** The process dies and the machine does not: nothing is lost. Open files are gone. */
  kill(): void {
    this.#epoch++;
    this.#down = false;
    this.#crashAt = Number.POSITIVE_INFINITY;
    this.#failure = undefined;
    this.#failsSync = false;
  }

  /** The file's bytes as a reader sees them. */
  contentOf(path: string): Uint8Array {
    return this.#inode(path).now.slice();
  }

  /** Puts a file there, durable. */
  place(path: string, bytes: Uint8Array): void {
    const inode = new Inode();
    inode.write(0, bytes);
    inode.settle();
    this.#names.place(path, inode);
  }

  /** Damages a file for good. */
  flip(path: string, offset: number, mask: number): void {
    const inode = this.#inode(path);
    assert(offset < inode.now.length, "the byte to flip is in the file");
    inode.write(offset, Uint8Array.of((inode.now[offset] as number) ^ mask));
    inode.settle();
  }

  open(path: string, options?: { readonly create?: boolean }): DiskFile {
    this.#checkUp();
    if (options?.create === true) {
      return this.#do("create", path, () => {
        if (this.#names.entry(path) !== undefined) throw errno("EEXIST", `create "${path}"`);
        this.#names.parentMustExist(path);
        const inode = new Inode();
        this.#names.create(path, inode);
        return this.#handle(path, inode);
      });
    }
    return this.#handle(path, this.#inode(path));
  }

  exists(path: string): boolean {
    this.#checkUp();
    return this.#names.entry(path) !== undefined;
  }

  list(folder: string): string[] {
    this.#checkUp();
    return this.#names.list(folder);
  }

  makeFolder(folder: string): void {
    this.#checkUp();
    for (const path of withAncestors(folder))
      if (this.#names.entry(path) === undefined) this.#do("makeFolder", path, () => this.#names.create(path, "folder"));
  }

  rename(from: string, to: string): void {
    this.#do("rename", `${from} -> ${to}`, () => {
      const entry = this.#names.entry(from);
      if (entry === undefined) throw errno("ENOENT", `rename "${from}"`);
      this.#names.parentMustExist(to);
      this.#names.rename(from, to, entry);
    });
  }

  remove(path: string): void {
    this.#do("remove", path, () => {
      this.#inode(path);
      this.#names.remove(path);
    });
  }

  syncFolder(folder: string): void {
    this.#do("syncFolder", folder, () => {
      if (this.#names.entry(folder) !== "folder" && !isRoot(folder)) throw errno("ENOENT", `sync "${folder}"`);
      if (!this.liesAboutSync) this.#names.syncFolder(folder);
    });
  }

  #handle(path: string, inode: Inode): DiskFile {
    const epoch = this.#epoch;
    let open = true;
    let syncing = false;
    const use = () => {
      this.#checkUp();
      if (epoch !== this.#epoch) throw new PowerCut(`"${path}" was opened before the crash`);
      assert(open, `"${path}" is open`);
    };
    return {
      path,
      sizeBytes: () => {
        use();
        return inode.now.length;
      },
      read: (position, length) => {
        use();
        return inode.now.slice(position, position + length);
      },
      write: (position, bytes) => {
        use();
        this.#do("write", `${path} ${position}+${bytes.length}`, (half) => this.#write(inode, position, bytes, half));
      },
      syncNow: () => {
        use();
        this.#do("sync", path, () => {
          if (!this.liesAboutSync) inode.settle();
        });
      },
      sync: () => {
        use();
        assert(!syncing, `one sync of "${path}" at a time`);
        syncing = true;
        const finish = inode.beginSync();
        return new Promise((resolve, reject) => {
          this.#later(() => {
            syncing = false;
            // After a crash nobody waits for the answer any more: it never comes.
            if (epoch !== this.#epoch || this.#down) return;
            try {
              assert(open, `"${path}" stays open while it is synced`);
              this.#do("sync", `${path} (async)`, () => {
                if (!this.liesAboutSync) finish();
              });
              resolve();
            } catch (error) {
              reject(error);
            }
          });
        });
      },
      truncate: (sizeBytes) => {
        use();
        this.#do("truncate", `${path} ${sizeBytes}`, () => inode.truncate(sizeBytes));
      },
      close: () => {
        if (epoch !== this.#epoch || this.#down) return;
        use();
        open = false;
      },
    };
  }

  #write(inode: Inode, position: number, bytes: Uint8Array, half: boolean): void {
    const room = this.capacityBytes - this.#names.totalBytes() + Math.max(0, inode.now.length - position);
    let taken = Math.min(bytes.length, Math.max(0, room));
    if (half) taken = Math.min(taken, this.#prng.below(bytes.length + 1));
    // What is cut short ends with a sector: the kernel takes bytes in pages, and no page is written back half filled.
    if (taken < bytes.length) taken = Math.max(0, taken - ((position + taken) % SECTOR_BYTES));
    if (taken > 0) inode.write(position, bytes.subarray(0, taken));
    if (this.#prng.chance(WRITEBACK_SHARE)) inode.writeBack(this.#prng);
    if (!half && taken < bytes.length) throw errno("ENOSPC", "write");
  }

  /** Counts an operation, and does it unless a fault was ordered for it. */
  #do<T>(operation: Operation, what: string, action: (half: boolean) => T): T {
    this.#checkUp();
    this.#told?.(operation, what);
    this.#operations++;
    this.journal.push(`${operation} ${what}`);
    if (this.#operations === this.#crashAt) {
      if (this.#prng.chance(0.5)) action(true);
      this.#down = true;
      const cut = new PowerCut(`at operation ${this.#operations}: ${operation} ${what}`);
      this.#cut?.(cut);
      throw cut;
    }
    const failure = this.#failure;
    if (failure !== undefined && (failure.lasting ? this.#operations >= failure.at : this.#operations === failure.at)) {
      if (operation === "write" && this.#prng.chance(0.5)) action(true);
      throw errno(failure.code, `${operation} ${what}`);
    }
    if (this.#failsSync && operation === "sync") {
      this.#failsSync = false;
      throw errno("EIO", `${operation} ${what}`);
    }
    return action(false);
  }

  #inode(path: string): Inode {
    const entry = this.#names.entry(path);
    if (entry === undefined || entry === "folder") throw errno("ENOENT", `open "${path}"`);
    return entry;
  }

  #checkUp(): void {
    if (this.#down) throw new PowerCut("the power is out");
  }
}

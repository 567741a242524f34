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
 * Faults on order: crash at the n-th operation, fail the n-th operation (EIO, ENOSPC), fill up, flip bits, lie about
 * syncs (a planted mistake that the tests of a log must notice).
 */
import { assert } from "../../../server/base/assert.ts";
import { WorldError } from "../../../server/base/error.ts";
import type { Prng } from "../../../server/base/prng.ts";
import type { Disk, DiskFile } from "../../../server/ports/disk.ts";

export const SECTOR_BYTES = 512;

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
}

export class SimDisk implements Disk {
  readonly #prng: Prng;
  readonly #later: (action: () => void) => void;
  #names = new Names();
  /** Raised by a crash: handles of before are dead. */
  #epoch = 0;
  #down = false;
  #operations = 0;
  #crashAt = Number.POSITIVE_INFINITY;
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
  }

  /** Operations so far that change something. */
  get operations(): number {
    return this.#operations;
  }

  /** The power goes out at the n-th operation from now (1: the next one), which is done, not done, or half done. */
  crashAtOperation(n: number): void {
    this.#crashAt = this.#operations + n;
  }

  /** The n-th operation from now fails, once or (as a dead disk) with all after it. */
  failOperation(n: number, code: "EIO" | "ENOSPC", options: { readonly lasting?: boolean } = {}): void {
    this.#failure = { at: this.#operations + n, code, lasting: options.lasting ?? false };
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
    (inode.now as Uint8Array)[offset] = (inode.now[offset] as number) ^ mask;
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
    this.#operations++;
    this.journal.push(`${operation} ${what}`);
    if (this.#operations === this.#crashAt) {
      if (this.#prng.chance(0.5)) action(true);
      this.#down = true;
      throw new PowerCut(`at operation ${this.#operations}: ${operation} ${what}`);
    }
    const failure = this.#failure;
    if (failure !== undefined && (failure.lasting ? this.#operations >= failure.at : this.#operations === failure.at)) {
      if (operation === "write" && this.#prng.chance(0.5)) action(true);
      throw errno(failure.code, `${operation} ${what}`);
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

function errno(code: string, action: string): WorldError {
  return new WorldError(action, Object.assign(new Error(code), { code }));
}

/** A file: what a reader sees, what a crash would leave, and which sectors differ. */
class Inode {
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
    this.#durable = this.now.slice();
    this.#changed.clear();
    this.#settled++;
  }

  /** A sync beside the loop begins; what is returned makes durable what was there now. */
  beginSync(): () => void {
    const now = this.now.slice();
    const changed = new Set(this.#changed);
    const settled = this.#settled;
    return () => {
      if (this.#settled !== settled) return; // another sync has made more durable meanwhile
      this.#durable = now;
      for (const sector of changed) if (sameSector(now, this.now, sector)) this.#changed.delete(sector);
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
    const bytes = resized(this.#durable, size);
    for (const sector of this.#changed) if (prng.chance(0.5)) copySector(this.now, bytes, sector);
    left.now = bytes;
    left.settle();
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

function sameSector(left: Uint8Array, right: Uint8Array, sector: number): boolean {
  const start = sector * SECTOR_BYTES;
  const a = left.subarray(start, sectorEnd(sector, left.length));
  const b = right.subarray(start, sectorEnd(sector, right.length));
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}

function resized(bytes: Uint8Array, size: number): Uint8Array {
  const result = new Uint8Array(size);
  result.set(bytes.subarray(0, size));
  return result;
}

type Entry = Inode | "folder";

/** A change of names that waits for the sync of its folder. Bound to the file, as a file system's journal is. */
interface NameChange {
  readonly folder: string;
  apply(names: Map<string, Entry>): void;
}

/** Paths, as they are and as a crash would leave them. */
class Names {
  #now = new Map<string, Entry>();
  #durable = new Map<string, Entry>();
  #waiting: NameChange[] = [];

  entry(path: string): Entry | undefined {
    return isRoot(path) ? "folder" : this.#now.get(path);
  }

  list(folder: string): string[] {
    const prefix = folder === "/" ? "/" : `${folder}/`;
    return [...this.#now.keys()]
      .filter((path) => path.startsWith(prefix) && !path.slice(prefix.length).includes("/"))
      .map((path) => path.slice(prefix.length))
      .sort();
  }

  totalBytes(): number {
    let total = 0;
    for (const entry of this.#now.values()) if (entry !== "folder") total += entry.now.length;
    return total;
  }

  parentMustExist(path: string): void {
    if (this.entry(parentOf(path)) !== "folder") throw errno("ENOENT", `find the folder of "${path}"`);
  }

  place(path: string, entry: Entry): void {
    for (const folder of withAncestors(parentOf(path))) {
      this.#now.set(folder, "folder");
      this.#durable.set(folder, "folder");
    }
    this.#now.set(path, entry);
    this.#durable.set(path, entry);
  }

  create(path: string, entry: Entry): void {
    this.#change({ folder: parentOf(path), apply: (names) => void names.set(path, entry) });
  }

  remove(path: string): void {
    const entry = this.#now.get(path);
    const apply = (names: Map<string, Entry>) => {
      if (names.get(path) === entry) names.delete(path);
    };
    this.#change({ folder: parentOf(path), apply });
  }

  /** Within one folder (all that is asked for here); a folder takes along what is in it. */
  rename(from: string, to: string, entry: Entry): void {
    assert(parentOf(from) === parentOf(to), "a rename stays in its folder");
    const apply = (names: Map<string, Entry>) => {
      const moved = [...names].filter(([path]) => path.startsWith(`${from}/`));
      if (names.get(from) === entry) names.delete(from);
      names.set(to, entry);
      for (const [path, inner] of moved) {
        names.delete(path);
        names.set(to + path.slice(from.length), inner);
      }
    };
    this.#change({ folder: parentOf(from), apply });
  }

  syncFolder(folder: string): void {
    for (const change of this.#waiting) if (change.folder === folder) change.apply(this.#durable);
    this.#waiting = this.#waiting.filter((change) => change.folder !== folder);
  }

  afterCrash(prng: Prng): Names {
    // Half the time the file system's journal kept the order, as most do: a beginning of the changes is done.
    const upTo = prng.chance(0.5) ? prng.below(this.#waiting.length + 1) : undefined;
    this.#waiting.forEach((change, at) => {
      if (upTo === undefined ? prng.chance(0.5) : at < upTo) change.apply(this.#durable);
    });
    const left = new Names();
    const inodes = new Map<Inode, Inode>();
    for (const [path, entry] of this.#durable) {
      if (!withAncestors(parentOf(path)).every((folder) => isRoot(folder) || this.#durable.get(folder) === "folder"))
        continue;
      if (entry === "folder") left.place(path, entry);
      else {
        const inode = inodes.get(entry) ?? entry.afterCrash(prng);
        inodes.set(entry, inode);
        left.place(path, inode);
      }
    }
    return left;
  }

  #change(change: NameChange): void {
    change.apply(this.#now);
    this.#waiting.push(change);
  }
}

function isRoot(path: string): boolean {
  return path === "/" || path === ".";
}

function parentOf(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash < 0 ? "." : slash === 0 ? "/" : path.slice(0, slash);
}

/** "/a/b" -> "/a", "/a/b". */
function withAncestors(folder: string): string[] {
  const paths: string[] = [];
  for (let path = folder; !isRoot(path); path = parentOf(path)) paths.unshift(path);
  return paths;
}

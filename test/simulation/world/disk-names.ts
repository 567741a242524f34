/** The names of the simulated disk: as they are, and which of their changes a crash may still undo. */
import { assert } from "../../../server/base/assert.ts";
import { WorldError } from "../../../server/base/error.ts";
import type { Prng } from "../../../server/base/prng.ts";
import type { Inode } from "./disk-inode.ts";

export type Entry = Inode | "folder";

/** A change of names that waits for the sync of its folder. Bound to the file, as a file system's journal is. */
interface NameChange {
  readonly folder: string;
  apply(names: Map<string, Entry>): void;
}

/** Paths, as they are and as a crash would leave them. */
export class Names {
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

/** An error as the real disk gives it. */
export function errno(code: string, action: string): WorldError {
  return new WorldError(action, Object.assign(new Error(code), { code }));
}

export function isRoot(path: string): boolean {
  return path === "/" || path === ".";
}

function parentOf(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash < 0 ? "." : slash === 0 ? "/" : path.slice(0, slash);
}

/** "/a/b" -> "/a", "/a/b". */
export function withAncestors(folder: string): string[] {
  const paths: string[] = [];
  for (let path = folder; !isRoot(path); path = parentOf(path)) paths.unshift(path);
  return paths;
}

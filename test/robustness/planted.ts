/**
 * Copies of the built server with something changed, a mistake mostly. A fault test that has never failed proves
 * nothing: each of them runs against such a copy too, and must complain.
 */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { projectFolder } from "../support/project.ts";

const BUILT = fileURLToPath(new URL("../..", import.meta.url));
// Inside node_modules, so that the copy still finds the packages that the server needs.
const CACHE = join(projectFolder, "node_modules", ".cache");

export interface Edit {
  readonly name: string;
  /** Which built file, and what in it becomes what; it must be there exactly once. */
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

/** No mistake: files of the log so small that it begins the next one, and drops old ones, all the time. */
export const SMALL_LOG_FILES: Edit = {
  name: "the log's files are small",
  file: "wal/wal.js",
  from: "const SEGMENT_BYTES = 64_000_000;",
  to: "const SEGMENT_BYTES = 64_000;",
};

/** Puts the applied index into one commit and what was applied into a later one. */
export const INDEX_OUTSIDE_TRANSACTION: Edit = {
  name: "the applied index is committed before the data it stands for",
  file: "member/commits.js",
  from: "storeConsistentIndex(this.#backend, { index, term });",
  to: "storeConsistentIndex(this.#backend, { index: index + 40, term });",
};

/** Answers, and writes to the log a little later. */
export const ACKNOWLEDGE_BEFORE_WRITE: Edit = {
  name: "requests are acknowledged before their entries are written",
  file: "member/loop.js",
  from: "const bytes = this.#wal.save(ready.hardState, ready.entries);",
  to: "const bytes = (setTimeout(() => this.#wal.save(ready.hardState, ready.entries), 30), 0);",
};

/** Lets the log go as soon as something was applied, whether the store has it or not. */
export const RELEASE_BEFORE_COMMIT: Edit = {
  name: "the log is cut before the store's commit is durable",
  file: "member/parts.js",
  from: "durable: (through) => this.#committedThrough(through),",
  to: "durable: () => this.#committedThrough(this.standing.consistent.index),",
};

/** Answers before the log has been synced. */
export const ACKNOWLEDGE_BEFORE_SYNC: Edit = {
  name: "requests are acknowledged before their entries are synced",
  file: "member/loop.js",
  from: "if (!ready.mustSync || this.#unsafeNoFsync)",
  to: "if (true)",
};

/** Begins the log's next file while the last one is still in the page cache. */
export const CUT_WITHOUT_SYNC: Edit = {
  name: "a file of the log is left unsynced when it is full",
  file: "wal/wal.js",
  from: "this.#file.truncate(this.#end);\n        this.#file.syncNow();",
  to: "this.#file.truncate(this.#end);",
};

/** Has the log say that another member's state was taken in, and exchanges the stores only then. */
export const LOG_BEFORE_STORE: readonly Edit[] = [
  {
    name: "the stores are not exchanged where they were",
    file: "member/loop.js",
    from: "this.#duties.install(snapshot);",
    to: "",
  },
  {
    name: "but when the log's record is synced",
    file: "member/loop.js",
    from: 'failpoint?.("raftBeforeApplySnap");',
    to: '(failpoint?.("raftBeforeApplySnap"), this.#duties.install(ready.snapshot));',
  },
];

/** Hands out whatever the disk gives. */
export const CHECKSUM_IGNORED: Edit = {
  name: "the checksums of the store's records are not looked at",
  file: "storage/record.js",
  from: "if (stored !== computed)",
  to: "if (false)",
};

export class PlantedServer {
  readonly command: readonly string[];
  /** Holds copies of the built folders `server` and `test`. */
  readonly folder: string;

  /** Throws when the place of an edit is not found once: then it must be described anew. */
  constructor(...edits: readonly Edit[]) {
    mkdirSync(CACHE, { recursive: true });
    this.folder = mkdtempSync(join(CACHE, "kvorum-planted-"));
    for (const name of ["server", "test"]) cpSync(join(BUILT, name), join(this.folder, name), { recursive: true });
    writeFileSync(join(this.folder, "package.json"), '{"type":"module"}');
    for (const { file, from, to } of edits) {
      const path = join(this.folder, "server", file);
      const parts = readFileSync(path, "utf8").split(from);
      if (parts.length !== 2) throw new Error(`"${from}" is ${parts.length - 1} times in ${file}, wanted once`);
      writeFileSync(path, parts.join(to));
    }
    this.command = [process.execPath, join(this.folder, "server", "cli", "main.js")];
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/**
 * Copies of the built server with one mistake planted. A fault test that has never failed proves nothing: each of them
 * runs against such a copy too, and must complain.
 */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const BUILT_SERVER = fileURLToPath(new URL("../../server", import.meta.url));
// Inside node_modules, so that the copy still finds the packages that the server needs.
const CACHE = fileURLToPath(new URL("../../../node_modules", import.meta.url));

export interface Mistake {
  readonly name: string;
  /** Which built file, and what in it becomes what; it must be there exactly once. */
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

/** Puts what apply wrote into one commit and the applied index into a later one. */
export const INDEX_OUTSIDE_TRANSACTION: Mistake = {
  name: "the applied index is committed before the data it stands for",
  file: "member/commits.js",
  from: "storeConsistentIndex(this.#backend, { index, term });",
  to: "storeConsistentIndex(this.#backend, { index: index + 40, term });",
};

/** Answers before the log has been synced. */
export const ACKNOWLEDGE_BEFORE_SYNC: Mistake = {
  name: "requests are acknowledged before their entries are synced",
  file: "member/loop.js",
  from: "if (!ready.mustSync || this.#unsafeNoFsync)",
  to: "if (true)",
};

export class PlantedServer {
  readonly command: readonly string[];
  readonly #folder: string;

  /** Throws when the place of the mistake is not found once: then the mistake must be described anew. */
  constructor(mistake: Mistake) {
    this.#folder = mkdtempSync(join(CACHE, ".kvorum-planted-"));
    const server = join(this.#folder, "server");
    cpSync(BUILT_SERVER, server, { recursive: true });
    writeFileSync(join(this.#folder, "package.json"), '{"type":"module"}');
    const file = join(server, mistake.file);
    const parts = readFileSync(file, "utf8").split(mistake.from);
    if (parts.length !== 2)
      throw new Error(`"${mistake.from}" is ${parts.length - 1} times in ${mistake.file}, wanted once`);
    writeFileSync(file, parts.join(mistake.to));
    this.command = [process.execPath, join(server, "cli", "main.js")];
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

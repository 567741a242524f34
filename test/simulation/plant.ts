/**
 * `npm run mistakes`: a test of the test. Each mistake of `mistakes.ts` is planted in a copy of the build, and a process
 * of its own runs seeds there, from the first on, until one fails: 200 must be enough. `-- NAME...` takes those whose name
 * contains one of the words, `--seeds N` another number of seeds, `--all` also those that are known not to be caught,
 * `--part K/N` the K-th of N parts of what was chosen, for runs that have no time for all.
 * One line a mistake; exit code 1 when one that should be caught was not, 2 when the command line was not understood.
 */
import { fork } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { projectFolder } from "../support/project.ts";
import { LEVELS } from "./levels.ts";
import { MISTAKES, type Mistake } from "./mistakes.ts";

const USAGE = "npm run mistakes -- [NAME...] [--seeds N] [--part K/N] [--all]";
const FIRST_SEED = 1;
/** Within so many seeds a mistake must show. */
const SEEDS_MAX = 200;
/** A seed that takes longer than this goes round in circles. */
const SEED_MAX_MS = 120_000;
const SHOWN_LETTERS = 150;
const BUILD = join(projectFolder, "dist");

/** What a process is given to do. */
interface Task {
  readonly level: string;
  readonly seeds: number;
}

/** What it tells: a seed begins, a seed has failed, or all have passed. */
type Report =
  | { readonly kind: "begins"; readonly seed: number }
  | { readonly kind: "failed"; readonly seed: number; readonly message: string }
  | { readonly kind: "passed" };

/** What came of one mistake. `message` of the seed that failed; undefined: none has. */
export interface Caught {
  readonly seed: number;
  readonly message: string | undefined;
  readonly seconds: number;
}

/** The text of the built file with the mistake in it. Throws when the text to change is not there exactly once. */
export function plantIn(built: string, { name, file, text, instead }: Mistake): string {
  const times = built.split(text).length - 1;
  if (times !== 1)
    throw new Error(
      `the mistake "${name}" changes a text that is ${times} times in dist/${file}, not once: ` +
        `bring test/simulation/mistakes.ts up to date with the source. The text: ${text}`,
    );
  return built.replace(text, () => instead);
}

/** A copy of the build in which one mistake after the other is planted; the build itself stays as it is. */
export class Nursery {
  readonly #folder = mkdtempSync(join(tmpdir(), "kvorum-mistakes-"));

  constructor() {
    cpSync(BUILD, join(this.#folder, "dist"), { recursive: true, filter: (path) => !path.endsWith(".map") });
    cpSync(join(projectFolder, "package.json"), join(this.#folder, "package.json"));
    symlinkSync(join(projectFolder, "node_modules"), join(this.#folder, "node_modules"));
  }

  /** Runs seeds with `mistake` until one fails, `seeds` at most. Throws when it cannot be planted. */
  async try(mistake: Mistake, seeds = SEEDS_MAX): Promise<Caught> {
    const path = join(this.#folder, "dist", mistake.file);
    const built = readFileSync(path, "utf8");
    writeFileSync(path, plantIn(built, mistake));
    try {
      return await this.#run({ level: mistake.level, seeds });
    } catch (error) {
      throw new Error(`the mistake "${mistake.name}": ${(error as Error).message}`, { cause: error });
    } finally {
      writeFileSync(path, built);
    }
  }

  close(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #run(task: Task): Promise<Caught> {
    const startedMs = performance.now();
    const program = join(this.#folder, "dist", "test", "simulation", "plant.js");
    return new Promise((resolve, reject) => {
      let seed = 0;
      let isOver = false;
      const child = fork(program, { stdio: ["ignore", "ignore", "ignore", "ipc"] });
      const end = (message: string | undefined) => {
        if (isOver) return;
        isOver = true;
        clearTimeout(timer);
        child.kill("SIGKILL");
        resolve({ seed, message, seconds: (performance.now() - startedMs) / 1000 });
      };
      let timer = setTimeout(() => undefined, 0);
      child.on("message", (report: Report) => {
        if (report.kind === "passed") end(undefined);
        else if (report.kind === "failed") end(report.message);
        else {
          ({ seed } = report);
          clearTimeout(timer);
          timer = setTimeout(() => end(`the seed takes more than ${SEED_MAX_MS / 1000} s`), SEED_MAX_MS);
        }
      });
      child.on("exit", (code, signal) => {
        const how = `the process ended with ${signal ?? `code ${code}`}`;
        // What does not even load is caught by no seed.
        if (seed === 0) reject(new Error(`${how} before the first seed: is what was planted JavaScript?`));
        end(how);
      });
      child.send(task);
    });
  }
}

/** In a process of its own, whose modules have the mistake in them. */
async function work({ level: name, seeds }: Task): Promise<void> {
  const tell = (report: Report) => new Promise<void>((resolve) => process.send?.(report, () => resolve()));
  const level = LEVELS.find((one) => one.name === name);
  if (level === undefined) throw new Error(`there is no level "${name}"`);
  for (let seed = FIRST_SEED; seed < FIRST_SEED + seeds; seed++) {
    await tell({ kind: "begins", seed });
    const message = await level.run(seed).then(
      () => undefined,
      (error: Error) => error.message,
    );
    if (message !== undefined) return tell({ kind: "failed", seed, message });
  }
  return tell({ kind: "passed" });
}

interface Wish {
  readonly mistakes: readonly Mistake[];
  readonly seeds: number;
}

/** A sentence when it was not understood. */
function parse(argv: readonly string[]): Wish | string {
  const names: string[] = [];
  let seeds = SEEDS_MAX;
  let part: readonly [number, number] = [1, 1];
  let takesAll = false;
  for (let at = 0; at < argv.length; at++) {
    const word = argv[at] as string;
    if (word === "--all") takesAll = true;
    else if (word === "--seeds") {
      const value = argv[++at] ?? "";
      if (!/^[1-9]\d{0,5}$/.test(value)) return `--seeds takes a number from 1 to 999999, not "${value}"`;
      seeds = Number(value);
    } else if (word === "--part") {
      const value = argv[++at] ?? "";
      const [, place = "0", parts = "0"] = /^(\d{1,3})\/(\d{1,3})$/.exec(value) ?? [];
      part = [Number(place), Number(parts)];
      if (part[0] < 1 || part[0] > part[1]) return `--part takes two numbers such as 2/6, not "${value}"`;
    } else if (word.startsWith("--")) return `"${word}" is not known`;
    else names.push(word);
  }
  const unknown = names.find((word) => !MISTAKES.some(({ name }) => name.includes(word)));
  if (unknown !== undefined) return `no mistake has "${unknown}" in its name`;
  const isWished = ({ name, missed }: Mistake) =>
    names.length > 0 ? names.some((word) => name.includes(word)) : takesAll || missed === undefined;
  return { mistakes: MISTAKES.filter(isWished).filter((_, at) => at % part[1] === part[0] - 1), seeds };
}

async function main(argv: readonly string[]): Promise<number> {
  const wish = parse(argv);
  if (typeof wish === "string") {
    console.error(`${wish}\n${USAGE}`);
    return 2;
  }
  const nursery = new Nursery();
  let caught = 0;
  let failures = 0;
  try {
    for (const mistake of wish.mistakes) {
      const result = await nursery.try(mistake, wish.seeds);
      console.log(lineOf(mistake, result));
      if (result.message !== undefined) caught++;
      else if (mistake.missed === undefined) failures++;
    }
  } finally {
    nursery.close();
  }
  console.log(`${caught} of ${wish.mistakes.length} mistakes caught${failures > 0 ? `, ${failures} NOT` : ""}`);
  return failures > 0 ? 1 : 0;
}

function lineOf({ name, level, by, missed }: Mistake, { seed, message, seconds }: Caught): string {
  const took = `${seconds.toFixed(1)} s`;
  if (message === undefined)
    return `${name} (${level}): NOT CAUGHT by ${seed} seeds, ${took}${missed === undefined ? "" : `, as known: ${missed}`}`;
  const [line = ""] = message.split("\n");
  const shown = line.length > SHOWN_LETTERS ? `${line.slice(0, SHOWN_LETTERS)}...` : line;
  const note = by.test(message) ? "" : " (by another check than expected)";
  return `${name} (${level}): caught at seed ${seed}, ${took}${note}: ${shown}`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (process.send === undefined) process.exitCode = await main(process.argv.slice(2));
  else {
    process.once("message", (task: Task) => void work(task));
    // Nobody is left to hear what comes of it.
    process.once("disconnect", () => process.exit(1));
  }
}

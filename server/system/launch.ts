/**
 * Gives the server the heap that its memory allows. V8 takes its limit when a heap is made: setting the flag later
 * changes nothing (seen on Node 20 and 24: the limit stays, and so does the point where it gives up). So either the
 * program replaces itself by itself with the flag, keeping process and pid, where Node can do that (22.15 and later; 17
 * ms), or the server runs in a thread with a heap of its own (30 ms, 10 MB). Not in a child process: a kill or stop of
 * the first would not reach the second, which holds the data folder.
 */

import v8 from "node:v8";
import { isMainThread, SHARE_ENV, Worker } from "node:worker_threads";
import { givenOldSpaceMb } from "./heap-guard.ts";
import { type MemoryPlan, memoryLimit, planMemory } from "./memory.ts";
import { obeyEnd } from "./process-end.ts";
import { passSignals } from "./signals.ts";

/** What the caller does next. */
export type Launch =
  /** Go on: this thread has the heap that it will have. */
  | { readonly place: "here"; readonly heap: "given" | "near enough" | "thread" | "process" }
  /** The server has run in another thread and has ended. */
  | { readonly place: "elsewhere"; readonly exitCode: number; readonly error: unknown };

/** A limit that is this near to the planned one is left as it is. */
const NEAR_ENOUGH = 0.15;

/** Set for the program that has replaced itself, so that it cannot do so again and again. */
const REPLACED = "KVORUM_HEAP_PLANNED";

type Execve = (file: string, args: readonly string[], env: NodeJS.ProcessEnv) => never;

/**
 * To be called first of all in the file `entry` (its `import.meta.url`), and only while that is the program's own file.
 * A limit that somebody gave to Node stays. May not return; answers only when the server has ended, if it is served
 * elsewhere.
 */
export async function applyHeapLimit(
  entry: string,
  plan: MemoryPlan = planMemory(memoryLimit().bytes),
): Promise<Launch> {
  if (!isMainThread) return { place: "here", heap: "thread" };
  if (process.env[REPLACED] !== undefined) {
    delete process.env[REPLACED];
    return { place: "here", heap: "process" };
  }
  if (givenOldSpaceMb() !== undefined) return { place: "here", heap: "given" };
  if (isNear(v8.getHeapStatistics().heap_size_limit, plan)) return { place: "here", heap: "near enough" };
  const execve = (process as { execve?: Execve }).execve;
  if (execve !== undefined && process.argv[1] !== undefined) replaceProcess(execve, process.argv[1], plan);
  return serveInThread(entry, plan);
}

function isNear(limitBytes: number, { oldSpaceMb, semiSpaceMb }: MemoryPlan): boolean {
  const plannedBytes = (oldSpaceMb + 3 * semiSpaceMb) * (1 << 20);
  return Math.abs(limitBytes / plannedBytes - 1) <= NEAR_ENOUGH;
}

function replaceProcess(execve: Execve, program: string, { oldSpaceMb, semiSpaceMb }: MemoryPlan): never {
  const flags = [`--max-old-space-size=${oldSpaceMb}`, `--max-semi-space-size=${semiSpaceMb}`];
  const args = [process.argv0, ...flags, ...process.execArgv, program, ...process.argv.slice(2)];
  return execve(process.execPath, args, { ...process.env, [REPLACED]: "1" });
}

function serveInThread(entry: string, { oldSpaceMb, semiSpaceMb }: MemoryPlan): Promise<Launch> {
  return new Promise((resolve) => {
    let failure: unknown;
    const worker = new Worker(new URL(entry), {
      argv: process.argv.slice(2),
      env: SHARE_ENV,
      resourceLimits: { maxOldGenerationSizeMb: oldSpaceMb, maxYoungGenerationSizeMb: 3 * semiSpaceMb },
    });
    passSignals(worker);
    obeyEnd(worker);
    worker.on("error", (error) => {
      failure = error;
    });
    worker.on("exit", (exitCode) => resolve({ place: "elsewhere", exitCode, error: failure }));
  });
}

/** Loads of the raw client, each in a process of its own. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import type { Target } from "../raw-client/connection.ts";
import type { Job } from "../raw-client/main.ts";
import type { Waited } from "../raw-client/prober.ts";
import { programBeside } from "../subject.ts";

const run = promisify(execFile);
const MAIN = programBeside("raw-client/main.js");
/** Longer than any load takes, filling on a slow disk above all: what hangs is ended. */
const LIMIT_MS = 1_800_000;

/** Rejects with what the client said when a single answer was not right. */
export async function runRaw<T>(job: Job): Promise<T> {
  const { stdout } = await run(process.execPath, [MAIN, JSON.stringify(job)], { timeout: LIMIT_MS }).catch((error) => {
    const { stderr, killed } = error as { stderr?: string; killed?: boolean };
    const why = killed === true ? `it was ended after ${LIMIT_MS / 1000} s` : stderr || String(error);
    throw new Error(`the load ${job.kind} failed: ${why}`);
  });
  return JSON.parse(stdout) as T;
}

/** A prober that asks all the time; `take` answers what it waited since the last `take`. */
export class ProberProcess {
  readonly #child: ChildProcess;
  readonly #answers: AsyncIterator<string>;

  static start(target: Target): ProberProcess {
    return new ProberProcess(target);
  }

  private constructor(target: Target) {
    const job: Job = { kind: "prober", target };
    this.#child = spawn(process.execPath, [MAIN, JSON.stringify(job)], { stdio: ["pipe", "pipe", "inherit"] });
    const lines = createInterface({ input: this.#child.stdout as NodeJS.ReadableStream });
    this.#answers = lines[Symbol.asyncIterator]();
  }

  async take(): Promise<Waited> {
    this.#child.stdin?.write("\n");
    const { value, done } = await this.#answers.next();
    if (done) throw new Error("the prober failed");
    const waited = JSON.parse(value) as Waited;
    if (waited.count === 0 && waited.maxMs === 0) throw new Error("the prober asked nothing");
    return waited;
  }

  stop(): void {
    this.#child.kill("SIGKILL");
  }
}

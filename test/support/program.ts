/** Other programs as tests start them: to their end, or in the background until they have said something. */
import { type ChildProcess, spawn } from "node:child_process";

export interface ProgramOptions {
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Ended after so long. */
  readonly timeoutMs?: number;
}

/** What a program that has ended left. */
export interface Ended {
  /** Of its exit; 128 and more when a signal ended it. */
  readonly code: number;
  readonly output: string;
  readonly errors: string;
}

/** Runs a program to its end. Rejects when it cannot be started. */
export function runProgram(path: string, args: readonly string[], options: ProgramOptions = {}): Promise<Ended> {
  return new BackgroundProgram(path, args, options).ended;
}

const PATIENCE_MS = 10_000;

export class BackgroundProgram {
  readonly ended: Promise<Ended>;
  readonly #child: ChildProcess;
  #output = "";
  #errors = "";
  #changed: () => void = () => undefined;

  constructor(path: string, args: readonly string[], { input, env, cwd, timeoutMs = 60_000 }: ProgramOptions = {}) {
    this.#child = spawn(path, args, {
      env: { ...process.env, ...env },
      ...(cwd === undefined ? {} : { cwd }),
      timeout: timeoutMs,
      killSignal: "SIGKILL",
    });
    this.#child.stdin?.on("error", () => undefined); // it may end without reading
    this.#child.stdin?.end(input ?? "");
    this.#child.stdout?.on("data", (chunk: Buffer) => {
      this.#output += chunk.toString();
      this.#changed();
    });
    this.#child.stderr?.on("data", (chunk: Buffer) => {
      this.#errors += chunk.toString();
    });
    this.ended = new Promise((resolve, reject) => {
      this.#child.once("error", reject);
      this.#child.once("close", (code, signal) => {
        this.#changed();
        resolve({ code: code ?? (signal === null ? 128 : 137), output: this.#output, errors: this.#errors });
      });
    });
  }

  /** Resolves with all it has written once that holds for `isEnough`; rejects when it does not come to that. */
  async says(isEnough: (output: string) => boolean): Promise<string> {
    const deadline = Date.now() + PATIENCE_MS;
    while (!isEnough(this.#output)) {
      if (Date.now() > deadline || this.#child.exitCode !== null)
        throw new Error(`it has said no more than:\n${this.#output}\n${this.#errors}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 50);
        this.#changed = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    return this.#output;
  }

  /** Ends it with a signal and resolves with what it left. */
  stop(signal: NodeJS.Signals = "SIGINT"): Promise<Ended> {
    this.#child.kill(signal);
    return this.ended;
  }
}

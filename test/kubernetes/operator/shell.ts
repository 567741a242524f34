/** Programs of others, run to their end. */
import { type ChildProcess, spawn } from "node:child_process";

export interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export interface ShellOptions {
  /** What it reads. */
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Milliseconds; then it is ended and counts as failed. */
  readonly limitMs?: number;
}

const LIMIT_MS = 300_000;
const running = new Set<ChildProcess>();

/** Runs it, and tells how it ended whatever that was. Rejects only when it cannot be started. */
export function shell(program: string, argv: readonly string[], options: ShellOptions = {}): Promise<Ended> {
  const { input, env, cwd, limitMs = LIMIT_MS } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(program, argv, {
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, ...env },
      ...(cwd !== undefined && { cwd }),
    });
    running.add(child);
    const timer = setTimeout(() => child.kill("SIGKILL"), limitMs);
    let [out, err] = ["", ""];
    child.stdout.setEncoding("utf8").on("data", (part: string) => {
      out += part;
    });
    child.stderr.setEncoding("utf8").on("data", (part: string) => {
      err += part;
    });
    child.once("error", reject);
    child.once("close", (code, signal) => {
      clearTimeout(timer);
      running.delete(child);
      resolve({ code: code ?? 1, out, err: signal === null ? err : `${err}\nended by ${signal}` });
    });
    child.stdin.on("error", () => undefined); // it may end without having read
    child.stdin.end(input ?? "");
  });
}

/** As `shell`, but anything but exit code 0 is an Error with what it wrote. Answers what it wrote to its output. */
export async function must(program: string, argv: readonly string[], options: ShellOptions = {}): Promise<string> {
  const { code, out, err } = await shell(program, argv, options);
  if (code !== 0)
    throw new Error(`${program} ${argv.join(" ")} ended with ${code}: ${`${err}${out}`.trim().slice(-1500)}`);
  return out;
}

/** For whoever is interrupted. */
export function endAll(): void {
  for (const child of running) child.kill();
}

/**
 * Where lines of the log go: standard output, standard error, a file. A line is handed to the system before `write`
 * returns, so that a kill does not lose it; but whoever does not read must not be able to stop the server, so a full
 * pipe is never waited for: lines are kept up to a bound and then dropped, and their number is logged. A pipe whose
 * reader is gone takes no more lines and hurts nobody.
 */
import { closeSync, constants, fstatSync, openSync, writeSync } from "node:fs";
import { isMainThread } from "node:worker_threads";
import { WorldError } from "../base/error.ts";

/** Bytes kept for a reader that is slow. */
const MAX_KEPT_BYTES = 1 << 20;
/** How often a full pipe is tried again. */
const RETRY_MS = 20;

export class LogOutput {
  readonly name: string;
  readonly #descriptor: number;
  readonly #own: boolean;
  #kept: Buffer[] = [];
  #keptBytes = 0;
  #dropped = 0;
  #retry: NodeJS.Timeout | undefined;
  #dead = false;
  /** Makes the line that tells how many were dropped. */
  readonly #droppedLine: (count: number) => string;

  private constructor(name: string, descriptor: number, own: boolean, droppedLine: (count: number) => string) {
    this.name = name;
    this.#descriptor = descriptor;
    this.#own = own;
    this.#droppedLine = droppedLine;
  }

  /** Opens "stderr", "stdout" or the file of that path, which is added to. Throws `WorldError`. */
  static open(name: string, droppedLine: (count: number) => string): LogOutput {
    if (name === "stderr") return LogOutput.#standard(name, 2, droppedLine);
    if (name === "stdout") return LogOutput.#standard(name, 1, droppedLine);
    try {
      const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NONBLOCK;
      return new LogOutput(name, openSync(name, flags, 0o600), true, droppedLine);
    } catch (error) {
      throw new WorldError(`open the log output "${name}"`, error);
    }
  }

  static #standard(name: string, descriptor: 1 | 2, droppedLine: (count: number) => string): LogOutput {
    const reopened = reopenWithoutWaiting(descriptor);
    return new LogOutput(name, reopened ?? descriptor, reopened !== undefined, droppedLine);
  }

  /** Lines that were given up since the last that could be written. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Whether nobody reads any more. */
  get dead(): boolean {
    return this.#dead;
  }

  write(line: string): void {
    if (this.#dead) return;
    const bytes = Buffer.from(line);
    const rest = this.#keptBytes > 0 ? bytes : this.#hand(bytes);
    if (rest !== undefined) this.#keep(rest);
  }

  /** Tries for at most `waitMs`, holding the caller, to hand on what was kept: before the process ends. */
  flush(waitMs: number): void {
    const end = performance.now() + waitMs;
    const clock = new Int32Array(new SharedArrayBuffer(4));
    this.#drain();
    while (this.#keptBytes > 0 && !this.#dead && performance.now() < end) {
      Atomics.wait(clock, 0, 0, 1);
      this.#drain();
    }
  }

  close(): void {
    clearTimeout(this.#retry);
    this.#dead = true;
    if (this.#own) closeSync(this.#descriptor);
  }

  #keep(bytes: Buffer): void {
    if (this.#keptBytes + bytes.length > MAX_KEPT_BYTES) {
      this.#dropped++;
      return;
    }
    this.#kept.push(bytes);
    this.#keptBytes += bytes.length;
    this.#retryLater();
  }

  #retryLater(): void {
    this.#retry ??= setTimeout(() => {
      this.#retry = undefined;
      this.#drain();
      if (this.#keptBytes > 0 && !this.#dead) this.#retryLater();
    }, RETRY_MS).unref();
  }

  #drain(): void {
    while (this.#kept.length > 0) {
      const first = this.#kept[0] as Buffer;
      const rest = this.#hand(first);
      if (this.#dead) return;
      this.#keptBytes -= first.length - (rest?.length ?? 0);
      if (rest !== undefined) {
        this.#kept[0] = rest;
        return;
      }
      this.#kept.shift();
    }
    if (this.#dropped === 0) return;
    const line = this.#droppedLine(this.#dropped);
    this.#dropped = 0;
    this.write(line);
  }

  /** What could not be handed on; undefined when all was. */
  #hand(bytes: Buffer): Buffer | undefined {
    let rest = bytes;
    while (rest.length > 0) {
      try {
        rest = rest.subarray(writeSync(this.#descriptor, rest));
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code === "EAGAIN") return rest;
        if (code === "EINTR") continue;
        this.#failed(code);
        return undefined;
      }
    }
    return undefined;
  }

  /** A full disk may have room again; a pipe without a reader, or a closed one, never comes back. */
  #failed(code: string | undefined): void {
    this.#dropped++;
    if (code === "ENOSPC" || code === "EDQUOT" || code === "EIO") return;
    this.#dead = true;
    this.#kept = [];
    this.#keptBytes = 0;
    clearTimeout(this.#retry);
  }
}

/**
 * A descriptor of its own for a standard stream, one that does not wait when the pipe is full; the stream itself is
 * shared with whoever started us, and stays as it was. Undefined where that is not to be had: a file never waits long
 * and would lose its place; a socket, or a pipe of another user, cannot be opened again and is made not to wait itself,
 * by Node's own stream on it.
 */
function reopenWithoutWaiting(descriptor: 1 | 2): number | undefined {
  try {
    const kind = fstatSync(descriptor);
    if (kind.isFile()) return undefined;
    if (kind.isFIFO() || kind.isCharacterDevice()) {
      return openSync(`/proc/self/fd/${descriptor}`, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
    }
  } catch {
    // No /proc, or not ours to open.
  }
  if (isMainThread) void (descriptor === 1 ? process.stdout : process.stderr);
  return undefined;
}

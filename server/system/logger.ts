/**
 * The real log: lines of etcd's form, from a level on, to one or more outputs. A message that comes over and over in
 * one second is thinned out as etcd thins it: the first hundred, then each hundredth.
 */
import type { LogFields, Logger, LogLevel } from "../ports/logger.ts";
import { formatLine, type LogFormat, timestamp } from "./log-line.ts";
import { LogOutput } from "./log-output.ts";

export interface LogOptions {
  /** The lowest level that is written. */
  readonly level: LogLevel;
  readonly format: LogFormat;
  /** "stderr", "stdout" and paths of files; each once. */
  readonly outputs: readonly string[];
  /** Milliseconds since 1970, with a fraction; the real clock unless given. */
  readonly wallMs?: () => number;
}

const ORDER: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3, fatal: 4 };

/** Lines of one message in one second that are all written; then each of so many. */
const SAMPLE_FIRST = 100;
const SAMPLE_EACH = 100;
/** Messages counted in a second; more of them are not thinned out. */
const SAMPLED_MESSAGES = 1000;

/** A logger and all loggers made of it share outputs and counts. */
export class SystemLogger implements Logger {
  readonly #sink: Sink;
  readonly #caller: string;

  private constructor(sink: Sink, caller: string) {
    this.#sink = sink;
    this.#caller = caller;
  }

  /** Opens the outputs. Throws `WorldError` when one cannot be opened. `caller`: see `child`. */
  static open(options: LogOptions, caller: string): SystemLogger {
    return new SystemLogger(new Sink(options), caller);
  }

  /** A logger whose lines say that they come from `caller`, "room/file.ts". */
  child(caller: string): SystemLogger {
    return new SystemLogger(this.#sink, caller);
  }

  /** Whether lines of `level` are written: asked before fields are made that cost something. */
  enabled(level: LogLevel): boolean {
    return this.#sink.enabled(level);
  }

  debug(message: string, fields?: LogFields): void {
    this.#sink.log("debug", this.#caller, message, fields);
  }

  info(message: string, fields?: LogFields): void {
    this.#sink.log("info", this.#caller, message, fields);
  }

  warn(message: string, fields?: LogFields): void {
    this.#sink.log("warn", this.#caller, message, fields);
  }

  error(message: string, fields?: LogFields): void {
    this.#sink.log("error", this.#caller, message, fields);
  }

  /** The last line of a process that cannot go on; whoever calls ends it. */
  fatal(message: string, fields?: LogFields): void {
    this.#sink.log("fatal", this.#caller, message, fields);
  }

  /** Tries for at most `waitMs`, holding the caller, to hand on lines kept for a slow reader: before the end. */
  flush(waitMs = 200): void {
    this.#sink.flush(waitMs);
  }

  /** Closes the outputs of this logger and of all made of it; later lines go nowhere. */
  close(): void {
    this.#sink.close();
  }
}

class Sink {
  readonly #level: number;
  readonly #format: LogFormat;
  readonly #outputs: readonly LogOutput[];
  readonly #wallMs: () => number;
  readonly #counts = new Map<string, number>();
  #second = 0;

  constructor({ level, format, outputs, wallMs }: LogOptions) {
    this.#level = ORDER[level];
    this.#format = format;
    this.#wallMs = wallMs ?? wallClock();
    const dropped = (count: number) => this.#line("warn", "system/logger.ts", "log lines were dropped", { count });
    this.#outputs = [...new Set(outputs)].map((name) => LogOutput.open(name, dropped));
  }

  enabled(level: LogLevel): boolean {
    return ORDER[level] >= this.#level;
  }

  log(level: LogLevel, caller: string, message: string, fields: LogFields | undefined): void {
    if (ORDER[level] < this.#level || !this.#passes(level, message)) return;
    const line = this.#line(level, caller, message, fields);
    for (const output of this.#outputs) output.write(line);
  }

  flush(waitMs: number): void {
    for (const output of this.#outputs) output.flush(waitMs);
  }

  close(): void {
    for (const output of this.#outputs) output.close();
  }

  #line(level: LogLevel, caller: string, message: string, fields: LogFields | undefined): string {
    return formatLine({ level, time: timestamp(this.#wallMs()), caller, message, fields }, this.#format);
  }

  #passes(level: LogLevel, message: string): boolean {
    if (level === "fatal") return true;
    const second = Math.floor(this.#wallMs() / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#counts.clear();
    }
    const key = `${level} ${message}`;
    const count = (this.#counts.get(key) ?? 0) + 1;
    if (count > 1 || this.#counts.size < SAMPLED_MESSAGES) this.#counts.set(key, count);
    return count <= SAMPLE_FIRST || (count - SAMPLE_FIRST) % SAMPLE_EACH === 0;
  }
}

/** The wall clock with microseconds: Date has milliseconds, so the steady clock carries it on between corrections. */
function wallClock(): () => number {
  let offset = Date.now() - performance.now();
  return () => {
    const wall = Date.now();
    const now = performance.now() + offset;
    if (now >= wall - 1 && now < wall + 2) return now;
    offset = wall - performance.now(); // the wall clock was set, or has drifted
    return wall;
  };
}

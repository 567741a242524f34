/** The values of all flags, wherever they came from, and which of them somebody gave. */
import { assert } from "../base/assert.ts";
import { type FlagName, flagNamed, type ValueOf } from "./flags.ts";
import { parseValue } from "./values.ts";

export class Settings {
  readonly #given = new Map<string, unknown>();

  /** The value given, else the default. */
  get<Name extends FlagName>(name: Name): ValueOf<Name> {
    return (this.#given.has(name) ? this.#given.get(name) : this.fallback(name)) as ValueOf<Name>;
  }

  fallback<Name extends FlagName>(name: Name): ValueOf<Name> {
    const flag = flagNamed(name);
    assert(flag !== undefined, `there is a flag ${name}`);
    return parseValue(flag, flag.fallback) as ValueOf<Name>;
  }

  /** Whether somebody gave it, were it only the default. */
  isGiven(name: string): boolean {
    return this.#given.has(name);
  }

  /** Names of the flags given, in the order in which they first were. */
  given(): readonly string[] {
    return [...this.#given.keys()];
  }

  /** Gives `name` the value that parseValue made for it. */
  give(name: string, value: unknown): void {
    this.#given.set(name, value);
  }
}

/**
 * A configuration that is not to be run with. Exit code 2: it could not even be read, say so with a word on usage, as
 * Go's flag package does; 1: it was read and makes no sense, say so as a log line.
 */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly exitCode: 1 | 2;
  /** The log line that says so, where the exit code is 1. */
  readonly line: { readonly level: "warn" | "fatal"; readonly message: string; readonly fields: object };

  constructor(exitCode: 1 | 2, message: string, line?: ConfigError["line"]) {
    super(message);
    this.exitCode = exitCode;
    this.line = line ?? { level: "warn", message: "failed to verify flags", fields: { error: message } };
  }
}

/** Something to be logged once there is a logger. */
export interface Notice {
  readonly level: "info" | "warn";
  readonly message: string;
  readonly fields?: Readonly<Record<string, unknown>>;
}

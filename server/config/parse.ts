/**
 * Arguments and environment become settings, by the rules of Go's flag package and of etcd: `--x=v`, `--x v`, `-x=v`;
 * a boolean may stand alone and never takes the next word; the last of several wins; `--` ends the flags.
 */
import { environmentName, FLAGS, type Flag, FORMER_FLAGS, flagNamed, SECRET_FLAGS } from "./flags.ts";
import { nearest } from "./nearest.ts";
import { ConfigError, type Notice, Settings } from "./settings.ts";
import { parseValue } from "./values.ts";

/** Process environment: plain text by name. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Helper modes of etcd's program that are words, not flags. */
const SUBCOMMANDS = new Set(["gateway", "grpc-proxy"]);

export interface Arguments {
  readonly settings: Settings;
  /** `--help` or `-h` stood there, before anything that is wrong. */
  readonly help: boolean;
}

/** The settings that `argv` gives (what follows the program's name). Throws `ConfigError`. */
export function parseArguments(argv: readonly string[]): Arguments {
  const settings = new Settings();
  for (let at = 0; at < argv.length; at++) {
    const argument = argv[at] as string;
    const match = /^--?([^=]*)(?:=(.*))?$/s.exec(argument);
    if (match === null || argument === "-") return refuseWord(argument);
    if (argument === "--") {
      const next = argv[at + 1];
      return next === undefined ? { settings, help: false } : refuseWord(next);
    }
    const [, name = "", attached] = match as unknown as [string, string, string | undefined];
    if (name === "" || name.startsWith("-")) throw new ConfigError(2, `bad flag syntax: ${argument}`);
    if (name === "help" || name === "h") return { settings, help: true };
    const flag = flagNamed(name) ?? refuseName(name);
    if (attached !== undefined) give(settings, flag, attached);
    else if (flag.kind === "bool" || flag.kind === "ignored") give(settings, flag, "true");
    else if (at + 1 < argv.length) give(settings, flag, argv[++at] as string);
    else throw new ConfigError(2, `flag needs an argument: --${name}`);
  }
  return { settings, help: false };
}

function give(settings: Settings, flag: Flag, text: string): void {
  try {
    settings.give(flag.name, parseValue(flag, text));
  } catch (error) {
    const kind = flag.kind === "bool" ? "boolean value" : "value";
    throw new ConfigError(2, `invalid ${kind} "${text}" for flag --${flag.name}: ${(error as Error).message}`);
  }
}

function refuseName(name: string): never {
  throw new ConfigError(2, `flag provided but not defined: --${name}${hintFor(name)}`);
}

/** What to write instead of a flag or key that there is not, as the end of a sentence. */
export function hintFor(name: string): string {
  const former = FORMER_FLAGS.get(name);
  if (former === "") return " (etcd has dropped it, and nothing takes its place)";
  if (former !== undefined) return ` (etcd has dropped it; use ${former})`;
  const plain = name.replace(/^experimental-/, "");
  if (plain !== name && flagNamed(plain) !== undefined) return ` (etcd has dropped it; use --${plain})`;
  const shown = FLAGS.filter((flag) => flag.kind !== "ignored").map((flag) => flag.name);
  const near = nearest(name, shown);
  return near === undefined ? "" : ` (did you mean --${near}?)`;
}

function refuseWord(word: string): never {
  if (SUBCOMMANDS.has(word)) throw new ConfigError(1, `the ${word} mode of etcd is not there yet`);
  const hint = /^(true|false)$/i.test(word) ? `; write a boolean as --flag=${word}` : "; a flag begins with --";
  throw new ConfigError(1, `"${word}" is not a valid flag${hint}`);
}

/**
 * Adds what `ETCD_*` variables give to `settings`. A flag that is there already and has its variable too stops the
 * start: one of the two would silently lose. Throws `ConfigError`.
 */
export function applyEnvironment(settings: Settings, environment: Environment): readonly Notice[] {
  const notices: Notice[] = [];
  const known = new Set<string>();
  for (const flag of FLAGS) {
    const variable = environmentName(flag.name);
    known.add(variable);
    const text = environment[variable];
    if (text === undefined || flag.name === "version") continue;
    if (settings.isGiven(flag.name)) throw shadowed(variable, flag.name);
    if (text === "") continue;
    try {
      settings.give(flag.name, parseValue(flag, text));
    } catch (error) {
      throw new ConfigError(1, `invalid value "${text}" for ${variable}: ${(error as Error).message}`);
    }
    const shown = SECRET_FLAGS.has(flag.name) ? "(hidden)" : text;
    const fields = { "variable-name": variable, "variable-value": shown };
    notices.push({ level: "info", message: "recognized and used environment variable", fields });
  }
  const version = environment["ETCD_VERSION"] ?? ""; // images set it; read as a flag it would end the start
  if (version !== "") {
    const fields = { key: "ETCD_VERSION", value: version };
    notices.push({ level: "warn", message: "cannot set special environment variable", fields });
  }
  for (const variable of Object.keys(environment).sort()) {
    if (!variable.startsWith("ETCD_") || known.has(variable)) continue;
    // The name alone: a variable that we do not know may hold a password.
    const fields = { "environment-variable": variable };
    notices.push({ level: "warn", message: "unrecognized environment variable", fields });
  }
  return notices;
}

function shadowed(variable: string, name: string): ConfigError {
  const message =
    "conflicting environment variable is shadowed by corresponding command-line flag " +
    "(either unset environment variable or disable flag)";
  const fields = { "environment-variable": variable, flag: `--${name}` };
  return new ConfigError(1, `${message}: ${variable}, --${name}`, { level: "fatal", message, fields });
}

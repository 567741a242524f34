/**
 * A configuration file in etcd's form: YAML (so JSON too) whose keys are names of flags, TLS settings in objects of
 * their own, lists as text with commas or as sequences, durations as whole nanoseconds.
 */
import { createRequire } from "node:module";
import type * as Yaml from "yaml";
import { parseDuration } from "../base/duration.ts";
import { type Flag, type FlagKind, flagNamed } from "./flags.ts";
import { hintFor } from "./parse.ts";
import { ConfigError, type Notice, Settings } from "./settings.ts";
import { parseValue } from "./values.ts";

/** Longest file read: a configuration is a page or two. */
export const MAX_CONFIG_FILE_BYTES = 1 << 20;

/** Objects of etcd's file, and the flag that each key in them stands for. */
const OBJECTS: ReadonlyMap<string, ReadonlyMap<string, string>> = mapOfMaps({
  "client-transport-security": {
    "cert-file": "cert-file",
    "key-file": "key-file",
    "client-cert-file": "client-cert-file",
    "client-key-file": "client-key-file",
    "client-cert-auth": "client-cert-auth",
    "trusted-ca-file": "trusted-ca-file",
    "auto-tls": "auto-tls",
    "allowed-hostname": "client-cert-allowed-hostname",
    "allowed-hostnames": "client-cert-allowed-hostname",
  },
  "peer-transport-security": {
    "cert-file": "peer-cert-file",
    "key-file": "peer-key-file",
    "client-cert-file": "peer-client-cert-file",
    "client-key-file": "peer-client-key-file",
    "client-cert-auth": "peer-client-cert-auth",
    "trusted-ca-file": "peer-trusted-ca-file",
    "auto-tls": "peer-auto-tls",
    "allowed-cn": "peer-cert-allowed-cn",
    "allowed-cns": "peer-cert-allowed-cn",
    "allowed-hostname": "peer-cert-allowed-hostname",
    "allowed-hostnames": "peer-cert-allowed-hostname",
    "skip-client-san-verification": "peer-skip-client-san-verification",
  },
  "socket-options": { "reuse-port": "socket-reuse-port", "reuse-address": "socket-reuse-address" },
});

/** Maps, as a key of the file may be "constructor" and an object literal would know it. */
function mapOfMaps(objects: Record<string, Record<string, string>>): ReadonlyMap<string, ReadonlyMap<string, string>> {
  return new Map(Object.entries(objects).map(([key, names]) => [key, new Map(Object.entries(names))]));
}

/** Settings of a client's certificate that no flag has. */
const REFUSED_KEYS: ReadonlySet<string> = new Set([
  "client-transport-security.allowed-cn",
  "client-transport-security.allowed-cns",
  "discovery-config",
]);

/** Keys that etcd's own sample file carries and etcd reads past. */
const SILENT_KEYS: ReadonlySet<string> = new Set(["discovery-fallback", "config-file", "version"]);

/** The settings in `text`, the content of the file at `path`. Throws `ConfigError`. */
export function parseConfigFile(path: string, text: string): { settings: Settings; notices: readonly Notice[] } {
  const reader = new Reader(path);
  for (const [key, value] of entriesOf(path, text)) reader.key(key, value);
  return { settings: reader.settings, notices: reader.notices };
}

/** Loaded with the first file: few servers have one, and its seventy modules would be loaded twice for each start. */
function yaml(): typeof Yaml {
  return createRequire(import.meta.url)("yaml") as typeof Yaml;
}

function entriesOf(path: string, text: string): [string, unknown][] {
  // YAML 1.1, as etcd's reader has it: "on" and "yes" are true. The last of two equal keys wins.
  const document = yaml().parseDocument(text, { version: "1.1", uniqueKeys: false, intAsBigInt: true });
  const problem = document.errors[0];
  if (problem !== undefined) throw new ConfigError(1, `config file ${path} is not YAML: ${problem.message.trim()}`);
  const root: unknown = document.toJS({ maxAliasCount: 100 });
  if (root === null || root === undefined) return [];
  if (!isObject(root)) throw new ConfigError(1, `config file ${path} must hold keys and values, not ${nameOf(root)}`);
  return Object.entries(root);
}

class Reader {
  readonly settings = new Settings();
  readonly notices: Notice[] = [];
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  key(key: string, value: unknown): void {
    if (value === null || SILENT_KEYS.has(key)) return;
    if (REFUSED_KEYS.has(key)) throw this.#refusal(key, "is not supported yet; remove it");
    const object = OBJECTS.get(key);
    const flag = flagNamed(key);
    if (object !== undefined) this.#object(key, object, value);
    else if (flag === undefined) this.#unknown(key, hintFor(key).replace("--", ""));
    else this.#give(key, flag, value);
  }

  #object(key: string, names: ReadonlyMap<string, string>, value: unknown): void {
    if (!isObject(value)) throw this.#refusal(key, `must hold keys and values, not ${nameOf(value)}`);
    for (const [inner, innerValue] of Object.entries(value)) {
      const whole = `${key}.${inner}`;
      const flag = flagNamed(names.get(inner) ?? "");
      if (innerValue === null) continue;
      if (REFUSED_KEYS.has(whole)) throw this.#refusal(whole, "is not supported yet; remove it");
      if (flag === undefined) this.#unknown(whole, "");
      else this.#give(whole, flag, innerValue);
    }
  }

  #give(key: string, flag: Flag, value: unknown): void {
    try {
      this.settings.give(flag.name, CONVERTERS[flag.kind](value, flag));
    } catch (error) {
      throw this.#refusal(key, (error as Error).message);
    }
  }

  /** etcd reads past a key that it does not know; so do we, aloud. */
  #unknown(key: string, hint: string): void {
    const message = `unknown key in config file is ignored${hint}`;
    this.notices.push({ level: "warn", message, fields: { path: this.#path, key } });
  }

  #refusal(key: string, why: string): ConfigError {
    return new ConfigError(1, `config file ${this.#path}: ${key} ${why}`);
  }
}

const CONVERTERS: { readonly [Kind in FlagKind]: (value: unknown, flag: Flag) => unknown } = {
  string: textValue,
  gates: textValue,
  bool: (value) => {
    if (typeof value === "boolean") return value;
    throw new Error(`must be true or false, not ${nameOf(value)}`);
  },
  uint: numberValue,
  int: numberValue,
  duration: durationValue,
  urls: listValue,
  origins: listValue,
  strings: listValue,
  ignored: () => undefined,
};

function textValue(value: unknown, flag: Flag): unknown {
  if (typeof value !== "string") throw new Error(`must be text, not ${nameOf(value)}; put it in quotes`);
  if (value === "" && flag.choices !== undefined) return flag.fallback;
  return parsed(flag, value);
}

function numberValue(value: unknown, flag: Flag): unknown {
  if (typeof value === "bigint" || (typeof value === "number" && Number.isSafeInteger(value))) {
    return parsed(flag, String(value));
  }
  throw new Error(`must be a whole number, not ${nameOf(value)}`);
}

function durationValue(value: unknown): number {
  if (typeof value === "bigint") return Number(value) / 1e6;
  if (typeof value === "number" && Number.isSafeInteger(value)) return value / 1e6;
  throw new Error(`must be whole nanoseconds, not ${nameOf(value)}${nanosecondsHint(value)}`);
}

function nanosecondsHint(value: unknown): string {
  try {
    return `: write ${Math.round(parseDuration(String(value)) * 1e6)}`;
  } catch {
    return "";
  }
}

function listValue(value: unknown, flag: Flag): unknown {
  if (typeof value === "string") return parsed(flag, value);
  if (Array.isArray(value) && value.every((item) => typeof item === "string")) return parsed(flag, value.join(","));
  throw new Error(`must be text or a list of texts, not ${nameOf(value)}`);
}

function parsed(flag: Flag, text: string): unknown {
  try {
    return parseValue(flag, text);
  } catch (error) {
    throw new Error(`has the invalid value "${text}": ${(error as Error).message}`);
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function nameOf(value: unknown): string {
  if (typeof value === "string") return `the text "${value}"`;
  if (typeof value === "bigint" || typeof value === "number") return `the number ${value}`;
  if (typeof value === "boolean") return `${value}`;
  return Array.isArray(value) ? "a list" : isObject(value) ? "an object" : "nothing";
}

/** Flags of the commands that work on files: as etcdutl and etcdctl name them. */
import { type ParseArgsConfig, parseArgs } from "node:util";

type Options = NonNullable<ParseArgsConfig["options"]>;

/** The command line cannot be understood: the message, then the usage, and exit code 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

export interface Arguments {
  readonly positionals: readonly string[];
  text(name: string): string;
  flag(name: string): boolean;
  /** A whole number from 0 on. */
  count(name: string): number;
  given(name: string): boolean;
}

/** Every flag with its default; a boolean one takes no value, or `=true` and `=false`. */
export function readArguments(
  argv: readonly string[],
  defaults: Readonly<Record<string, string | boolean>>,
): Arguments {
  const options: Options = {};
  for (const [name, value] of Object.entries(defaults)) {
    const type = typeof value === "boolean" ? "boolean" : "string";
    options[name] = name === "write-out" ? { type, short: "w" } : { type };
  }
  const { values, positionals } = parse(spelledOut(argv, defaults), options);
  const value = (name: string) => values[name] ?? defaults[name];
  return {
    positionals,
    text: (name) => String(value(name)),
    flag: (name) => value(name) === true,
    given: (name) => values[name] !== undefined,
    count: (name) => {
      const text = String(value(name));
      const number = Number(text);
      if (/^\d+$/.test(text) && Number.isSafeInteger(number)) return number;
      throw new UsageError(`--${name} is "${text}"; it must be a whole number from 0 on`);
    },
  };
}

function parse(args: string[], options: Options) {
  try {
    return parseArgs({ args, options, allowPositionals: true, strict: true });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function spelledOut(argv: readonly string[], defaults: Readonly<Record<string, string | boolean>>): string[] {
  return argv.flatMap((argument) => {
    const match = /^--([\w-]+)=(true|false)$/.exec(argument);
    if (match === null || typeof defaults[match[1] as string] !== "boolean") return [argument];
    return match[2] === "true" ? [`--${match[1]}`] : [];
  });
}

/** The one file or folder that a command is about. */
export function onlyPositional({ positionals }: Arguments, what: string): string {
  const [only] = positionals;
  if (only === undefined || positionals.length > 1) {
    throw new UsageError(`give exactly one ${what}; here are ${positionals.length}`);
  }
  return only;
}

/** What was asked for on the command line and in the environment. */

export interface Options {
  readonly mode: "measure" | "list" | "profile";
  /** Parts of names of rows; none: all rows. */
  readonly parts: readonly string[];
  /** A part of the name of one way of measuring, like "100 k"; undefined: all ways. */
  readonly variant: string | undefined;
  readonly jsonFile: string | undefined;
  readonly pairs: number;
  /** Of rows that take long. */
  readonly fewPairs: number;
  readonly seconds: number;
  /** Of the store in the rows of size. */
  readonly sizeKeys: number;
  readonly settleSeconds: number;
  readonly stallRevisions: number;
  /** Of values that a new member of a cluster has to be sent. */
  readonly catchUpMiB: number;
}

export class UsageError extends Error {}

/** Throws UsageError. */
export function readOptions(argv: readonly string[], env: Readonly<Record<string, string | undefined>>): Options {
  const parts: string[] = [];
  let variant: string | undefined;
  let mode: Options["mode"] = "measure";
  let jsonFile: string | undefined;
  const rest = [...argv];
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (word === "--list") mode = "list";
    else if (word === "--profile") mode = "profile";
    else if (word === "--keys") variant = wordAfter(word, rest.shift());
    else if (word === "--json") jsonFile = fileAfter(word, rest.shift());
    else if (word.startsWith("--json=")) jsonFile = fileAfter("--json", word.slice("--json=".length));
    else if (word.startsWith("-"))
      throw new UsageError(`there is no option "${word}": --list, --profile, --keys TEXT, --json FILE`);
    else parts.push(word);
  }
  const whole = (name: string, otherwise: number) => wholeNumber(name, env[name], otherwise);
  const pairs = whole("PAIRS", 7);
  return {
    mode,
    parts,
    variant,
    jsonFile,
    pairs,
    fewPairs: Math.min(pairs, 3),
    seconds: whole("SECONDS_A_ROW", 2),
    sizeKeys: whole("SIZE_KEYS", 1_000_000),
    settleSeconds: whole("SETTLE_SECONDS", 10),
    stallRevisions: whole("STALL_REVISIONS", 300_000),
    catchUpMiB: whole("CATCH_UP_MIB", 2048),
  };
}

function wordAfter(option: string, word: string | undefined): string {
  if (word === undefined || word === "") throw new UsageError(`${option} needs a word, like "100 k"`);
  return word;
}

function fileAfter(option: string, file: string | undefined): string {
  if (file === undefined || file === "") throw new UsageError(`${option} needs the name of a file`);
  return file;
}

function wholeNumber(name: string, text: string | undefined, otherwise: number): number {
  if (text === undefined || text === "") return otherwise;
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new UsageError(`${name} is "${text}": it must be a whole number from 1 on`);
  return Number(text);
}

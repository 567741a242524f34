/** Texts of flags become values, by the grammar of Go's flag package where etcd uses that. */
import { parseDuration } from "../base/duration.ts";
import { parseBoolean, parseGates } from "./feature-gates.ts";
import type { Flag, FlagKind, ValueOfKind } from "./flags.ts";
import { parseUrls, urlTexts } from "./urls.ts";

type Value = ValueOfKind[FlagKind];

/** The value of `text`; throws an Error that says what is wrong with it and what would be right. */
export function parseValue(flag: Flag, text: string): Value {
  if (flag.choices !== undefined && !flag.choices.includes(text)) {
    throw new Error(`there are ${flag.choices.map((choice) => `"${choice}"`).join(", ")}`);
  }
  return PARSERS[flag.kind](text, flag);
}

const PARSERS: { readonly [Kind in FlagKind]: (text: string, flag: Flag) => ValueOfKind[Kind] } = {
  string: (text) => text,
  bool: parseFlagBoolean,
  uint: (text, flag) => parseInteger(text, 0, flag.max ?? Number.MAX_SAFE_INTEGER),
  int: (text, flag) => parseInteger(text, -Number.MAX_SAFE_INTEGER, flag.max ?? Number.MAX_SAFE_INTEGER),
  duration: parseDuration,
  // Nothing given for a list that has a default means the default, as etcd has it.
  urls: (text, flag) => parseUrls(text === "" ? flag.fallback : text),
  origins: (text) => (text === "" || text === "*" ? ["*"] : urlTexts(parseUrls(text))),
  strings: parseStrings,
  gates: parseGates,
  ignored: () => undefined,
};

function parseFlagBoolean(text: string): boolean {
  const value = parseBoolean(text);
  if (value === undefined) throw new Error("not a boolean: write true or false");
  return value;
}

function parseStrings(text: string): readonly string[] {
  return text === "" ? [] : [...new Set(text.split(",").map((word) => word.trim()))];
}

/** Decimal, 0x, 0o, 0b and, as Go has it, octal after a leading 0; single underscores may stand between digits. */
const INTEGER = /^[+-]?(?:0[xX](?:_?[0-9a-fA-F])+|0[bB](?:_?[01])+|0[oO]?(?:_?[0-7])+|0|[1-9](?:_?\d)*)$/;

function parseInteger(text: string, min: number, max: number): number {
  if (!INTEGER.test(text) || (min === 0 && /^[+-]/.test(text))) {
    throw new Error(min === 0 ? "not a whole number of 0 or more" : "not a whole number");
  }
  const digits = text
    .replaceAll("_", "")
    .replace(/^[+-]/, "")
    .replace(/^0(?=[0-7])/, "0o");
  const value = text.startsWith("-") ? -BigInt(digits) : BigInt(digits);
  if (value < BigInt(min) || value > BigInt(max)) throw new Error(`value out of range: from ${min} to ${max}`);
  return Number(value);
}

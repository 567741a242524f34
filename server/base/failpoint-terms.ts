/**
 * What a failpoint is told to do, in the language of gofail: terms in a chain, of which each time the first that is
 * still due acts.
 *
 *     panic                           the process ends
 *     sleep(100)  sleep("1.5s")       milliseconds, or a duration
 *     return("a text")                a value, for the few places that take one
 *     print   off                     a line of the log; nothing
 *     3*panic   25%sleep(10)   2*sleep(5)->panic      so many times; in so many of a hundred; then the next one
 */
import { parseDuration } from "./duration.ts";

export type FailpointAct =
  | { readonly kind: "off" | "panic" | "print" }
  | { readonly kind: "sleep"; readonly ms: number }
  | { readonly kind: "return"; readonly value: string };

interface Term {
  readonly act: FailpointAct;
  /** How often it may still act. */
  left: number;
  /** In how many of a hundred cases it acts. */
  readonly percent: number;
}

/** Longest text, and longest sleep: a day. */
const TEXT_MAX = 4096;
const SLEEP_MS_MAX = 86_400_000;
const TERM = /^(?:(\d+(?:\.\d+)?)%)?(?:(\d+)\*)?([a-z]+)(?:\((.*)\))?$/s;
const LANGUAGE = 'a term is [25%][3*] and off, panic, print, sleep(ms), sleep("1s") or return("text"); -> joins terms';

export class FailpointTerms {
  /** As it was given. */
  readonly text: string;
  readonly #terms: readonly Term[];

  private constructor(text: string, terms: readonly Term[]) {
    this.text = text;
    this.#terms = terms;
  }

  /** Throws an Error that names the term that cannot be read. */
  static parse(text: string): FailpointTerms {
    if (text.length > TEXT_MAX) throw new Error(`terms have at most ${TEXT_MAX} characters, these ${text.length}`);
    return new FailpointTerms(text.trim(), splitChain(text).map(parseTerm));
  }

  /** Whether it can answer a value. */
  get returns(): boolean {
    return this.#terms.some(({ act }) => act.kind === "return");
  }

  /** What to do this time; undefined: nothing. `chance`: from 0 on, below 1. */
  next(chance: () => number): FailpointAct | undefined {
    for (const term of this.#terms) {
      if (term.left <= 0 || (term.percent < 100 && chance() * 100 >= term.percent)) continue;
      term.left--;
      return term.act.kind === "off" ? undefined : term.act;
    }
    return undefined;
  }
}

/** At arrows that stand outside of quotes. */
function splitChain(text: string): string[] {
  return text.split(/->(?=(?:[^"]*"[^"]*")*[^"]*$)/);
}

function parseTerm(text: string): Term {
  const match = TERM.exec(text.trim());
  if (match === null) throw new Error(`"${text.trim()}" is no term: ${LANGUAGE}`);
  const [, percent = "100", times, verb = "", argument] = match;
  if (Number(percent) > 100) throw new Error(`${percent}% is more than always`);
  const left = times === undefined ? Number.POSITIVE_INFINITY : Number(times);
  return { act: parseAct(verb, argument), left, percent: Number(percent) };
}

function parseAct(verb: string, argument: string | undefined): FailpointAct {
  switch (verb) {
    case "off":
    case "panic":
    case "print":
      return { kind: verb };
    case "sleep":
      return { kind: "sleep", ms: sleepMs(argument) };
    case "return":
      return { kind: "return", value: unquoted(argument ?? "") };
    default:
      throw new Error(`"${verb}" is no action: ${LANGUAGE}`);
  }
}

function sleepMs(argument: string | undefined): number {
  const text = unquoted(argument ?? "");
  const ms = /^\d+$/.test(text) ? Number(text) : parseDuration(text);
  if (ms < 0 || ms > SLEEP_MS_MAX) throw new Error(`sleep(${text}) is not between 0 and ${SLEEP_MS_MAX} ms`);
  return ms;
}

function unquoted(text: string): string {
  return text.length >= 2 && text.startsWith('"') && text.endsWith('"') ? text.slice(1, -1) : text;
}

/**
 * A node:test reporter for the runner, beside the one for people: node's own closing counts and everything that was
 * skipped or failed, as one line of JSON at the end.
 */
import type { TestEvent } from "node:test/reporters";

/** The names of node's closing lines, in its order. */
export const COUNTS = ["tests", "suites", "pass", "fail", "cancelled", "skipped", "todo"] as const;

export type Counts = Record<(typeof COUNTS)[number], number>;

export interface Remark {
  readonly name: string;
  /** Why it was skipped, or what it failed with; empty where nobody said. */
  readonly reason: string;
  readonly file: string;
}

export interface Tally {
  readonly counts: Counts;
  readonly skipped: readonly Remark[];
  readonly failed: readonly Remark[];
}

const FAILURE_LINES = 12;
const FAILURE_CHARACTERS = 1500;

/** Tests of this process that have been announced and have ended, those inside of others not counted. */
export const progress = { announced: 0, ended: 0 };

export function noCounts(): Counts {
  return { tests: 0, suites: 0, pass: 0, fail: 0, cancelled: 0, skipped: 0, todo: 0 };
}

export default async function* tallyReporter(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const counts = noCounts();
  const skipped: Remark[] = [];
  const failed: Remark[] = [];
  for await (const event of events) {
    if (event.type === "test:enqueue" && event.data.nesting === 0) progress.announced++;
    if (event.type === "test:diagnostic" && event.data.nesting === 0) readCount(event.data.message, counts);
    if (event.type !== "test:pass" && event.type !== "test:fail") continue;
    const { name, skip, nesting, file = "" } = event.data;
    if (nesting === 0) progress.ended++;
    if (skip !== undefined && skip !== false)
      skipped.push({ name, reason: typeof skip === "string" ? skip : "", file });
    else if (event.type === "test:fail") failed.push({ name, reason: failureText(event.data.details.error), file });
  }
  yield JSON.stringify({ counts, skipped, failed } satisfies Tally);
}

/** What went wrong in a few lines: what is at hand where only the end of a long output is kept. */
function failureText(error: Error & { readonly cause?: unknown }): string {
  // node:test wraps what the test threw.
  const thrown = error.cause ?? error;
  const text = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
  return text.split("\n").slice(0, FAILURE_LINES).join("\n    ").slice(0, FAILURE_CHARACTERS);
}

/** A closing line reaches reporters as a diagnostic such as "tests 12". */
function readCount(message: string, counts: Counts): void {
  const [word = "", value = ""] = message.split(" ");
  const name = COUNTS.find((known) => known === word);
  if (name !== undefined && /^\d+$/.test(value)) counts[name] = Number(value);
}

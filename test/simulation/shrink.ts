/**
 * Makes a failing run small: the storm ends at the event that failed, then kinds of faults are taken away one by one, then
 * kinds of calls; whatever it still fails without stays away. Streams of chance have names, so the rest stays as it was.
 */
import { type Level, Violation } from "./outcome.ts";
import { CALLS, FAULTS, type Less } from "./swarm.ts";

/** Runs that are tried at most. */
const TRIES_MAX = 120;

export interface Shrunk {
  readonly less: Less;
  readonly message: string;
  readonly tries: number;
}

/** Undefined when the seed does not fail at all. Whatever fails counts, also in another way than at first. */
export async function shrink(
  level: Level,
  seed: number,
  start: Less = {},
  tell: (what: string) => void = () => undefined,
): Promise<Shrunk | undefined> {
  let tries = 0;
  const failureOf = async (less: Less): Promise<Violation | Error | undefined> => {
    tries++;
    return level.run(seed, less).then(
      () => undefined,
      (error: Error) => error,
    );
  };
  let failure = await failureOf(start);
  if (failure === undefined) return undefined;
  let less = start;
  const attempt = async (what: string, smaller: Less): Promise<boolean> => {
    if (tries >= TRIES_MAX) return false;
    const found = await failureOf(smaller);
    tell(`${what}: ${found === undefined ? "needed" : "not needed"}`);
    if (found === undefined) return false;
    less = smaller;
    failure = found;
    return true;
  };
  const truncate = async () => {
    if (!(failure instanceof Violation)) return;
    const untilMs = Math.ceil(failure.atMs) + 1;
    if (untilMs < (less.untilMs ?? Number.POSITIVE_INFINITY))
      await attempt(`the time after ${untilMs} ms`, { ...less, untilMs });
  };
  await truncate();
  for (const kind of [...Object.keys(FAULTS), ...Object.keys(CALLS)]) {
    const { without = [] } = less;
    if (!without.includes(kind)) await attempt(kind, { ...less, without: [...without, kind] });
  }
  // What is found at the end of a run may be caused long before it: half the time, again and again.
  while (less.untilMs !== undefined && less.untilMs > 100) {
    const untilMs = Math.floor(less.untilMs / 2);
    if (!(await attempt(`the time after ${untilMs} ms`, { ...less, untilMs }))) break;
  }
  await truncate();
  return { less, message: (failure as Error).message, tries };
}

/** What to type to see it again. */
export function commandFor(level: string, seed: number, { without = [], untilMs }: Less): string {
  const parts = [`npm run simulate -- --level ${level} --seed ${seed}`];
  if (untilMs !== undefined) parts.push(`--until ${untilMs}`);
  if (without.length > 0) parts.push(`--without ${without.join(",")}`);
  return parts.join(" ");
}

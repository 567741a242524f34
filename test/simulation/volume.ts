/** Many seeds one after the other, and what they come to together. */
import { createHash } from "node:crypto";
import { type Level, type Outcome, Violation } from "./outcome.ts";

/** A seed that broke a promise. */
export interface Failed {
  readonly level: string;
  readonly seed: number;
  readonly atMs: number | undefined;
  readonly message: string;
}

export interface Tally {
  passed: number;
  readonly voids: { readonly level: string; readonly seed: number; readonly why: string }[];
  readonly failed: Failed[];
  operations: number;
  simulatedMs: number;
  seconds: number;
  readonly faults: Record<string, number>;
  readonly points: Record<string, number>;
  /** Of the traces of all seeds in their order: the same on every machine and version of Node. */
  traces: string;
}

export function emptyTally(): Tally {
  return {
    passed: 0,
    voids: [],
    failed: [],
    operations: 0,
    simulatedMs: 0,
    seconds: 0,
    faults: {},
    points: {},
    traces: "",
  };
}

export interface VolumeOptions {
  readonly level: Level;
  readonly from: number;
  readonly count: number;
  /** Every seed is run a second time, and must leave the same trace. */
  readonly isTwice?: boolean;
  /** Called after each seed. */
  readonly told?: (done: number, failed: Failed | undefined) => void;
}

export async function runVolume(
  { level, from, count, isTwice = false, told }: VolumeOptions,
  tally: Tally,
): Promise<void> {
  const startedMs = performance.now();
  for (let seed = from; seed < from + count; seed++) {
    const failed = await runSeed(level, seed, isTwice, tally);
    if (failed !== undefined) tally.failed.push(failed);
    told?.(seed + 1 - from, failed);
  }
  tally.seconds += (performance.now() - startedMs) / 1000;
}

async function runSeed(level: Level, seed: number, isTwice: boolean, tally: Tally): Promise<Failed | undefined> {
  try {
    const outcome = await level.run(seed);
    if (isTwice) sameAgain(outcome, await level.run(seed));
    tally.traces = createHash("sha256").update(`${tally.traces} ${outcome.traceHash}`).digest("hex").slice(0, 16);
    if (outcome.void === undefined) {
      tally.passed++;
      add(tally, outcome);
    } else tally.voids.push({ level: level.name, seed, why: outcome.void });
    return undefined;
  } catch (error) {
    const atMs = error instanceof Violation ? error.atMs : undefined;
    return { level: level.name, seed, atMs, message: (error as Error).message };
  }
}

function sameAgain(once: Outcome, again: Outcome): void {
  if (once.traceHash === again.traceHash) return;
  throw new Error(
    `the trace is ${once.traceHash}, and of a second run ${again.traceHash}: chance comes from elsewhere`,
  );
}

function add(tally: Tally, { operations, simulatedMs, faults, points }: Outcome): void {
  tally.operations += operations;
  tally.simulatedMs += simulatedMs;
  addCounts(tally.faults, faults);
  addCounts(tally.points, points);
}

export function addCounts(to: Record<string, number>, counts: Readonly<Record<string, number>>): void {
  for (const [name, times] of Object.entries(counts)) to[name] = (to[name] ?? 0) + times;
}

/** Lines for people: rate, faults, coverage, what failed and what does not count. */
export function report(tally: Tally, level: Level): string[] {
  const { passed, voids, failed, operations, seconds, simulatedMs, faults, points, traces } = tally;
  const runs = passed + voids.length + failed.length;
  const missed = level.points.filter((name) => (points[name] ?? 0) === 0);
  const reached = level.points.length - missed.length;
  return [
    `${runs} seeds in ${seconds.toFixed(0)} s, ${(runs / Math.max(seconds, 0.001)).toFixed(2)} a second; ` +
      `${operations} operations checked in ${(simulatedMs / 1000).toFixed(0)} simulated seconds`,
    // Several processes have no order.
    ...(traces === "" ? [] : [`traces: ${traces}`]),
    `faults: ${counts(faults) || "none"}`,
    `points: ${counts(points) || "none"}`,
    `coverage: ${reached} of ${level.points.length} named points${missed.length === 0 ? "" : `; never: ${missed.join(", ")}`}`,
    ...(voids.length === 0 ? [] : [`void: ${voids.map(({ seed, why }) => `${seed} (${why})`).join(", ")}`]),
    ...failed.map(({ seed, message }) => `failed: seed ${seed}: ${message}`),
    `${level.name}: ${passed} passed, ${failed.length} failed, ${voids.length} void`,
  ];
}

function counts(of: Readonly<Record<string, number>>): string {
  return Object.entries(of)
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([name, times]) => `${name} ${times}`)
    .join(", ");
}

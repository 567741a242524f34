/** Pairs of measurements, one of ours and one of etcd's, whose order turns: what disturbs the machine disturbs both. */
import type { Experiment, Kit, Reading } from "./experiment.ts";
import { processorUsOf } from "./loads/process.ts";
import { ROWS, type RowId } from "./rows.ts";
import { removeSubject, type Subject, type SubjectOptions, serversOf, startSubject, type Who } from "./subject.ts";

/** One measurement of each. */
export type Pair = Readonly<Record<Who, Reading>>;

/** The first run of each server is not counted: code that has just started is not what is asked about. */
export async function runPairs(experiment: Experiment, kit: Kit, options: SubjectOptions): Promise<Pair[]> {
  const settings = { ...options, tls: experiment.tls, members: experiment.members };
  if (experiment.slow) return freshPairs(experiment, kit, settings);
  const subjects: Subject[] = [];
  try {
    for (const who of ["ours", "theirs"] as const) subjects.push(await startSubject(who, settings));
    for (const subject of subjects) await experiment.prepare(subject, kit);
    const warm = { ...kit, options: { ...kit.options, seconds: experiment.warmSeconds ?? 1 } };
    for (const subject of subjects) await experiment.measure(subject, warm);
    const pairs: Pair[] = [];
    for (let pair = 0; pair < kit.options.pairs; pair++) {
      const order = pair % 2 === 0 ? subjects : subjects.toReversed();
      const readings = new Map<Who, Reading>();
      for (const subject of order) readings.set(subject.who, await measureTimed(experiment, subject, kit));
      pairs.push(pairOf(readings));
    }
    return pairs;
  } finally {
    for (const subject of subjects) await removeSubject(subject);
  }
}

/** With the processor time that the server spent on each of what the row counts; of rows that are rates. */
async function measureTimed(experiment: Experiment, subject: Subject, kit: Kit): Promise<Reading> {
  const [id] = experiment.rows;
  const beganUs = spentUsOf(subject);
  const reading = await experiment.measure(subject, kit);
  const spentUs = spentUsOf(subject) - beganUs;
  const rate = id === undefined ? undefined : reading.figures[id];
  if (id === undefined || rate === undefined || !ROWS[id].unit.endsWith("/s")) return reading;
  const each = spentUs / (rate * kit.options.seconds);
  return { ...reading, notes: { "processor us of the servers for each": each, ...reading.notes } };
}

function spentUsOf(subject: Subject): number {
  return serversOf(subject).reduce((sum, { pid }) => sum + processorUsOf(pid), 0);
}

/** Servers that are new for each measurement, one at a time: a full store beside would take the other's memory. */
async function freshPairs(experiment: Experiment, kit: Kit, options: SubjectOptions): Promise<Pair[]> {
  const pairs: Pair[] = [];
  for (let pair = 0; pair < kit.options.fewPairs; pair++) {
    const readings = new Map<Who, Reading>();
    for (const who of pair % 2 === 0 ? (["ours", "theirs"] as const) : (["theirs", "ours"] as const)) {
      const subject = await startSubject(who, options);
      try {
        await experiment.prepare(subject, kit);
        readings.set(who, await experiment.measure(subject, kit));
      } finally {
        await removeSubject(subject);
      }
    }
    pairs.push(pairOf(readings));
  }
  return pairs;
}

function pairOf(readings: ReadonlyMap<Who, Reading>): Pair {
  return { ours: readings.get("ours") as Reading, theirs: readings.get("theirs") as Reading };
}

/** The figures of one row. */
export function figuresOf(pairs: readonly Pair[], id: RowId): [number, number][] {
  return pairs.map(({ ours, theirs }) => [figure(ours, id), figure(theirs, id)]);
}

function figure({ figures }: Reading, id: RowId): number {
  const value = figures[id];
  if (value === undefined || !Number.isFinite(value)) throw new Error(`an experiment gave no figure for "${id}"`);
  return value;
}

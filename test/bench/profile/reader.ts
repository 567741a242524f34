/** Reads a processor profile of V8 (.cpuprofile): in which functions the time went, callees not counted. */

export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  }[];
  /** Ids of nodes. */
  readonly samples: readonly number[];
  /** Of the clock that only goes forward, microseconds. */
  readonly startTime: number;
  /** Microseconds from the sample before. */
  readonly timeDeltas: readonly number[];
}

export interface SelfTime {
  /** "name file:line" */
  readonly where: string;
  /** Of the time in which the processor was not idle, 0 to 1. */
  readonly part: number;
  readonly us: number;
}

const IDLE = "(idle)";

/** Times of the same clock. */
export interface Span {
  readonly fromUs: number;
  readonly toUs: number;
}

/** Within the span. The longest first, at most `limit`. A function is one line, wherever it was called from. */
export function selfTimes(profile: CpuProfile, limit: number, { fromUs, toUs }: Span): SelfTime[] {
  const { nodes, samples, timeDeltas, startTime } = profile;
  let atUs = startTime;
  const nodeOf = new Map(nodes.map((node) => [node.id, node]));
  const times = new Map<string, number>();
  let busyUs = 0;
  for (const [index, id] of samples.entries()) {
    const node = nodeOf.get(id);
    // A delta lies before its sample: the time after a sample, until the next, is what it stands for.
    const us = timeDeltas[index + 1] ?? 0;
    atUs += timeDeltas[index] ?? 0;
    if (atUs < fromUs || atUs > toUs) continue;
    if (node === undefined || node.callFrame.functionName === IDLE || us <= 0) continue;
    const where = placeOf(node.callFrame);
    times.set(where, (times.get(where) ?? 0) + us);
    busyUs += us;
  }
  return [...times]
    .sort(([, left], [, right]) => right - left)
    .slice(0, limit)
    .map(([where, us]) => ({ where, us, part: us / busyUs }));
}

function placeOf({ functionName, url, lineNumber }: CpuProfile["nodes"][number]["callFrame"]): string {
  const name = functionName || "(anonymous)";
  if (url === "") return name;
  return `${name} ${url.replace(/^.*\/(?=(server|node_modules)\/)/, "")}:${lineNumber + 1}`;
}

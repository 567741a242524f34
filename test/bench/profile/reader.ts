/** Reads a processor profile of V8 (.cpuprofile): in which functions the time went, callees not counted. */

export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  }[];
  /** Ids of nodes. */
  readonly samples: readonly number[];
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

/** The longest first, at most `limit`. A function is one line, wherever it was called from. */
export function selfTimes({ nodes, samples, timeDeltas }: CpuProfile, limit: number): SelfTime[] {
  const nodeOf = new Map(nodes.map((node) => [node.id, node]));
  const times = new Map<string, number>();
  let busyUs = 0;
  for (const [index, id] of samples.entries()) {
    const node = nodeOf.get(id);
    // A delta lies before its sample: the time after a sample, until the next, is what it stands for.
    const us = timeDeltas[index + 1] ?? 0;
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

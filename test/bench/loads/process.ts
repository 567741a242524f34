/** What a process holds in memory and has had of the processors, as the system counts it. */
import { readFileSync } from "node:fs";

export interface Memory {
  readonly totalMiB: number;
  readonly anonMiB: number;
  /** Pages of files and of shared memory. */
  readonly fileMiB: number;
}

export function memoryOf(pid: number): Memory {
  return readMemory(readFileSync(`/proc/${pid}/status`, "utf8"));
}

export function readMemory(status: string): Memory {
  const mebibytes = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1]) / 1024;
  return {
    totalMiB: mebibytes("VmRSS"),
    anonMiB: mebibytes("RssAnon"),
    fileMiB: mebibytes("RssFile") + mebibytes("RssShmem"),
  };
}

/** The kernel tells processor time in hundredths of a second, whatever its own clock is. */
const TICK_US = 10_000;

/** Of all its threads, since it began: microseconds. */
export function processorUsOf(pid: number): number {
  return readProcessorUs(readFileSync(`/proc/${pid}/stat`, "utf8"));
}

export function readProcessorUs(stat: string): number {
  // The second field is the program's name in parentheses, which may hold spaces.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * TICK_US;
}

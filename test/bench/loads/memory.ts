/** What a process holds in memory, as the system counts it. */
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

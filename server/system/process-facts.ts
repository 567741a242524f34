/** What the process knows of itself, for the metrics: from the runtime, and from /proc where there is one. */
import { readdirSync, readFileSync } from "node:fs";
import v8 from "node:v8";

/** As metrics/process-series.ts asks for it. */
export interface Facts {
  readonly cpuSeconds: number;
  readonly startedAtSeconds: number;
  readonly residentBytes: number;
  readonly virtualBytes: number | undefined;
  readonly virtualLimitBytes: number | undefined;
  readonly openFiles: number | undefined;
  readonly fileLimit: number | undefined;
  readonly threads: number | undefined;
  readonly networkReceivedBytes: number | undefined;
  readonly networkSentBytes: number | undefined;
  readonly activeResources: number;
  readonly nodeVersion: string;
  readonly heap: {
    readonly usedBytes: number;
    readonly totalBytes: number;
    readonly limitBytes: number;
    readonly externalBytes: number;
  };
}

/** Reads all of it; /proc is memory of the kernel and never waits for a disk. */
export function readProcessFacts(): Facts {
  const cpu = process.cpuUsage();
  const heap = v8.getHeapStatistics();
  const status = readText("/proc/self/status");
  const limits = readText("/proc/self/limits");
  const network = netstatOf(readText("/proc/self/net/netstat"));
  return {
    cpuSeconds: (cpu.user + cpu.system) / 1e6,
    startedAtSeconds: Date.now() / 1000 - process.uptime(),
    residentBytes: process.memoryUsage.rss(),
    virtualBytes: kilobytes(status, "VmSize"),
    virtualLimitBytes: limitOf(limits, "Max address space"),
    openFiles: countEntries("/proc/self/fd"),
    fileLimit: limitOf(limits, "Max open files"),
    threads: numberAfter(status, /^Threads:\s+(\d+)$/m),
    networkReceivedBytes: network.get("InOctets"),
    networkSentBytes: network.get("OutOctets"),
    activeResources: process.getActiveResourcesInfo().length,
    nodeVersion: process.version,
    heap: {
      usedBytes: heap.used_heap_size,
      totalBytes: heap.total_heap_size,
      limitBytes: heap.heap_size_limit,
      externalBytes: heap.external_memory,
    },
  };
}

/** A soft limit in the text of /proc/self/limits; undefined for none. */
export function limitOf(limits: string, name: string): number | undefined {
  return numberAfter(limits, new RegExp(`^${name}\\s+(\\d+)\\s`, "m"));
}

/** The IpExt counters in the text of /proc/self/net/netstat: a line of names, a line of values. */
export function netstatOf(text: string): ReadonlyMap<string, number> {
  const [names, values] = text
    .split("\n")
    .filter((line) => line.startsWith("IpExt:"))
    .map((line) => line.split(" "));
  return new Map((names ?? []).slice(1).map((name, index) => [name, Number(values?.[index + 1] ?? 0)]));
}

function kilobytes(status: string, name: string): number | undefined {
  const count = numberAfter(status, new RegExp(`^${name}:\\s+(\\d+) kB$`, "m"));
  return count === undefined ? undefined : count * 1024;
}

function numberAfter(text: string, pattern: RegExp): number | undefined {
  const digits = pattern.exec(text)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

function readText(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return ""; // not Linux
  }
}

function countEntries(folder: string): number | undefined {
  try {
    return readdirSync(folder).length - 1; // the folder itself is open while it is read
  } catch {
    return undefined;
  }
}

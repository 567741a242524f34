/**
 * How much memory the process may use, and how much of it the heap should have. Node's own choice stops at 4 GB
 * however large the machine is, and takes half of a small one.
 */
import { readFileSync } from "node:fs";
import { totalmem } from "node:os";

const MIB = 1 << 20;

export interface MemoryLimit {
  readonly bytes: number;
  /** What set it. */
  readonly source: "cgroup v2" | "cgroup v1" | "rlimit" | "machine";
}

/** Text of a file, undefined when it cannot be read. */
type ReadText = (path: string) => string | undefined;

/** Above this a limit means none: cgroup v1 writes "no limit" as a number near 2^63. */
const NO_LIMIT_BYTES = 2 ** 60;

/**
 * The least of what bounds the process: its cgroup and those above it, its limit of data, the machine. Both arguments
 * are for tests.
 */
export function memoryLimit(read: ReadText = readText, machineBytes: number = totalmem()): MemoryLimit {
  const limits: MemoryLimit[] = [
    { bytes: cgroupV2Limit(read), source: "cgroup v2" },
    { bytes: cgroupV1Limit(read), source: "cgroup v1" },
    { bytes: dataLimit(read), source: "rlimit" },
    { bytes: machineBytes, source: "machine" },
  ];
  return limits.reduce((least, limit) => (limit.bytes < least.bytes ? limit : least));
}

/** In a container the own group is often seen as the root, so the root's file is asked too. */
function cgroupV2Limit(read: ReadText): number {
  const path = /^0::(\/.*)$/m.exec(read("/proc/self/cgroup") ?? "")?.[1];
  if (path === undefined) return Number.POSITIVE_INFINITY;
  const roots = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];
  const folders = roots.flatMap((root) => foldersUpTo(path).map((folder) => root + folder));
  return least(folders.map((folder) => read(`${folder}/memory.max`)));
}

/** memory.stat says the least limit of the group and all above it. */
function cgroupV1Limit(read: ReadText): number {
  const path = /^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(\/.*)$/m.exec(read("/proc/self/cgroup") ?? "")?.[1];
  if (path === undefined) return Number.POSITIVE_INFINITY;
  const folders = [path, ""].map((folder) => `/sys/fs/cgroup/memory${folder === "/" ? "" : folder}`);
  const hierarchical = folders.map((folder) => {
    return /^hierarchical_memory_limit (\d+)$/m.exec(read(`${folder}/memory.stat`) ?? "")?.[1];
  });
  return least([...hierarchical, ...folders.map((folder) => read(`${folder}/memory.limit_in_bytes`))]);
}

/** `ulimit -d` counts the heap; `ulimit -v` also counts what is mapped, the store for one, and says nothing of memory. */
function dataLimit(read: ReadText): number {
  return least([/^Max data size\s+(\d+)\s/m.exec(read("/proc/self/limits") ?? "")?.[1]]);
}

/** "/a/b" gives "/a/b", "/a" and "". */
function foldersUpTo(path: string): string[] {
  const parts = path.split("/").filter((part) => part !== "" && part !== "..");
  return parts.map((_, index) => `/${parts.slice(0, parts.length - index).join("/")}`).concat("");
}

function least(texts: readonly (string | undefined)[]): number {
  const limits = texts
    .map((text) => Number(text?.trim() || "max"))
    .filter((bytes) => bytes > 0 && bytes < NO_LIMIT_BYTES);
  return Math.min(Number.POSITIVE_INFINITY, ...limits);
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return undefined;
  }
}

/** How memory is divided. What is not named here is left to the system, which keeps pages of the store in it. */
export interface MemoryPlan {
  /** V8's old space: the index and all that stays. */
  readonly oldSpaceMb: number;
  /** Each of V8's three halves of new space. */
  readonly semiSpaceMb: number;
  /** Requests on their way to disk, outside the heap: at each of three stations so much. */
  readonly transitBytes: number;
  /** Newest values kept outside the heap. */
  readonly valueCacheBytes: number;
}

/** V8 works with more, but a heap beyond this is collected for seconds. */
const MAX_OLD_SPACE_MB = 32 * 1024;
const MIN_OLD_SPACE_MB = 64;
/** Code, stacks, new space and buffers of a process that does nothing yet. */
const FIXED_MB = 96;
/** Enough for what is read again and again; whoever lists millions of keys all day gives more by `--value-cache-bytes`. */
const MAX_VALUE_CACHE_BYTES = 64 * MIB;
const MAX_TRANSIT_BYTES = 256 * MIB;
/** Room for the largest request that etcd allows by default, twice. */
const MIN_TRANSIT_BYTES = 4 * MIB;

/**
 * What a thousand requests in flight keep alive is copied whenever a half is full: with 16 MB that was a twelfth of the
 * time, and 32 MB carry 15 to 18 % more writes (measured) where there is memory for them.
 */
function semiSpaceMb(limitMb: number): number {
  if (limitMb < 1024) return 8;
  return limitMb < 4096 ? 16 : 32;
}

/** The division of `limitBytes`: of what is left after the fixed part, 60 % old space, 10 % values, 3 x 5 % requests. */
export function planMemory(limitBytes: number): MemoryPlan {
  const limitMb = limitBytes / MIB;
  const freeMb = Math.max(0, limitMb - FIXED_MB);
  return {
    oldSpaceMb: Math.round(Math.min(MAX_OLD_SPACE_MB, Math.max(MIN_OLD_SPACE_MB, freeMb * 0.6))),
    semiSpaceMb: semiSpaceMb(limitMb),
    transitBytes: Math.min(MAX_TRANSIT_BYTES, Math.max(MIN_TRANSIT_BYTES, Math.floor(freeMb * 0.05) * MIB)),
    valueCacheBytes: Math.min(MAX_VALUE_CACHE_BYTES, Math.floor(freeMb * 0.1) * MIB),
  };
}

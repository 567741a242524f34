/**
 * How full the heap is, so that writes can be refused before V8 gives up. What counts is the old space: the limit that
 * V8 reports includes new space, 192 MB of it on Node 24, which the store cannot live in. And what counts is what lives:
 * memory in use holds garbage, up to just below the limit, so it is looked at right after a full collection. V8 never
 * gives up without one, and plans the next at the latest half way to the limit.
 */
import { constants, PerformanceObserver } from "node:perf_hooks";
import v8 from "node:v8";
import { resourceLimits } from "node:worker_threads";

const MIB = 1 << 20;

/** A garbage collection that has ended. */
export interface Collection {
  /** Of the whole heap, not of new space alone. */
  readonly full: boolean;
  /** How long it held the loop. */
  readonly seconds: number;
}

/** Calls `seen` soon after every garbage collection; answers what stops that. */
export function observeCollections(seen: (collection: Collection) => void): () => void {
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      const { kind } = (entry as unknown as { detail: { kind: number } }).detail;
      seen({ full: kind === constants.NODE_PERFORMANCE_GC_MAJOR, seconds: entry.duration / 1000 });
    }
  });
  observer.observe({ entryTypes: ["gc"] });
  return () => observer.disconnect();
}

export interface HeapReading {
  /** Old space in use, large objects and garbage among it. */
  readonly usedBytes: number;
  /** What old space may grow to. */
  readonly limitBytes: number;
}

/** The old space of this thread's heap. */
export function readHeap(): HeapReading {
  const { used_heap_size, heap_size_limit } = v8.getHeapStatistics();
  let young = 0;
  for (const space of v8.getHeapSpaceStatistics()) {
    if (space.space_name.startsWith("new_")) young += space.space_used_size;
  }
  return { usedBytes: used_heap_size - young, limitBytes: oldSpaceLimit(heap_size_limit) };
}

/** As given to the thread or the process; else nearly all of what V8 reports, as its own choice leaves new space little. */
function oldSpaceLimit(heapSizeLimit: number): number {
  const given = resourceLimits.maxOldGenerationSizeMb ?? givenOldSpaceMb();
  return given === undefined ? heapSizeLimit * 0.95 : Math.min(given * MIB, heapSizeLimit);
}

/** `--max-old-space-size` of this process, from its arguments or NODE_OPTIONS; undefined when nobody set it. */
export function givenOldSpaceMb(
  execArgv: readonly string[] = process.execArgv,
  nodeOptions: string = process.env["NODE_OPTIONS"] ?? "",
): number | undefined {
  const words = [...nodeOptions.split(/\s+/), ...execArgv];
  let given: number | undefined;
  for (const [index, word] of words.entries()) {
    const match = /^--max[-_]old[-_]space[-_]size(?:=(\d+))?$/.exec(word);
    if (match !== null) given = Number(match[1] ?? words[index + 1]);
  }
  return given;
}

/** In use beyond this, garbage or not, is too much. */
const LAST_RESORT_SHARE = 0.97;

export class HeapGuard {
  readonly #read: () => HeapReading;
  /** What lived after the last full collection. */
  #liveBytes: number | undefined;

  /** `read` is for tests. */
  constructor(read: () => HeapReading = readHeap) {
    this.#read = read;
  }

  /** To be told of every collection, soon after it. */
  collected(collection: Collection): void {
    if (collection.full) this.#liveBytes = this.#read().usedBytes;
  }

  /** Share of the heap that lives, 0 to 1 and a little beyond. Some microseconds. */
  share(): number {
    const { usedBytes, limitBytes } = this.#read();
    const used = usedBytes / limitBytes;
    if (used >= LAST_RESORT_SHARE || this.#liveBytes === undefined) return used;
    // Never more than what is in use: live memory may have been let go since.
    return Math.min(used, this.#liveBytes / limitBytes);
  }
}

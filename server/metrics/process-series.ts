/**
 * The process and its runtime: process_* and os_fd_* as etcd has them, and those of Go's go_* names that mean something
 * in Node too. What has no honest counterpart is not made up: docs/compatibility.md lists it. Not from prom-client,
 * whose collectors can never be stopped again and count one garbage collection where several came together.
 */
import type { Registry } from "./registry.ts";
import type { Summary } from "./series-types.ts";

/** What the process knows of itself at one moment; undefined where the system does not say. */
export interface ProcessFacts {
  readonly cpuSeconds: number;
  /** Seconds since 1970. */
  readonly startedAtSeconds: number;
  readonly residentBytes: number;
  readonly virtualBytes: number | undefined;
  readonly virtualLimitBytes: number | undefined;
  readonly openFiles: number | undefined;
  readonly fileLimit: number | undefined;
  readonly threads: number | undefined;
  /** Of the network that the process is in. */
  readonly networkReceivedBytes: number | undefined;
  readonly networkSentBytes: number | undefined;
  /** Sockets, timers and requests that the event loop waits for. */
  readonly activeResources: number;
  /** "v20.20.2" */
  readonly nodeVersion: string;
  readonly heap: {
    readonly usedBytes: number;
    readonly totalBytes: number;
    readonly limitBytes: number;
    /** Memory of buffers, outside the heap. */
    readonly externalBytes: number;
  };
}

export interface ProcessSeries {
  /** A garbage collection held the loop for `seconds`; `endedAtSeconds` since 1970. */
  collected(seconds: number, endedAtSeconds: number): void;
}

/** Go says 2^64-1 for no limit. */
const NO_LIMIT = 2 ** 64;

/** Registers the series; `read` is asked once a scrape. */
export function createProcessSeries(registry: Registry, read: () => ProcessFacts): ProcessSeries {
  const all = setters(registry);
  const info = registry.gauges("go_info", "1 for the runtime; here it is Node.js.", ["version"]);
  registry.beforeScrape(() => {
    const facts = read();
    for (const [set, value] of all) set(value(facts));
    info.with(`node-${facts.nodeVersion}`).set(1);
  });
  const pauses: Summary = registry.summary("go_gc_duration_seconds", "How long garbage collections held the loop.");
  const last = registry.gauge("go_memstats_last_gc_time_seconds", "When garbage was last collected, since 1970.");
  return {
    collected(seconds, endedAtSeconds) {
      pauses.observe(seconds);
      last.set(endedAtSeconds);
    },
  };
}

type Setter = readonly [set: (value: number) => void, value: (facts: ProcessFacts) => number];

function setters(registry: Registry): readonly Setter[] {
  const gauge = (name: string, help: string, value: (facts: ProcessFacts) => number): Setter => {
    const series = registry.gauge(name, help);
    return [(now) => series.set(now), value];
  };
  const counter = (name: string, help: string, value: (facts: ProcessFacts) => number): Setter => {
    const series = registry.counter(name, help);
    return [(now) => series.raiseTo(now), value];
  };
  return [
    counter("process_cpu_seconds_total", "Processor time used.", (facts) => facts.cpuSeconds),
    gauge("process_start_time_seconds", "When the process started, since 1970.", (facts) => facts.startedAtSeconds),
    gauge("process_resident_memory_bytes", "Memory in use.", (facts) => facts.residentBytes),
    gauge("process_virtual_memory_bytes", "Memory mapped.", (facts) => facts.virtualBytes ?? 0),
    gauge(
      "process_virtual_memory_max_bytes",
      "Memory that may be mapped.",
      (facts) => facts.virtualLimitBytes ?? NO_LIMIT,
    ),
    gauge("process_open_fds", "Open files and sockets.", (facts) => facts.openFiles ?? 0),
    gauge("process_max_fds", "Files and sockets that may be open.", (facts) => facts.fileLimit ?? 0),
    gauge("os_fd_used", "Open files and sockets.", (facts) => facts.openFiles ?? 0),
    gauge("os_fd_limit", "Files and sockets that may be open.", (facts) => facts.fileLimit ?? 0),
    counter(
      "process_network_receive_bytes_total",
      "Bytes that came in over the network that the process is in.",
      (facts) => facts.networkReceivedBytes ?? 0,
    ),
    counter(
      "process_network_transmit_bytes_total",
      "Bytes that went out over the network that the process is in.",
      (facts) => facts.networkSentBytes ?? 0,
    ),
    gauge(
      "go_goroutines",
      "Sockets, timers and requests that the event loop waits for.",
      (facts) => facts.activeResources,
    ),
    gauge("go_threads", "Threads of the process.", (facts) => facts.threads ?? 0),
    gauge("go_gc_gomemlimit_bytes", "Limit of the heap.", ({ heap }) => heap.limitBytes),
    gauge("go_memstats_alloc_bytes", "Heap in use.", ({ heap }) => heap.usedBytes),
    gauge("go_memstats_heap_alloc_bytes", "Heap in use.", ({ heap }) => heap.usedBytes),
    gauge("go_memstats_heap_inuse_bytes", "Heap in use.", ({ heap }) => heap.usedBytes),
    gauge("go_memstats_heap_idle_bytes", "Heap held and not in use.", ({ heap }) => heap.totalBytes - heap.usedBytes),
    gauge("go_memstats_heap_sys_bytes", "Heap held.", ({ heap }) => heap.totalBytes),
    gauge("go_memstats_other_sys_bytes", "Memory of buffers, outside the heap.", ({ heap }) => heap.externalBytes),
    gauge("go_memstats_sys_bytes", "Heap and buffers held.", ({ heap }) => heap.totalBytes + heap.externalBytes),
  ];
}

/**
 * The series of the operator, and their text for Prometheus. The only file of the operator that knows prom-client: other
 * rooms count through the small types below.
 */
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { ApiMetrics, ControllerMetrics, EventMetrics, LeaderMetrics, ReflectorMetrics } from "./series.ts";

/** Values of the labels, in the order in which they were named. */
export type Labels = readonly string[];

export interface CounterSeries {
  add(labels: Labels, count?: number): void;
}

export interface GaugeSeries {
  set(labels: Labels, value: number): void;
  /** What is gone is no longer shown. */
  remove(labels: Labels): void;
}

export interface HistogramSeries {
  observe(labels: Labels, value: number): void;
}

const PREFIX = "kvorum_operator_";

/** Seconds. */
const DURATIONS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** All series of a process. Names get the prefix `kvorum_operator_`. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #collectors: (() => void)[] = [];

  counter(name: string, help: string, labelNames: readonly string[] = []): CounterSeries {
    const counter = new Counter({ name: PREFIX + name, help, labelNames, registers: [this.#registry] });
    return { add: (labels, count = 1) => counter.labels(...labels).inc(count) };
  }

  gauge(name: string, help: string, labelNames: readonly string[] = []): GaugeSeries {
    const gauge = new Gauge({ name: PREFIX + name, help, labelNames, registers: [this.#registry] });
    return {
      set: (labels, value) => gauge.labels(...labels).set(value),
      remove: (labels) => gauge.remove(...labels),
    };
  }

  histogram(name: string, help: string, labelNames: readonly string[] = [], buckets = DURATIONS): HistogramSeries {
    const histogram = new Histogram({
      name: PREFIX + name,
      help,
      labelNames,
      buckets: [...buckets],
      registers: [this.#registry],
    });
    return { observe: (labels, value) => histogram.labels(...labels).observe(value) };
  }

  /** `collect` runs before every scrape: it sets gauges to what is true then. */
  beforeScrape(collect: () => void): void {
    this.#collectors.push(collect);
  }

  /** What a scrape is answered with. */
  async text(): Promise<{ readonly contentType: string; readonly body: string }> {
    for (const collect of this.#collectors) collect();
    return { contentType: this.#registry.contentType, body: await this.#registry.metrics() };
  }
}

/** The series of this room's parts. */
export interface RuntimeMetrics {
  readonly api: ApiMetrics;
  readonly reflector: ReflectorMetrics;
  readonly controller: ControllerMetrics;
  readonly leader: LeaderMetrics;
  readonly events: EventMetrics;
}

export function runtimeMetrics(metrics: Metrics): RuntimeMetrics {
  return {
    api: apiMetrics(metrics),
    reflector: reflectorMetrics(metrics),
    controller: controllerMetrics(metrics),
    leader: leaderMetrics(metrics),
    events: eventMetrics(metrics),
  };
}

function apiMetrics(metrics: Metrics): ApiMetrics {
  const calls = metrics.counter("api_requests_total", "Calls of the Kubernetes API.", ["verb", "resource", "code"]);
  const durations = metrics.histogram("api_request_duration_seconds", "Until the whole answer was there.", ["verb"]);
  return {
    called(verb, resource, code, durationMs) {
      calls.add([verb, resource, code]);
      durations.observe([verb], durationMs / 1000);
    },
  };
}

function reflectorMetrics(metrics: Metrics): ReflectorMetrics {
  const restarts = metrics.counter("watch_restarts_total", "Watches begun again after a failure.", ["resource", "why"]);
  const lists = metrics.counter("lists_total", "Full lists taken for a cache.", ["resource"]);
  const age = metrics.gauge("cache_age_seconds", "Since the API server last spoke of what the cache holds.", [
    "resource",
  ]);
  const objects = metrics.gauge("cache_objects", "Objects in the cache.", ["resource"]);
  /** Of several caches of one kind, one for each namespace, the oldest counts, and all their objects. */
  const caches = new Map<string, { readonly ageMs: () => number; readonly size: () => number }[]>();
  metrics.beforeScrape(() => {
    for (const [resource, all] of caches) {
      age.set([resource], Math.max(...all.map(({ ageMs }) => ageMs())) / 1000);
      objects.set(
        [resource],
        all.reduce((sum, { size }) => sum + size(), 0),
      );
    }
  });
  return {
    restarted: (resource, why) => restarts.add([resource, why]),
    listed: (resource) => lists.add([resource]),
    watched(resource, ageMs, size) {
      caches.set(resource, [...(caches.get(resource) ?? []), { ageMs, size }]);
    },
  };
}

function controllerMetrics(metrics: Metrics): ControllerMetrics {
  const passes = metrics.counter("reconcile_total", "Passes over an object, by how they ended.", [
    "controller",
    "result",
  ]);
  const errors = metrics.counter("reconcile_errors_total", "Passes that failed; conflicts are none.", ["controller"]);
  const durations = metrics.histogram("reconcile_duration_seconds", "Of one pass.", ["controller"]);
  const depth = metrics.gauge("queue_depth", "Objects that wait for a pass.", ["controller"]);
  const oldest = metrics.gauge("queue_oldest_seconds", "How long the first of them has waited.", ["controller"]);
  const running = metrics.gauge("reconcile_running", "Passes under way.", ["controller"]);
  return {
    reconciled(controller, result, durationMs) {
      passes.add([controller, result]);
      if (result === "error") errors.add([controller]);
      durations.observe([controller], durationMs / 1000);
    },
    queued(controller, depthNow, oldestMs, runningNow) {
      metrics.beforeScrape(() => {
        depth.set([controller], depthNow());
        oldest.set([controller], oldestMs() / 1000);
        running.set([controller], runningNow());
      });
    },
  };
}

function leaderMetrics(metrics: Metrics): LeaderMetrics {
  const leader = metrics.gauge("leader", "1 when this process leads.");
  leader.set([], 0);
  return { leads: (isLeader) => leader.set([], isLeader ? 1 : 0) };
}

function eventMetrics(metrics: Metrics): EventMetrics {
  const sent = metrics.counter("events_sent_total", "Events written, series included.");
  const dropped = metrics.counter("events_dropped_total", "Events that were not written.", ["why"]);
  return { sent: () => sent.add([]), dropped: (why) => dropped.add([why]) };
}

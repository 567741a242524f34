/**
 * What this room counts, as ports, so that its parts run without Prometheus. The real ones are made in `metrics.ts`;
 * `NO_...` count nothing.
 */

export interface ApiMetrics {
  /** One call of the API; `code` is HTTP's, or "none" when no answer came. A watch is counted when it begins. */
  called(verb: string, resource: string, code: string, durationMs: number): void;
}

export interface ReflectorMetrics {
  /** A watch was begun again after it had failed, `why` in one word: gone, lost, ended. */
  restarted(resource: string, why: string): void;
  listed(resource: string): void;
  /** `ageMs` is asked at each scrape: how long nothing was heard of what the cache holds. */
  watched(resource: string, ageMs: () => number, size: () => number): void;
}

export type ReconcileResult = "done" | "again" | "conflict" | "error";

export interface ControllerMetrics {
  reconciled(controller: string, result: ReconcileResult, durationMs: number): void;
  /** Asked at each scrape. */
  queued(controller: string, depth: () => number, oldestMs: () => number, running: () => number): void;
}

export interface LeaderMetrics {
  leads(isLeader: boolean): void;
}

export interface EventMetrics {
  sent(): void;
  /** `why` in one word: full, failed, flood. */
  dropped(why: string): void;
}

function nothing(): void {}

export const NO_API_METRICS: ApiMetrics = { called: nothing };
export const NO_REFLECTOR_METRICS: ReflectorMetrics = { restarted: nothing, listed: nothing, watched: nothing };
export const NO_CONTROLLER_METRICS: ControllerMetrics = { reconciled: nothing, queued: nothing };
export const NO_LEADER_METRICS: LeaderMetrics = { leads: nothing };
export const NO_EVENT_METRICS: EventMetrics = { sent: nothing, dropped: nothing };

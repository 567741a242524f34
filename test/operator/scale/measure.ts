/** What the scale of an operator is told by: measured over some time, from outside. */
import { setTimeout as sleep } from "node:timers/promises";
import { CLUSTERS, PODS } from "../../../operator/cluster/kinds.ts";
import type { FakePlace } from "./fake-place.ts";
import { growth, quantile, type Series, sums, total } from "./figures.ts";
import type { OperatorProcess } from "./operator-process.ts";

const LOOK_MS = 200;

export interface Load {
  readonly seconds: number;
  /** Calls of the API a minute. */
  readonly requestsAMinute: number;
  /** The same by verb and resource, the most first. */
  readonly byKind: readonly (readonly [string, number])[];
  /** Calls of members a minute. */
  readonly etcdCallsAMinute: number;
  /** How long a call of a member and one of the API takes, 99 of 100; milliseconds. */
  readonly etcdP99Ms: number | undefined;
  readonly apiP99Ms: number | undefined;
  readonly passes: number;
  readonly errors: number;
  /** Of a pass, milliseconds. */
  readonly p50Ms: number | undefined;
  readonly p99Ms: number | undefined;
  /** Of one processor. */
  readonly processorShare: number;
  /** Resident, bytes: at the end, and the highest of the process's life. */
  readonly memory: number;
  readonly memoryHighest: number;
}

/** What the operator does until `done` resolves. */
export async function measure(operator: OperatorProcess, done: () => Promise<unknown>): Promise<Load> {
  const [from, before, processorBefore] = [performance.now(), await operator.metrics(), operator.processorMs()];
  await done();
  const after = await operator.metrics();
  const ms = performance.now() - from;
  const grown = growth(before, after);
  const aMinute = (count: number) => (count * 60_000) / ms;
  const { now, highest } = operator.memory();
  return {
    seconds: ms / 1000,
    requestsAMinute: aMinute(total(grown, "kvorum_operator_api_requests_total")),
    byKind: sums(grown, "kvorum_operator_api_requests_total", ["verb", "resource"]).map(([kind, count]) => [
      kind,
      aMinute(count),
    ]),
    etcdCallsAMinute: aMinute(total(grown, "kvorum_operator_etcd_calls_total")),
    passes: total(grown, "kvorum_operator_reconcile_total"),
    errors: total(grown, "kvorum_operator_reconcile_errors_total"),
    etcdP99Ms: quantileMs(grown, "etcd_call_duration_seconds", 0.99),
    apiP99Ms: quantileMs(grown, "api_request_duration_seconds", 0.99),
    p50Ms: quantileMs(grown, "reconcile_duration_seconds", 0.5),
    p99Ms: quantileMs(grown, "reconcile_duration_seconds", 0.99),
    processorShare: (operator.processorMs() - processorBefore) / ms,
    memory: now,
    memoryHighest: highest,
  };
}

function quantileMs(grown: Series, histogram: string, share: number): number | undefined {
  const seconds = quantile(grown, `kvorum_operator_${histogram}`, share);
  return seconds === undefined ? undefined : seconds * 1000;
}

/** Rejects when it is not so after `limitMs`, with what the operator last said. Milliseconds that it took. */
export async function until(
  what: string,
  isSo: () => boolean | Promise<boolean>,
  limitMs: number,
  operator?: OperatorProcess,
): Promise<number> {
  const from = performance.now();
  while (!(await isSo())) {
    if (performance.now() - from > limitMs || operator?.isRunning === false)
      throw new Error(`not within ${limitMs / 1000} s: ${what}\n${operator?.log.slice(-4000) ?? ""}`);
    await sleep(LOOK_MS);
  }
  return performance.now() - from;
}

/** Makes `count` clusters at once and waits until all are Ready. */
export async function create(
  place: FakePlace,
  operator: OperatorProcess,
  count: number,
  limitMs: number,
): Promise<{ readonly load: Load; readonly firstMs: number; readonly medianMs: number; readonly lastMs: number }> {
  const from = performance.now();
  for (let index = 0; index < count; index++) place.create(tenant(index));
  const load = await measure(operator, () =>
    until(`${count} clusters are Ready`, () => place.readyAt.size === count, limitMs, operator),
  );
  const took = [...place.readyAt.values()].map((at) => at - from).sort((left, right) => left - right);
  const at = (share: number) => took[Math.min(took.length - 1, Math.floor(share * took.length))] ?? 0;
  if (place.count(PODS) !== 3 * count || place.count(CLUSTERS) !== count)
    throw new Error(`${place.count(CLUSTERS)} clusters with ${place.count(PODS)} Pods, and not ${count} of three`);
  return { load, firstMs: at(0), medianMs: at(0.5), lastMs: at(1) };
}

/** The namespace of the `index`th cluster. */
export function tenant(index: number): string {
  return `tenant-${String(index).padStart(3, "0")}`;
}

export interface FailOver {
  /** From the leader's end until the other one held the Lease. */
  readonly leadsMs: number;
  /** Until a Pod that was deleted at that very moment was ready again, made by the new leader. */
  readonly mendedMs: number;
}

/** Ends `leader` by `signal` while `standby` waits. */
export async function failOver(
  place: FakePlace,
  leader: OperatorProcess,
  standby: OperatorProcess,
  signal: "SIGTERM" | "SIGKILL",
  limitMs: number,
): Promise<FailOver> {
  const before = place.holder;
  const lost = place.readyPod(tenant(0), "main-1");
  const from = performance.now();
  const ended = leader.stop(signal);
  place.deletePod(tenant(0), "main-1");
  await until("the other one leads", () => place.holder !== undefined && place.holder !== before, limitMs, standby);
  const leadsMs = performance.now() - from;
  const isMended = () => {
    const pod = place.readyPod(tenant(0), "main-1");
    return pod !== undefined && pod !== lost;
  };
  await until("the Pod is ready again", isMended, 60_000, standby);
  const mendedMs = performance.now() - from;
  await ended;
  return { leadsMs, mendedMs };
}

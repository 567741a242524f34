/**
 * `npm run test:operator-scale`: the operator's program with 200 clusters of three members, or CLUSTERS of them, on a fake
 * Kubernetes and a fake etcd in another process. Prints its memory, its calls of the API while they are made and at rest,
 * how long passes take, and how long it takes until all are Ready; then a second operator stands by, and takes over from
 * one that is killed and from one that is told to end. What has a bound fails when it is broken.
 *
 * REST_SECONDS (120): how long the rest is measured. PROFILE=FOLDER: a profile of the operator's processor time, of its
 * life until it is told to end, in which case it is not killed. Needs Linux.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { FakePlace, LEASE } from "./fake-place.ts";
import { create, failOver, type Load, measure, until } from "./measure.ts";
import { OperatorProcess } from "./operator-process.ts";

const CLUSTERS = Number(process.env["CLUSTERS"] ?? 200);
const REST_SECONDS = Number(process.env["REST_SECONDS"] ?? 120);
const PROFILE = process.env["PROFILE"];
const MIB = 2 ** 20;

/** All must be Ready after so long: one alone takes some seconds, and many share the processor. */
const READY_MS = 300_000 + CLUSTERS * 10_000;
/** Clients of each cluster, in the part of the rest that is not idle. */
const WRITES_PER_SECOND = 50;
/** A Lease lasts 30 s from its last renewal, and is looked at every few seconds. */
const FAIL_OVER_MS = 40_000;
const HAND_OVER_MS = 10_000;
/** Without clusters, and for each cluster. */
const FIXED_BYTES = 220 * MIB;
const BYTES_PER_CLUSTER = 0.75 * MIB;
/** Without clusters: Leases, watches. With clients that write: each status is written now and then. */
const FIXED_REQUESTS = 60;
const REQUESTS_PER_CLUSTER = 2.5;

let writesPerSecond = 0;
let failed = 0;

process.exit(await main());

async function main(): Promise<number> {
  if (process.platform !== "linux") {
    console.log("SKIPPED: the scale of the operator: its members need the addresses below 127.0.0.0/8 that Linux has");
    return process.env["KVORUM_NO_SKIP"] === "1" ? 1 : 0;
  }
  console.log(`${CLUSTERS} clusters of three members, Node ${process.version}`);
  const place = await FakePlace.open({ writesPerSecond: () => writesPerSecond });
  const started: OperatorProcess[] = [];
  const start = async (profile?: string) => {
    const options = { server: place.server.url, namespace: LEASE.namespace };
    const operator = await OperatorProcess.start({ ...options, ...(profile === undefined ? {} : { profile }) });
    started.push(operator);
    return operator;
  };
  try {
    const first = await start(PROFILE);
    await creation(place, first);
    await rest(first);
    if (PROFILE !== undefined) await first.stop("SIGTERM");
    else await replicas(place, first, start);
  } catch (error) {
    failed++;
    console.log(`FAILED  ${error instanceof Error ? error.message : error}`);
  } finally {
    for (const operator of started) await operator.stop();
    await place.close();
  }
  console.log(failed === 0 ? "all bounds hold" : `${failed} failed`);
  return failed === 0 ? 0 : 1;
}

async function creation(place: FakePlace, operator: OperatorProcess): Promise<void> {
  await until("it leads", () => operator.leads(), 60_000, operator);
  say(`without clusters: ${mib(operator.memory().now)} resident`);
  const { load, firstMs, medianMs, lastMs } = await create(place, operator, CLUSTERS, READY_MS);
  say(`Ready: the first after ${s(firstMs)}, half after ${s(medianMs)}, all after ${s(lastMs)}`);
  tell("while they were made", load);
  bound(`no pass failed while they were made`, load.errors, 0);
}

async function rest(operator: OperatorProcess): Promise<void> {
  await sleep(20_000); // the last statuses are written
  for (const [what, rate] of [
    ["at rest, no clients", 0],
    [`at rest, ${WRITES_PER_SECOND} writes a second in each`, WRITES_PER_SECOND],
  ] as const) {
    writesPerSecond = rate;
    const load = await measure(operator, () => sleep(REST_SECONDS * 1000));
    tell(what, load);
    bound(`requests a minute, ${what}`, load.requestsAMinute, FIXED_REQUESTS + CLUSTERS * REQUESTS_PER_CLUSTER);
    bound(`errors, ${what}`, load.errors, 0);
    bound(`MiB resident, ${what}`, load.memory / MIB, (FIXED_BYTES + CLUSTERS * BYTES_PER_CLUSTER) / MIB);
  }
}

async function replicas(
  place: FakePlace,
  first: OperatorProcess,
  start: () => Promise<OperatorProcess>,
): Promise<void> {
  const second = await start();
  say(`standing by: ${mib(second.memory().now)} resident`);
  const killed = await failOver(place, first, second, "SIGKILL", FAIL_OVER_MS + 20_000);
  say(`leader killed: the other leads after ${s(killed.leadsMs)}, has mended a Pod after ${s(killed.mendedMs)}`);
  bound("seconds until the other leads", killed.leadsMs / 1000, FAIL_OVER_MS / 1000);
  const third = await start();
  const told = await failOver(place, second, third, "SIGTERM", HAND_OVER_MS + 60_000);
  say(`leader told to end: the other leads after ${s(told.leadsMs)}, has mended a Pod after ${s(told.mendedMs)}`);
  bound("seconds until it is handed over", told.leadsMs / 1000, HAND_OVER_MS / 1000);
}

function tell(what: string, load: Load): void {
  say(
    `${what} (${load.seconds.toFixed(0)} s): ${load.requestsAMinute.toFixed(0)} API requests a minute, ${load.etcdCallsAMinute.toFixed(0)} calls of members a minute`,
  );
  for (const [kind, count] of load.byKind.slice(0, 8)) say(`    ${count.toFixed(1).padStart(8)}  ${kind}`);
  say(`    99 of 100 calls within ${ms(load.apiP99Ms)} (API), ${ms(load.etcdP99Ms)} (members)`);
  say(
    `    ${load.passes} passes, ${load.errors} failed, p50 ${ms(load.p50Ms)}, p99 ${ms(load.p99Ms)}; ${(load.processorShare * 100).toFixed(1)} % of a processor; ${mib(load.memory)} resident, ${mib(load.memoryHighest)} at its highest`,
  );
}

function bound(what: string, value: number, limit: number): void {
  if (value <= limit) return;
  failed++;
  say(`FAILED  ${what}: ${value.toFixed(1)}, and the bound is ${limit.toFixed(1)}`);
}

function say(line: string): void {
  console.log(line);
}

function s(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(1)} s`;
}

function ms(value: number | undefined): string {
  return value === undefined ? "-" : `${value.toFixed(1)} ms`;
}

function mib(bytes: number): string {
  return `${(bytes / MIB).toFixed(0)} MiB`;
}

/**
 * `npm run simulate`: worlds of several members, each a function of its seed. `--seed S` runs one and prints what came of
 * it; `--count N` runs N from `--from` on (a number drawn from the clock when not given) and names those that failed.
 * Exit code 1 when any has failed, 2 when the command line was not understood.
 */
import { type ClusterRun, runCluster } from "./cluster.ts";

const USAGE = "npm run simulate -- --seed S | --count N [--from S]";
const PROGRESS_EVERY_MS = 5000;

process.exitCode = await main(process.argv.slice(2));

async function main(argv: readonly string[]): Promise<number> {
  const given = new Map<string, number>();
  for (let at = 0; at < argv.length; at += 2) {
    const [name = "", value = ""] = argv.slice(at, at + 2);
    if (!["--seed", "--count", "--from"].includes(name) || !/^\d{1,9}$/.test(value)) return refuse();
    given.set(name, Number(value));
  }
  const seed = given.get("--seed");
  if (seed !== undefined) return one(seed);
  const count = given.get("--count");
  return count === undefined ? refuse() : many(given.get("--from") ?? Date.now() % 1_000_000, count);
}

function refuse(): number {
  console.error(USAGE);
  return 2;
}

async function one(seed: number): Promise<number> {
  try {
    console.log(JSON.stringify(await runCluster(seed), undefined, 2));
    return 0;
  } catch (error) {
    console.error(error);
    return 1;
  }
}

async function many(from: number, count: number): Promise<number> {
  const startedMs = performance.now();
  const failed: string[] = [];
  const totals = { answers: 0, leaderships: 0, snapshots: 0, faults: new Map<string, number>() };
  let toldMs = startedMs;
  for (let seed = from; seed < from + count; seed++) {
    try {
      add(totals, await runCluster(seed));
    } catch (error) {
      failed.push(`seed ${seed}: ${(error as Error).message}`);
      console.error(failed.at(-1));
    }
    if (performance.now() - toldMs < PROGRESS_EVERY_MS) continue;
    toldMs = performance.now();
    console.error(`${seed + 1 - from} of ${count}`);
  }
  const seconds = (performance.now() - startedMs) / 1000;
  const faults = [...totals.faults].map(([kind, times]) => `${kind} ${times}`).join(", ");
  console.log(
    `seeds ${from} to ${from + count - 1}: ${seconds.toFixed(0)} s, ${(count / seconds).toFixed(2)} a second`,
  );
  console.log(
    `${totals.answers} answers checked, ${totals.leaderships} leaderships, ${totals.snapshots} snapshots; faults: ${faults}`,
  );
  console.log(`simulate: ${count - failed.length} passed, ${failed.length} failed`);
  return failed.length === 0 ? 0 : 1;
}

function add(
  totals: { answers: number; leaderships: number; snapshots: number; readonly faults: Map<string, number> },
  { writes, reads, leaders, snapshots, faults }: ClusterRun,
): void {
  totals.answers += writes + reads;
  totals.leaderships += leaders;
  totals.snapshots += snapshots;
  for (const [kind, times] of Object.entries(faults)) totals.faults.set(kind, (totals.faults.get(kind) ?? 0) + times);
}

/** What is done with a failpoint under load, on one member or several. */
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "../../server/client/client.ts";
import type { ServerProcess } from "../support/server-process.ts";
import type { LoadCase } from "./failpoint-cases.ts";
import { type FailpointControl, panicked } from "./failpoint-control.ts";
import type { Workload } from "./workload.ts";

/** Snapshots of the log, one for so many entries, and commits come often; compactions take several batches. */
export function failpointFlags(snapshotCount: number): string[] {
  return [
    `--snapshot-count=${snapshotCount}`,
    "--snapshot-catchup-entries=20",
    "--compaction-batch-limit=20",
    "--backend-batch-interval=20ms",
    "--watch-progress-notify-interval=1s",
  ];
}

/** A few times, so that the load goes on by itself. */
export const SLEEP = "3*sleep(60)";
/** After the first sleep: time for the others, and for what they may have broken to show. */
const AFTERWARDS_MS = 150;
const TRIGGER_AGAIN_MS = 50;

/** Whose place it is, how to arm it, and where the load goes. */
export interface Victim {
  readonly server: ServerProcess;
  readonly control: FailpointControl;
  readonly workload: Workload;
  /** Of the member that is asked for what leads to the place. */
  readonly url: string;
}

/** It sleeps there a few times, which costs time and nothing else. */
export async function sleeps(one: LoadCase, victim: Victim): Promise<void> {
  const { control, workload } = victim;
  const before = await control.count(one.name);
  await control.arm(one.name, SLEEP);
  await triggering(one, victim, control.acted(one.name, before + 1));
  await sleep(AFTERWARDS_MS);
  await control.disarm(one.name);
  assert.equal(workload.unanswered, 0, "a sleep costs time, not answers");
  assert.deepEqual(workload.wrong, []);
}

/** The process ends there. */
export async function panics(one: LoadCase, victim: Victim): Promise<void> {
  await victim.control.arm(one.name, "panic");
  await triggering(one, victim, panicked(victim.server, one.name));
}

/** Asks again and again for what leads to the place, until `done`. What is asked of a server that ends there may fail. */
async function triggering({ trigger }: LoadCase, { url, workload }: Victim, done: Promise<void>): Promise<void> {
  if (trigger === undefined) return done;
  const client = connect(url);
  let isDone = false;
  const settled = done.finally(() => {
    isDone = true;
  });
  try {
    while (!isDone) {
      await Promise.race([trigger(client, workload).catch(() => undefined), settled]);
      await Promise.race([sleep(TRIGGER_AGAIN_MS), settled]);
    }
    await settled;
  } finally {
    client.close();
  }
}

/** Says how much was judged, and throws when that was next to nothing. */
export function realLoad(t: TestContext, { judged, loads }: { readonly judged: number; readonly loads: number }): void {
  t.diagnostic(`${judged} changes found in their place, under ${loads} loads`);
  assert.ok(loads > 0 && judged > loads * 10);
}

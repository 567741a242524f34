/**
 * Three and five real members under load: killed, stopped, cut off from one another, on slow and full disks, with wrong
 * clocks, replaced, restarted, without power. Every answer and every event is judged, and all members hold the same in
 * the end. Takes SEED, OPERATIONS (calls to be judged, 20,000 else), FAULTS (words, to choose faults by name).
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { campaign } from "../robustness/cluster/campaign.ts";

const SEED = Number(process.env["SEED"] ?? Math.floor(Math.random() * 2 ** 32));
const OPERATIONS = Number(process.env["OPERATIONS"] ?? 20_000);
const ONLY = process.env["FAULTS"]?.split(",");

test(`clusters under faults keep what they promised (seed ${SEED})`, async (t) => {
  const report = await campaign({
    seed: SEED,
    operations: OPERATIONS,
    ...(ONLY === undefined ? {} : { only: ONLY }),
    say: (line) => console.log(line),
  });
  const faults = [...report.faults].map(([name, times]) => `${times} ${name}`).join(", ");
  t.diagnostic(`seed ${SEED}: ${report.operations} calls judged in ${report.rounds} rounds; ${faults}`);
  for (const line of report.skipped) t.diagnostic(`SKIPPED: ${line}`);
  assert.ok(report.operations >= OPERATIONS);
});

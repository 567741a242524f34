/** Power cuts under load: what was acknowledged had been synced, so it survives them. Takes CYCLES and SEED. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { faultCycles, powerCut } from "../robustness/cycles.ts";
import {
  ACKNOWLEDGE_BEFORE_SYNC,
  CUT_WITHOUT_SYNC,
  type Edit,
  PlantedServer,
  SMALL_LOG_FILES,
} from "../robustness/planted.ts";
import { powerDiskMissing } from "../robustness/power-disk.ts";
import { skipAloud } from "../support/tools.ts";

const CYCLES = Number(process.env["CYCLES"] ?? 50);
const SEED = Number(process.env["SEED"] ?? Math.floor(Math.random() * 2 ** 32));
const FLAGS = [
  "--snapshot-count=500",
  "--snapshot-catchup-entries=100",
  "--backend-batch-interval=20ms",
  "--compaction-batch-limit=20",
];

test(`${CYCLES} power cuts under load lose nothing (seed ${SEED})`, async (t) => {
  if (!mayCut(t)) return;
  const report = await faultCycles({ cycles: CYCLES, seed: SEED, fault: powerCut(), flags: FLAGS });
  t.diagnostic(report.text);
  assert.equal(report.judged, report.acknowledged);
  assert.ok(report.acknowledged > CYCLES * 20, "the load was real");
});

test(`power cuts lose nothing while the log begins file after file (seed ${SEED})`, async (t) => {
  if (!mayCut(t)) return;
  const altered = new PlantedServer(SMALL_LOG_FILES);
  t.after(() => altered.remove());
  const { command } = altered;
  const cycles = Math.ceil(CYCLES / 5);
  const report = await faultCycles({ cycles, seed: SEED, fault: powerCut(), command, flags: FLAGS });
  t.diagnostic(report.text);
  assert.equal(report.judged, report.acknowledged);
});

test("the same test catches answers that are given before the sync", (t) =>
  mustComplain(t, /is not there|but the store stands at|ends at entry/, ACKNOWLEDGE_BEFORE_SYNC));

test("the same test catches a file of the log that is left unsynced", (t) =>
  mustComplain(
    t,
    /is not there|but the store stands at|ends at entry|read the write-ahead log|damaged/,
    SMALL_LOG_FILES,
    CUT_WITHOUT_SYNC,
  ));

async function mustComplain(t: TestContext, complaint: RegExp, ...edits: Edit[]): Promise<void> {
  if (!mayCut(t)) return;
  const planted = new PlantedServer(...edits);
  t.after(() => planted.remove());
  const { command } = planted;
  const options = { cycles: 30, seed: SEED, fault: powerCut(), command, flags: FLAGS, planted: true };
  await assert.rejects(faultCycles(options), ({ message }: Error) => {
    assert.match(message, /^after [1-9]\d* acknowledged/);
    assert.match(message, complaint);
    t.diagnostic(`${message.split("\n")[0]} ${complaint.exec(message)?.[0]}`.slice(0, 300));
    return true;
  });
}

function mayCut(t: TestContext): boolean {
  const missing = powerDiskMissing();
  if (missing !== undefined) skipAloud(t, missing);
  return missing === undefined;
}

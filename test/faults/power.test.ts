/** Power cuts under load: what was acknowledged had been synced, so it survives them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ACKNOWLEDGE_BEFORE_SYNC, PlantedServer } from "../robustness/planted.ts";
import { powerCycles } from "../robustness/power-cycles.ts";
import { powerDiskMissing } from "../robustness/power-disk.ts";

const CYCLES = Number(process.env["CYCLES"] ?? 50);
const SEED = Number(process.env["SEED"] ?? Math.floor(Math.random() * 2 ** 32));
const FLAGS = ["--snapshot-count=500", "--snapshot-catchup-entries=100", "--backend-batch-interval=20ms"];
const missing = powerDiskMissing();

test(`${CYCLES} power cuts under load lose nothing (seed ${SEED})`, { skip: missing ?? false }, async (t) => {
  const report = await powerCycles({ cycles: CYCLES, seed: SEED, flags: FLAGS });
  t.diagnostic(`${report.acknowledged} puts acknowledged, ${report.judged} found in their place`);
  assert.equal(report.judged, report.acknowledged);
  assert.ok(report.acknowledged > CYCLES * 20, "the load was real");
});

test("the same test catches answers that are given before the sync", { skip: missing ?? false }, async (t) => {
  const planted = new PlantedServer(ACKNOWLEDGE_BEFORE_SYNC);
  try {
    await assert.rejects(
      powerCycles({ cycles: 20, seed: SEED, command: planted.command, flags: FLAGS }),
      (error: Error) => {
        t.diagnostic(error.message.split("\n")[0] ?? "");
        return true;
      },
    );
  } finally {
    planted.remove();
  }
});

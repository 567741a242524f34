/** kill -9 under load: nothing acknowledged is lost, revisions never go back, HashKV agrees with a replay. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { killCycles } from "../robustness/kill-cycles.ts";
import { INDEX_OUTSIDE_TRANSACTION, PlantedServer } from "../robustness/planted.ts";

const CYCLES = Number(process.env["CYCLES"] ?? 50);
const SEED = Number(process.env["SEED"] ?? Math.floor(Math.random() * 2 ** 32));
/** Small numbers, so that the log is cut and the store is committed many times in a short run. */
const FLAGS = ["--snapshot-count=500", "--snapshot-catchup-entries=100", "--backend-batch-interval=20ms"];

test(`${CYCLES} times kill -9 under load lose nothing (seed ${SEED})`, async (t) => {
  const report = await killCycles({ cycles: CYCLES, seed: SEED, flags: FLAGS });
  t.diagnostic(`${report.acknowledged} puts acknowledged, ${report.judged} found in their place`);
  assert.equal(report.judged, report.acknowledged);
  assert.ok(report.acknowledged > CYCLES * 20, "the load was real");
});

test("the same test catches an applied index that is committed without its data", async (t) => {
  const planted = new PlantedServer(INDEX_OUTSIDE_TRANSACTION);
  try {
    await assert.rejects(
      killCycles({ cycles: 20, seed: SEED, command: planted.command, flags: FLAGS }),
      (error: Error) => {
        t.diagnostic(error.message.split("\n")[0] ?? "");
        return true;
      },
    );
  } finally {
    planted.remove();
  }
});

/**
 * kill -9 under load: nothing acknowledged is lost, revisions never go back, HashKV agrees with a replay. Takes CYCLES
 * and SEED; the same seed sends and waits the same, but what a kill meets is the machine's affair.
 */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { faultCycles, kill } from "../robustness/cycles.ts";
import {
  ACKNOWLEDGE_BEFORE_WRITE,
  type Edit,
  INDEX_OUTSIDE_TRANSACTION,
  PlantedServer,
  RELEASE_BEFORE_COMMIT,
  SMALL_LOG_FILES,
} from "../robustness/planted.ts";

const CYCLES = Number(process.env["CYCLES"] ?? 50);
const SEED = Number(process.env["SEED"] ?? Math.floor(Math.random() * 2 ** 32));
/** Small numbers, so that the log is cut, the store committed and compactions interrupted many times in a short run. */
const FLAGS = ["--snapshot-count=500", "--snapshot-catchup-entries=100", "--compaction-batch-limit=20"];
const QUICK_COMMITS = "--backend-batch-interval=20ms";
/** So that a snapshot is due at nearly every commit. */
const MANY_SNAPSHOTS = "--snapshot-count=20";

test(`${CYCLES} times kill -9 under load lose nothing (seed ${SEED})`, async (t) => {
  const report = await faultCycles({ cycles: CYCLES, seed: SEED, fault: kill, flags: [...FLAGS, QUICK_COMMITS] });
  t.diagnostic(report.text);
  assert.equal(report.judged, report.acknowledged);
  assert.ok(report.acknowledged > CYCLES * 20, "the load was real");
});

test(`kill -9 loses nothing while the log begins file after file (seed ${SEED})`, async (t) => {
  const altered = new PlantedServer(SMALL_LOG_FILES);
  t.after(() => altered.remove());
  const { command } = altered;
  const cycles = Math.ceil(CYCLES / 5);
  const report = await faultCycles({ cycles, seed: SEED, fault: kill, command, flags: [...FLAGS, QUICK_COMMITS] });
  t.diagnostic(report.text);
  assert.equal(report.judged, report.acknowledged);
});

test("the same test catches an applied index that is committed without its data", (t) =>
  mustComplain(t, INDEX_OUTSIDE_TRANSACTION, /is not there|but the store stands at|ends at entry/));

test("the same test catches answers that are given before the log is written", (t) =>
  mustComplain(t, ACKNOWLEDGE_BEFORE_WRITE, /is not there|but the store stands at|ends at entry/));

test("the same test catches a log that is cut before the store has what it held", (t) =>
  mustComplain(t, RELEASE_BEFORE_COMMIT, /has been applied only up to entry/));

async function mustComplain(t: TestContext, mistake: Edit, complaint: RegExp): Promise<void> {
  const planted = new PlantedServer(mistake);
  t.after(() => planted.remove());
  const { command } = planted;
  const options = { cycles: 40, seed: SEED, fault: kill, command, flags: [...FLAGS, MANY_SNAPSHOTS], planted: true };
  await assert.rejects(faultCycles(options), ({ message }: Error) => {
    assert.match(message, /^after [1-9]\d* acknowledged/);
    assert.match(message, complaint);
    t.diagnostic(`${message.split("\n")[0]} ${complaint.exec(message)?.[0]}`.slice(0, 300));
    return true;
  });
}

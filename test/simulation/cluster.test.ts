/** Clusters in a simulated world keep every promise, and come level when it heals. SEED and SEEDS choose other runs. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ClientHistory } from "./client-history.ts";
import { type ClusterRun, type Mistakes, runCluster } from "./cluster.ts";

const SEED = Number(process.env["SEED"] ?? 1);
const SEEDS = Number(process.env["SEEDS"] ?? 3);
/** A run with less has shown nothing. */
const LEAST_CALLS = 200;

async function runOf(seed: number, mistakes: Mistakes = {}): Promise<ClusterRun> {
  try {
    return await runCluster(seed, mistakes);
  } catch (error) {
    throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
  }
}

test(`one history explains all that clients were told, in ${SEEDS} worlds from seed ${SEED} on`, async (t) => {
  let calls = 0;
  let leaders = 0;
  for (let seed = SEED; seed < SEED + SEEDS; seed++) {
    const run = await runOf(seed);
    assert.ok(run.writes + run.reads >= LEAST_CALLS, `seed ${seed}: ${run.writes} writes and ${run.reads} reads`);
    calls += run.writes + run.reads;
    leaders += run.leaders;
  }
  t.diagnostic(`${calls} answers checked, ${leaders} leaderships`);
  assert.ok(leaders > SEEDS, "leaders changed");
});

test("a seed gives the same history again", async () => {
  assert.deepEqual(await runOf(3), await runOf(3));
});

for (const [what, mistakes, complaint] of [
  [
    "disks that say they have synced and have not",
    { liesAboutSync: true },
    /was acknowledged|not within|ends at entry|there is no log/,
  ],
  ["reads that may be stale, taken for the newest", { readsStale: true }, /that began at .* has revision/],
] as const)
  test(`the same worlds notice ${what}`, async () => {
    for (let seed = 1; seed <= 12; seed++) {
      const outcome = await runOf(seed, mistakes).then(
        () => undefined,
        (error: Error) => error.message,
      );
      if (outcome === undefined) continue;
      assert.match(outcome, complaint);
      return;
    }
    assert.fail("no seed has noticed it");
  });

test("a history that nothing explains is told from one that is", () => {
  const times = (beganMs: number, endedMs: number) => ({ beganMs, endedMs });
  const stored = new Map([
    [2, { key: "a", value: "1" }],
    [3, { key: "a", value: "2" }],
  ]);
  const checked = (fill: (history: ClientHistory) => void) => {
    const history = new ClientHistory();
    history.writes.push({ key: "a", value: "1", revision: 2, ...times(0, 10) });
    fill(history);
    return () => history.check(stored);
  };
  checked(({ reads }) => reads.push({ key: "a", value: "2", revision: 3, ...times(5, 20) }))();
  checked(({ reads }) => reads.push({ key: "b", value: undefined, revision: 2, ...times(11, 20) }))();
  assert.throws(
    checked(({ reads }) => reads.push({ key: "a", value: "1", revision: 3, ...times(5, 20) })),
    /was 2 there/,
  );
  assert.throws(
    checked(({ reads }) => reads.push({ key: "a", value: undefined, revision: 1, ...times(11, 20) })),
    /began/,
  );
  assert.throws(
    checked(({ writes }) => writes.push({ key: "a", value: "3", revision: 3, ...times(0, 20) })),
    /= 2 is/,
  );
  assert.throws(
    checked(({ writes }) => writes.push({ key: "a", value: "1", revision: 2, ...times(11, 20) })),
    /began/,
  );
});

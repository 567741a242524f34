/** Clusters in a simulated world keep every promise, and come level when it heals. SEED and SEEDS choose other runs. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type ClusterRun, type Mistakes, runCluster } from "./cluster.ts";

const SEED = Number(process.env["SEED"] ?? 1);
const SEEDS = Number(process.env["SEEDS"] ?? 3);

async function runOf(seed: number, mistakes: Mistakes = {}): Promise<ClusterRun> {
  try {
    return await runCluster(seed, mistakes);
  } catch (error) {
    throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
  }
}

test(`the checkers find all right that clients were told, in ${SEEDS} worlds from seed ${SEED} on`, async (t) => {
  let operations = 0;
  let leaders = 0;
  let counted = 0;
  for (let seed = SEED; seed < SEED + SEEDS; seed++) {
    const run = await runOf(seed);
    operations += run.operations;
    leaders += run.leaders;
    if (run.void === undefined) counted++;
  }
  t.diagnostic(`${operations} answers checked, ${leaders} leaderships, ${counted} seeds count`);
  assert.ok(leaders > SEEDS, "leaders changed");
  assert.ok(counted > SEEDS / 2, `${counted} seeds count`);
});

/** Seeds that have found mistakes of ours, with what those were. */
const KEPT: readonly { readonly seed: number; readonly cause: string }[] = [
  {
    seed: 6,
    cause: "a snapshot beyond the commit index that a power cut had left in the log: no start found one it could use",
  },
];

for (const { seed, cause } of KEPT)
  test(`seed ${seed}: ${cause}`, async () => {
    await runOf(seed);
  });

test("a seed gives the same history again", async () => {
  assert.deepEqual(await runOf(3), await runOf(3));
});

for (const [what, mistakes, complaint] of [
  [
    "disks that say they have synced and have not",
    { liesAboutSync: true },
    /lost write|lost revision|not within|ends at entry|there is no log|another member|nobody has had|is gone|write-ahead log/,
  ],
  ["reads that may be stale, taken for the newest", { readsStale: true }, /stale read/],
  ["lists that are appended to without a compare", { losesUpdates: true }, /^seed \d+: (lost update|G|incompatible)/],
  ["clocks that go far too fast for leases", { hasWildClocks: true }, /lost too early|living lease denied|dead lease/],
  ["events that watchers are not told of", { losesEvents: true }, /reliable|bookmarkable|resumable|atomic/],
  ["writes that are carried out twice", { repeatsWrites: true }, /change that nobody asked for|wrong answer/],
] as const)
  test(`the same worlds notice ${what}`, async (t) => {
    for (let seed = 1; seed <= 20; seed++) {
      const outcome = await runOf(seed, mistakes).then(
        () => undefined,
        (error: Error) => error.message,
      );
      if (outcome === undefined) continue;
      assert.match(outcome, complaint);
      t.diagnostic(outcome.split("\n")[0] as string);
      return;
    }
    assert.fail("no seed has noticed it");
  });

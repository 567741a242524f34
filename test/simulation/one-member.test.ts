/** A member whose power goes out at any operation of its disk keeps every promise. SEED and SEEDS choose other runs. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { liveAndCrash } from "./one-member.ts";

const SEED = Number(process.env["SEED"] ?? 1);
const SEEDS = Number(process.env["SEEDS"] ?? 12);
const CRASHES = 12;

test(`nothing acknowledged is lost in ${SEEDS * CRASHES} power cuts (seeds ${SEED} to ${SEED + SEEDS - 1})`, async (t) => {
  let promised = 0;
  for (let seed = SEED; seed < SEED + SEEDS; seed++) {
    try {
      promised += (await liveAndCrash(seed, { crashes: CRASHES })).promised;
    } catch (error) {
      throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
    }
  }
  t.diagnostic(`${promised} acknowledged changes were looked up after every crash`);
  assert.ok(promised > SEEDS * CRASHES * 5, "the clients really wrote");
});

test("the same world notices a disk that says it has synced and has not", async () => {
  const outcomes = await Promise.allSettled(
    [1, 2, 3, 4].map((seed) => liveAndCrash(seed, { crashes: CRASHES, liesAboutSync: true })),
  );
  assert.ok(outcomes.some(({ status }) => status === "rejected"));
});

test("a seed gives the same history again", async () => {
  assert.deepEqual(await liveAndCrash(5, { crashes: 4 }), await liveAndCrash(5, { crashes: 4 }));
});

/** How badly a simulated network behaves, as plain data. Shares are probabilities, 0 to 1; times are whole milliseconds. */
import { assert } from "../../../server/base/assert.ts";
import type { Prng } from "../../../server/base/prng.ts";

/** Of one direction between two members. */
export interface LinkFaults {
  /** How long anything is on its way: uniform between the two. 0 to `DELAY_BOUND_MS`. */
  readonly delayMinMs: number;
  readonly delayMaxMs: number;
  /** Messages that are lost. */
  readonly dropShare: number;
  /** Messages that arrive twice, the second time after a delay of its own. */
  readonly duplicateShare: number;
  /** Messages that may pass, or be passed by, others of their lane. All others keep their order in it. */
  readonly reorderShare: number;
  /** Messages that come late by up to `slowMaxMs` more, others passing them: they speak of a time long gone. */
  readonly slowShare: number;
  /** 0 to `DELAY_BOUND_MS`. */
  readonly slowMaxMs: number;
  /** Chunks of a snapshot in which its connection breaks. One of n chunks arrives whole with (1 - share)^n. */
  readonly snapshotBreakShare: number;
  /** Questions, and answers, that are lost: the one who asks waits its whole time. */
  readonly questionLossShare: number;
  /** Losses that the sender is told of by `unreachable`; the others are silent. */
  readonly reportShare: number;
  /** How late it is told at most. 0 to `DELAY_BOUND_MS`. */
  readonly reportMaxMs: number;
}

export const DELAY_BOUND_MS = 600_000;

/** Everything arrives in order, and whoever sends hears of each loss. */
export const CALM: LinkFaults = {
  delayMinMs: 1,
  delayMaxMs: 3,
  dropShare: 0,
  duplicateShare: 0,
  reorderShare: 0,
  slowShare: 0,
  slowMaxMs: 0,
  snapshotBreakShare: 0,
  questionLossShare: 0,
  reportShare: 1,
  reportMaxMs: 5,
};

/** Each kind of fault is there or not, by lot, and how strong it is too: different seeds find different mistakes. */
export function faultsByLot(random: Prng): LinkFaults {
  const share = (most: number) => (random.chance(0.5) ? (random.below(1000) / 1000) * most : 0);
  const delayMinMs = random.below(5);
  const faults: LinkFaults = {
    delayMinMs,
    delayMaxMs: delayMinMs + 1 + random.below(random.chance(0.5) ? 10 : 200),
    dropShare: share(0.2),
    duplicateShare: share(0.2),
    reorderShare: share(0.5),
    slowShare: share(0.02),
    slowMaxMs: 1000 + random.below(60_000),
    snapshotBreakShare: share(0.1),
    questionLossShare: share(0.3),
    reportShare: random.below(1001) / 1000,
    reportMaxMs: random.below(500),
  };
  checkFaults(faults);
  return faults;
}

/** Stops at a fault that is out of its bounds. */
export function checkFaults(faults: LinkFaults): void {
  for (const [name, value] of Object.entries(faults) as [string, number][]) {
    if (name.endsWith("Ms"))
      assert(Number.isInteger(value) && value >= 0 && value <= DELAY_BOUND_MS, `${name} of ${value} is a delay`);
    else assert(value >= 0 && value <= 1, `${name} of ${value} is a share`);
  }
  assert(faults.delayMinMs <= faults.delayMaxMs, "the shortest delay is no longer than the longest");
}

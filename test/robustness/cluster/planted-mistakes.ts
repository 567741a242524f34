/**
 * Mistakes that a campaign of real processes must notice, each with the faults that bring it to light. Most are of the
 * table that the simulator is tested by.
 */
import { MISTAKES } from "../../simulation/mistakes.ts";
import type { Edit } from "../planted.ts";

export interface PlantedMistake {
  readonly edit: Edit;
  /** Words of the faults that are made. */
  readonly only: readonly string[];
  /** What the campaign says then. */
  readonly complaint: RegExp;
  /** Whether it shows only where the power of a disk can be cut. */
  readonly needsPower?: boolean;
}

export const PLANTED: readonly PlantedMistake[] = [
  {
    edit: simulated("D2/no-sync-beside-others"),
    only: ["power cut"],
    complaint: /lost write|lost revision|ended .* before it served|ended by itself|not within/,
    needsPower: true,
  },
  {
    edit: simulated("6.4/reads-without-quorum"),
    only: ["SIGSTOP", "one not heard"],
    complaint: /stale read/,
  },
  {
    edit: simulated("D8/applies-last-again"),
    only: ["kill -9"],
    complaint: /all members hold the same keys|ended by itself|wrong answer|other change|change that nobody/,
  },
  {
    edit: {
      name: "a watcher that has caught up misses the next revision",
      file: "watch/hub.js",
      from: "watcher.nextRevision = Math.max(watcher.nextRevision, to + 1);",
      to: "watcher.nextRevision = Math.max(watcher.nextRevision, to + 2);",
    },
    only: ["kill -9", "SIGSTOP"],
    complaint: /reliable|resumable|bookmarkable|lost write|revision without a change|told of all/,
  },
];

function simulated(name: string): Edit {
  const mistake = MISTAKES.find((one) => one.name === name);
  if (mistake === undefined) throw new Error(`test/simulation/mistakes.ts has no "${name}"`);
  return { name: mistake.what, file: mistake.file.replace(/^server\//, ""), from: mistake.text, to: mistake.instead };
}

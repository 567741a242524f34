/** Disks that are slow or full, clocks that are wrong. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Fault } from "./fault.ts";

const LEADER_SHARE = 0.6;
/** A sync takes so much longer: at most about as long as an election timeout. */
const DELAY_MS = { least: 20, most: 400 } as const;
/** How far a wall clock jumps: from a second to a year, in both directions. */
const JUMPS_MS = [1000, -1000, 60_000, -60_000, 86_400_000, -86_400_000, 31_536_000_000];
/** How much faster or slower monotonic time may run: far more than a real machine's. */
export const RATE_MAX = 1.1;
const RATES = [0.9, 0.97, 1.03, RATE_MAX];
const JUMP_EVERY_MS = 300;
const ENDS_WITHIN_MS = 5000;

const slowDisk: Fault = {
  name: "slow disk",
  lacks: ({ compiler }) => compiler,
  async run(field, holdMs) {
    const member = await field.take(LEADER_SHARE);
    if (member === undefined) return undefined;
    const delayMs = DELAY_MS.least + field.random.below(DELAY_MS.most - DELAY_MS.least);
    const mend = field.slowDisk(member, delayMs);
    await sleep(holdMs);
    mend();
    return `${member.name}, ${delayMs} ms a sync`;
  },
};

const slowDisks: Fault = {
  name: "slow disks",
  lacks: ({ compiler }) => compiler,
  async run(field, holdMs) {
    const members = [...field.cluster.members];
    const delays = members.map(() => 10 + field.random.below(90));
    const mends = members.map((member, at) => field.slowDisk(member, delays[at] as number));
    await sleep(holdMs);
    for (const mend of mends) mend();
    return members.map(({ name }, at) => `${name} ${delays[at]} ms`).join(", ");
  },
};

/** It stops, as it must, and comes back once there is room. */
const fullDisk: Fault = {
  name: "full disk",
  lacks: ({ compiler }) => compiler,
  async run(field, holdMs) {
    const member = await field.take(LEADER_SHARE);
    if (member === undefined) return undefined;
    field.mayEnd(member);
    const mend = field.fillDisk(member);
    const ended = await Promise.race([member.server.exited, sleep(ENDS_WITHIN_MS, undefined, { ref: false })]);
    if (ended === undefined) await field.stop(member, "SIGKILL");
    else await sleep(holdMs / 2);
    mend();
    await field.launch(member);
    return `${member.name}${ended === undefined ? ", which had nothing to write" : ""}`;
  },
};

const clockJumps: Fault = {
  name: "wall clock jumps",
  async run(field, holdMs) {
    const member = await field.take(LEADER_SHARE);
    if (member === undefined) return undefined;
    const jumps: number[] = [];
    for (const end = performance.now() + holdMs; performance.now() < end; await sleep(JUMP_EVERY_MS)) {
      jumps.push(field.random.pick(JUMPS_MS));
      field.setClock(member, { wallMs: jumps.at(-1) as number });
    }
    field.setClock(member, { wallMs: 0 });
    return `${member.name} by ${jumps.map((ms) => ms / 1000).join(", ")} s`;
  },
};

const clockRates: Fault = {
  name: "time runs wrong",
  async run(field, holdMs) {
    const rates = field.cluster.members.map((member) => ({ member, rate: field.random.pick(RATES) }));
    for (const { member, rate } of rates) field.setClock(member, { rate });
    await sleep(holdMs);
    for (const { member } of rates) field.setClock(member, { rate: 1 });
    return rates.map(({ member, rate }) => `${member.name} ${rate} times as fast`).join(", ");
  },
};

export const FAULTS_OF_DISKS_AND_CLOCKS: readonly Fault[] = [slowDisk, slowDisks, fullDisk, clockJumps, clockRates];

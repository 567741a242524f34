/**
 * What a seed turns on. Each kind of fault is there or not, by lot, with a rate of its own, and so are the kinds of calls
 * that clients make: seeds that differ in what they leave out find different mistakes (Groce and others, "Swarm Testing",
 * 2012). Everything random comes from a stream with a name, so taking one kind away leaves the choices of the others as
 * they were.
 */
import { utf8Bytes } from "../../server/base/bytes.ts";
import { crc32c } from "../../server/base/crc32c.ts";
import { Prng } from "../../server/base/prng.ts";

/** Each with how often it happens at most, in a minute of virtual time. */
export const FAULTS = {
  crash: 60,
  power: 60,
  blackout: 9,
  cut: 75,
  partition: 45,
  bridge: 24,
  weather: 60,
  pause: 45,
  slowDisk: 36,
  fullDisk: 18,
  failedSync: 18,
  clockRate: 30,
  clockJump: 30,
  moveLeader: 60,
  addMember: 15,
  replaceMember: 15,
  defragment: 18,
  powerAtWrite: 15,
  ambush: 24,
} as const;

/** Each with its weight among the calls of a client. */
export const CALLS = {
  put: 30,
  read: 26,
  readAll: 8,
  readStale: 6,
  readPast: 6,
  txn: 14,
  delete: 5,
  deleteAll: 1,
  compact: 2,
  leaseGrant: 4,
  leaseAttach: 6,
  leaseRenew: 8,
  leaseRevoke: 1,
  watch: 3,
  register: 18,
  list: 8,
} as const;

export type FaultKind = keyof typeof FAULTS;
export type CallKind = keyof typeof CALLS;

export interface Swarm {
  readonly seed: number;
  readonly members: 3 | 5;
  /** Times a minute, of those that are on. */
  readonly faults: ReadonlyMap<FaultKind, number>;
  /** Weights of those that are on. */
  readonly calls: ReadonlyMap<CallKind, number>;
  /** The storm ends here, whatever has been done by then; undefined: when it has shown enough. Virtual milliseconds. */
  readonly untilMs: number | undefined;
  /** Size at which a member's log begins a new file. */
  readonly walSegmentBytes: number;
}

/** Of the log: hundreds of files in a run, some, or one. */
const SEGMENT_BYTES = [2048, 16_384, 64_000_000] as const;

/** What is taken away from a seed's swarm: how a failing one is made small. */
export interface Less {
  /** Kinds of faults and of calls. */
  readonly without?: readonly string[];
  readonly untilMs?: number | undefined;
}

/** What nobody is without: a run with no writes and no reads says nothing. */
const ALWAYS: readonly string[] = ["put", "read"];

export function isKind(word: string): word is FaultKind | CallKind {
  return word in FAULTS || word in CALLS;
}

export function swarmOf(seed: number, { without = [], untilMs }: Less = {}): Swarm {
  const random = stream(seed, "swarm");
  const members = random.pick([3, 3, 5] as const);
  const faults = new Map<FaultKind, number>();
  for (const [kind, most] of Object.entries(FAULTS) as [FaultKind, number][]) {
    const isOn = random.chance(0.5);
    const rate = (most * (1 + random.below(100))) / 100;
    if (isOn && !without.includes(kind)) faults.set(kind, rate);
  }
  const calls = new Map<CallKind, number>();
  for (const [kind, weight] of Object.entries(CALLS) as [CallKind, number][]) {
    const isOn = random.chance(0.75) || ALWAYS.includes(kind);
    const share = 1 + random.below(4);
    if (isOn && !without.includes(kind)) calls.set(kind, weight * share);
  }
  return { seed, members, faults, calls, untilMs, walSegmentBytes: random.pick(SEGMENT_BYTES) };
}

/** A source of chance of its own: the same for the same seed and name, whatever else is asked for. */
export function stream(seed: number, name: string): Prng {
  return new Prng((crc32c(utf8Bytes(name)) % 2 ** 21) * 2 ** 32 + (seed >>> 0));
}

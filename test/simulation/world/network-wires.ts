/**
 * What lies between the ends of a simulated network: who listens where, which ways are cut, how long things take and what
 * is lost. All that arrives does so in an event of the clock, and each event leaves a line in the trace.
 */
import { assert } from "../../../server/base/assert.ts";
import { memberIdText } from "../../../server/base/int64.ts";
import type { Prng } from "../../../server/base/prng.ts";
import type { Clock } from "../../../server/ports/clock.ts";
import { CALM, checkFaults, type LinkFaults } from "./network-faults.ts";

/** What stands at one end, as the wires see it: one life of one member. */
export interface Station {
  readonly id: bigint;
  readonly urls: readonly string[];
  /** Whether it takes connections: started, and neither closed nor crashed. */
  readonly isListening: boolean;
  /** Some way was cut or healed, or somebody came or went. */
  look(): void;
}

/** One thing on its way. */
export interface Parcel {
  readonly from: bigint;
  readonly to: bigint;
  /** Parcels of one lane between two members keep their order. */
  readonly lane: "append" | "message";
  /** It is never doubled: what would be carried out twice. */
  readonly isOnce: boolean;
  /** For the trace. */
  readonly what: string;
  /** Called once, or twice when it was duplicated. */
  arrive(): void;
  /** Called instead of the first `arrive`. */
  lose(): void;
}

/** Lines that a trace keeps; its hash is of all that there ever were. */
const TRACE_LINES_MAX = 2000;

export class Trace {
  /** The newest lines. */
  readonly lines: string[] = [];
  /** Of all lines in their order: two runs of one seed have the same. */
  hash = 0;

  add(line: string): void {
    this.hash = hashOf(line, this.hash);
    this.lines.push(line);
    if (this.lines.length > TRACE_LINES_MAX) this.lines.shift();
  }
}

export class Wires {
  readonly clock: Clock;
  readonly random: Prng;
  readonly trace = new Trace();
  readonly #stations = new Set<Station>();
  #faults: LinkFaults = CALM;
  readonly #linkFaults = new Map<string, Partial<LinkFaults>>();
  readonly #cuts = new Set<string>();
  /** When the last parcel of a lane arrives. */
  readonly #lastArrivals = new Map<string, number>();

  constructor(clock: Clock, random: Prng) {
    this.clock = clock;
    this.random = random;
  }

  /** Sets faults of all links. */
  setFaults(faults: LinkFaults): void {
    checkFaults(faults);
    this.#faults = faults;
  }

  /** Sets what differs on one link in one direction. */
  setLinkFaults(from: bigint, to: bigint, faults: Partial<LinkFaults>): void {
    checkFaults({ ...this.#faults, ...faults });
    this.#linkFaults.set(wayOf(from, to), faults);
  }

  faultsOf(from: bigint, to: bigint): LinkFaults {
    const own = this.#linkFaults.get(wayOf(from, to));
    return own === undefined ? this.#faults : { ...this.#faults, ...own };
  }

  add(station: Station): void {
    assert(this.stationOf(station.id) === undefined, `member ${memberIdText(station.id)} is in the network once`);
    this.#stations.add(station);
  }

  remove(station: Station): void {
    this.#stations.delete(station);
    this.changed();
  }

  stationOf(id: bigint): Station | undefined {
    for (const station of this.#stations) if (station.id === id) return station;
    return undefined;
  }

  /** Who takes connections at one of these URLs. */
  listenerAt(urls: readonly string[]): Station | undefined {
    for (const url of urls)
      for (const station of this.#stations) if (station.isListening && station.urls.includes(url)) return station;
    return undefined;
  }

  cut(from: bigint, to: bigint): void {
    this.#cuts.add(wayOf(from, to));
    this.note(`${wayOf(from, to)} is cut`);
    this.changed();
  }

  heal(from: bigint, to: bigint): void {
    this.#cuts.delete(wayOf(from, to));
    this.note(`${wayOf(from, to)} is healed`);
    this.changed();
  }

  healAll(): void {
    this.#cuts.clear();
    this.note("all is healed");
    this.changed();
  }

  /** Whether the way is not cut. */
  passes(from: bigint, to: bigint): boolean {
    return !this.#cuts.has(wayOf(from, to));
  }

  /** All stations look at what has become of their neighbours. */
  changed(): void {
    for (const station of this.#stations) station.look();
  }

  delayMs(from: bigint, to: bigint): number {
    const { delayMinMs, delayMaxMs } = this.faultsOf(from, to);
    return delayMinMs + this.random.below(delayMaxMs - delayMinMs + 1);
  }

  /** Calls `action` after one delay of this way. */
  after(from: bigint, to: bigint, action: () => void): void {
    this.clock.after(this.delayMs(from, to), action);
  }

  /** A message goes its way, or does not. */
  carry(parcel: Parcel): void {
    const { from, to } = parcel;
    const { dropShare, duplicateShare } = this.faultsOf(from, to);
    const isLost = this.random.chance(dropShare) || !this.passes(from, to);
    this.clock.after(this.#waitMs(parcel), () => this.#arrive(parcel, isLost));
    if (isLost || !this.random.chance(duplicateShare) || parcel.isOnce) return;
    this.clock.after(this.#waitMs(parcel), () => {
      if (!this.passes(from, to)) return;
      this.#note(parcel, "again");
      parcel.arrive();
    });
  }

  note(line: string): void {
    this.trace.add(`${this.clock.monotonicMs()} ${line}`);
  }

  /** How long it takes, which keeps the order of the lane unless this one is among those that do not. */
  #waitMs({ from, to, lane }: Parcel): number {
    const { reorderShare, slowShare, slowMaxMs } = this.faultsOf(from, to);
    const now = this.clock.monotonicMs();
    const delayMs = this.delayMs(from, to);
    if (this.random.chance(slowShare)) return delayMs + this.random.below(slowMaxMs + 1);
    if (this.random.chance(reorderShare)) return delayMs;
    const key = `${wayOf(from, to)} ${lane}`;
    const at = Math.max(now + delayMs, this.#lastArrivals.get(key) ?? 0);
    this.#lastArrivals.set(key, at);
    return at - now;
  }

  #arrive(parcel: Parcel, isLost: boolean): void {
    if (isLost || !this.passes(parcel.from, parcel.to)) {
      this.#note(parcel, "lost");
      parcel.lose();
    } else {
      this.#note(parcel, "arrives");
      parcel.arrive();
    }
  }

  #note({ from, to, what }: Parcel, fate: string): void {
    this.note(`${wayOf(from, to)} ${what} ${fate}`);
  }
}

/** FNV-1a of the text's characters, continued from `hash`: cheap, and equal for equal histories. */
export function hashOf(text: string, hash: number): number {
  let state = hash ^ 0x811c9dc5;
  for (let at = 0; at < text.length; at++) state = Math.imul(state ^ text.charCodeAt(at), 0x01000193);
  return (state ^ 0x811c9dc5) >>> 0;
}

/** Texts of ways once made: a few for each pair of members that ever was. */
const ways = new Map<bigint, Map<bigint, string>>();
const WAYS_MAX = 4096;

/** A direction, for the trace and as a key. */
export function wayOf(from: bigint, to: bigint): string {
  const known = ways.get(from)?.get(to);
  if (known !== undefined) return known;
  if (ways.size >= WAYS_MAX) ways.clear();
  const made = `${memberIdText(from)}>${memberIdText(to)}`;
  const of = ways.get(from);
  if (of === undefined) ways.set(from, new Map([[to, made]]));
  else of.set(to, made);
  return made;
}

/**
 * Processes that look, plan and act. A process dies between any two of its calls and in the middle of one; another takes
 * over with nothing in its memory, at times while the last call of the one before is still on its way.
 */
import type { Action, Plan } from "../../../operator/plan/action.ts";
import type { Observation } from "../../../operator/plan/observation.ts";
import { isSame } from "../../../operator/plan/same.ts";
import { carryOut } from "./act.ts";
import { Eyes } from "./observe.ts";
import type { Rules } from "./rules.ts";
import { describe } from "./words.ts";
import type { World } from "./world.ts";

export type Planner = (seen: Observation) => Plan;

/** Changes are looked at together when they come one after the other. */
const NEWS_MS = 2000;
/** Where nothing changes it looks as late as this, though it means to look sooner: a busy operator is late, too. */
const PATIENCE_MS = 6000;

/** A new process: what the planner remembers is forgotten with it. */
export type MakePlanner = () => Planner;

/** How the world treats calls at present; shares are of calls. */
export interface Weather {
  /** Watches that have not brought what is new. */
  lateShare: number;
  lateMs: number;
  /** Writes of which no answer comes; half of them have been carried out. */
  lostShare: number;
  conflictShare: number;
  /** Calls that take seconds. */
  slowShare: number;
  crashShare: number;
  /** Deaths after which the last call still arrives. */
  overlapShare: number;
}

/** What processes do otherwise than they should: mistakes that are planted beside the plan. */
export interface Habits {
  /** Acts although its status was not taken. */
  readonly ignoresConflicts?: boolean;
}

export function calmWeather(): Weather {
  return { lateShare: 0, lateMs: 15_000, lostShare: 0, conflictShare: 0, slowShare: 0, crashShare: 0, overlapShare: 0 };
}

/** An action on its way. */
export interface Flight {
  readonly action: Action;
  readonly seen: Observation;
  readonly observedAt: number;
  readonly by: string;
  readonly clusterVersion: string;
  readonly againInMs: number;
}

interface Process {
  readonly name: string;
  readonly plan: Planner;
  readonly eyes: Eyes;
  nextAt: number;
  lookedAt: number;
  changesSeen: number;
  /** Looks in a row that found nothing new and came to nothing. */
  idleLooks: number;
}

export interface Counts {
  passes: number;
  crashes: number;
  overlaps: number;
  lost: number;
  conflicts: number;
  readonly actions: Map<string, number>;
  readonly steps: Map<string, number>;
  readonly reasons: Map<string, number>;
}

export function noCounts(): Counts {
  return {
    passes: 0,
    crashes: 0,
    overlaps: 0,
    lost: 0,
    conflicts: 0,
    actions: new Map(),
    steps: new Map(),
    reasons: new Map(),
  };
}

export class Operators {
  readonly weather = calmWeather();
  readonly counts: Counts;
  /** Of the last pass: what the operator says that it is at. */
  lastPlan: Plan | undefined;
  /** When something was last done. */
  actedAt = 0;
  readonly #world: World;
  readonly #rules: Rules;
  readonly #make: MakePlanner;
  #process: Process | undefined;
  #restartAt = 0;
  #serial = 0;
  readonly #flights: { readonly flight: Flight; readonly at: number; readonly from: Process | undefined }[] = [];

  readonly #habits: Habits;

  constructor(world: World, rules: Rules, make: MakePlanner, counts: Counts, habits: Habits = {}) {
    this.#world = world;
    this.#habits = habits;
    this.#rules = rules;
    this.#make = make;
    this.counts = counts;
    this.#begin();
  }

  /** When the next pass is due if nothing happens before. */
  get nextAt(): number {
    return this.#process?.nextAt ?? this.#restartAt;
  }

  get isBusy(): boolean {
    return this.#flights.length > 0 || this.#process === undefined;
  }

  tick(): void {
    const { now } = this.#world;
    for (const entry of [...this.#flights]) {
      if (entry.at > now) continue;
      this.#flights.splice(this.#flights.indexOf(entry), 1);
      this.#land(entry.flight, entry.from);
    }
    if (this.#process === undefined) {
      if (now >= this.#restartAt) this.#begin();
      return;
    }
    const process = this.#process;
    if (this.#flights.some(({ from }) => from === process)) return;
    const hasNews = process.changesSeen !== this.#world.kubernetes.changes && now - process.lookedAt >= NEWS_MS;
    if (now >= process.nextAt || hasNews) this.#pass(process);
  }

  /** Dies now. With `overlap` its call on its way lands all the same. */
  crash(where: string, restartsInMs: number): void {
    if (this.#process === undefined) return;
    if (this.#world.isTraced) this.#world.say(`${this.#process.name} dies ${where}`);
    this.counts.crashes++;
    this.#process = undefined;
    this.#restartAt = this.#world.now + restartsInMs;
  }

  #begin(): void {
    this.#process = {
      name: `operator-${++this.#serial}`,
      plan: this.#make(),
      eyes: new Eyes(this.#world),
      nextAt: this.#world.now,
      lookedAt: 0,
      changesSeen: -1,
      idleLooks: 0,
    };
  }

  #pass(process: Process): void {
    const world = this.#world;
    const { now, chance } = world;
    const { weather, counts } = this;
    process.idleLooks = process.changesSeen === world.kubernetes.changes ? process.idleLooks + 1 : 0;
    process.lookedAt = now;
    process.changesSeen = world.kubernetes.changes;
    const seen = process.eyes.look({ share: weather.lateShare, maxMs: weather.lateMs });
    process.nextAt = now + 30_000;
    if (seen === undefined) return;
    counts.passes++;
    const plan = process.plan(seen);
    this.#note(plan, process.name);
    process.nextAt = now + Math.max(1000, plan.againInMs, Math.min(PATIENCE_MS, process.idleLooks * 1000));
    if (this.#dies("before its status is written")) return;
    if (!this.#writeStatus(plan, seen) && this.#habits.ignoresConflicts !== true) {
      process.nextAt = now + 1000;
      return;
    }
    if (plan.action.kind === "none") return;
    if (this.#dies("after its status and before its action")) return;
    this.#rules.takesOff(plan);
    const clusterVersion = world.cluster?.metadata.resourceVersion ?? "";
    const { action, againInMs } = plan;
    const flight = { action, seen, observedAt: now, by: process.name, clusterVersion, againInMs };
    if (!chance.chance(weather.slowShare)) this.#land(flight, process);
    else this.#flights.push({ flight, at: now + 1000 + chance.below(7000), from: process });
  }

  /** False: a conflict or no answer; nothing of what was planned is done. */
  #writeStatus(plan: Plan, seen: Observation): boolean {
    const { weather, counts } = this;
    const { chance } = this.#world;
    if (isSame(plan.status, seen.cluster.status)) return true;
    if (chance.chance(weather.conflictShare)) {
      counts.conflicts++;
      this.#world.annotate("people/note", String(this.#world.now));
    }
    const isLost = chance.chance(weather.lostShare);
    if (isLost && chance.chance(0.5)) return false;
    const isWritten = this.#world.writeStatus(plan.status, seen.cluster.metadata.resourceVersion);
    // A try that is written down counts, though it comes to nothing.
    if (isWritten && isLost) this.#rules.tried(plan);
    return isWritten && !isLost;
  }

  /** By chance; the next one may begin while this one's call is on its way. */
  #dies(where: string): boolean {
    if (!this.#world.chance.chance(this.weather.crashShare)) return false;
    this.crash(where, 1000 + this.#world.chance.below(20_000));
    return true;
  }

  #land(flight: Flight, process: Process | undefined): void {
    const world = this.#world;
    const { chance } = world;
    const isLast = this.#process === process && chance.chance(this.weather.crashShare);
    if (isLast && chance.chance(this.weather.overlapShare)) {
      this.counts.overlaps++;
      this.crash("while its call is on its way", 0);
      this.#flights.push({ flight, at: world.now + 1000 + chance.below(10_000), from: undefined });
      return;
    }
    const isLost = isLast || chance.chance(this.weather.lostShare);
    const isDone = !isLost || chance.chance(0.5);
    if (isLost) this.counts.lost++;
    if (isDone) this.#carryOut(flight, isLost ? " (its answer is lost)" : "", process);
    else {
      if (world.isTraced) world.say(`${flight.by}: ${describe(flight.action)} -> lost on its way`);
      this.#rules.tried(flight);
      if (process !== undefined) process.nextAt = world.now + 2000;
    }
    process?.eyes.refresh();
    if (isLast) this.crash("in the middle of it", 1000 + chance.below(20_000));
  }

  #carryOut(flight: Flight, remark: string, process: Process | undefined): void {
    const world = this.#world;
    this.#rules.before(flight);
    const result = carryOut(world, flight);
    if (world.isTraced) world.say(`${flight.by}: ${describe(flight.action)} -> ${result}${remark}`);
    this.#rules.after(flight, result);
    this.actedAt = world.now;
    if (process === undefined) return;
    process.nextAt = world.now + (result === "done" && remark === "" ? Math.max(1000, flight.againInMs) : 2000);
  }

  #note(plan: Plan, by: string): void {
    const { counts } = this;
    count(counts.actions, plan.action.kind);
    const { operation } = plan.status;
    if (operation !== undefined) count(counts.steps, `${operation.type}/${operation.step}`);
    const ready = plan.status.conditions?.find(({ type }) => type === "Ready");
    if (ready !== undefined) count(counts.reasons, ready.reason);
    const before = this.lastPlan?.status;
    this.lastPlan = plan;
    if (!this.#world.isTraced) return;
    for (const event of plan.events) this.#world.say(`${by}: event ${event.reason}: ${event.message}`);
    if (before?.phase !== plan.status.phase || before?.operation?.message !== operation?.message) {
      this.#world.say(
        `${by}: phase ${plan.status.phase ?? "-"} ${operation === undefined ? "" : `${operation.type}/${operation.step} ${operation.message}`}`,
      );
    }
  }
}

function count(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

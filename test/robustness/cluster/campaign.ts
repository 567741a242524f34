/**
 * Clusters under load and faults, one after the other, until so many calls have been judged. A round is one cluster, its
 * faults and its history; an episode is one fault, or two at once, after which all members must hold the same. Which
 * faults and when follows from the seed; what they meet is the machine's affair.
 */
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Prng } from "../../../server/base/prng.ts";
import type { Fault } from "./fault.ts";
import { FAULTS_OF_DISKS_AND_CLOCKS } from "./faults-of-disks-and-clocks.ts";
import { FAULTS_OF_LINKS } from "./faults-of-links.ts";
import { FAULTS_OF_MEMBERSHIP } from "./faults-of-membership.ts";
import { FAULTS_OF_PROCESSES } from "./faults-of-processes.ts";
import { Field, lacks } from "./field.ts";
import { type Judgement, judge } from "./judge.ts";
import { endOf, range } from "./key-clients.ts";
import { LEASE_PREFIX } from "./lease-clients.ts";
import { Load } from "./load.ts";

export const FAULTS: readonly Fault[] = [
  ...FAULTS_OF_PROCESSES,
  ...FAULTS_OF_LINKS,
  ...FAULTS_OF_DISKS_AND_CLOCKS,
  ...FAULTS_OF_MEMBERSHIP,
];

const SIZES = [3, 5] as const;
/** How much a round is. */
const ROUND: RoundLength = { episodes: 8, calmAnswers: 1000 };
/** How long a fault lasts. */
const HOLD_MS = { least: 800, most: 3000 } as const;
/** Longest load before the first fault, and after each. */
const CALM_MAX_MS = 20_000;
const SECOND_FAULT_SHARE = 0.5;
const SECOND_AFTER_MS = 700;
/** Until all that was abandoned has run out, and all watchers have come to the end. */
const PATIENCE_MS = 30_000;
const AGAIN_MS = 100;
/** Members that come level so late are right, but somebody should look why. */
const SLOW_MS = 10_000;
/** A round with fewer answers to an episode proves nothing. */
const ANSWERS_LEAST = 100;
const LOG_SHOWN_CHARS = 6000;

export interface RoundLength {
  readonly episodes: number;
  /** Before the first episode and after each. */
  readonly calmAnswers: number;
}

export interface CampaignOptions {
  readonly seed: number;
  /** Answered calls that are to be judged, at least; there is one round whatever it says. */
  readonly operations: number;
  /** Another program than ours as built. */
  readonly command?: readonly string[];
  /** Only faults whose name contains one of these. */
  readonly only?: readonly string[];
  /** Members of the clusters, by turns; three and five when not given. */
  readonly sizes?: readonly number[];
  /** Eight episodes with a thousand answers after each when not given. */
  readonly round?: RoundLength;
  /** A mistake is known to be there: nothing is kept of what goes wrong. */
  readonly isPlanted?: boolean;
  /** A line for a person, as it happens. */
  say(line: string): void;
}

export interface CampaignReport {
  readonly operations: number;
  readonly rounds: number;
  /** How often each fault was made. */
  readonly faults: ReadonlyMap<string, number>;
  /** The names of all that might have been made. */
  readonly possible: readonly string[];
  /** What this machine cannot do, in words. */
  readonly skipped: readonly string[];
}

/** Rejects at the first promise that was not kept, with where its history is kept. */
export async function campaign(options: CampaignOptions): Promise<CampaignReport> {
  const random = new Prng(options.seed);
  const { sizes = SIZES } = options;
  const missing = lacks();
  const possible = FAULTS.filter((fault) => fault.lacks?.(missing) === undefined);
  const wanted = possible.filter(({ name }) => options.only?.some((word) => name.includes(word)) ?? true);
  const skipped = FAULTS.flatMap((fault) => {
    const why = fault.lacks?.(missing);
    return why === undefined ? [] : [`${fault.name}: ${why}`];
  });
  const deck = new Deck(wanted, random);
  const faults = new Map<string, number>();
  let operations = 0;
  let rounds = 0;
  while (rounds === 0 || operations < options.operations) {
    const size = sizes[rounds % sizes.length] as number;
    const round = new Round(size, random.uint32(), deck, options, faults);
    const judged = await round.run();
    operations += judged.answers;
    rounds++;
  }
  return { operations, rounds, faults, possible: wanted.map(({ name }) => name), skipped };
}

/** Faults in an order of chance, each once before any comes again. */
class Deck {
  readonly #faults: readonly Fault[];
  readonly #random: Prng;
  #left: Fault[] = [];

  constructor(faults: readonly Fault[], random: Prng) {
    if (faults.length === 0) throw new Error(`there is no such fault: ${FAULTS.map(({ name }) => name).join(", ")}`);
    this.#faults = faults;
    this.#random = random;
  }

  /** `besides`: one that may go together with others; undefined when it is not the turn of such a one. */
  draw(besides = false): Fault | undefined {
    if (this.#left.length === 0) this.#left = [...this.#faults];
    const fits = this.#left.filter(({ isAlone = false }) => !besides || !isAlone);
    if (fits.length === 0) return undefined;
    const drawn = this.#random.pick(fits);
    this.#left.splice(this.#left.indexOf(drawn), 1);
    return drawn;
  }
}

class Round {
  readonly #size: number;
  readonly #seed: number;
  readonly #deck: Deck;
  readonly #options: CampaignOptions;
  readonly #faults: Map<string, number>;
  readonly #random: Prng;
  readonly #startedMs = performance.now();

  constructor(size: number, seed: number, deck: Deck, options: CampaignOptions, faults: Map<string, number>) {
    [this.#size, this.#seed, this.#deck, this.#options, this.#faults] = [size, seed, deck, options, faults];
    this.#random = new Prng(seed);
  }

  async run(): Promise<Judgement> {
    const { command } = this.#options;
    const field = await Field.start({ size: this.#size, random: this.#random, lacks: lacks(), command });
    this.#say(`${this.#size} members`);
    const load = new Load(() => field.endpoints(), this.#seed);
    load.start();
    try {
      await this.#calm(load);
      for (let episode = 0; episode < this.#length.episodes; episode++) await this.#episode(field, load);
      const last = await this.#end(field, load);
      const judged = await judge(load, last);
      if (judged.answers < ANSWERS_LEAST * this.#length.episodes)
        throw new Error(`void: ${judged.answers} answers are too few`);
      if (load.recorder.strange.length > 0) throw new Error(`strange answers:\n${load.recorder.strange.join("\n")}`);
      this.#say(`${load.recorder.words}`);
      this.#say(JSON.stringify(judged));
      return judged;
    } catch (error) {
      if (this.#options.isPlanted === true) throw error;
      throw new Error(`${(error as Error).message}\n${keep(field, load)}`, { cause: error });
    } finally {
      await load.finish();
      await load.stopWatching();
      await field.remove();
    }
  }

  /** One fault, or two at once; then all members must come to hold the same. */
  async #episode(field: Field, load: Load): Promise<void> {
    const before = load.recorder.answers;
    field.taken.clear();
    const first = this.#deck.draw() as Fault;
    const second = first.isAlone || !this.#random.chance(SECOND_FAULT_SHARE) ? undefined : this.#deck.draw(true);
    const running = [this.#make(first, field)];
    if (second !== undefined) {
      await sleep(this.#random.below(SECOND_AFTER_MS));
      running.push(this.#make(second, field));
    }
    const ended = await Promise.allSettled(running);
    for (const one of ended) if (one.status === "rejected") throw one.reason;
    await field.heal();
    this.#dead(field);
    await this.#calm(load);
    await load.hold();
    const heldMs = this.#nowMs;
    const { revision, hash } = await field.cluster.level();
    const tookMs = this.#nowMs - heldMs;
    load.go();
    if (tookMs > SLOW_MS) this.#say(`level only after ${Math.round(tookMs)} ms: ${keepLogs(field, newFolder())}`);
    this.#dead(field);
    this.#say(`${load.recorder.answers - before} answers; all level at revision ${revision}, HashKV ${hash}`);
  }

  async #make(fault: Fault, field: Field): Promise<void> {
    const holdMs = HOLD_MS.least + this.#random.below(HOLD_MS.most - HOLD_MS.least);
    const fromMs = this.#nowMs;
    const what = await fault.run(field, holdMs);
    this.#say(
      `${fault.name}: ${what ?? "nobody was free for it, or nothing came of it"} (from ${(fromMs / 1000).toFixed(1)} s on)`,
    );
    if (what !== undefined) this.#faults.set(fault.name, (this.#faults.get(fault.name) ?? 0) + 1);
  }

  async #calm({ recorder }: Load): Promise<void> {
    const until = recorder.answers + this.#length.calmAnswers;
    for (const end = performance.now() + CALM_MAX_MS; recorder.answers < until; await sleep(10))
      if (performance.now() > end) return;
  }

  #dead({ died }: Field): void {
    if (died.length > 0) throw new Error(died.join("\n"));
  }

  /** Stops the load and waits until there is nothing left to happen. Answers the last revision. */
  async #end(field: Field, load: Load): Promise<number> {
    await load.finish();
    const reader = load.session("last reader");
    await field.cluster.eventually("all leases that nobody renews have ended", async () => {
      const { end } = await reader.keys(range(LEASE_PREFIX, { rangeEnd: endOf(LEASE_PREFIX) }));
      if (end.kind !== "done" || end.result.kind !== "range") throw new Error("no answer");
      if (end.result.count > 0) throw new Error(`there are ${end.result.count} keys left`);
    });
    await field.cluster.level();
    const { end } = await reader.keys(range("\0", { rangeEnd: Uint8Array.of(0) }));
    reader.close();
    if (end.kind !== "done") throw new Error("nobody could read at the end");
    await this.#allTold(load, end.revision);
    await load.stopWatching();
    const { revision, hash } = await field.cluster.level();
    this.#say(`the end: revision ${revision}, HashKV ${hash} on all ${field.cluster.members.length}`);
    return revision;
  }

  /** Everybody who watches hears of everything. */
  async #allTold(load: Load, revision: number): Promise<void> {
    const all = [load.log, ...load.watchers];
    for (const end = performance.now() + PATIENCE_MS; ; await sleep(AGAIN_MS)) {
      const late = all.filter(({ through }) => through < revision);
      if (late.length === 0) return;
      if (performance.now() > end)
        throw new Error(
          `not within ${PATIENCE_MS / 1000} s: told of all up to ${revision}; they are at ${late.map(({ through }) => through).join()}`,
        );
      for (const watcher of late) watcher.askProgress();
    }
  }

  get #length(): RoundLength {
    return this.#options.round ?? ROUND;
  }

  get #nowMs(): number {
    return performance.now() - this.#startedMs;
  }

  #say(line: string): void {
    this.#options.say(`${(this.#nowMs / 1000).toFixed(1).padStart(6)} s  ${line}`);
  }
}

/** Writes down what was asked and answered, for whoever looks for the cause. */
function keep(field: Field, { recorder, log, watchers }: Load): string {
  const folder = newFolder();
  const plain = (_name: string, value: unknown) => (typeof value === "bigint" ? `${value}` : value);
  const write = (name: string, what: unknown) => writeFileSync(join(folder, name), JSON.stringify(what, plain, 1));
  write("operations.json", recorder.operations);
  write("lists.json", recorder.lists);
  write(
    "watchers.json",
    [log, ...watchers].flatMap(({ pieces }) => pieces),
  );
  return `the history is kept there too: ${keepLogs(field, folder)}\n${lastLines(field)}`;
}

/** Writes down all that the members have logged. */
function keepLogs({ cluster, pastLogs }: Field, folder: string): string {
  const whole = new Map(pastLogs);
  for (const { name, server } of cluster.members)
    if (server.isRunning) whole.set(name, `${pastLogs.get(name) ?? ""}${server.log}`);
  for (const [name, log] of whole) writeFileSync(join(folder, `${name}.log`), log);
  return `the members' logs are kept in ${folder}`;
}

function lastLines({ cluster }: Field): string {
  return cluster.members.map(({ name, server }) => `--- ${name}\n${server.log.slice(-LOG_SHOWN_CHARS)}`).join("\n");
}

function newFolder(): string {
  return mkdtempSync(join(tmpdir(), "kvorum-cluster-"));
}

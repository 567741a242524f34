/**
 * One trace from one seed: a while in which everything may go wrong, then calm, in which the cluster must reach what its
 * spec asks for within a bound, and stay there.
 */
import { Prng } from "../../../server/base/prng.ts";
import type { IssuerHabits } from "./certificates.ts";
import { type Ending, Faults, type Focus } from "./faults.ts";
import { whatIsMissing } from "./goal.ts";
import { type Counts, type Habits, type MakePlanner, noCounts, Operators } from "./operators.ts";
import { badImages, settle } from "./people.ts";
import { Broken, type RuleName } from "./rule-names.ts";
import { Rules } from "./rules.ts";
import { clock, GAME_TLS, gameSpec, World } from "./world.ts";

const MINUTE_MS = 60_000;
/** The flap guard alone may hold three replacements up for two hours. */
const CALM_MAX_MS = 300 * MINUTE_MS;
/** With few faults there is little to make good. */
const FOCUSED_CALM_MAX_MS = 25 * MINUTE_MS;
/** Of a cluster whose authority ends before the trace does. */
const FIRST_AUTHORITY_MS = 25 * MINUTE_MS;
/** The goal must hold so long. */
const STEADY_MS = 90_000;
/** A step of time while nothing is on its way. */
const COARSE_SECONDS = 5;

export interface Outcome {
  readonly seed: number;
  readonly rule: RuleName | "liveness" | "error" | undefined;
  readonly text: string;
  /** Virtual milliseconds of chaos and calm. */
  readonly chaosMs: number;
  readonly calmMs: number;
  readonly lines: readonly string[];
}

export interface Tally {
  readonly counts: Counts;
  readonly faults: Map<string, number>;
  readonly judged: Map<RuleName, number>;
}

export function emptyTally(): Tally {
  return { counts: noCounts(), faults: new Map(), judged: new Map() };
}

export interface PlayOptions {
  readonly isTraced?: boolean;
  /** A shorter trace of three members about one thing. */
  readonly focus?: Focus;
  readonly tally?: Tally;
  /** Rules that are not asked. */
  readonly without?: readonly RuleName[];
  readonly habits?: Habits & IssuerHabits;
}

export function play(seed: number, make: MakePlanner, options: PlayOptions = {}): Outcome {
  const tally = options.tally ?? emptyTally();
  const { focus, without } = options;
  const setting = new Prng(seed ^ 0x5eed);
  const world = new World(seed, {
    nodes: 3 + setting.below(4),
    zones: 1 + setting.below(3),
    hasLocalVolumes: setting.chance(0.4),
    growsOffline: setting.chance(0.3),
    images: badImages(setting),
    isTraced: options.isTraced === true,
    spec: focus === undefined ? anySpec(setting) : focusedSpec(focus),
    firstAuthorityMs: setting.chance(0.4) ? FIRST_AUTHORITY_MS : undefined,
    issuer: options.habits,
  });
  const rules = new Rules(world, tally.judged, without);
  const operators = new Operators(world, rules, make, tally.counts, options.habits);
  const chaosMs = (focus === undefined ? 5 + setting.below(13) : (focus.chaosMinutes ?? 8)) * MINUTE_MS;
  const wished = focus === undefined ? anyEnding(setting) : (focus.ending ?? "settled");
  const calmMaxMs = focus === undefined ? CALM_MAX_MS : FOCUSED_CALM_MAX_MS;
  const began = world.now;
  let calmSince = began;
  const outcome = (rule: Outcome["rule"], text: string): Outcome => {
    if (rule !== undefined) world.say(`BROKEN ${rule}: ${text}`);
    const calmMs = rule === undefined || calmSince > began ? world.now - calmSince : 0;
    return { seed, rule, text, chaosMs: Math.min(chaosMs, world.now - began), calmMs, lines: world.lines };
  };
  try {
    const faults = new Faults(world, operators, rules, tally.faults, focus);
    while (world.now - began < chaosMs) step(world, operators, rules, faults);
    world.say("calm");
    faults.stop();
    const ending = end(world, faults, wished);
    tally.faults.set(`ending ${ending}`, (tally.faults.get(`ending ${ending}`) ?? 0) + 1);
    calmSince = world.now;
    const missing = reach({ world, operators, rules, ending, until: calmSince + calmMaxMs });
    return missing === undefined ? outcome(undefined, "") : outcome("liveness", missing);
  } catch (error) {
    if (error instanceof Broken) return outcome(error.rule, error.message);
    return outcome("error", error instanceof Error ? (error.stack ?? error.message) : String(error));
  }
}

function anySpec(setting: Prng): ReturnType<typeof gameSpec> {
  const isEphemeral = setting.chance(0.1);
  const spec = gameSpec({ replicas: setting.pick(isEphemeral ? [3, 3, 5] : [1, 3, 3, 3, 5]) });
  const onDelete = setting.pick(["Retain", "Delete"] as const);
  const onMemberRemoval = setting.pick(["Retain", "Delete", "Delete"] as const);
  const tls = setting.chance(0.25) ? GAME_TLS : spec.tls;
  if (isEphemeral) return { ...spec, tls, storage: { ephemeral: { medium: "" }, reclaim: spec.storage.reclaim } };
  return { ...spec, tls, storage: { ...spec.storage, reclaim: { onDelete, onMemberRemoval } } };
}

function focusedSpec({ hasTls, isEphemeral }: Focus): ReturnType<typeof gameSpec> {
  const spec = gameSpec();
  const reclaim = { onDelete: "Retain", onMemberRemoval: "Retain" } as const;
  const storage = isEphemeral === true ? { ephemeral: { medium: "" as const } } : spec.storage;
  return { ...spec, tls: hasTls === true ? GAME_TLS : spec.tls, storage: { ...storage, reclaim } };
}

function anyEnding(setting: Prng): Ending {
  const share = setting.below(100);
  if (share < 10) return "deleted";
  if (share < 13) return "all-lost";
  return share < 16 ? "majority-lost" : "settled";
}

/** What people do, or what befalls them, when the faults have stopped; the ending that it came to. */
function end(world: World, faults: Faults, wished: Ending): Ending {
  if (wished === "deleted") {
    world.deleteCluster();
    return wished;
  }
  settle(world);
  // Without the latch nobody could know that there was a cluster.
  const isKnown = world.cluster?.status?.clusterID !== undefined;
  if (wished === "all-lost" && isKnown) {
    faults.loseAll();
    return wished;
  }
  if (wished === "majority-lost" && isKnown && !world.isEphemeral && world.voters.length >= 3) {
    faults.loseMajority();
    return wished;
  }
  return "settled";
}

/** Chaos: a second at a time, five when nothing moves. */
function step(world: World, operators: Operators, rules: Rules, faults: Faults | undefined): void {
  const dueAt = Math.min(operators.nextAt, faults?.nextAt ?? Number.POSITIVE_INFINITY);
  const isQuiet = dueAt > world.now + COARSE_SECONDS * 1000 && !operators.isBusy && !world.kubernetes.isBusy(world.now);
  world.tick(isQuiet ? COARSE_SECONDS : 1);
  rules.tick();
  if (faults !== undefined) {
    faults.tick();
    world.noteHealth();
  }
  operators.tick();
}

interface Calm {
  readonly world: World;
  readonly operators: Operators;
  readonly rules: Rules;
  readonly ending: Ending;
  readonly until: number;
}

/** What is missing when the bound is reached; nothing when the goal was reached and held. */
function reach({ world, operators, rules, ending, until }: Calm): string | undefined {
  let steadySince: number | undefined;
  let missing: string | undefined;
  while (world.now < until) {
    step(world, operators, rules, undefined);
    missing = whatIsMissing(world, operators, ending);
    if (missing !== undefined || operators.actedAt >= world.now - 1000) steadySince = undefined;
    else steadySince ??= world.now;
    if (steadySince !== undefined && world.now - steadySince >= STEADY_MS) return undefined;
  }
  return missing ?? `it acts on and on; last at ${clock(operators.actedAt)}`;
}

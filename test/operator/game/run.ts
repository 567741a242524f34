/**
 * `npm run game`: the operator's plan in simulated worlds, each a function of its seed. `--seed S` plays one and shows
 * what was seen and done; `--count N` plays N from `--from F` (1 when not given) and says how fast, what went wrong in
 * the worlds, which actions, steps and reasons were come by, how often each rule had something to judge, and which seeds
 * failed. `--mistake NAME` plants a mistake. `--tables` prints the tables of `docs/operator/game.md`. Exit code 1 when any seed has failed, 2 when the command line was not
 * understood.
 */
import { MISTAKES, playOptions } from "./mistakes.ts";
import type { MakePlanner } from "./operators.ts";
import { makePlanner } from "./planner.ts";
import { emptyTally, type Outcome, type PlayOptions, play, type Tally } from "./play.ts";
import { RULE_NAMES } from "./rule-names.ts";
import { tables } from "./table.ts";

const USAGE = "npm run game -- --seed S | --count N [--from F] | --tables   the first two: [--mistake NAME]";
/** Failed seeds that are shown of each rule. */
const SHOWN = 12;

process.exitCode = main(process.argv.slice(2));

function main(argv: readonly string[]): number {
  if (argv.length === 1 && argv[0] === "--tables") {
    const { rules, crashPoints } = tables();
    console.log(`${rules}\n\n${crashPoints}`);
    return 0;
  }
  const options = parse(argv);
  if (typeof options === "string") {
    console.error(`${options}\n${USAGE}`);
    return 2;
  }
  const name = options.get("mistake");
  const mistake = MISTAKES.find((one) => one.name === name);
  const make = name === undefined ? makePlanner : mistake?.plant(makePlanner);
  if (make === undefined) {
    console.error(`there is no mistake "${name}"; there are: ${MISTAKES.map(({ name }) => name).join(", ")}`);
    return 2;
  }
  const seed = options.get("seed");
  const game = { make, options: mistake === undefined ? {} : playOptions(mistake) };
  return seed === undefined
    ? many(Number(options.get("count")), Number(options.get("from") ?? 1), game)
    : one(Number(seed), game);
}

/** A sentence when it was not understood. */
function parse(argv: readonly string[]): ReadonlyMap<string, string> | string {
  const options = new Map<string, string>();
  for (let at = 0; at < argv.length; at += 2) {
    const [name = "", value = ""] = argv.slice(at, at + 2);
    if (!["--seed", "--count", "--from", "--mistake"].includes(name)) return `"${name}" is no option`;
    if (name !== "--mistake" && !/^\d{1,9}$/.test(value))
      return `${name} takes a number of up to nine digits, not "${value}"`;
    options.set(name.slice(2), value);
  }
  return options.has("seed") === options.has("count") ? "say which seed, or how many" : options;
}

/** What is played, and about what. */
interface Game {
  readonly make: MakePlanner;
  readonly options: PlayOptions;
}

function one(seed: number, { make, options }: Game): number {
  const { lines, rule, text, chaosMs, calmMs } = play(seed, make, { ...options, isTraced: true });
  for (const line of lines) console.log(line);
  console.log(
    rule === undefined
      ? `seed ${seed}: kept all rules; ${minutes(chaosMs)} of chaos, calm after ${minutes(calmMs)}`
      : `seed ${seed}: ${rule}: ${text}`,
  );
  return rule === undefined ? 0 : 1;
}

function many(count: number, from: number, { make, options }: Game): number {
  const tally = emptyTally();
  const failed = new Map<string, Outcome[]>();
  let slowest: Outcome | undefined;
  const began = performance.now();
  for (let seed = from; seed < from + count; seed++) {
    const outcome = play(seed, make, { ...options, tally });
    if (outcome.rule !== undefined) failed.set(outcome.rule, [...(failed.get(outcome.rule) ?? []), outcome]);
    else if (outcome.calmMs > (slowest?.calmMs ?? 0)) slowest = outcome;
  }
  const seconds = (performance.now() - began) / 1000;
  const busy = process.cpuUsage().user / 1e6;
  report(tally);
  if (slowest !== undefined) console.log(`longest calm: seed ${slowest.seed}, ${minutes(slowest.calmMs)}`);
  let failures = 0;
  for (const [rule, outcomes] of failed) {
    failures += outcomes.length;
    console.log(`${rule}: ${outcomes.length} failed`);
    for (const { seed, text } of outcomes.slice(0, SHOWN))
      console.log(`  seed ${seed}: ${text.split("\n").slice(0, 3).join(" ")}`);
  }
  console.log(
    `${count} traces in ${seconds.toFixed(1)} s (${busy.toFixed(1)} s of processor, ${((1000 * busy) / count).toFixed(0)} ms each), ${failures} failed`,
  );
  return failures === 0 ? 0 : 1;
}

function report({ counts, faults, judged }: Tally): void {
  const { passes, crashes, overlaps, lost, conflicts } = counts;
  console.log(
    `passes ${passes}, operator deaths ${crashes} (${overlaps} with a call on its way), lost answers ${lost}, conflicts ${conflicts}`,
  );
  console.log(`faults: ${listed(faults)}`);
  console.log(`actions: ${listed(counts.actions)}`);
  console.log(`steps: ${listed(counts.steps)}`);
  console.log(`reasons: ${listed(counts.reasons)}`);
  console.log(`rules judged: ${listed(judged)}`);
  const idle = RULE_NAMES.filter((rule) => !judged.has(rule));
  if (idle.length > 0) console.log(`rules that had nothing to judge: ${idle.join(", ")}`);
}

function listed(counts: ReadonlyMap<string, number>): string {
  const sorted = [...counts].sort(([, a], [, b]) => b - a);
  return sorted.map(([key, value]) => `${key} ${value}`).join(", ");
}

function minutes(ms: number): string {
  return `${(ms / 60_000).toFixed(1)} min`;
}

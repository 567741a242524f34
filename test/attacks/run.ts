/**
 * `npm run test:attacks`: a server under each attack, with a client of good manners beside it. Words choose attacks by a
 * part of their name. `--against etcd` attacks real etcd; `--table` both, and prints one table in Markdown.
 * ATTACK_SECONDS says how long one takes (20); up to 5 s latencies are shown and nothing is asked of them.
 *
 * On our server it fails when: memory grows by more than 256 MiB, the server does not answer afterwards, the good client
 * had an error or (from 6 s on) a p99 above five times that of peace, or an attacker that must be cut off was not.
 */
import { cpus, loadavg, release, totalmem } from "node:os";
import { findTool } from "../support/tools.ts";
import type { Attack } from "./attack.ts";
import { type Battle, fight } from "./battle.ts";
import { BODIES } from "./bodies.ts";
import { CONNECTIONS } from "./connections.ts";
import { FLOODS } from "./floods.ts";
import { HEADERS } from "./headers.ts";
import { RESETS } from "./resets.ts";
import { SLOW } from "./slow.ts";
import { WINDOWS } from "./windows.ts";

const ATTACKS = [...RESETS, ...FLOODS, ...HEADERS, ...WINDOWS, ...SLOW, ...CONNECTIONS, ...BODIES];
const MIB = 2 ** 20;
const MEMORY_MAX_BYTES = 256 * MIB;
const SLOWER_MAX = 5;
/** Below this a factor says nothing: the machine's own noise is as large. */
const NOISE_MS = 5;
const UNTIMED_SECONDS = 5;

const SECONDS = Number(process.env["ATTACK_SECONDS"] ?? 20);
const words = process.argv.slice(2);
const table = words.includes("--table");
const against = words.includes("--against") ? words[words.indexOf("--against") + 1] : undefined;
const chosen = words.filter((word) => !word.startsWith("--") && word !== against);
const names = new Set(ATTACKS.map(({ name }) => name));
/** A whole name means that attack alone. */
const means = (word: string, name: string) => (names.has(word) ? name === word : name.includes(word));
const attacks = ATTACKS.filter(({ name }) => chosen.length === 0 || chosen.some((word) => means(word, name)));
process.exitCode = await main();

async function main(): Promise<number> {
  if (attacks.length === 0) return refuse(`no attack is named like "${chosen.join('", "')}"`);
  if (against !== undefined && against !== "etcd") return refuse(`--against etcd, not "${against}"`);
  const etcd = table || against === "etcd" ? findTool("etcd") : undefined;
  if (etcd === undefined && (table || against === "etcd"))
    return refuse("no etcd on PATH or in the folder of KVORUM_TOOLS");
  console.log(`${cpus().length} x ${cpus()[0]?.model}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}`);
  console.log(`${attacks.length} attacks of ${SECONDS} s; Node ${process.version}; load ${loadavg()[0]?.toFixed(1)}`);
  const faults: string[] = [];
  const rows: string[] = [];
  for (const attack of attacks) {
    const ours = against === "etcd" ? undefined : await fight(attack, SECONDS, undefined);
    const theirs = etcd === undefined ? undefined : await fight(attack, SECONDS, etcd);
    if (ours !== undefined) faults.push(...show("ours", ours, faultsOf(attack, ours)));
    if (theirs !== undefined) show("etcd", theirs, []);
    rows.push(`| ${[attack.name, ...cells(ours), ...cells(theirs)].join(" | ")} |`);
  }
  if (table) printTable(rows);
  for (const fault of faults) console.log(`failed: ${fault}`);
  console.log(`attacks: ${attacks.length} run, ${faults.length} failed`);
  return faults.length === 0 ? 0 : 1;
}

/** Prints one line, and what is wrong with it. */
function show(who: string, battle: Battle, faults: readonly string[]): readonly string[] {
  const [times, memory, fate] = cells(battle);
  console.log(`${faults.length === 0 ? "  " : "! "}${who} | ${battle.attack} | ${times} | ${memory} | ${fate}`);
  for (const fault of faults) console.log(`    ${fault}`);
  return faults.map((fault) => `${battle.attack}: ${fault}`);
}

function faultsOf(attack: Attack, { idle, under, memory, cutOff, fate, broken }: Battle): string[] {
  const faults: string[] = [];
  const grown = memory.peak - memory.before;
  if (grown > MEMORY_MAX_BYTES)
    faults.push(`memory grew by ${mib(grown)} MiB; at most ${mib(MEMORY_MAX_BYTES)} are allowed`);
  if (broken !== undefined) faults.push(`the server does not answer afterwards: ${broken}`);
  const errors = Object.entries(under.errors);
  if (errors.length > 0) faults.push(`the good client had errors: ${JSON.stringify(under.errors)}`);
  if (under.requests === 0) faults.push("the good client had no answer at all");
  if (attack.expect === "gone" && !cutOff) faults.push(`the attacker was not cut off: ${fate.join(", ")}`);
  if (SECONDS > UNTIMED_SECONDS && under.p99 > SLOWER_MAX * idle.p99 && under.p99 > NOISE_MS)
    faults.push(`p99 ${under.p99.toFixed(1)} ms is more than five times ${idle.p99.toFixed(1)} ms`);
  return faults;
}

/** Latency, memory, and what the attacker got. */
function cells(battle: Battle | undefined): string[] {
  if (battle === undefined) return [];
  const { idle, under, memory, fate, notes, broken } = battle;
  const failed = Object.values(under.errors).reduce((sum, count) => sum + count, 0);
  const times = `${idle.p99.toFixed(1)} / ${under.p99.toFixed(1)} ms`;
  return [
    `${times}${failed > 0 ? `, ${failed} of ${under.requests} failed` : ""}`,
    `${mib(memory.before)} +${mib(memory.peak - memory.before)} MiB, then ${mib(memory.after)}`,
    [...(broken === undefined ? [] : ["SERVER GONE"]), ...notes, ...fate.slice(0, 4)].join("; "),
  ];
}

function mib(bytes: number): number {
  return Math.round(bytes / MIB);
}

function printTable(rows: readonly string[]): void {
  console.log(
    "\n| attack | ours: p99 idle / under | ours: memory | what the attacker got | etcd: p99 | etcd: memory | what the attacker got |",
  );
  console.log("|---|---|---|---|---|---|---|");
  for (const row of rows) console.log(row);
}

function refuse(text: string): number {
  console.error(text);
  return 2;
}

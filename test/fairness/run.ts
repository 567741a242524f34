/**
 * `npm run test:fairness`: one client takes what it can get, another asks for little; how much longer does that one wait?
 *
 *   --against etcd   runs real etcd instead of our server
 *   --scale 1        the full sizes (100,000 keys and watches, a million leases); 0.1 when left out
 *   --seconds 4      how long each abuse goes on
 *   --strict         fails when a p99 under abuse is more than five times the idle one
 *   --json FILE      writes all figures there
 *   WORD...          only abuses whose name contains one of them
 *
 * Times are printed. What fails a run without --strict: an error at the quiet client, something that it asked for and did
 * not get, a server that ends, or one whose memory grows beyond the bound of the abuse.
 */
import { writeFileSync } from "node:fs";
import { setTimeout as after } from "node:timers/promises";
import { parseArgs } from "node:util";
import { ServerProcess } from "../support/server-process.ts";
import { findTool } from "../support/tools.ts";
import { ABUSES, type Abuse } from "./abuses.ts";
import { KINDS, type Kind } from "./latencies.ts";
import { type Figures, measure } from "./measure.ts";

const STRICT_TIMES = 5;
/** Below that a p99 is the machine's affair. */
const STRICT_FLOOR_MS = 1;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    against: { type: "string", default: "kvorum" },
    scale: { type: "string", default: "0.1" },
    seconds: { type: "string", default: "4" },
    strict: { type: "boolean", default: false },
    json: { type: "string" },
  },
});

process.exitCode = await main();

async function main(): Promise<number> {
  const chosen = Object.entries(ABUSES).filter(
    ([name]) => positionals.length === 0 || positionals.some((word) => name.includes(word)),
  );
  if (chosen.length === 0) return refuse(`no abuse is named like ${positionals.join(" or ")}`);
  const command = values.against === "etcd" ? findTool("etcd") : undefined;
  if (values.against === "etcd" && command === undefined) return refuse("there is no etcd on PATH");
  if (values.against !== "etcd" && values.against !== "kvorum") return refuse("--against is etcd or kvorum");

  const all: Record<string, Figures> = {};
  const wrongs: string[] = [];
  console.log(`${values.against}, scale ${values.scale}, ${values.seconds} s each; milliseconds, idle > under abuse\n`);
  console.log(
    row([
      "abuse",
      ...KINDS.map((kind) => `${kind} p50`),
      ...KINDS.map((kind) => `${kind} p99`),
      "stall",
      "lag p99",
      "RSS MiB",
      "abuser",
    ]),
  );
  for (const [name, abuse] of chosen) {
    const figures = await one(name, abuse, command);
    all[name] = figures;
    console.log(rowOf(name, abuse, figures));
    for (const wrong of judged(abuse, figures)) wrongs.push(`${name}: ${wrong}`);
  }
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(all, undefined, 2)}\n`);
  console.log("");
  for (const wrong of wrongs) console.log(`wrong: ${wrong}`);
  console.log(`fairness: ${chosen.length} abuses, ${wrongs.length} wrong`);
  return wrongs.length === 0 ? 0 : 1;
}

async function one(name: string, abuse: Abuse, command: string | undefined): Promise<Figures> {
  const flags = ["--quota-backend-bytes=8589934592"];
  const server = await ServerProcess.start(
    command === undefined ? { flags: ["--grpc-engine=own", ...flags] } : { command: [command], flags },
  );
  try {
    return await measure(server, name, abuse, { scale: Number(values.scale), seconds: Number(values.seconds) });
  } finally {
    await server.remove();
    await after(200); // what the system still has to do for it
  }
}

function judged(abuse: Abuse, { idle, under, errors, waitingMs, rssMiB, ended }: Figures): string[] {
  const wrongs = errors.map((text) => `the quiet client: ${text}`);
  if (ended) wrongs.push("the server ended");
  for (const kind of KINDS) if (under[kind].count === 0) wrongs.push(`the quiet client got no ${kind}`);
  if (waitingMs > 5000) wrongs.push(`the quiet client has waited for ${Math.round(waitingMs)} ms`);
  if (rssMiB.most - rssMiB.before > abuse.memoryMiB) {
    wrongs.push(`memory grew from ${rssMiB.before} to ${rssMiB.most} MiB, more than ${abuse.memoryMiB}`);
  }
  if (!values.strict) return wrongs;
  for (const kind of KINDS) {
    const bound = STRICT_TIMES * Math.max(idle[kind].p99, STRICT_FLOOR_MS);
    if (under[kind].p99 > bound) wrongs.push(`${kind} p99 ${shown(under[kind].p99)} ms, more than ${shown(bound)}`);
  }
  return wrongs;
}

function rowOf(name: string, abuse: Abuse, { idle, under, lag, rssMiB, abuser, seconds }: Figures): string {
  const pair = (kind: Kind, what: "p50" | "p99") => `${shown(idle[kind][what])}>${shown(under[kind][what])}`;
  const most = Math.max(...KINDS.map((kind) => under[kind].max));
  const refusals = Object.entries(abuser.refusals).map(([text, times]) => ` ${times}x ${text.slice(0, 60)}`);
  const rate = abuser.done / seconds;
  const mib = abuser.receivedBytes / seconds / 2 ** 20;
  return row([
    name,
    ...KINDS.map((kind) => pair(kind, "p50")),
    ...KINDS.map((kind) => pair(kind, "p99")),
    shown(most),
    lag === undefined ? "-" : `<=${lag.p99} (${lag.most})`,
    `${rssMiB.before}>${rssMiB.most}`,
    `${rate < 100 ? rate.toFixed(1) : Math.round(rate)} ${abuse.unit}/s ${mib.toFixed(0)} MiB/s${refusals.join(";")}`,
  ]);
}

function shown(ms: number): string {
  return ms < 10 ? ms.toFixed(1) : String(Math.round(ms));
}

function row(cells: readonly string[]): string {
  return cells.map((cell, at) => cell.padEnd(at === 0 ? 54 : 13)).join(" ");
}

function refuse(text: string): number {
  console.log(text);
  console.log("fairness: 0 abuses, 1 wrong");
  return 1;
}

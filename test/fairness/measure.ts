/** One abuse against one server, measured: a quiet client alone, then beside the abuser. */
import { type ChildProcess, fork } from "node:child_process";
import { readFileSync } from "node:fs";
import { setTimeout as after } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { SERVICES } from "../../server/proto/services.ts";
import type { ServerProcess } from "../support/server-process.ts";
import type { AbuserReport } from "./abuser.ts";
import { type Abuse, FILL_PREFIX, numbered, VALUE_BYTES } from "./abuses.ts";
import type { CalmReport, Kind, Summary } from "./latencies.ts";
import { Peer } from "./peer.ts";

export interface Figures {
  readonly idle: Readonly<Record<Kind, Summary>>;
  readonly under: Readonly<Record<Kind, Summary>>;
  readonly errors: readonly string[];
  readonly waitingMs: number;
  /** The bounds of the histogram's buckets, in milliseconds; undefined where the server has no such metric. */
  readonly lag: { readonly p99: number; readonly most: number } | undefined;
  readonly rssMiB: { readonly before: number; readonly most: number };
  readonly abuser: AbuserReport;
  readonly seconds: number;
  readonly ended: boolean;
}

const IDLE_MS = 2000;
const SAMPLE_MS = 50;
/** After the abuse: what was asked for must still come. */
const SETTLE_MS = 1500;
const FILL_AT_ONCE = 100;
const FILL_LANES = 4;

export async function measure(
  server: ServerProcess,
  name: string,
  abuse: Abuse,
  { scale, seconds }: { readonly scale: number; readonly seconds: number },
): Promise<Figures> {
  const { endpoint } = server;
  await fill(endpoint, Math.round((abuse.keys ?? 0) * scale));
  const calm = start("calm.js", [endpoint]);
  const children = [calm];
  try {
    await said(calm, "ready");
    await after(300); // both ends warm up
    await report(calm);
    await after(IDLE_MS);
    const idle = await report(calm);
    const before = rssMiB(server.pid);
    const memory = watchMemory(server.pid, before);

    const abuser = start("abuser.js", [endpoint, String(scale), name]);
    children.push(abuser);
    await said(abuser, "ready");
    await report(calm);
    const lagBefore = await readLag(endpoint);
    abuser.send("start");
    await after(seconds * 1000);
    const under = await report(calm);
    const lag = lagBetween(lagBefore, await readLag(endpoint));
    abuser.send("stop");
    const got = (await heard(abuser, (message) => typeof message === "object")) as AbuserReport;
    await after(SETTLE_MS);
    const settled = await report(calm);
    return {
      idle: idle.summaries,
      under: under.summaries,
      errors: settled.errors,
      waitingMs: settled.waitingMs,
      lag,
      rssMiB: { before, most: memory() },
      abuser: got,
      seconds,
      ended: rssMiB(server.pid) === 0,
    };
  } finally {
    for (const child of children) child.kill("SIGKILL");
  }
}

function start(script: string, argv: readonly string[]): ChildProcess {
  return fork(fileURLToPath(new URL(script, import.meta.url)), argv, {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
}

async function report(calm: ChildProcess): Promise<CalmReport> {
  const answer = heard(calm, (message) => typeof message === "object");
  calm.send("measured");
  return (await answer) as CalmReport;
}

async function said(child: ChildProcess, word: string): Promise<void> {
  await heard(child, (message) => message === word);
}

function heard(child: ChildProcess, wanted: (message: unknown) => boolean): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const ended = (code: number | null) => reject(new Error(`${child.spawnargs.join(" ")} ended with ${code}`));
    const take = (message: unknown) => {
      if (!wanted(message)) return;
      child.off("message", take);
      child.off("exit", ended);
      resolve(message);
    };
    child.on("message", take);
    child.once("exit", ended);
  });
}

/** Keys of `VALUE_BYTES` each, values in no order, so that sorting by value is work. */
async function fill(endpoint: string, keys: number): Promise<void> {
  if (keys === 0) return;
  const peer = await Peer.connect(endpoint);
  const { put, txn } = SERVICES.kv.methods;
  let next = 0;
  const lane = async () => {
    while (next < keys) {
      const from = next;
      next += FILL_AT_ONCE;
      const success = Array.from({ length: Math.min(FILL_AT_ONCE, keys - from) }, (_, more) => {
        const number = from + more;
        const value = new Uint8Array(VALUE_BYTES).fill(97);
        value.set(numbered("", (number * 7919) % 1_000_003));
        const request = put.request.create({ key: numbered(FILL_PREFIX, number), value });
        return { request: { kind: "put" as const, value: request } };
      });
      await peer.discard(txn, { success });
    }
  };
  await Promise.all(Array.from({ length: FILL_LANES }, lane));
  peer.close();
}

/** 0 when there is no such process. */
function rssMiB(pid: number): number {
  try {
    const line = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
    return Math.round(Number(line?.[1] ?? 0) / 1024);
  } catch {
    return 0;
  }
}

/** Looks now and then; the function answers the most that was seen, and stops. */
function watchMemory(pid: number, before: number): () => number {
  let most = before;
  const timer = setInterval(() => {
    most = Math.max(most, rssMiB(pid));
  }, SAMPLE_MS);
  return () => {
    clearInterval(timer);
    return most;
  };
}

/** The buckets of the histogram: upper bound in seconds, and how many up to it. */
async function readLag(endpoint: string): Promise<Map<number, number>> {
  const text = await fetch(`http://${endpoint}/metrics`).then(
    (answer) => answer.text(),
    () => "", // that it has ended is seen elsewhere
  );
  const buckets = new Map<number, number>();
  for (const [, bound, count] of text.matchAll(/^kvorum_event_loop_lag_seconds_bucket\{le="([^"]+)"\} (\S+)$/gm)) {
    buckets.set(bound === "+Inf" ? Number.POSITIVE_INFINITY : Number(bound), Number(count));
  }
  return buckets;
}

function lagBetween(from: Map<number, number>, to: Map<number, number>): Figures["lag"] {
  const counts = [...to].map(([bound, count]) => ({ ms: bound * 1000, count: count - (from.get(bound) ?? 0) }));
  const total = counts.at(-1)?.count ?? 0;
  if (total === 0) return undefined;
  const boundOf = (share: number) => counts.find(({ count }) => count >= total * share)?.ms ?? Number.POSITIVE_INFINITY;
  return { p99: boundOf(0.99), most: boundOf(1) };
}

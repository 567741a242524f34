/**
 * Strikes a server under load again and again, sometimes while it is still starting, and judges what it holds each time
 * it comes back. The same seed waits and sends the same, but what the strike meets is the machine's affair.
 */
import { cpSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Prng } from "../../server/base/prng.ts";
import { ServerProcess } from "../support/server-process.ts";
import { History } from "./history.ts";
import { PowerDisk } from "./power-disk.ts";
import { Workload } from "./workload.ts";

export interface Fault {
  /** Where the data lies; a folder of the server's own when absent. */
  readonly dataDir?: string;
  /** Ends the server. Resolves when it may be started again. */
  strike(server: ServerProcess): Promise<void>;
  remove(): void;
}

export const kill: Fault = {
  strike: async (server) => void (await server.stop("SIGKILL")),
  remove: () => undefined,
};

/** Large enough for the log with its spare file, and the store. */
const POWER_DISK_MEGABYTES = 512;

/** What had not been synced is gone. Needs what `powerDiskMissing` asks for; to be removed. */
export function powerCut(): Fault {
  const disk = new PowerDisk(POWER_DISK_MEGABYTES);
  return {
    dataDir: join(disk.folder, "data"),
    async strike(server) {
      disk.cut();
      await server.stop("SIGKILL");
      disk.restore();
    },
    remove: () => disk.remove(),
  };
}

export interface CyclesReport {
  readonly cycles: number;
  /** Changes acknowledged, and how many of them were found in their place. */
  readonly acknowledged: number;
  readonly judged: number;
  /** All of it in one line, for the test's output. */
  readonly text: string;
}

const WRITERS = 16;
/** Mostly short, now and then long enough for many commits, snapshots and compactions. */
const LOAD_MS = { least: 50, short: 300, long: 1500 } as const;
const LONG_SHARE = 1 / 8;
const START_STRIKE_SHARE = 1 / 4;
const START_STRIKE_MS = 700;

/** Throws an Error at the first promise that was not kept; the data is then kept, unless the mistake was planted. */
export async function faultCycles(options: {
  cycles: number;
  seed: number;
  fault: Fault;
  command?: readonly string[];
  flags?: readonly string[];
  planted?: boolean;
}): Promise<CyclesReport> {
  const { cycles, seed, fault, command, flags } = options;
  const random = new Prng(seed);
  const server = await ServerProcess.prepare({
    ...(fault.dataDir === undefined ? {} : { dataDir: fault.dataDir }),
    ...(command === undefined ? {} : { command }),
    ...(flags === undefined ? {} : { flags }),
  });
  const history = new History();
  const workload = new Workload({ url: server.url, writers: WRITERS, seed });
  const seen = { acknowledged: 0, starting: 0, snapshots: 0, torn: 0, slowestStartMs: 0 };
  const launch = async () => {
    const started = performance.now();
    await server.launch();
    seen.slowestStartMs = Math.max(seen.slowestStartMs, Math.round(performance.now() - started));
    await history.judge(server.url, workload);
    workload.forget();
  };
  const strike = async () => {
    await fault.strike(server);
    seen.snapshots += occurrences(server.log, "saved snapshot");
    seen.torn += occurrences(server.log, "cut a torn record");
  };
  try {
    for (let cycle = 0; cycle < cycles; cycle++) {
      if (random.chance(START_STRIKE_SHARE)) {
        void server.spawn();
        await sleep(random.below(START_STRIKE_MS));
        await strike();
        seen.starting++;
      }
      await launch();
      workload.start(history.start());
      await sleep(random.chance(LONG_SHARE) ? LOAD_MS.long : LOAD_MS.least + random.below(LOAD_MS.short));
      await strike();
      await workload.stop();
      seen.acknowledged += workload.acknowledged.length;
    }
    await launch();
  } catch (error) {
    const kept = options.planted === true ? "" : `\nthe data is kept in ${keep(server.dataDir)}`;
    const told = `after ${seen.acknowledged} acknowledged changes: ${(error as Error).message}`;
    throw new Error(`${told}${kept}\n${server.log.slice(-2000)}`);
  } finally {
    await workload.stop();
    await server.remove();
    fault.remove();
  }
  const kinds = [...workload.counts].map(([kind, count]) => `${count} ${kind}`).join(", ");
  const text =
    `${seen.acknowledged} changes acknowledged, ${history.judged} found in their place; answers: ${kinds}, ${workload.unanswered} none; ` +
    `${seen.starting} strikes at a starting server, ${seen.snapshots} snapshots, ${seen.torn} torn ends cut, ` +
    `slowest start ${seen.slowestStartMs} ms`;
  return { cycles, acknowledged: seen.acknowledged, judged: history.judged, text };
}

function keep(dataDir: string): string {
  const folder = mkdtempSync(join(tmpdir(), "kvorum-failed-"));
  try {
    cpSync(dataDir, folder, { recursive: true, filter: (path) => !path.endsWith(".lock") });
  } catch (error) {
    return `${folder} (in part: ${String(error)})`;
  }
  return folder;
}

function occurrences(text: string, word: string): number {
  return text.split(word).length - 1;
}

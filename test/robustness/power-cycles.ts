/** Cuts the power under load again and again, and judges what the server holds each time it comes back. */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Prng } from "../../server/base/prng.ts";
import { ServerProcess } from "../support/server-process.ts";
import { History } from "./history.ts";
import type { KillReport } from "./kill-cycles.ts";
import { PowerDisk } from "./power-disk.ts";
import { Workload } from "./workload.ts";

/** Large enough for two segments of the log, spare ones and the store. */
const DISK_MEGABYTES = 512;

/** Throws an Error at the first promise that was not kept. */
export async function powerCycles(options: {
  cycles: number;
  seed: number;
  command?: readonly string[];
  flags?: readonly string[];
}): Promise<KillReport> {
  const random = new Prng(options.seed);
  const disk = new PowerDisk(DISK_MEGABYTES);
  const server = await ServerProcess.prepare({
    dataDir: join(disk.folder, "data"),
    ...(options.command === undefined ? {} : { command: options.command }),
    ...(options.flags === undefined ? {} : { flags: options.flags }),
  });
  const history = new History();
  const workload = new Workload({ url: server.url, writers: 16 });
  let acknowledged = 0;
  try {
    for (let cycle = 0; cycle < options.cycles; cycle++) {
      await server.launch();
      await history.judge(server.url, workload);
      workload.forget();
      workload.start();
      await sleep(50 + random.below(300));
      disk.cut();
      await server.stop("SIGKILL");
      await workload.stop();
      acknowledged += workload.acknowledged.length;
      disk.restore();
    }
    await server.launch();
    await history.judge(server.url, workload);
  } catch (error) {
    throw new Error(`after ${acknowledged} acknowledged puts: ${(error as Error).message}\n${server.log.slice(-2000)}`);
  } finally {
    await workload.stop();
    await server.remove();
    disk.remove();
  }
  return { cycles: options.cycles, acknowledged, judged: history.judged };
}

/** Kills a server under load again and again, and judges what it holds each time it comes back. */
import { setTimeout as sleep } from "node:timers/promises";
import { Prng } from "../../server/base/prng.ts";
import { ServerProcess } from "../support/server-process.ts";
import { History } from "./history.ts";
import { Workload } from "./workload.ts";

export interface KillReport {
  readonly cycles: number;
  readonly acknowledged: number;
  readonly judged: number;
}

/** Throws an Error at the first promise that was not kept. The same seed waits the same times. */
export async function killCycles(options: {
  cycles: number;
  seed: number;
  command?: readonly string[];
  flags?: readonly string[];
}): Promise<KillReport> {
  const random = new Prng(options.seed);
  const server = await ServerProcess.prepare({
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
      await server.stop("SIGKILL");
      await workload.stop();
      acknowledged += workload.acknowledged.length;
    }
    await server.launch();
    await history.judge(server.url, workload);
  } catch (error) {
    throw new Error(`after ${acknowledged} acknowledged puts: ${(error as Error).message}\n${server.log.slice(-2000)}`);
  } finally {
    await workload.stop();
    await server.remove();
  }
  return { cycles: options.cycles, acknowledged, judged: history.judged };
}

/**
 * A load in a process of its own: `node main.js '{"kind": ..., ...}'`. Prints one line of JSON; exit code 1 and a
 * sentence when anything failed. A prober prints a line for each that it reads, until its input ends.
 */
import { createInterface } from "node:readline";
import type { Target } from "./connection.ts";
import { type FillLoad, runFill } from "./fill-load.ts";
import { type KeepaliveLoad, runKeepalives } from "./keepalive-load.ts";
import { Prober } from "./prober.ts";
import { SHAPES, type ShapeName } from "./shapes.ts";
import { type LoadResult, runUnary, type UnaryLoad } from "./unary-load.ts";
import { runUpdates, type UpdateLoad } from "./update-load.ts";
import { runWatch, type WatchLoad } from "./watch-load.ts";

export type Job =
  | ({ readonly kind: "unary"; readonly shape: ShapeName } & Omit<UnaryLoad, "path" | "template">)
  | ({ readonly kind: "updates" } & UpdateLoad)
  | ({ readonly kind: "watch" } & WatchLoad)
  | ({ readonly kind: "keepalives" } & KeepaliveLoad)
  | ({ readonly kind: "fill" } & FillLoad)
  | { readonly kind: "prober"; readonly target: Target };

const startUsage = process.cpuUsage();
const startMs = performance.now();

try {
  await run(JSON.parse(process.argv[2] ?? "") as Job);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
process.exit();

async function run(job: Job): Promise<void> {
  switch (job.kind) {
    case "unary": {
      const { method, template } = SHAPES[job.shape];
      printLoad(await runUnary({ ...job, path: method.path, template: template() }));
      return;
    }
    case "updates":
      printLoad(await runUpdates(job));
      return;
    case "watch":
      printLoad(await runWatch(job));
      return;
    case "keepalives":
      printLoad(await runKeepalives(job));
      return;
    case "fill":
      print(await runFill(job));
      return;
    case "prober":
      await probe(job.target);
      return;
    default:
      throw new Error(`no load is of the kind ${JSON.stringify(job satisfies never)}`);
  }
}

async function probe(target: Target): Promise<void> {
  const prober = await Prober.start(target);
  const asked = (async () => {
    for await (const _ of createInterface({ input: process.stdin })) print(prober.take());
  })();
  await Promise.race([asked, prober.failed]);
  prober.stop();
}

/** With the share of one processor that this client took: near 1 the figure is the client's and not the server's. */
function printLoad(result: LoadResult): void {
  const { user, system } = process.cpuUsage(startUsage);
  print({ ...result, busy: (user + system) / 1000 / (performance.now() - startMs) });
}

function print(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

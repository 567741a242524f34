/** etcd's own load generator: what a program in Go would see, which is bound by the client. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { VALUE_BYTES } from "../raw-client/shapes.ts";

const run = promisify(execFile);

export interface BenchmarkLoad {
  readonly program: string;
  readonly endpoint: string;
  readonly connections: number;
  readonly clients: number;
  readonly keys: number;
  readonly total: number;
}

/** Requests a second. Throws when a single one failed. */
export async function runBenchmark(load: BenchmarkLoad): Promise<number> {
  const argv = [
    `--endpoints=${load.endpoint}`,
    `--conns=${load.connections}`,
    `--clients=${load.clients}`,
    "put",
    "--key-size=16",
    `--val-size=${VALUE_BYTES}`,
    `--key-space-size=${load.keys}`,
    `--total=${load.total}`,
  ];
  const { stdout, stderr } = await run(load.program, argv, { maxBuffer: 2 ** 26 });
  const rate = /Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1];
  if (rate === undefined || /Error distribution/.test(stdout))
    throw new Error(`the load failed:\n${stdout}\n${stderr}`);
  return Number(rate);
}

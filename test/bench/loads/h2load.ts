/** h2load: one request again and again, by a client in C that costs next to nothing. It sees HTTP, not gRPC's status. */
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { RangeResponse } from "../../../server/proto/etcdserverpb.ts";
import { callOnce } from "../raw-client/check.ts";
import type { Target } from "../raw-client/connection.ts";
import { LIST_KEYS, SHAPES, type ShapeName } from "../raw-client/shapes.ts";

const run = promisify(execFile);

export interface H2Load {
  readonly program: string;
  readonly target: Target;
  readonly shape: ShapeName;
  readonly connections: number;
  readonly inFlight: number;
  readonly seconds: number;
}

/** Requests a second; with one in flight the middle latency too. The same bytes are sent once before, and looked at. */
export async function runH2load(load: H2Load): Promise<{ perSecond: number; p50Us: number }> {
  const message = SHAPES[load.shape].template().bytes;
  await check(load, message);
  const folder = mkdtempSync(join(tmpdir(), "kvorum-bench-"));
  try {
    const body = join(folder, "request");
    const log = join(folder, "latencies");
    writeFileSync(body, message);
    const { stdout } = await run(load.program, argumentsOf(load, body, log), { maxBuffer: 2 ** 24 });
    const isSingle = load.connections * load.inFlight === 1;
    return { perSecond: rateOf(stdout), p50Us: isSingle ? middleOf(readFileSync(log, "utf8")) : 0 };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function check({ target, shape }: H2Load, message: Uint8Array): Promise<void> {
  const answer = await callOnce(target, SHAPES[shape].method.path, message);
  if (shape === "put" || shape === "list put") return;
  const found = RangeResponse.decode(answer).kvs.length;
  const expected = shape === "list" ? LIST_KEYS : 1;
  if (found !== expected) throw new Error(`"${shape}" found ${found} keys at ${target.url} instead of ${expected}`);
}

function argumentsOf({ target, shape, connections, inFlight, seconds }: H2Load, body: string, log: string): string[] {
  const isSingle = connections * inFlight === 1;
  return [
    `--duration=${seconds}`,
    `--clients=${connections}`,
    `--max-concurrent-streams=${inFlight}`,
    "--threads=1",
    `--data=${body}`,
    "--header=content-type: application/grpc",
    "--header=te: trailers",
    ...(isSingle ? [`--log-file=${log}`] : []),
    target.url + SHAPES[shape].method.path,
  ];
}

/** Throws when a single request failed. */
export function rateOf(output: string): number {
  const rate = /finished in [\d.]+\w+, ([\d.]+) req\/s/.exec(output)?.[1];
  const failed = /(\d+) failed, (\d+) errored, (\d+) timeout/.exec(output);
  const statuses = /status codes: \d+ 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx/.exec(output);
  const bad = [...(failed?.slice(1) ?? ["?"]), ...(statuses?.slice(1) ?? ["?"])];
  if (rate === undefined || bad.some((count) => count !== "0")) throw new Error(`h2load failed:\n${output}`);
  return Number(rate);
}

/** Of the third column of its log, microseconds. */
export function middleOf(log: string): number {
  const times = log
    .trim()
    .split("\n")
    .map((line) => Number(line.split("\t")[2]))
    .sort((left, right) => left - right);
  const middle = times[times.length >> 1];
  if (middle === undefined || Number.isNaN(middle)) throw new Error("h2load logged no latencies");
  return middle;
}

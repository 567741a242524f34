/**
 * `npm run bench`: the store beside real etcd on this machine, in this run. Pairs are interleaved and their order turns,
 * so that what disturbs the machine disturbs both. Arguments choose rows by a part of their name; PAIRS sets how many.
 */
import { execFile } from "node:child_process";
import { cpus, release, totalmem } from "node:os";
import { promisify } from "node:util";
import { utf8Bytes } from "../../server/base/bytes.ts";
import { connect } from "../../server/client/client.ts";
import { SERVICES } from "../../server/proto/services.ts";
import { KVORUM_COMMAND, ServerProcess } from "../support/server-process.ts";
import { findTool } from "../support/tools.ts";
import { fill, READ_KEY, ROWS, type Row, VALUE_BYTES } from "./rows.ts";
import { median, type Ratio, ratioOf } from "./statistics.ts";

const PAIRS = Number(process.env["PAIRS"] ?? 7);
const run = promisify(execFile);

interface Result {
  readonly row: string;
  readonly ours: number;
  readonly theirs: number;
  readonly ratio: Ratio;
}

const etcd = findTool("etcd");
const load = findTool("etcd-benchmark");
if (etcd === undefined || load === undefined) {
  console.error(
    "bench needs real `etcd` and `etcd-benchmark` on PATH or in the bin folder of KVORUM_TOOLS (~/.cache/kvorum-tools)",
  );
  process.exit(1);
}

const chosen = process.argv.slice(2);
const rows = ROWS.filter(({ name }) => chosen.length === 0 || chosen.some((part) => name.includes(part)));
if (rows.length === 0) {
  console.error(
    `no row is named like "${chosen.join('", "')}"; there are: ${ROWS.map(({ name }) => `"${name}"`).join(", ")}`,
  );
  process.exit(2);
}

const { stdout: version } = await run(etcd, ["--version"]);
console.log(`${cpus().length} x ${cpus()[0]?.model}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}`);
console.log(
  `ours on Node ${process.version}; theirs ${version.split("\n")[0]}; ${PAIRS} pairs a row, requests/s, 90 % interval\n`,
);
const results: Result[] = [];
for (const row of rows) {
  const result = await measure(row, etcd, load);
  results.push(result);
  const { median: middle, low, high } = result.ratio;
  console.log(
    `${row.name.padEnd(34)} ours ${result.ours.toFixed(0).padStart(7)}  etcd ${result.theirs.toFixed(0).padStart(7)}  ` +
      `ratio ${middle.toFixed(2)} (${low.toFixed(2)} to ${high.toFixed(2)})`,
  );
}
console.log(
  `\n${JSON.stringify({ date: new Date().toISOString(), node: process.version, etcd: version.split("\n")[0], results })}`,
);

async function measure(row: Row, etcdPath: string, loadPath: string): Promise<Result> {
  const ours = await ServerProcess.start({ command: KVORUM_COMMAND });
  const theirs = await ServerProcess.start({ command: [etcdPath], flags: ["--log-level=info"] });
  try {
    for (const server of [ours, theirs]) if (row.keys > 0) await prepare(loadPath, server, row.keys);
    const pairs: [number, number][] = [];
    for (let pair = 0; pair < PAIRS; pair++) {
      const order = pair % 2 === 0 ? [ours, theirs] : [theirs, ours];
      const rates = new Map<ServerProcess, number>();
      for (const server of order) rates.set(server, await generate(loadPath, server, row.load));
      pairs.push([rates.get(ours) as number, rates.get(theirs) as number]);
    }
    return {
      row: row.name,
      ours: median(pairs.map(([rate]) => rate)),
      theirs: median(pairs.map(([, rate]) => rate)),
      ratio: ratioOf(pairs, Math.random),
    };
  } finally {
    await Promise.all([ours.remove(), theirs.remove()]);
  }
}

/** Many keys, and the one that is read. */
async function prepare(loadPath: string, server: ServerProcess, keys: number): Promise<void> {
  await generate(loadPath, server, fill(keys));
  const client = connect(server.url);
  await client.unary(SERVICES.kv.methods.put, { key: utf8Bytes(READ_KEY), value: new Uint8Array(VALUE_BYTES) });
  client.close();
}

/** Requests a second that the load generator counted. Throws when a single one failed. */
async function generate(loadPath: string, server: ServerProcess, load: readonly string[]): Promise<number> {
  const { stdout, stderr } = await run(loadPath, [`--endpoints=${server.endpoint}`, ...load], { maxBuffer: 2 ** 26 });
  const rate = /Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1];
  if (rate === undefined || /Error distribution/.test(stdout))
    throw new Error(`the load failed:\n${stdout}\n${stderr}`);
  return Number(rate);
}

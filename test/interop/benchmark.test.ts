/** etcd's own load generator on our server: every request that it says it makes is answered. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { runProgram } from "../support/program.ts";
import { ServerProcess } from "../support/server-process.ts";
import { requireTool } from "../support/tools.ts";

let server: ServerProcess;
before(async () => {
  server = await ServerProcess.start();
});
after(() => server.remove());

const LOAD = ["--conns=4", "--clients=20"];

/** What is run, and how many requests each summary of it counts. */
const RUNS: readonly (readonly [args: string, summaries: readonly number[]])[] = [
  ["put --total=1000 --key-space-size=500 --sequential-keys --val-size=256 --check-hashkv", [1000]],
  ["range benchmark --total=1000", [1000]],
  ["range a z --total=300 --consistency=s --limit=50", [300]],
  ["txn-put --total=1000 --txn-ops=4 --key-space-size=500", [1000]],
  ["txn-mixed --total=500 --key-space-size=100 --rw-ratio=2", []],
  ["stm --total=200 --keys=20 --keys-per-txn=3", [200]],
  ["watch --streams=4 --watch-per-stream=20 --watched-key-total=4 --put-total=100", [80, 8000]],
  ["watch-get --streams=2 --watchers=100", []],
  ["watch-latency --streams=2 --watchers-per-stream=5 --put-total=100 --put-rate=500", []],
  ["lease-keepalive --total=1000", [1000]],
];

for (const [line, summaries] of RUNS)
  test(`etcd-benchmark ${line}`, async (t) => {
    const path = requireTool(t, "etcd-benchmark");
    if (path === undefined) return;
    const args = [`--endpoints=${server.endpoint}`, ...LOAD, ...line.split(" ")];
    const { code, output, errors } = await runProgram(path, args, { timeoutMs: 120_000 });
    assert.equal(code, 0, errors.slice(-2000));
    // It cancels what it has under way when it has seen enough.
    assert.doesNotMatch(output + errors, /Error distribution|rror: code = (?!Canceled)/);
    const counted = countsIn(output);
    assert.deepEqual(summaries.length === 0 ? [] : counted, summaries, output);
    assert.ok(counted.length > 0 && counted.every((count) => count > 0), output);
    t.diagnostic(output.match(/Requests\/sec:\s+[\d.]+/g)?.join(", ") ?? "");
  });

/** How many requests each histogram of the output holds. */
function countsIn(output: string): number[] {
  return output
    .split("Response time histogram:")
    .slice(1)
    .map((part) => [...part.matchAll(/^\s+[\d.]+ \[(\d+)\]/gm)].reduce((sum, [, count]) => sum + Number(count), 0));
}
